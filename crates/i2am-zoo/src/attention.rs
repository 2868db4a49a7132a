//! Losses on attention, in addition to that on the predicted noise.

mod correspondence;
mod variation;

use std::collections::BTreeMap;

use anyhow::{Result, ensure};
use i2am_nets::{AttentionProbe, Observation};
use serde::Deserialize;
use tch::{Kind, Tensor};

/// The loss on attention of a training.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AttentionConfig {
    /// What attention is compared with.
    pub(crate) loss: AttentionLossKind,
    /// Weight; the loss on the predicted noise has 1.
    pub(crate) weight: f64,
    /// The layers it applies to: their names below the UNet, or whole parts of such names from the first one on.
    pub(crate) layers: Vec<String>,
}

/// See the modules of this one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum AttentionLossKind {
    /// Total variation of attention centers.
    Variation,
    /// The known place of every position.
    Correspondence,
}

impl AttentionConfig {
    /// # Errors
    /// Layers that the UNet with these `variables` does not have.
    pub(crate) fn check(&self, variables: &BTreeMap<String, Tensor>) -> Result<()> {
        let of = |name: &str| {
            let layer = name.strip_prefix("unet.")?.strip_suffix(".to_q.weight")?;
            Some(layer.to_owned())
        };
        let layers: Vec<String> = variables.keys().filter_map(|name| of(name)).collect();
        for named in &self.layers {
            ensure!(
                layers.iter().any(|layer| is_below(layer, named)),
                "attention.layers: expected names of attention layers such as `{}`, found `{named}`",
                layers.last().map_or("", String::as_str)
            );
        }
        Ok(())
    }
}

/// Whether `part` is the name of the layer, or of what the layer is in.
fn is_below(layer: &str, part: &str) -> bool {
    let rest = layer.strip_prefix(part);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// What attention is compared with.
#[derive(Clone, Copy)]
pub(crate) enum Wanted<'a> {
    /// Neighbours where the garment is worn attend to neighbouring places. Share of each cell: `[batch, 1, h, w]`.
    Smooth(&'a Tensor),
    /// Positions attend to the place their cloth comes from: `[batch, 3, h, w]` or more channels, see [`crate::places`].
    Places(&'a Tensor),
}

/// Collects the loss while a network runs.
pub(crate) struct AttentionLoss<'a> {
    layers: &'a [String],
    wanted: Wanted<'a>,
    terms: Vec<Tensor>,
}

impl<'a> AttentionLoss<'a> {
    /// For the layers `layers`, as [`AttentionConfig`] names them.
    pub(crate) fn new(layers: &'a [String], wanted: Wanted<'a>) -> Self {
        Self {
            layers,
            wanted,
            terms: Vec::new(),
        }
    }

    /// Mean over the layers seen; 0 if there was none.
    pub(crate) fn loss(self) -> Tensor {
        let (Wanted::Smooth(any) | Wanted::Places(any)) = self.wanted;
        match self.terms.len() {
            0 => any.zeros_like().sum(Kind::Float),
            _ => Tensor::stack(&self.terms, 0).mean(Kind::Float),
        }
    }
}

impl AttentionProbe for AttentionLoss<'_> {
    fn observe(&mut self, seen: &Observation<'_>) {
        let is_meant = self.layers.iter().any(|part| is_below(seen.layer, part));
        let (Some(grid), Some(size), true) = (seen.key_grid(), seen.grid(), is_meant) else {
            return;
        };
        self.terms.push(match self.wanted {
            Wanted::Smooth(worn) => variation::loss(seen, size, grid, worn),
            Wanted::Places(places) => correspondence::loss(seen, grid, places),
        });
    }
}

#[cfg(test)]
mod tests {
    use i2am_nets::{AttentionProbe as _, Observation, Role, Segment};
    use tch::{Device, Kind, Tensor};

    use super::{AttentionLoss, Wanted, is_below};

    const GRID: (i64, i64) = (3, 4);

    /// The loss of queries `[1, 1, 12, d]` with keys `[1, 1, 12, d]`.
    fn loss(query: &Tensor, key: &Tensor, wanted: Wanted<'_>) -> f64 {
        let layers = ["warp_flow_blks.1".to_owned()];
        let mut probe = AttentionLoss::new(&layers, wanted);
        for layer in [
            "up_blocks.1.attentions.0.transformer_blocks.0.attn2",
            "warp_flow_blks.0.transformer_blocks.0.attn2",
            "warp_flow_blks.1.transformer_blocks.0.attn2",
            "warp_flow_blks.12.transformer_blocks.0.attn2",
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
    fn layers_are_named_by_whole_parts() {
        let layer = "warp_flow_blks.1.transformer_blocks.0.attn2";
        assert!(is_below(layer, layer) && is_below(layer, "warp_flow_blks.1"));
        assert!(!is_below(layer, "warp_flow_blks.12") && !is_below(layer, "warp_flow"));
    }

    /// A step down the identity map is 2 / 2 of the rows, a step sideways 2 / 3 of the columns; half of the coordinates stay.
    #[test]
    fn the_identity_moves_one_place_a_step() {
        let _draws = crate::trial::alone();
        let worn = Tensor::ones([1, 1, 3, 4], (Kind::Float, Device::Cpu));
        let straight: Vec<i64> = (0..12).collect();
        let found = loss(
            &one_hot(&straight),
            &one_hot(&straight),
            Wanted::Smooth(&worn),
        );
        assert!((found - (1.0 + 2.0 / 3.0)).abs() < 1e-3, "{found}");
        let shuffled: Vec<i64> = (0..12).map(|i| i * 5 % 12).collect();
        assert!(
            loss(
                &one_hot(&shuffled),
                &one_hot(&straight),
                Wanted::Smooth(&worn)
            ) > found
        );
    }

    #[test]
    fn one_place_for_all_and_positions_not_worn_cost_nothing() {
        let _draws = crate::trial::alone();
        let straight: Vec<i64> = (0..12).collect();
        let options = (Kind::Float, Device::Cpu);
        let (worn, bare) = (
            Tensor::ones([1, 1, 3, 4], options),
            Tensor::zeros([1, 1, 3, 4], options),
        );
        let parked = one_hot(&[5; 12]);
        assert!(loss(&parked, &one_hot(&straight), Wanted::Smooth(&worn)).abs() < 1e-6);
        assert!(
            loss(
                &one_hot(&straight),
                &one_hot(&straight),
                Wanted::Smooth(&bare)
            )
            .abs()
                < 1e-12
        );
    }

    /// Every position comes from the place below it by one row; those of the last row come from nowhere.
    #[test]
    fn attention_to_the_true_places_costs_nothing() {
        let _draws = crate::trial::alone();
        let options = (Kind::Float, Device::Cpu);
        let places = Tensor::zeros([1, 3, 3, 4], options);
        for (row, column) in (0..2).flat_map(|row| (0..4).map(move |column| (row, column))) {
            let cell = |channel: i64| places.get(0).get(channel).get(row).get(column);
            let _ = cell(0).fill_((row as f64 + 1.5) / 3.0);
            let _ = cell(1).fill_((column as f64 + 0.5) / 4.0);
            let _ = cell(2).fill_(1.0);
        }
        let straight: Vec<i64> = (0..12).collect();
        let below: Vec<i64> = (0..12).map(|place| (place + 4) % 12).collect();
        let found = |order: &[i64]| {
            loss(
                &one_hot(order),
                &one_hot(&straight),
                Wanted::Places(&places),
            )
        };
        assert!(found(&below) < 1e-3, "{}", found(&below));
        assert!(found(&straight) > 5.0, "{}", found(&straight));
        // Even attention has the entropy of twelve places.
        let even = Tensor::zeros([1, 1, 12, 12], options);
        let even = loss(&even, &one_hot(&straight), Wanted::Places(&places));
        assert!((even - 12.0_f64.ln()).abs() < 1e-5, "{even}");
        // A place between four cells is shared by them: the least loss is the entropy of a fair choice among four.
        let between = places.copy();
        let _ = between.narrow(1, 0, 1).fill_(1.0 / 3.0);
        let _ = between.narrow(1, 1, 1).fill_(0.25);
        let corner = Tensor::from_slice(&[
            1.0_f32, 1.0, 0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0,
        ]);
        let query = (corner * 40.0).expand([1, 1, 12, 12], true);
        let four = loss(&query, &one_hot(&straight), Wanted::Places(&between));
        assert!((four - 4.0_f64.ln()).abs() < 1e-4, "{four}");
    }
}
