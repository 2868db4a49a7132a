//! Positions that were learned for pictures of one size, for those of another.

use tch::{Kind, Tensor};

/// What the authors add to the number of patches before they enlarge positions, in networks without registers.
const OFFSET: f64 = 0.1;

/// Learned positions `[1, 1 + side², width]`, that of the class token first.
#[derive(Debug)]
pub(super) struct Positions {
    pub(super) learned: Tensor,
    /// Patches along a side.
    pub(super) side: i64,
    /// Networks with registers resize positions in another way.
    pub(super) with_registers: bool,
}

impl Positions {
    /// Positions `[1, 1 + side², width]` of `side` patches a side.
    pub(super) fn at(&self, side: i64) -> Tensor {
        if side == self.side {
            return self.learned.shallow_clone();
        }
        let kind = self.learned.kind();
        let learned = self.learned.to_kind(Kind::Float);
        let class = learned.narrow(1, 0, 1);
        let patches = learned.narrow(1, 1, self.side * self.side);
        let map = patches
            .reshape([1, self.side, self.side, -1])
            .permute([0, 3, 1, 2]);
        let map = if self.with_registers {
            map.internal_upsample_bicubic2d_aa([side, side], false, None, None)
        } else {
            // The scale itself is a little off, and the kernel uses it.
            let scale = (side as f64 + OFFSET) / self.side as f64;
            map.upsample_bicubic2d([side, side], false, scale, scale)
        };
        let patches = map.permute([0, 2, 3, 1]).reshape([1, side * side, -1]);
        Tensor::cat(&[class, patches], 1).to_kind(kind)
    }
}
