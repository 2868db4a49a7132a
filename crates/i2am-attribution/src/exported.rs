//! Attention that another program exported, as a record.

use std::collections::BTreeMap;

use crate::record::LayerRecord;
use crate::{AttentionRecord, AttributionError, Direction, Grid, Source};

/// What the name of an array of maps begins with, by the side that the maps show.
const SIDES: [(&str, Direction); 2] = [
    ("generated/", Direction::ReferenceToGenerated),
    ("reference/", Direction::GeneratedToReference),
];

/// An array of maps of one layer.
///
/// # Shapes
/// `[steps, heads, rows, columns]`, the noisiest step first; axes of length 1 in front may be left out.
#[derive(Debug, Clone, PartialEq)]
pub struct Exported {
    /// `generated/LAYER`: maps over the generated image. `reference/LAYER`: maps over the reference image.
    pub name: String,
    /// Length of each axis.
    pub shape: Vec<usize>,
    /// Row-major; finite and not negative.
    pub values: Vec<f32>,
}

impl Exported {
    /// Whether `name` is one of an array of maps.
    pub fn is_name(name: &str) -> bool {
        SIDES.iter().any(|(side, _)| name.starts_with(side))
    }

    fn side(&self) -> Result<(Direction, &str), AttributionError> {
        let side = SIDES
            .iter()
            .find_map(|(side, direction)| Some((*direction, self.name.strip_prefix(side)?)));
        side.ok_or_else(|| AttributionError::Record {
            field: "name of an array",
            expected: "`generated/LAYER` or `reference/LAYER`".to_owned(),
            found: format!("`{}`", self.name),
        })
    }

    /// Lengths of all four axes.
    fn axes(&self) -> Result<[usize; 4], AttributionError> {
        let axes = match self.shape[..] {
            [rows, columns] => Some([1, 1, rows, columns]),
            [heads, rows, columns] => Some([1, heads, rows, columns]),
            [steps, heads, rows, columns] => Some([steps, heads, rows, columns]),
            _ => None,
        };
        let axes = axes.filter(|axes| !axes.contains(&0));
        let found = format!("{:?}", self.shape);
        axes.ok_or_else(|| self.refuse("[steps, heads, rows, columns]".to_owned(), found))
    }

    fn refuse(&self, expected: String, found: String) -> AttributionError {
        AttributionError::Layer {
            layer: self.name.clone(),
            field: "shape",
            expected,
            found,
        }
    }
}

impl AttentionRecord {
    /// The record of maps that another program exported. Every map counts as one over all tokens, inside and outside of masks together, and
    /// every step is a group of its own, so that every level and convention has the same maps as for a record that was made while sampling,
    /// except that means over a mask are means over everything.
    ///
    /// # Errors
    /// A name or a shape that an array cannot have, arrays that differ in steps or, in one layer, in heads, a layer without maps over the
    /// generated image; and what [`AttentionRecord::validate`] refuses.
    pub fn of_exported(arrays: &[Exported]) -> Result<Self, AttributionError> {
        let mut layers: BTreeMap<&str, Vec<(Direction, &Exported)>> = BTreeMap::new();
        let mut order = Vec::new();
        for array in arrays {
            let (direction, layer) = array.side()?;
            let of_layer = layers.entry(layer).or_default();
            if of_layer.is_empty() {
                order.push(layer);
            }
            of_layer.push((direction, array));
        }
        let Some(first) = arrays.first() else {
            return Err(AttributionError::Layer {
                layer: "LAYER".to_owned(),
                field: "maps",
                expected: "an array `generated/LAYER`".to_owned(),
                found: "no array".to_owned(),
            });
        };
        let steps = first.axes()?[0];
        let made = order
            .iter()
            .map(|layer| of_layer(layer, &layers[layer], steps));
        let layers = made.collect::<Result<Vec<_>, _>>()?;
        let largest = layers
            .iter()
            .max_by_key(|layer| layer.generated_grid().len());
        let latent = largest.map_or(
            Grid {
                height: 0,
                width: 0,
            },
            LayerRecord::generated_grid,
        );
        let record = Self {
            layers,
            steps: vec![1; steps],
            latent_height: latent.height,
            latent_width: latent.width,
        };
        record.validate()?;
        Ok(record)
    }
}

fn of_layer(
    name: &str,
    arrays: &[(Direction, &Exported)],
    steps: usize,
) -> Result<LayerRecord, AttributionError> {
    let of = |side: Direction| {
        arrays
            .iter()
            .find(|(direction, _)| *direction == side)
            .map(|(_, array)| *array)
    };
    let Some(generated) = of(Direction::ReferenceToGenerated) else {
        return Err(AttributionError::Layer {
            layer: name.to_owned(),
            field: "maps",
            expected: format!("an array `generated/{name}`"),
            found: format!("`reference/{name}` alone"),
        });
    };
    let [_, heads, height, width] = checked(generated, steps, None)?;
    let reference = of(Direction::GeneratedToReference);
    let reference = reference.map(|array| Ok((array, checked(array, steps, Some(heads))?)));
    let reference = reference.transpose()?;
    // Without maps over the reference, all of it is one place.
    let [_, _, rows, columns] = reference.map_or([1; 4], |(_, axes)| axes);
    let source = Source::Spatial {
        height: rows,
        width: columns,
    };
    let mut layer = LayerRecord::new(name, source, heads, Grid { height, width });
    layer.r2g = all_inside(&generated.values);
    layer.g2r = reference.map(|(array, _)| all_inside(&array.values));
    Ok(layer)
}

/// The axes of `array`, which has so many steps and heads and as many values as they say.
fn checked(
    array: &Exported,
    steps: usize,
    heads: Option<usize>,
) -> Result<[usize; 4], AttributionError> {
    let axes = array.axes()?;
    let found = || format!("{:?}", array.shape);
    if axes[0] != steps {
        return Err(array.refuse(format!("{steps} steps, as in the first array"), found()));
    }
    if let Some(heads) = heads.filter(|heads| axes[1] != *heads) {
        return Err(array.refuse(
            format!("{heads} heads, as over the generated image"),
            found(),
        ));
    }
    let values = axes.iter().product::<usize>();
    if array.values.len() != values {
        return Err(array.refuse(format!("{values} values"), array.values.len().to_string()));
    }
    Ok(axes)
}

/// Sums of which nothing lies outside of a mask.
fn all_inside(values: &[f32]) -> Vec<f32> {
    let mut both = values.to_vec();
    both.resize(2 * values.len(), 0.0);
    both
}

#[cfg(test)]
mod tests {
    use super::Exported;
    use crate::{AttentionRecord, Convention, Direction, Level, attribution_map, levels};

    fn array(name: &str, shape: &[usize]) -> Exported {
        let values = shape.iter().product();
        Exported {
            name: name.to_owned(),
            shape: shape.to_vec(),
            values: (0..values).map(|index| index as f32).collect(),
        }
    }

    #[test]
    fn maps_of_both_sides_become_a_record() {
        let arrays = [
            array("generated/up.1", &[5, 2, 4, 3]),
            array("reference/up.1", &[5, 2, 2, 2]),
            array("generated/mid", &[5, 2, 2, 2]),
        ];
        let record = AttentionRecord::of_exported(&arrays).unwrap();
        let names: Vec<&str> = record
            .layers
            .iter()
            .map(|layer| layer.name.as_str())
            .collect();
        assert_eq!((names, record.groups()), (vec!["up.1", "mid"], 5));
        assert_eq!((record.latent_height, record.latent_width), (4, 3));
        let convention = Convention::default();
        for (direction, size) in [
            (Direction::ReferenceToGenerated, [4, 3]),
            (Direction::GeneratedToReference, [2, 2]),
        ] {
            let map = attribution_map(&record, &convention, direction, &Level::Unified).unwrap();
            assert_eq!(map.plane.size(), size);
            let levels = levels(&record, &convention, direction);
            assert!(
                levels.contains(&Level::Time(4)) && levels.contains(&Level::Head(1)),
                "{levels:?}"
            );
        }
        // The mean over steps and heads of the only layer that has a map over the reference, scaled to mean 1.
        let map = attribution_map(
            &record,
            &convention,
            Direction::GeneratedToReference,
            &Level::Unified,
        )
        .unwrap();
        let expected = [18.0, 19.0, 20.0, 21.0].map(|value: f32| value / 19.5);
        for (found, expected) in map.plane.data().iter().zip(expected) {
            assert!((found - expected).abs() < 1e-6, "{found} {expected}");
        }
    }

    #[test]
    fn axes_in_front_may_be_left_out() {
        let record = AttentionRecord::of_exported(&[array("generated/a", &[4, 3])]).unwrap();
        assert_eq!((record.groups(), record.layers[0].heads), (1, 1));
        let record = AttentionRecord::of_exported(&[array("generated/a", &[2, 4, 3])]).unwrap();
        assert_eq!((record.groups(), record.layers[0].heads), (1, 2));
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let mut negative = array("generated/a", &[2, 2]);
        negative.values[1] = -1.0;
        let mut short = array("generated/a", &[2, 2]);
        short.values.pop();
        for (arrays, expected) in [
            (
                vec![array("a", &[2, 2])],
                "expected `generated/LAYER` or `reference/LAYER`, found `a`",
            ),
            (
                vec![array("generated/a", &[2])],
                "expected [steps, heads, rows, columns], found [2]",
            ),
            (
                vec![array("generated/a", &[0, 1, 2, 2])],
                "found [0, 1, 2, 2]",
            ),
            (
                vec![
                    array("generated/a", &[2, 1, 2, 2]),
                    array("generated/b", &[3, 1, 2, 2]),
                ],
                "expected 2 steps, as in the first array, found [3, 1, 2, 2]",
            ),
            (
                vec![
                    array("generated/a", &[2, 2, 2]),
                    array("reference/a", &[3, 2, 2]),
                ],
                "expected 2 heads, as over the generated image, found [3, 2, 2]",
            ),
            (
                vec![array("reference/a", &[2, 2])],
                "expected an array `generated/a`, found `reference/a` alone",
            ),
            (vec![short], "expected 4 values, found 3"),
            (
                vec![negative],
                "expected finite values, at least 0, found -1",
            ),
            (
                vec![],
                "expected an array `generated/LAYER`, found no array",
            ),
        ] {
            let error = AttentionRecord::of_exported(&arrays)
                .unwrap_err()
                .to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}
