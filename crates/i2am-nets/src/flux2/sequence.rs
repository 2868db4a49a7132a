//! What the tokens of a pass are and where they lie. A place has four coordinates: which image, row, column, and the position in the
//! text; each turns pairs of channels of queries and keys by its own angles (rotary embedding), so that scores see distances only.

use std::ops::Range;

use tch::{Device, Kind, Tensor};

use super::Flux2Config;
use crate::probe::{Role, Segment};

/// An image among the tokens of a pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Placed {
    /// What it is.
    pub role: Role,
    /// Rows and columns of its tokens.
    pub grid: (i64, i64),
    /// Its first coordinate: 0 of the generated image, 10, 20 .. of the others in the published pipelines.
    pub image: i64,
}

/// The tokens of a pass in their order: those of the text, then those of the images, row-major.
#[derive(Debug)]
pub struct Sequence {
    segments: Vec<Segment>,
    text: i64,
    cos: Tensor,
    sin: Tensor,
}

impl Sequence {
    /// Of a text, of which runs are given by what they are and their number of tokens, and `images`, the generated one first; for a network
    /// of `config` on `device`.
    pub fn new(
        config: &Flux2Config,
        text: &[(Role, i64)],
        images: &[Placed],
        device: Device,
    ) -> Self {
        let mut segments = Vec::new();
        let mut next = 0;
        for &(role, count) in text {
            segments.push(Segment::pooled(role, next..next + count));
            next += count;
        }
        let words = next;
        let mut places: Vec<[i64; 4]> = (0..words).map(|word| [0, 0, 0, word]).collect();
        for placed in images {
            let (height, width) = placed.grid;
            segments.push(Segment::grid(placed.role, next, placed.grid));
            next += height * width;
            let rows = (0..height).flat_map(|row| (0..width).map(move |column| (row, column)));
            places.extend(rows.map(|(row, column)| [placed.image, row, column, 0]));
        }
        let [cos, sin] = angles(config, &places).map(|x| x.to_device(device));
        Self {
            segments,
            text: words,
            cos,
            sin,
        }
    }

    /// What the tokens are.
    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// Tokens of the text.
    pub fn text(&self) -> i64 {
        self.text
    }

    /// All tokens.
    pub fn tokens(&self) -> i64 {
        self.cos.size()[0]
    }

    /// Those of the first image.
    pub fn generated(&self) -> Range<i64> {
        let first = self.segments.iter().find(|s| s.tokens.start == self.text);
        first.map_or(self.text..self.text, |s| s.tokens.clone())
    }

    /// Cosines and sines of the places, `[tokens, d]` f32, each value twice.
    pub fn rotation(&self) -> [&Tensor; 2] {
        [&self.cos, &self.sin]
    }

    /// `x` `[batch, heads, tokens, d]` turned by the places of its tokens, in f32 and back.
    pub(super) fn turned(&self, x: &Tensor) -> Tensor {
        let wide = x.to_kind(Kind::Float);
        let size = wide.size();
        let pairs = wide.reshape([size[0], size[1], size[2], -1, 2]);
        let (first, second) = (pairs.select(-1, 0), pairs.select(-1, 1));
        let quarter = Tensor::stack(&[-second, first], -1).flatten(3, 4);
        (wide * &self.cos + quarter * &self.sin).to_kind(x.kind())
    }
}

/// Cosines and sines `[places, d]` f32, computed in f64.
fn angles(config: &Flux2Config, places: &[[i64; 4]]) -> [Tensor; 2] {
    let turn = |place: &[i64; 4]| {
        let axes = config.axes_dims_rope.iter().zip(*place);
        let of_axis = |(&channels, at): (&i64, i64)| {
            let angle = move |pair: i64| {
                let exponent = -((2 * pair) as f64) / channels as f64;
                at as f64 * config.rope_theta.powf(exponent)
            };
            (0..channels / 2).map(angle).flat_map(|angle| [angle; 2])
        };
        axes.flat_map(of_axis).collect::<Vec<f64>>()
    };
    let all: Vec<f64> = places.iter().flat_map(turn).collect();
    let all = Tensor::from_slice(&all).view([places.len() as i64, config.attention_head_dim]);
    [all.cos(), all.sin()].map(|x| x.to_kind(Kind::Float))
}
