//! The running sums of one layer while its sample is sampled, and what becomes of them in the record.

use half::f16;
use i2am_attribution::{LayerRecord, Source};
use tch::{Device, Kind, Tensor};

use super::both::both_directions_of;
use super::maps::{Weights, generated_to_reference_of, reference_to_generated_of};
use super::near::LayerNear;

/// The running sums of one layer, on its device.
pub(super) struct Sums {
    pub(super) source: Source,
    pub(super) heads: i64,
    pub(super) grid: (i64, i64),
    /// Which tokens are inside / outside the reference mask, `[2, tokens]`.
    pub(super) tokens: Weights,
    /// Which positions are inside / outside the inpainting mask, `[2, H*W]`.
    pub(super) positions: Weights,
    /// `[groups, 2, heads, H*W]`.
    pub(super) r2g: Tensor,
    /// `[groups, 2, heads, tokens]`.
    pub(super) g2r: Option<Tensor>,
    /// `[H*W, tokens]`.
    pub(super) specific: Option<Tensor>,
    pub(super) near: Option<LayerNear>,
    /// Steps summed so far.
    pub(super) steps: u32,
}

impl Sums {
    pub(super) fn add(
        &mut self,
        group: i64,
        query: &Tensor,
        key: &Tensor,
        chunk_bytes: usize,
        allowed: Option<&Tensor>,
    ) {
        self.steps += 1;
        let mut near = self.near.as_ref().map(|near| near.group(group));
        let (r2g, g2r) = match (allowed, &self.g2r) {
            (None, Some(_)) => {
                let both = both_directions_of(
                    query,
                    key,
                    &self.tokens,
                    &self.positions,
                    chunk_bytes,
                    self.specific.as_mut(),
                    near.as_ref(),
                );
                (both.r2g, Some(both.g2r))
            }
            (_, g2r) => {
                let pickers = near.as_ref().map(|near| near.pickers(self.heads));
                let (near_r2g, near_g2r) = pickers.as_ref().map(|[r2g, g2r]| (r2g, g2r)).unzip();
                let r2g = reference_to_generated_of(
                    query,
                    key,
                    &self.tokens,
                    chunk_bytes,
                    near_r2g,
                    allowed,
                );
                let g2r = g2r.is_some().then(|| {
                    generated_to_reference_of(
                        query,
                        key,
                        &self.positions,
                        chunk_bytes,
                        self.specific.as_mut(),
                        near_g2r,
                        allowed,
                    )
                });
                if let (Some(near), Some([r2g, g2r])) = (&mut near, &pickers) {
                    near.add(&r2g.sums(), &g2r.sums());
                }
                (r2g, g2r)
            }
        };
        let _ = self.r2g.select(0, group).g_add_(&r2g);
        if let (Some(sum), Some(g2r)) = (&self.g2r, g2r) {
            let _ = sum.select(0, group).g_add_(&g2r);
        }
    }

    pub(super) fn record(&self, name: &str, radii: &[usize]) -> LayerRecord {
        // Groups are outermost here so that a step's sum is one contiguous addition; the record has the masks outermost.
        let flat = |sums: &Tensor| flat_f32(&sums.transpose(0, 1));
        LayerRecord {
            name: name.to_owned(),
            source: self.source,
            heads: self.heads as usize,
            height: self.grid.0 as usize,
            width: self.grid.1 as usize,
            r2g: flat(&self.r2g),
            g2r: self.g2r.as_ref().map(flat),
            r2g_counts: self.tokens.counts(),
            g2r_counts: self.positions.counts(),
            specific: self.specific.as_ref().map(|sum| {
                let mean = sum / f64::from(self.steps.max(1));
                flat_f32(&mean).into_iter().map(f16::from_f32).collect()
            }),
            near: self.near.as_ref().map(|near| near.record(radii)),
        }
    }
}

fn flat_f32(x: &Tensor) -> Vec<f32> {
    let flat = x
        .to_device(Device::Cpu)
        .to_kind(Kind::Float)
        .contiguous()
        .view(-1);
    Vec::try_from(flat).expect("a flat f32 tensor is an f32 vector")
}
