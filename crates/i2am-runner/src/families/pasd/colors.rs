//! The color correction of the published script: generated details over the low frequencies of the input.

use tch::{Kind, Tensor};

const LEVELS: u32 = 5;

/// `content` with the low frequencies of `style`, both `[1, 3, H, W]` in 0 to 1, as is the result.
///
/// A picture's low frequencies are what is left of it after five 3×3 binomial blurs, each with twice the stride of the one before.
pub fn wavelet_colors(content: &Tensor, style: &Tensor) -> Tensor {
    (content - low(content) + low(style)).clamp(0.0, 1.0)
}

fn low(picture: &Tensor) -> Tensor {
    let options = (Kind::Float, picture.device());
    let row = Tensor::from_slice(&[0.25_f32, 0.5, 0.25]).to_device(picture.device());
    let kernel = row.outer(&row).reshape([1, 1, 3, 3]);
    let kernel = (Tensor::ones([3, 1, 1, 1], options) * kernel).to_kind(picture.kind());
    (0..LEVELS).fold(picture.shallow_clone(), |x, level| {
        let stride = 1 << level;
        let padded = replicated(&x, stride);
        padded.conv2d(
            &kernel,
            None::<&Tensor>,
            [1, 1],
            [0, 0],
            [stride, stride],
            3,
        )
    })
}

/// With `border` copies of the outermost pixels on every side.
fn replicated(x: &Tensor, border: i64) -> Tensor {
    let size = x.size();
    let line = |length: i64| {
        let index = Tensor::arange_start(-border, length + border, (Kind::Int64, x.device()));
        index.clamp(0, length - 1)
    };
    x.index_select(2, &line(size[2]))
        .index_select(3, &line(size[3]))
}

#[cfg(test)]
mod tests {
    use tch::{Device, Kind, Tensor};

    use super::wavelet_colors;

    fn wave(size: i64, frequency: f64) -> Tensor {
        let line = (Tensor::arange(size, (Kind::Float, Device::Cpu)) * frequency).sin() * 0.1;
        line.reshape([1, 1, 1, size])
            .expand([1, 3, size, size], false)
            + 0.5
    }

    /// A tint vanishes, stripes stay; but for the outermost 31 columns, which the blurs reach past the edge from.
    #[test]
    fn the_mean_is_that_of_the_style() {
        let (content, style) = (wave(96, 2.5) + 0.2, wave(96, 0.0));
        let fixed = wavelet_colors(&content, &style);
        let off = (fixed - wave(96, 2.5)).narrow(3, 31, 34).abs();
        let off = off.max().double_value(&[]);
        assert!(off < 5e-3, "off by {off}");
    }

    #[test]
    fn a_picture_keeps_its_own_colors() {
        let picture = wave(40, 1.1);
        let off = (wavelet_colors(&picture, &picture) - &picture).abs().max();
        assert!(off.double_value(&[]) < 1e-6);
    }
}
