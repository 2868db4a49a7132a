//! The resampler of `ip-adapter-plus`: learned latents that attend to the states of a picture and to themselves.

use tch::{Kind, Tensor};

use super::EPS;
use super::config::ResamplerShape;
use crate::layers::{Bias, LayerNorm, Linear, products, split_heads};
use crate::scope::{Init, Scope};

/// Latents that read the states of a picture in several layers.
#[derive(Debug)]
pub struct Resampler {
    latents: Tensor,
    proj_in: Linear,
    layers: Vec<Layer>,
    proj_out: Linear,
    norm_out: LayerNorm,
}

impl Resampler {
    /// Builds the network of `shape`.
    pub fn new(scope: &Scope<'_>, shape: ResamplerShape) -> Self {
        let ResamplerShape {
            tokens,
            features,
            inner,
            width,
            ..
        } = shape;
        let deviation = (inner as f64).powf(-0.5);
        let layer = |i: usize| Layer::new(&scope.sub(format_args!("layers.{i}")), shape);
        Self {
            latents: scope.tensor("latents", &[1, tokens, inner], Init::Normal(deviation)),
            proj_in: Linear::new(&scope.sub("proj_in"), features, inner, Bias::Yes),
            layers: (0..shape.depth).map(layer).collect(),
            proj_out: Linear::new(&scope.sub("proj_out"), inner, width, Bias::Yes),
            norm_out: LayerNorm::new(&scope.sub("norm_out"), width, EPS),
        }
    }

    /// `states` `[batch, states, features]` to tokens `[batch, tokens, width]`, and how much of each state and of each latent is in each
    /// token as the last layer attends: `[batch, tokens, states + tokens]` f32, the mean over heads.
    ///
    /// What a token has from earlier layers is not in that mean, so it is an approximation.
    ///
    /// # Panics
    /// If the network has no layers.
    pub fn forward(&self, states: &Tensor) -> (Tensor, Tensor) {
        let (tokens, mut attended) = self.layers(states);
        let last = attended.pop().expect("a resampler has layers");
        (tokens, last)
    }

    /// The same with the attention of every layer.
    pub fn layers(&self, states: &Tensor) -> (Tensor, Vec<Tensor>) {
        let states = self.proj_in.forward(states);
        let mut latents = self.latents.repeat([states.size()[0], 1, 1]);
        let mut attended = Vec::new();
        for layer in &self.layers {
            let (next, attention) = layer.forward(&states, &latents);
            latents = next;
            attended.push(attention);
        }
        let tokens = self.norm_out.forward(&self.proj_out.forward(&latents));
        (tokens, attended)
    }
}

/// Attention of the latents to states and latents, and a feed-forward, both pre-normalized and residual.
#[derive(Debug)]
struct Layer {
    heads: i64,
    norm1: LayerNorm,
    norm2: LayerNorm,
    to_q: Linear,
    to_kv: Linear,
    to_out: Linear,
    norm: LayerNorm,
    wide: Linear,
    narrow: Linear,
}

impl Layer {
    fn new(scope: &Scope<'_>, shape: ResamplerShape) -> Self {
        let (inner, attended) = (shape.inner, shape.attended());
        let (attention, feed_forward) = (scope.sub("0"), scope.sub("1"));
        let linear =
            |scope: Scope<'_>, inputs, outputs| Linear::new(&scope, inputs, outputs, Bias::No);
        let norm = |scope: Scope<'_>| LayerNorm::new(&scope, inner, EPS);
        Self {
            heads: shape.heads,
            norm1: norm(attention.sub("norm1")),
            norm2: norm(attention.sub("norm2")),
            to_q: linear(attention.sub("to_q"), inner, attended),
            to_kv: linear(attention.sub("to_kv"), inner, 2 * attended),
            to_out: linear(attention.sub("to_out"), attended, inner),
            norm: norm(feed_forward.sub("0")),
            wide: linear(feed_forward.sub("1"), inner, shape.feed_forward),
            narrow: linear(feed_forward.sub("3"), shape.feed_forward, inner),
        }
    }

    /// New latents, and the attention's mean over heads.
    fn forward(&self, states: &Tensor, latents: &Tensor) -> (Tensor, Tensor) {
        let normed = self.norm2.forward(latents);
        let read = Tensor::cat(&[&self.norm1.forward(states), &normed], 1);
        let query = split_heads(&self.to_q.forward(&normed), self.heads);
        let pair = self.to_kv.forward(&read).chunk(2, -1);
        let [key, value] = [&pair[0], &pair[1]].map(|part| split_heads(part, self.heads));
        // The published code scales both sides, which keeps half precisions in range.
        let scale = (query.size()[3] as f64).powf(-0.25);
        let scores = products::matmul(&(query * scale), &(key * scale).transpose(-2, -1));
        let attention = scores.softmax(-1, Kind::Float);
        let read = products::matmul(&attention.to_kind(value.kind()), &value);
        let latents = self.to_out.forward(&read.transpose(1, 2).flatten(2, 3)) + latents;
        let wide = self.wide.forward(&self.norm.forward(&latents));
        let latents = self.narrow.forward(&wide.gelu("none")) + latents;
        let mean = attention.mean_dim([1_i64].as_slice(), false, Kind::Float);
        (latents, mean)
    }
}
