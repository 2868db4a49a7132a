//! The two softmaxes, in bounded chunks.

use tch::{Device, Kind, Tensor};

use super::near::Picker;

/// Which positions are inside and which outside a mask, as weights of a sum.
#[derive(Debug)]
pub struct Weights {
    /// `[2, n]` of zeros and ones, of which row 0 is inside; or other weights.
    pub(super) rows: Tensor,
    counts: [u64; 2],
}

impl Weights {
    /// Positions of `grid` by their cover: inside if at least half of a cell is masked. No mask: all inside.
    ///
    /// `mask` is `[1, 1, H, W]` with 1 inside, at any size.
    pub fn of(mask: Option<&Tensor>, grid: (i64, i64), device: Device) -> Self {
        let options = (Kind::Float, Device::Cpu);
        let inside = match mask {
            Some(mask) => {
                let cover = mask
                    .to_device(Device::Cpu)
                    .to_kind(Kind::Float)
                    .adaptive_avg_pool2d([grid.0, grid.1]);
                cover.ge(0.5).to_kind(Kind::Float).view(-1)
            }
            None => Tensor::ones([grid.0 * grid.1], options),
        };
        let inside_count = inside.sum(Kind::Double).double_value(&[]) as u64;
        let counts = [inside_count, (grid.0 * grid.1) as u64 - inside_count];
        let rows = Tensor::stack(&[&inside, &(-&inside + 1.0)], 0).to_device(device);
        Self { rows, counts }
    }

    /// Which positions are inside, boolean `[n]`.
    pub(super) fn inside(&self) -> Tensor {
        self.rows.select(0, 0).gt(0.5)
    }

    /// The rows that have anything: 0 for inside, 1 for outside.
    pub(super) fn sides(&self) -> impl Iterator<Item = i64> + use<> {
        let counts = self.counts;
        (0..2).filter(move |&side| counts[side as usize] > 0)
    }

    /// How many positions are inside and outside.
    pub fn counts(&self) -> [u64; 2] {
        self.counts
    }
}

/// Reference to generated: softmax over the **generated** positions for every token, summed over the tokens inside and outside.
///
/// # Shapes
/// `query` `[heads, positions, d]`, already scaled; `key` `[heads, tokens, d]`; result `[2, heads, positions]` f32. Each token's
/// share sums to 1 over the positions.
pub fn reference_to_generated(
    query: &Tensor,
    key: &Tensor,
    tokens: &Weights,
    chunk_bytes: usize,
) -> Tensor {
    reference_to_generated_of(query, key, tokens, chunk_bytes, None, None)
}

/// As [`reference_to_generated`], of the scores that `allowed`, boolean `[1 or heads, positions, tokens]`, lets take part. A token
/// that no position may attend to has a share of 0 everywhere. `near` picks what is near.
pub(super) fn reference_to_generated_of(
    query: &Tensor,
    key: &Tensor,
    tokens: &Weights,
    chunk_bytes: usize,
    near: Option<&Picker<'_>>,
    allowed: Option<&Tensor>,
) -> Tensor {
    let size = query.size();
    let (heads, positions) = (size[0], size[1]);
    let count = key.size()[1];
    let sides = tokens.rows.size()[0];
    let mut sum = Tensor::zeros([sides, heads, positions], (Kind::Float, query.device()));
    for (start, length) in chunks(count, heads * positions, chunk_bytes) {
        // [heads, length, positions]: every row is one token's softmax.
        let scores = key.narrow(1, start, length).matmul(&query.transpose(1, 2));
        let shares = match allowed {
            None => scores.softmax(-1, Kind::Float),
            Some(allowed) => without(&scores, &allowed.narrow(2, start, length).transpose(1, 2)),
        };
        if let Some(picker) = near {
            picker.take(&shares, start);
        }
        let weights = tokens.rows.narrow(1, start, length);
        sum += summed(&weights, &shares);
    }
    sum
}

/// Generated to reference: softmax over the **reference** tokens for every position, summed over the positions inside and
/// outside; and, if `specific` `[positions, tokens]` is given, the mean over heads added to it.
///
/// # Shapes
/// As [`reference_to_generated`]; result `[2, heads, tokens]`.
pub fn generated_to_reference(
    query: &Tensor,
    key: &Tensor,
    positions: &Weights,
    chunk_bytes: usize,
    specific: Option<&mut Tensor>,
) -> Tensor {
    generated_to_reference_of(query, key, positions, chunk_bytes, specific, None, None)
}

/// As [`generated_to_reference`], of the scores that `allowed` lets take part; `near` picks what is near.
pub(super) fn generated_to_reference_of(
    query: &Tensor,
    key: &Tensor,
    positions: &Weights,
    chunk_bytes: usize,
    mut specific: Option<&mut Tensor>,
    near: Option<&Picker<'_>>,
    allowed: Option<&Tensor>,
) -> Tensor {
    let heads = query.size()[0];
    let tokens = key.size()[1];
    let mut sum = Tensor::zeros([2, heads, tokens], (Kind::Float, query.device()));
    for (start, length) in chunks(query.size()[1], heads * tokens, chunk_bytes) {
        let scores = query.narrow(1, start, length).matmul(&key.transpose(1, 2));
        let shares = match allowed {
            None => scores.softmax(-1, Kind::Float),
            Some(allowed) => without(&scores, &allowed.narrow(1, start, length)),
        };
        if let Some(kept) = specific.as_deref_mut() {
            let _ = kept.narrow(0, start, length).g_add_(&shares.mean_dim(
                [0].as_slice(),
                false,
                Kind::Float,
            ));
        }
        if let Some(picker) = near {
            picker.take(&shares, start);
        }
        let weights = positions.rows.narrow(1, start, length);
        sum += summed(&weights, &shares);
    }
    sum
}

/// Softmax of the scores that are allowed; 0 where none of a row is.
fn without(scores: &Tensor, allowed: &Tensor) -> Tensor {
    scores
        .masked_fill(&allowed.logical_not(), f64::NEG_INFINITY)
        .softmax(-1, Kind::Float)
        .nan_to_num(0.0, None, None)
}

/// `[2, n]` weights times `[heads, n, m]` shares: `[2, heads, m]`.
fn summed(weights: &Tensor, shares: &Tensor) -> Tensor {
    weights.unsqueeze(0).matmul(shares).transpose(0, 1)
}

/// Runs of `count` things, each of `per_thing` f32 values, that stay within `bytes`.
pub(super) fn chunks(count: i64, per_thing: i64, bytes: usize) -> impl Iterator<Item = (i64, i64)> {
    let fit = (bytes as i64 / (4 * per_thing.max(1))).max(1);
    (0..count)
        .step_by(fit as usize)
        .map(move |start| (start, fit.min(count - start)))
}
