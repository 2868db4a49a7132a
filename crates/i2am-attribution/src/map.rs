//! Raw maps: means over the axes of a record.

mod cell;
mod layer;

use i2am_imaging::Plane;
use i2am_quantity::{Note, Notes};

use crate::{
    AttentionRecord, Convention, ConventionName, Direction, Grid, LayerChoice, LayerRecord,
    LayerWeighting, Level, NoMap, Reading, Source,
};
use layer::Selection;

pub use cell::{cell_attention, cells};

/// A raw map, before normalisation.
#[derive(Debug, Clone, PartialEq)]
pub struct AttributionMap {
    /// The values: sums of probabilities over steps, up to the scaling of layers. Over generated positions at the size of the
    /// latent, over reference positions at the size of the largest grid among the layers.
    pub plane: Plane,
    /// What a reader has to know about it.
    pub notes: Notes,
    /// Names of the layers that entered, in the record's order.
    pub layers: Vec<String>,
}

/// The levels that the layers of `record` offer in `direction`, in the order of tables; none if there is no map at all. A level
/// listed may still have [`NoMap::NothingSelected`], if the masks of this sample select nothing.
pub fn levels(
    record: &AttentionRecord,
    convention: &Convention,
    direction: Direction,
) -> Vec<Level> {
    let maker = MapMaker::new(record, convention, direction);
    let mut levels = Vec::new();
    if let Ok(chosen) = maker.chosen() {
        levels.push(Level::Unified);
        let times = (0..convention.time_groups).map(Level::Time);
        levels.extend(times.filter(|level| maker.plan(level).is_ok()));
        if let Ok(heads) = common_heads(&chosen) {
            levels.extend((0..heads).map(Level::Head));
        }
    }
    let named = maker.all().into_iter();
    levels.extend(named.map(|layer| Level::Layer(layer.name.clone())));
    for grid in maker.resolutions() {
        levels.push(Level::Resolution {
            height: grid.height,
            width: grid.width,
        });
    }
    levels
}

/// The raw map of `level` in `direction`.
///
/// For each layer, head and set of steps, the mean over the positions that the convention averages over is resized and clamped;
/// the means over heads and sets of steps follow, then the layers' scaling and the mean over layers. A set of steps is all of them,
/// except at [`Level::Time`], where it is one recorded group: a time group made of several recorded groups is the mean of their
/// maps. Layers in which nothing lies inside the mask do not enter.
///
/// # Shapes
/// Over generated positions `[latent_height, latent_width]`, over reference positions the largest reference grid among the layers.
/// # Units and range
/// Sums of probabilities over steps, at least 0 unless [`crate::Clamp::Off`]; mean 1 with [`LayerWeighting::UnitMean`].
/// # Errors
/// [`NoMap`] with the reason.
/// # Source
/// qkrwnstj306/I2AM: `hook.py` @ 7c3e19c; for time groups made of single steps `qkrwnstj306/I2AM_PBE_Object_Detection`:
/// `scripts/hook.py` @ 27df587 (fixtures `i2am`, `paint-by-example`).
pub fn attribution_map(
    record: &AttentionRecord,
    convention: &Convention,
    direction: Direction,
    level: &Level,
) -> Result<AttributionMap, NoMap> {
    MapMaker::new(record, convention, direction).map(level)
}

/// What one level is the mean of.
struct Plan<'r> {
    layers: Vec<&'r LayerRecord>,
    selection: Selection,
}

struct MapMaker<'a> {
    record: &'a AttentionRecord,
    convention: &'a Convention,
    direction: Direction,
}

impl<'a> MapMaker<'a> {
    fn new(record: &'a AttentionRecord, convention: &'a Convention, direction: Direction) -> Self {
        Self {
            record,
            convention,
            direction,
        }
    }

    fn map(&self, level: &Level) -> Result<AttributionMap, NoMap> {
        let Plan { layers, selection } = self.plan(level)?;
        let target = self.target(&layers);
        let mut entered = Vec::new();
        let mut sum = vec![0.0_f64; target.len()];
        for layer in layers {
            let Some(values) = self.layer_values(layer, &selection, target) else {
                continue;
            };
            entered.push(layer);
            let weight = self.weight(&values);
            for (sum, value) in sum.iter_mut().zip(values) {
                *sum += weight * value;
            }
        }
        if entered.is_empty() {
            let what = self.averaged_positions();
            return Err(NoMap::NothingSelected { what });
        }
        let layers = entered.len() as f64;
        Ok(AttributionMap {
            plane: target.plane(|index| sum[index] / layers),
            notes: notes(&entered, self.direction),
            layers: entered.iter().map(|layer| layer.name.clone()).collect(),
        })
    }

    /// Layers and positions of the record behind `level`, or why there are none.
    fn plan(&self, level: &Level) -> Result<Plan<'a>, NoMap> {
        let groups = self.record.groups();
        let all_steps = Selection::all(groups);
        match level {
            Level::Unified => Ok(Plan {
                layers: self.chosen()?,
                selection: all_steps,
            }),
            Level::Time(group) => Ok(Plan {
                layers: self.choose(&self.convention.direction(self.direction).time_layers)?,
                selection: Selection::time(*group, self.convention.time_groups, groups)?,
            }),
            Level::Head(head) => {
                let layers = self.chosen()?;
                let heads = common_heads(&layers)?;
                if *head >= heads {
                    return Err(NoMap::NoSuchHead { head: *head, heads });
                }
                let selection = all_steps.only_head(*head);
                Ok(Plan { layers, selection })
            }
            Level::Cell(cell) => {
                let (layer, selection) = self.cell(cell)?;
                Ok(Plan {
                    layers: vec![layer],
                    selection,
                })
            }
            Level::Layer(name) => Ok(Plan {
                layers: vec![self.named(name)?],
                selection: all_steps,
            }),
            Level::Resolution { height, width } => {
                let (height, width) = (*height, *width);
                let mut layers = self.chosen()?;
                layers.retain(|layer| layer.grid(self.direction) == Some(Grid { height, width }));
                if layers.is_empty() {
                    return Err(NoMap::NoSuchResolution { height, width });
                }
                let selection = all_steps;
                Ok(Plan { layers, selection })
            }
            Level::Specific { .. } => Err(NoMap::Specific {
                level: level.clone(),
            }),
        }
    }

    fn chosen(&self) -> Result<Vec<&'a LayerRecord>, NoMap> {
        self.choose(&self.convention.direction(self.direction).layers)
    }

    /// # Errors
    /// [`NoMap::NotDefined`] for a convention that was written for UNets, of layers that are none.
    fn defined(&self) -> Result<(), NoMap> {
        let convention = self.convention.name;
        let is_block = self.record.layers.iter().any(LayerRecord::is_block);
        if is_block && convention != ConventionName::Spatial {
            let convention = convention.as_str();
            return Err(NoMap::NotDefined { convention });
        }
        Ok(())
    }

    fn choose(&self, choice: &LayerChoice) -> Result<Vec<&'a LayerRecord>, NoMap> {
        self.defined()?;
        let layers = choice.choose(self.record, self.convention.reference, self.direction);
        if !layers.is_empty() {
            return self.readable(layers);
        }
        let reference = self.convention.reference;
        let mut of_reference = self.record.layers.iter();
        if !of_reference.any(|layer| layer.reference == reference) {
            return Err(NoMap::NoSuchReference { reference });
        }
        if LayerChoice::All
            .choose(self.record, reference, self.direction)
            .is_empty()
        {
            let pooled = self.record.layers.iter().find(|layer| !layer.has_places());
            return Err(pooled.map_or(NoMap::NotRecorded, no_places));
        }
        Err(NoMap::NoChosenLayer {
            choice: choice.to_string(),
        })
    }

    /// Every layer with a map, whether or not the convention chooses it.
    fn all(&self) -> Vec<&'a LayerRecord> {
        if self.defined().is_err() {
            return Vec::new();
        }
        let all = LayerChoice::All;
        let layers = all.choose(self.record, self.convention.reference, self.direction);
        self.readable(layers).unwrap_or_default()
    }

    /// Those of `layers` for which the sums that the convention reads were recorded.
    fn readable(&self, mut layers: Vec<&'a LayerRecord>) -> Result<Vec<&'a LayerRecord>, NoMap> {
        let reading = self.convention.direction(self.direction).reading;
        if self.convention.carried {
            layers.retain(|layer| layer.carried.is_some());
        } else if reading == Reading::Share {
            layers.retain(|layer| layer.competes());
        }
        match layers.is_empty() {
            false => Ok(layers),
            true if self.convention.carried => Err(NoMap::NotCarried),
            true => Err(NoMap::NoShare),
        }
    }

    fn named(&self, name: &str) -> Result<&'a LayerRecord, NoMap> {
        self.defined()?;
        let layer = self.record.layer(name).ok_or_else(|| NoMap::NoSuchLayer {
            name: name.to_owned(),
        })?;
        match layer.grid(self.direction) {
            Some(_) => Ok(self.readable(vec![layer])?[0]),
            None if layer.has_places() => Err(NoMap::NotRecorded),
            None => Err(no_places(layer)),
        }
    }

    /// The sizes of the chosen layers' own maps, each once, in the record's order; blocks of a transformer have one size and no such level.
    fn resolutions(&self) -> Vec<Grid> {
        let mut grids = Vec::new();
        let chosen = self.chosen().unwrap_or_default().into_iter();
        for layer in chosen.filter(|layer| !layer.is_block()) {
            if let Some(grid) = layer.grid(self.direction)
                && !grids.contains(&grid)
            {
                grids.push(grid);
            }
        }
        grids
    }

    /// The size to which the maps of `layers` are brought.
    fn target(&self, layers: &[&LayerRecord]) -> Grid {
        match self.direction {
            Direction::ReferenceToGenerated => self.record.latent_grid(),
            Direction::GeneratedToReference => layers
                .iter()
                .filter_map(|layer| layer.reference_grid())
                .max_by_key(|grid| grid.len())
                .unwrap_or_else(|| self.record.latent_grid()),
        }
    }

    fn weight(&self, values: &[f64]) -> f64 {
        match self.convention.weighting(self.direction) {
            LayerWeighting::Raw => 1.0,
            LayerWeighting::UnitMean => {
                let mean = values.iter().sum::<f64>() / values.len() as f64;
                // A map of zeros cannot be scaled; it enters as it is.
                if mean > 0.0 { 1.0 / mean } else { 1.0 }
            }
        }
    }

    fn averaged_positions(&self) -> &'static str {
        use crate::Averaging::{All, Inside, Outside};
        let averaged_over = self.convention.direction(self.direction).averaged_over;
        match (self.direction, averaged_over) {
            (Direction::ReferenceToGenerated, Inside) => {
                "reference token inside the reference mask"
            }
            (Direction::ReferenceToGenerated, Outside) => {
                "reference token outside the reference mask"
            }
            (Direction::ReferenceToGenerated, All) => "reference token",
            (Direction::GeneratedToReference, Inside) => {
                "generated position inside the inpainting mask"
            }
            (Direction::GeneratedToReference, Outside) => {
                "generated position outside the inpainting mask"
            }
            (Direction::GeneratedToReference, All) => "generated position",
        }
    }
}

/// Why a layer has no map over the reference.
pub(crate) fn no_places(layer: &LayerRecord) -> NoMap {
    match layer.source.tokens() {
        1 => NoMap::OneToken,
        tokens => NoMap::PooledTokens { tokens },
    }
}

/// What a reader has to know about a map made of `layers`.
fn notes(layers: &[&LayerRecord], direction: Direction) -> Notes {
    let any = |test: &dyn Fn(&LayerRecord) -> bool| layers.iter().any(|layer| test(layer));
    let one_token = any(&LayerRecord::is_one_token);
    let mixed = any(&|layer| matches!(layer.source, Source::Mixed { .. }));
    let composed = direction == Direction::GeneratedToReference && mixed;
    let notes = [(one_token, Note::OneToken), (composed, Note::Composed)];
    let there = notes.into_iter().filter(|(there, _)| *there);
    there.map(|(_, note)| note).collect()
}

/// The number of heads that all of `layers` have.
fn common_heads(layers: &[&LayerRecord]) -> Result<usize, NoMap> {
    let heads = || layers.iter().map(|layer| layer.heads);
    let (fewest, most) = (heads().min().unwrap_or(0), heads().max().unwrap_or(0));
    if fewest == most {
        Ok(most)
    } else {
        Err(NoMap::UnequalHeads { fewest, most })
    }
}

#[cfg(test)]
mod tests;
