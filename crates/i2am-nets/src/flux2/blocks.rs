//! The two kinds of blocks. Shift, scale and gate of each residual branch are the same in all blocks of a kind. Tokens are `[batch, tokens,
//! width]`, the text first; shift, scale and gate `[batch, 1, width]`.

use tch::Tensor;

use super::{Flux2Config, Sequence};
use crate::layers::{Asked, Bias, Linear, RmsNorm, attend_seen, split_heads};
use crate::probe::AttentionProbe;
use crate::scope::Scope;

/// `(1 + scale) LN(x) + shift`, where the normalization has no weights.
pub(super) fn scaled(x: &Tensor, shift: &Tensor, scale: &Tensor, eps: f64) -> Tensor {
    let width = x.size()[2];
    let normed = x.layer_norm([width], None::<&Tensor>, None::<&Tensor>, eps, true);
    normed * (scale + 1.0) + shift
}

/// `silu(first half) * second half`, `[.., 2 n]` to `[.., n]`.
fn gated(x: &Tensor) -> Tensor {
    let halves = x.chunk(2, -1);
    halves[0].silu() * &halves[1]
}

/// Queries and keys of a softmax, each normalized by head.
#[derive(Debug)]
struct Norms {
    query: RmsNorm,
    key: RmsNorm,
}

impl Norms {
    fn new(scope: &Scope<'_>, [query, key]: [&str; 2], config: &Flux2Config) -> Self {
        let norm = |name| RmsNorm::new(&scope.sub(name), config.attention_head_dim, config.eps);
        Self {
            query: norm(query),
            key: norm(key),
        }
    }

    fn forward(&self, [query, key]: [&Tensor; 2]) -> [Tensor; 2] {
        [self.query.forward(query), self.key.forward(key)]
    }
}

/// Attention of all tokens to all, seen by `probe` as `layer`: `[batch, tokens, heads * d]`. `query` and `key` do not have their places yet;
/// `weight` hands values on to the generated image.
fn attended(
    layer: &str,
    [query, key, value]: [&Tensor; 3],
    weight: &Tensor,
    sequence: &Sequence,
    probe: &mut dyn AttentionProbe,
) -> Tensor {
    let [query, key] = [query, key].map(|x| sequence.turned(x));
    let asked = Asked {
        layer,
        query: &query,
        key: &key,
        value,
        queries: sequence.segments(),
        keys: sequence.segments(),
        to_out: weight,
    };
    attend_seen(&asked, probe)
}

/// Projections of one kind of tokens in a double block, and its feed-forward.
#[derive(Debug)]
struct Stream {
    qkv: [Linear; 3],
    norms: Norms,
    to_out: Linear,
    linear_in: Linear,
    linear_out: Linear,
    heads: i64,
    eps: f64,
}

/// Names of a stream's layers.
struct Names {
    qkv: [&'static str; 3],
    norms: [&'static str; 2],
    to_out: &'static str,
    feed_forward: &'static str,
}

const IMAGES: Names = Names {
    qkv: ["to_q", "to_k", "to_v"],
    norms: ["norm_q", "norm_k"],
    to_out: "to_out.0",
    feed_forward: "ff",
};

const TEXT: Names = Names {
    qkv: ["add_q_proj", "add_k_proj", "add_v_proj"],
    norms: ["norm_added_q", "norm_added_k"],
    to_out: "to_add_out",
    feed_forward: "ff_context",
};

impl Stream {
    fn new(scope: &Scope<'_>, names: &Names, config: &Flux2Config) -> Self {
        let (width, hidden) = (config.width(), config.hidden());
        let attention = scope.sub("attn");
        let square = |name| Linear::new(&attention.sub(name), width, width, Bias::No);
        let feed_forward = scope.sub(names.feed_forward);
        let linear = |name: &str, inputs, outputs| {
            Linear::new(&feed_forward.sub(name), inputs, outputs, Bias::No)
        };
        Self {
            qkv: names.qkv.map(square),
            norms: Norms::new(&attention, names.norms, config),
            to_out: square(names.to_out),
            linear_in: linear("linear_in", width, 2 * hidden),
            linear_out: linear("linear_out", hidden, width),
            heads: config.num_attention_heads,
            eps: config.eps,
        }
    }

    /// Queries, keys and values `[batch, heads, tokens, d]`.
    fn qkv(&self, x: &Tensor, vectors: &[Tensor]) -> [Tensor; 3] {
        let x = scaled(x, &vectors[0], &vectors[1], self.eps);
        let [query, key, value] =
            [0, 1, 2].map(|i: usize| split_heads(&self.qkv[i].forward(&x), self.heads));
        let [query, key] = self.norms.forward([&query, &key]);
        [query, key, value]
    }

    /// The stream `x` with what it has read, `attended`, and its feed-forward.
    fn finish(&self, x: &Tensor, attended: &Tensor, vectors: &[Tensor]) -> Tensor {
        let x = x + &vectors[2] * self.to_out.forward(attended);
        let normed = scaled(&x, &vectors[3], &vectors[4], self.eps);
        let fed = self
            .linear_out
            .forward(&gated(&self.linear_in.forward(&normed)));
        x + &vectors[5] * fed
    }
}

/// A block in which text and images have their own weights and meet in attention.
#[derive(Debug)]
pub(super) struct DoubleBlock {
    name: String,
    images: Stream,
    text: Stream,
}

impl DoubleBlock {
    pub(super) fn new(scope: &Scope<'_>, config: &Flux2Config) -> Self {
        let attention = scope.sub("attn");
        attention.attention(config.num_attention_heads);
        Self {
            name: attention.path().to_owned(),
            images: Stream::new(scope, &IMAGES, config),
            text: Stream::new(scope, &TEXT, config),
        }
    }

    /// Both streams; `vectors` of each are shift, scale and gate of attention, then of the feed-forward.
    pub(super) fn forward(
        &self,
        [images, text]: [&Tensor; 2],
        [of_images, of_text]: [&[Tensor]; 2],
        sequence: &Sequence,
        probe: &mut dyn AttentionProbe,
    ) -> (Tensor, Tensor) {
        let words = text.size()[1];
        let own = self.images.qkv(images, of_images);
        let added = self.text.qkv(text, of_text);
        let [query, key, value] = [0, 1, 2].map(|i: usize| Tensor::cat(&[&added[i], &own[i]], 2));
        let weight = self.images.to_out.weight();
        let all = attended(&self.name, [&query, &key, &value], weight, sequence, probe);
        let of_words = all.narrow(1, 0, words);
        let rest = all.narrow(1, words, all.size()[1] - words);
        (
            self.images.finish(images, &rest, of_images),
            self.text.finish(text, &of_words, of_text),
        )
    }
}

/// A block over all tokens, whose feed-forward is parallel to its attention.
#[derive(Debug)]
pub(super) struct SingleBlock {
    name: String,
    projection: Linear,
    norms: Norms,
    to_out: Linear,
    heads: i64,
    eps: f64,
}

impl SingleBlock {
    pub(super) fn new(scope: &Scope<'_>, config: &Flux2Config) -> Self {
        let (width, hidden) = (config.width(), config.hidden());
        let attention = scope.sub("attn");
        attention.attention(config.num_attention_heads);
        let linear = |name: &str, inputs, outputs| {
            Linear::new(&attention.sub(name), inputs, outputs, Bias::No)
        };
        Self {
            name: attention.path().to_owned(),
            projection: linear("to_qkv_mlp_proj", width, 3 * width + 2 * hidden),
            norms: Norms::new(&attention, ["norm_q", "norm_k"], config),
            to_out: linear("to_out", width + hidden, width),
            heads: config.num_attention_heads,
            eps: config.eps,
        }
    }

    /// All tokens; `vectors` are shift, scale and gate.
    pub(super) fn forward(
        &self,
        x: &Tensor,
        vectors: &[Tensor],
        sequence: &Sequence,
        probe: &mut dyn AttentionProbe,
    ) -> Tensor {
        let width = x.size()[2];
        let projected = self
            .projection
            .forward(&scaled(x, &vectors[0], &vectors[1], self.eps));
        let rest = projected.size()[2] - 3 * width;
        let [query, key, value] =
            [0, 1, 2].map(|i| split_heads(&projected.narrow(2, i * width, width), self.heads));
        let [query, key] = self.norms.forward([&query, &key]);
        let weight = self.to_out.weight().narrow(1, 0, width);
        let read = attended(&self.name, [&query, &key, &value], &weight, sequence, probe);
        let fed = gated(&projected.narrow(2, 3 * width, rest));
        x + &vectors[2] * self.to_out.forward(&Tensor::cat(&[read, fed], 2))
    }
}
