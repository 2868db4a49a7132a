//! The loss on attention of refined checkpoints: `StableVITON`'s attention total variation (Kim et al. 2024, section 3.3).
//!
//! The center of a position's attention is the mean place in the reference that it attends to. Where a garment is worn, neighbours
//! should attend to neighbouring places; the loss is the mean absolute step of the center from one position to the next.
//!
//! It is chosen over a loss that pulls attention into the garment's mask because that mask is what IMACS scores against: a model
//! trained towards the score could not tell whether the score follows quality. This one knows no mask of the reference.

use i2am_nets::layers::attend;
use i2am_nets::{AttentionProbe, Observation};
use tch::{Kind, Tensor};

/// Collects the loss while a network runs.
pub(super) struct CenterVariation<'a> {
    slots: &'a [usize],
    /// Share of each cell where the garment is worn: `[batch, 1, h, w]`.
    worn: &'a Tensor,
    terms: Vec<Tensor>,
}

impl<'a> CenterVariation<'a> {
    /// For the warp blocks `slots`, on the positions of `worn`.
    pub(super) fn new(slots: &'a [usize], worn: &'a Tensor) -> Self {
        Self {
            slots,
            worn,
            terms: Vec::new(),
        }
    }

    /// Mean over the blocks seen; 0 if there was none.
    pub(super) fn loss(self) -> Tensor {
        match self.terms.len() {
            0 => self.worn.zeros_like().sum(Kind::Float),
            _ => Tensor::stack(&self.terms, 0).mean(Kind::Float),
        }
    }
}

impl AttentionProbe for CenterVariation<'_> {
    fn observe(&mut self, seen: &Observation<'_>) {
        let (Some(slot), Some(grid), Some((height, width))) =
            (slot(seen.layer), seen.key_grid(), seen.grid())
        else {
            return;
        };
        if self.slots.contains(&slot) {
            let centers = centers(seen, (height, width), grid);
            let worn = self.worn.adaptive_avg_pool2d([height, width]).ge(0.5);
            self.terms
                .push(variation(&centers, &worn.to_kind(Kind::Float)));
        }
    }
}

/// The number of the warp block that the layer belongs to.
fn slot(layer: &str) -> Option<usize> {
    let (slot, _) = layer.strip_prefix("warp_flow_blks.")?.split_once('.')?;
    slot.parse().ok()
}

/// Mean place attended to, over heads: `[batch, 2, H, W]`, rows and columns of the reference from -1 to 1.
fn centers(
    seen: &Observation<'_>,
    (height, width): (i64, i64),
    (rows, columns): (i64, i64),
) -> Tensor {
    let options = (Kind::Float, seen.query.device());
    let axis = |length: i64| Tensor::linspace(-1.0, 1.0, length, options);
    let places = Tensor::stack(
        &Tensor::meshgrid_indexing(&[axis(rows), axis(columns)], "ij"),
        2,
    );
    let size = seen.key.size();
    let places = places
        .reshape([1, 1, rows * columns, 2])
        .expand([size[0], size[1], rows * columns, 2], false);
    // Attention whose values are places; `attend` scales as the layer does.
    attend(seen.query, seen.key, &places)
        .reshape([size[0], height, width, size[1], 2])
        .mean_dim([3].as_slice(), false, Kind::Float)
        .permute([0, 3, 1, 2])
}

/// Mean absolute difference of neighbours, sideways and downwards, where both are in `mask` `[batch, 1, H, W]`.
fn variation(centers: &Tensor, mask: &Tensor) -> Tensor {
    let along = |axis: i64| {
        let length = centers.size()[axis as usize];
        let (first, second) = (
            |x: &Tensor| x.narrow(axis, 0, length - 1),
            |x: &Tensor| x.narrow(axis, 1, length - 1),
        );
        let both = first(mask) * second(mask);
        let steps = (second(centers) - first(centers)).abs() * &both;
        steps.sum(Kind::Float) / both.sum(Kind::Float).clamp_min(1.0)
    };
    along(2) + along(3)
}

#[cfg(test)]
mod tests {
    use i2am_nets::{AttentionProbe as _, Observation, Role, Segment};
    use tch::{Device, Kind, Tensor};

    use super::{CenterVariation, slot};

    const GRID: (i64, i64) = (3, 4);

    /// The loss of queries `[1, 1, 12, d]` that attend sharply to keys `[1, 1, 12, d]`.
    fn loss(query: &Tensor, key: &Tensor, worn: &Tensor) -> f64 {
        let slots = [1];
        let mut probe = CenterVariation::new(&slots, worn);
        for layer in [
            "up_blocks.1.attentions.0.transformer_blocks.0.attn2",
            "warp_flow_blks.0.transformer_blocks.0.attn2",
            "warp_flow_blks.1.transformer_blocks.0.attn2",
        ] {
            probe.observe(&Observation {
                layer,
                query,
                key,
                scale: (query.size()[3] as f64).powf(-0.5),
                queries: &[Segment::grid(Role::Generated, 0, GRID)],
                keys: &[Segment::grid(Role::Reference(0), 0, GRID)],
                carried: &Tensor::new,
                log_sums: &|| None,
            });
        }
        assert_eq!(probe.terms.len(), 1);
        probe.loss().double_value(&[])
    }

    fn one_hot(order: &[i64]) -> Tensor {
        let eye = Tensor::eye(12, (Kind::Float, Device::Cpu)) * 40.0;
        eye.index_select(0, &Tensor::from_slice(order))
            .reshape([1, 1, 12, 12])
    }

    #[test]
    fn only_warp_blocks_have_slots() {
        let _draws = crate::generator::alone();
        assert_eq!(
            slot("warp_flow_blks.12.transformer_blocks.0.attn2"),
            Some(12)
        );
        assert_eq!(
            slot("mid_block.attentions.0.transformer_blocks.0.attn2"),
            None
        );
    }

    /// A step down the identity map is 2 / 2 of the rows, a step sideways 2 / 3 of the columns; half of the coordinates stay.
    #[test]
    fn the_identity_moves_one_place_a_step() {
        let _draws = crate::generator::alone();
        let worn = Tensor::ones([1, 1, 3, 4], (Kind::Float, Device::Cpu));
        let straight: Vec<i64> = (0..12).collect();
        let found = loss(&one_hot(&straight), &one_hot(&straight), &worn);
        assert!((found - (1.0 + 2.0 / 3.0)).abs() < 1e-3, "{found}");
        let shuffled: Vec<i64> = (0..12).map(|i| i * 5 % 12).collect();
        assert!(loss(&one_hot(&shuffled), &one_hot(&straight), &worn) > found);
    }

    #[test]
    fn one_place_for_all_and_positions_not_worn_cost_nothing() {
        let _draws = crate::generator::alone();
        let straight: Vec<i64> = (0..12).collect();
        let options = (Kind::Float, Device::Cpu);
        let (worn, bare) = (
            Tensor::ones([1, 1, 3, 4], options),
            Tensor::zeros([1, 1, 3, 4], options),
        );
        let parked = one_hot(&[5; 12]);
        assert!(loss(&parked, &one_hot(&straight), &worn).abs() < 1e-6);
        assert!(loss(&one_hot(&straight), &one_hot(&straight), &bare).abs() < 1e-12);
    }
}
