//! How a network's tensor is cut out of a stored one: files of other layouts keep some tensors joined or with other axes.

use tch::Tensor;

/// How one network tensor is cut out of a stored one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum View {
    /// As stored.
    Whole,
    /// The `part`-th of three equal runs of rows: queries, keys, values stored as one.
    Third {
        /// 0, 1 or 2.
        part: i64,
    },
    /// The two halves of the rows, the second first.
    SwappedHalves,
    /// A 1×1 convolution that is used as a linear layer: the two last axes are dropped.
    Squeeze,
}

impl View {
    pub(super) fn shape(self, stored: &[i64]) -> Vec<i64> {
        let mut shape = stored.to_vec();
        match self {
            Self::Third { .. } if !shape.is_empty() => shape[0] /= 3,
            Self::Squeeze if stored.len() == 4 && stored[2..] == [1, 1] => shape.truncate(2),
            _ => {}
        }
        shape
    }

    pub(super) fn apply(self, stored: &Tensor) -> Tensor {
        let shape = self.shape(&stored.size());
        match self {
            Self::Whole => stored.shallow_clone(),
            Self::Third { part } => stored.narrow(0, part * shape[0], shape[0]).contiguous(),
            Self::SwappedHalves => {
                let half = shape.first().map_or(0, |rows| rows / 2);
                stored.roll([half], [0])
            }
            Self::Squeeze => stored.reshape(&shape),
        }
    }
}
