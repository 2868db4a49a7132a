//! The map of one layer.

use std::ops::Range;

use i2am_imaging::{Plane, torch_bicubic, torch_bilinear};

use super::MapMaker;
use crate::record::{INSIDE, OUTSIDE};
use crate::{
    Averaging, Clamp, Convention, Direction, Grid, LayerRecord, MapResize, NoMap, Reading, Source,
};

/// Which recorded groups and heads a mean runs over.
pub(super) struct Selection {
    /// Groups within a range are summed before the resize; the mean over ranges follows after it.
    groups: Vec<Range<usize>>,
    /// One head, or the mean over all.
    head: Option<usize>,
}

impl Selection {
    /// All steps as one sum, mean over all heads.
    pub(super) fn all(recorded: usize) -> Self {
        Self {
            groups: std::iter::once(0..recorded).collect(),
            head: None,
        }
    }

    /// The recorded groups of time group `group` of `shown`, each on its own. If `shown` does not divide their number, time groups
    /// differ by at most one recorded group.
    pub(super) fn time(group: usize, shown: usize, recorded: usize) -> Result<Self, NoMap> {
        if group >= shown {
            let groups = shown;
            return Err(NoMap::NoSuchTime { group, groups });
        }
        if shown > recorded {
            let asked = shown;
            return Err(NoMap::TooFewGroups { recorded, asked });
        }
        let (start, end) = (group * recorded / shown, (group + 1) * recorded / shown);
        Ok(Self {
            groups: (start..end).map(|group| group..group + 1).collect(),
            head: None,
        })
    }

    pub(super) fn only_head(self, head: usize) -> Self {
        Self {
            head: Some(head),
            ..self
        }
    }

    /// The recorded groups as one range: they follow each other.
    pub(super) fn all_groups(&self) -> Range<usize> {
        let first = self.groups.first().map_or(0, |groups| groups.start);
        let end = self.groups.last().map_or(0, |groups| groups.end);
        first..end
    }

    fn heads(&self, layer: &LayerRecord) -> Range<usize> {
        match self.head {
            Some(head) => head..head + 1,
            None => 0..layer.heads,
        }
    }
}

impl MapMaker<'_> {
    /// Mean over the selected groups and heads at the size `target`, row-major; `None` if there is nothing to average over.
    pub(super) fn layer_values(
        &self,
        layer: &LayerRecord,
        selection: &Selection,
        target: Grid,
    ) -> Option<Vec<f64>> {
        let sums = self.sums(layer)?;
        let heads = selection.heads(layer);
        let maps = (selection.groups.len() * heads.len()) as f64;
        let mut mean = vec![0.0; target.len()];
        for groups in &selection.groups {
            for head in heads.clone() {
                let map = sums.map(groups.clone(), head);
                let map = resized(&map, target, self.convention);
                for (mean, value) in mean.iter_mut().zip(map.data()) {
                    *mean += f64::from(*value) / maps;
                }
            }
        }
        Some(mean)
    }

    /// The sums of `layer` that the convention reads; `None` if it has none, or no position to average over.
    pub(super) fn sums<'r>(&self, layer: &'r LayerRecord) -> Option<Sums<'r>> {
        let settings = self.convention.direction(self.direction);
        let carried = layer.carried.as_ref().filter(|_| self.convention.carried);
        let (values, counts): (&[f32], _) = match settings.reading {
            Reading::ColumnSoftmax => {
                let r2g = carried.map_or(&layer.r2g, |carried| &carried.r2g);
                (r2g, layer.r2g_counts)
            }
            Reading::Share => {
                let own = carried.map(|carried| &carried.share);
                (own.or(layer.share.as_ref())?, layer.r2g_counts)
            }
            Reading::Absolute => {
                let own = carried.and_then(|carried| carried.g2r.as_ref());
                (own.or(layer.g2r.as_ref())?, layer.g2r_counts)
            }
            Reading::Relative => {
                let own = layer.relative.as_ref();
                (own.or(layer.g2r.as_ref())?, layer.g2r_counts)
            }
        };
        // Tokens without a place are neither inside nor outside.
        let has_sides = matches!(layer.source, Source::Spatial { .. })
            || self.direction == Direction::GeneratedToReference;
        let sides: &[usize] = match settings.averaged_over {
            Averaging::Inside if has_sides => &[INSIDE],
            Averaging::Outside if has_sides => &[OUTSIDE],
            _ => &[INSIDE, OUTSIDE],
        };
        let count: u64 = sides.iter().map(|&side| counts[side]).sum();
        let count = match settings.reading {
            // What the tokens have together, not on average.
            Reading::Share => count.min(1),
            _ => count,
        };
        let grid = layer.grid(self.direction)?;
        (count > 0).then_some(Sums {
            values,
            sides,
            count,
            heads: layer.heads,
            groups: values.len() / (2 * layer.heads * grid.len()),
            grid,
        })
    }
}

fn resized(map: &Plane, target: Grid, convention: &Convention) -> Plane {
    let map = convention.resize.apply(map, target);
    match convention.clamp {
        Clamp::Zero => map.clamp_min(0.0),
        Clamp::Off => map,
    }
}

impl MapResize {
    /// `map` at the size `target`.
    pub(crate) fn apply(self, map: &Plane, target: Grid) -> Plane {
        match self {
            Self::TorchBicubic => torch_bicubic(map, target.height, target.width),
            Self::TorchBilinear => torch_bilinear(map, target.height, target.width),
        }
    }
}

/// The sums of one layer in one direction, and over what to divide them.
pub(super) struct Sums<'r> {
    values: &'r [f32],
    sides: &'static [usize],
    count: u64,
    heads: usize,
    groups: usize,
    grid: Grid,
}

impl Sums<'_> {
    /// Mean over positions of one head, summed over `groups`.
    pub(super) fn map(&self, groups: Range<usize>, head: usize) -> Plane {
        let size = self.grid.len();
        let mut sum = vec![0.0_f64; size];
        for group in groups {
            for side in self.sides {
                let start = ((side * self.groups + group) * self.heads + head) * size;
                for (sum, value) in sum.iter_mut().zip(&self.values[start..start + size]) {
                    *sum += f64::from(*value);
                }
            }
        }
        let count = self.count as f64;
        self.grid.plane(|index| sum[index] / count)
    }
}
