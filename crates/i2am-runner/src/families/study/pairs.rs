//! Attention between cells of the reference and positions of the generated image in one pass.

use std::collections::BTreeSet;

use i2am_attribution::Grid;
use i2am_nets::{AttentionProbe, Observation, Places, Role};
use tch::{Kind, Tensor};

use super::cells::cell_of;
use crate::capture::ConditionalHalf;

/// Watches a pass and keeps, of each of some layers, how much attention there is between every cell of a coarse grid over the reference
/// and every position of the generated image. A token belongs to the cell that its center lies in.
#[derive(Debug)]
pub struct PairMaps {
    cells: Grid,
    layers: BTreeSet<String>,
    conditional: ConditionalHalf,
    found: Vec<LayerPairs>,
}

/// Of one layer, mean over its heads.
#[derive(Debug)]
pub struct LayerPairs {
    /// Its name.
    pub name: String,
    /// Height and width of its map of the generated image.
    pub grid: (i64, i64),
    /// `[cells, height, width]`, f32 on the CPU: softmax over the positions of the image, mean over the tokens of the cell; 0 for a cell
    /// without tokens.
    pub column: Tensor,
    /// `[cells, height, width]`, f32 on the CPU: softmax over all keys, sum over the tokens of the cell.
    pub row: Tensor,
}

impl PairMaps {
    /// Of the layers called `layers`, as far as their reference tokens have places.
    pub fn new(
        cells: Grid,
        layers: impl IntoIterator<Item = String>,
        conditional: ConditionalHalf,
    ) -> Self {
        Self {
            cells,
            layers: layers.into_iter().collect(),
            conditional,
            found: Vec::new(),
        }
    }

    /// What was seen, in forward order.
    pub fn layers(&self) -> &[LayerPairs] {
        &self.found
    }

    /// The mean over layers: `[column softmax, row softmax]`, `[cells, height, width]` each, at `(height, width)`; `None` if no layer
    /// was seen. Every layer is brought to that size (bicubic as in torch, values below 0 become 0) and divided by its mean, so that
    /// all count alike.
    pub fn unified(&self, (height, width): (i64, i64)) -> Option<[Tensor; 2]> {
        let mean = |of: fn(&LayerPairs) -> &Tensor| {
            let maps = self.found.iter().map(|layer| {
                let map = of(layer).unsqueeze(0);
                let map = map.upsample_bicubic2d([height, width], false, None, None);
                let map = map.squeeze_dim(0).clamp_min(0.0);
                let mean = map
                    .mean(Kind::Float)
                    .clamp_min(f64::from(f32::MIN_POSITIVE));
                map / mean
            });
            let maps: Vec<Tensor> = maps.collect();
            Tensor::stack(&maps, 0).mean_dim([0_i64].as_slice(), false, Kind::Float)
        };
        (!self.found.is_empty()).then(|| [mean(|layer| &layer.column), mean(|layer| &layer.row)])
    }

    /// `[tokens, cells]`: 1 where a token of a map of `grid` belongs to a cell.
    fn members(&self, (height, width): (i64, i64)) -> Tensor {
        let tokens = height * width;
        let cells = (0..tokens).map(|token| cell_of(self.cells, (height, width), token) as i64);
        let cells: Vec<i64> = cells.collect();
        Tensor::from_slice(&cells)
            .one_hot(self.cells.len() as i64)
            .to_kind(Kind::Float)
    }
}

impl AttentionProbe for PairMaps {
    fn observe(&mut self, seen: &Observation<'_>) {
        if !self.layers.contains(seen.layer) {
            return;
        }
        let Some((asking, grid)) = seen.generated() else {
            return;
        };
        let segment = seen
            .keys
            .iter()
            .find_map(|segment| match (segment.role, &segment.places) {
                (Role::Reference(0), Places::Grid(grid)) => Some((segment, *grid)),
                _ => None,
            });
        let Some((segment, places)) = segment else {
            return;
        };
        let row = self.conditional.row(seen.query.size()[0]);
        let query = seen.query.select(0, row).to_kind(Kind::Float);
        let query = query.narrow(1, asking.tokens.start, asking.count()) * seen.scale;
        let key = seen.key.select(0, row).to_kind(Kind::Float);
        let members = self.members(places).to_device(query.device());
        let counts = members.sum_dim_intlist([0_i64].as_slice(), false, Kind::Float);
        let counts = counts.clamp_min(1.0);
        let heads = query.size()[0];
        let size = [self.cells.len() as i64, grid.0 * grid.1];
        let sums = [(); 2].map(|()| Tensor::zeros(size, (Kind::Float, query.device())));
        // A head at a time: the scores of all would not fit where maps are large.
        for head in 0..heads {
            let scores = query
                .select(0, head)
                .mm(&key.select(0, head).transpose(0, 1));
            let own = |x: &Tensor| x.narrow(1, segment.tokens.start, segment.count());
            let column = own(&scores)
                .softmax(0, Kind::Float)
                .mm(&(&members / &counts));
            let row = own(&scores.softmax(1, Kind::Float)).mm(&members);
            for (sum, found) in sums.iter().zip([column, row]) {
                let _ = sum
                    .shallow_clone()
                    .g_add_(&(found.transpose(0, 1) / heads as f64));
            }
        }
        let [column, row] = sums.map(|sum| {
            let map = sum.view([self.cells.len() as i64, grid.0, grid.1]);
            map.to_device(tch::Device::Cpu)
        });
        self.found.push(LayerPairs {
            name: seen.layer.to_owned(),
            grid,
            column,
            row,
        });
    }
}
