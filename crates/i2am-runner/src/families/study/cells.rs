//! A cell of the reference taken out of what the generated image reads.

use i2am_attribution::Grid;
use i2am_nets::{AttentionProbe, Intervention, Observation, Places, Role};
use tch::{Device, Kind, Tensor};

use crate::capture::ConditionalHalf;

/// The cell, row-major, in which the center of token `token` of a map of `(height, width)` lies.
pub(super) fn cell_of(cells: Grid, (height, width): (i64, i64), token: i64) -> usize {
    let cell = |index: i64, count: i64, cells: usize| {
        let center = (index as f64 + 0.5) / count as f64;
        ((center * cells as f64) as usize).min(cells - 1)
    };
    let row = cell(token / width, height, cells.height);
    row * cells.width + cell(token % width, width, cells.width)
}

/// Takes places of the reference out of what the generated image reads, in the rows under the reference. Places are cells of a coarse grid
/// over the reference; a token belongs to the cell that its center lies in. Layers whose tokens have no place are left as they are.
#[derive(Debug)]
pub struct WithoutCells {
    grid: Grid,
    gone: Vec<bool>,
    conditional: ConditionalHalf,
    /// The layer alone that is changed; all without one.
    layer: Option<String>,
}

impl WithoutCells {
    /// `gone` are cells of `grid`, row-major.
    pub fn new(grid: Grid, gone: Vec<bool>, conditional: ConditionalHalf) -> Self {
        Self {
            grid,
            gone,
            conditional,
            layer: None,
        }
    }

    /// The same in the layer called `name` alone.
    #[must_use]
    pub fn in_layer(self, name: &str) -> Self {
        Self {
            layer: Some(name.to_owned()),
            ..self
        }
    }

    /// Which tokens of a map of `(height, width)` are gone.
    fn tokens(&self, (height, width): (i64, i64)) -> Vec<bool> {
        let token = |index: i64| self.gone[cell_of(self.grid, (height, width), index)];
        (0..height * width).map(token).collect()
    }
}

impl AttentionProbe for WithoutCells {
    fn observe(&mut self, _seen: &Observation<'_>) {}

    fn intervene(&mut self, seen: &Observation<'_>) -> Option<Intervention> {
        if self.layer.as_ref().is_some_and(|layer| layer != seen.layer) {
            return None;
        }
        let (asking, _) = seen.generated()?;
        let keys = Tensor::zeros([seen.key.size()[2]], (Kind::Bool, Device::Cpu));
        let mut any = false;
        for segment in seen.keys {
            if let (Role::Reference(0), Places::Grid(grid)) = (segment.role, &segment.places) {
                let gone = Tensor::from_slice(&self.tokens(*grid));
                any |= gone.any().int64_value(&[]) != 0;
                keys.narrow(0, segment.tokens.start, segment.count())
                    .copy_(&gone);
            }
        }
        // A softmax over nothing is not a number.
        if !any || keys.all().int64_value(&[]) != 0 {
            return None;
        }
        let size = seen.query.size();
        let (batch, queries) = (size[0], size[2]);
        let rows = Tensor::zeros([batch, 1, queries, 1], (Kind::Bool, Device::Cpu));
        let row = self.conditional.row(batch);
        let own = rows
            .select(0, row)
            .narrow(1, asking.tokens.start, asking.count());
        let _ = { own }.fill_(1);
        let forbidden = rows.logical_and(&keys.view([1, 1, 1, -1]));
        Some(Intervention {
            allowed: Some(forbidden.logical_not().to_device(seen.query.device())),
            ..Intervention::default()
        })
    }

    fn intervene_without(&mut self, _seen: &Observation<'_>) -> Option<Intervention> {
        None
    }
}
