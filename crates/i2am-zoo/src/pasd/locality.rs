//! How near the matching place pixel attentions look, roughly: a check on the way of a training, not a score.

use std::collections::BTreeMap;

use i2am_nets::{AttentionProbe, Observation};
use tch::{Device, Kind, Tensor};

/// Mean shares of attention.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Shares {
    /// Within the radius of the position's own place.
    pub(super) near: f64,
    /// The same with places shuffled: what attention that knows no places gets.
    pub(super) shuffled: f64,
    count: f64,
}

/// Collects the shares of pixel attentions while a network runs, by the number of rows of their maps.
pub(super) struct Nearness {
    radius: f64,
    by_rows: BTreeMap<i64, Shares>,
}

impl Nearness {
    pub(super) fn within(radius: f64) -> Self {
        Self {
            radius,
            by_rows: BTreeMap::new(),
        }
    }

    /// Means over what was seen, from the highest resolution down.
    pub(super) fn shares(&self) -> Vec<(i64, Shares)> {
        let mean = |(&rows, sum): (&i64, &Shares)| {
            let share = Shares {
                near: sum.near / sum.count,
                shuffled: sum.shuffled / sum.count,
                count: 1.0,
            };
            (rows, share)
        };
        self.by_rows.iter().rev().map(mean).collect()
    }
}

impl AttentionProbe for Nearness {
    fn observe(&mut self, seen: &Observation<'_>) {
        let Some(grid) = seen.grid().filter(|_| seen.grid() == seen.key_grid()) else {
            return;
        };
        if !seen.layer.contains(".pixel_attentions.") {
            return;
        }
        let scores = seen.query.matmul(&seen.key.transpose(-2, -1)) * seen.scale;
        let weights = scores.softmax(-1, Kind::Float);
        let near = near(grid, self.radius, weights.device());
        let rows = near.size()[0];
        // A fixed shuffle: a step prime to any number of positions here, and an offset.
        let order = (Tensor::arange(rows, (Kind::Int64, near.device())) * 241 + 7).remainder(rows);
        let share = |places: &Tensor| {
            let kept = (&weights * places).sum_dim_intlist([-1].as_slice(), false, Kind::Float);
            kept.mean(Kind::Float).double_value(&[])
        };
        let sum = self.by_rows.entry(grid.0).or_default();
        sum.near += share(&near);
        sum.shuffled += share(&near.index_select(0, &order));
        sum.count += 1.0;
    }
}

/// 1 where two positions of a map are at most `radius` cells apart, `[positions, positions]`.
fn near((rows, columns): (i64, i64), radius: f64, device: Device) -> Tensor {
    let index = Tensor::arange(rows * columns, (Kind::Int64, device));
    let apart = |axis: &Tensor| (axis.unsqueeze(0) - axis.unsqueeze(1)).square();
    let (row, column) = (
        index.divide_scalar_mode(columns, "floor"),
        index.remainder(columns),
    );
    let square = (apart(&row) + apart(&column)).to_kind(Kind::Float);
    square.le(radius * radius).to_kind(Kind::Float)
}

#[cfg(test)]
mod tests {
    use i2am_nets::{AttentionProbe as _, Observation, Role, Segment};
    use tch::{Device, Kind, Tensor};

    use super::{Nearness, near};

    #[test]
    fn within_one_cell_are_a_position_and_its_neighbours() {
        let found = near((3, 4), 1.0, Device::Cpu);
        let of = |position: i64| {
            let row = found.get(position).nonzero().view(-1);
            Vec::<i64>::try_from(row).unwrap()
        };
        assert_eq!(of(0), [0, 1, 4]);
        assert_eq!(of(5), [1, 4, 5, 6, 9]);
    }

    /// Positions that look at themselves are all near; shuffled ones hardly.
    #[test]
    fn shares_of_sharp_and_of_even_attention() {
        let _draws = crate::trial::alone();
        let grid = (8, 6);
        let sharp = Tensor::eye(48, (Kind::Float, Device::Cpu)).reshape([1, 1, 48, 48]) * 40.0;
        let shares = |query: &Tensor| {
            let mut probe = Nearness::within(1.0);
            for layer in [
                "up_blocks.0.attentions.0",
                "up_blocks.0.pixel_attentions.0.x",
            ] {
                probe.observe(&Observation {
                    layer,
                    query,
                    key: &sharp,
                    scale: 1.0,
                    queries: &[Segment::grid(Role::Generated, 0, grid)],
                    keys: &[Segment::grid(Role::Reference(0), 0, grid)],
                    carried: &Tensor::new,
                    log_sums: &|| None,
                });
            }
            probe.shares()
        };
        let [(8, own)] = shares(&sharp)[..] else {
            panic!("one resolution was seen")
        };
        assert!(own.near > 0.999 && own.shuffled < 0.2, "{own:?}");
        let [(8, even)] = shares(&(&sharp * 0.0))[..] else {
            panic!("one resolution was seen")
        };
        assert!((even.near - even.shuffled).abs() < 1e-6, "{even:?}");
    }
}
