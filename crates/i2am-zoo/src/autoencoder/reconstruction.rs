//! How far a reconstruction is from its picture.

use tch::{Kind, Tensor};

/// Weight of the squared error of color, that is of what is left when a pixel's mean over its channels is taken away.
/// Brightness is learned first and would be all that is learned for thousands of steps.
const COLOR_WEIGHT: f64 = 3.0;
/// Weight of the differences between neighbours.
const EDGE_WEIGHT: f64 = 0.1;

/// Absolute error, squared error of color, and absolute error of the differences between neighbours, of an `error` `[batch, 3, H, W]`: means
/// over pixels that count by `weights` `[batch, 1, H, W]`.
pub(crate) fn loss(error: &Tensor, weights: &Tensor) -> Tensor {
    let mean = |x: &Tensor, weights: &Tensor| {
        (x.mean_dim([1].as_slice(), true, Kind::Float) * weights).sum(Kind::Float)
            / weights.sum(Kind::Float)
    };
    let edges = |axis: i64| {
        let steps = error.diff(1, axis, None::<&Tensor>, None::<&Tensor>).abs();
        let weights = weights.narrow(axis, 1, steps.size()[axis as usize]);
        mean(&steps, &weights)
    };
    let color = error - error.mean_dim([1].as_slice(), true, Kind::Float);
    mean(&error.abs(), weights)
        + mean(&color.square(), weights) * COLOR_WEIGHT
        + (edges(2) + edges(3)) * EDGE_WEIGHT
}

#[cfg(test)]
mod tests {
    use tch::{Device, Kind, Tensor};

    use super::loss;

    /// One pixel is wrong in one channel: its error counts by its share of all weights.
    #[test]
    fn pixels_count_by_weight() {
        let off = |weight: f64| {
            let error = Tensor::zeros([1, 3, 4, 4], (Kind::Float, Device::Cpu));
            let weights = Tensor::ones([1, 1, 4, 4], (Kind::Float, Device::Cpu));
            let _ = error.get(0).get(0).get(3).get(3).fill_(0.6);
            let _ = weights.get(0).get(0).get(3).get(3).fill_(weight);
            // Absolute 0.6 / 3; color (0.4² + 2 · 0.2²) / 3; a step of 0.6 / 3 in either direction, over 12 pairs of neighbors.
            let share = weight / (15.0 + weight);
            let edge_share = weight / (11.0 + weight);
            let expected = share * (0.2 + 3.0 * 0.08) + 0.1 * 2.0 * edge_share * 0.2;
            (loss(&error, &weights).double_value(&[]) - expected).abs()
        };
        for weight in [1.0, 5.0] {
            let off = off(weight);
            assert!(off < 1e-6, "weight {weight}: off by {off}");
        }
    }
}
