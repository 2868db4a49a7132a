//! Multi-head attention under the tensor names of diffusers' `Attention` (`to_q`, `to_k`, `to_v`, `to_out.0`), and where a probe
//! looks in. Tokens are `[batch, tokens, width]`; queries and keys are shown as `[batch, heads, tokens, width / heads]`.

use std::cell::OnceCell;

use tch::{Device, Kind, Tensor};

use super::linear::{Bias, Linear};
use super::products::{computed, matmul, product};
use crate::probe::{AttentionProbe, Context, Intervention, Joint, Observation, Role, Segment};
use crate::scope::Scope;

/// Queries whose probabilities are formed at a time where they are weakened.
const WEAKENED_ROWS: i64 = 256;

/// Sizes of an [`Attention`] layer.
#[derive(Debug, Clone, Copy)]
pub struct AttentionShape {
    /// Width of the queries' input and of the output.
    pub width: i64,
    /// Width of what the keys and values are made from.
    pub context: i64,
    /// Number of heads; `width` is split evenly.
    pub heads: i64,
    /// Whether `to_q`, `to_k` and `to_v` have a bias.
    pub projection_bias: Bias,
}

/// Multi-head attention with the tensor names `to_q`, `to_k`, `to_v`, `to_out.0`.
#[derive(Debug)]
pub struct Attention {
    name: String,
    heads: i64,
    to_q: Linear,
    to_k: Linear,
    to_v: Linear,
    to_out: Linear,
    second: Option<SecondPair>,
}

/// Keys and values of a second softmax of the same queries.
#[derive(Debug)]
struct SecondPair {
    name: String,
    to_k: Linear,
    to_v: Linear,
}

impl Attention {
    /// Builds the four projections.
    pub fn new(scope: &Scope<'_>, shape: AttentionShape) -> Self {
        let AttentionShape {
            width,
            context,
            heads,
            projection_bias,
        } = shape;
        Self {
            name: scope.path().to_owned(),
            heads,
            to_q: Linear::new(&scope.sub("to_q"), width, width, projection_bias),
            to_k: Linear::new(&scope.sub("to_k"), context, width, projection_bias),
            to_v: Linear::new(&scope.sub("to_v"), context, width, projection_bias),
            to_out: Linear::new(&scope.sub("to_out.0"), width, width, Bias::Yes),
            second: None,
        }
    }

    /// The same with `to_k` and `to_v` of a second softmax below `second`, whose path is the name under which probes see it.
    pub fn decoupled(scope: &Scope<'_>, second: &Scope<'_>, shape: AttentionShape) -> Self {
        let projection = |name| {
            let scope = second.sub(name);
            Linear::new(&scope, shape.context, shape.width, shape.projection_bias)
        };
        let own = Self::new(scope, shape);
        Self {
            second: Some(SecondPair {
                name: second.path().to_owned(),
                to_k: projection("to_k"),
                to_v: projection("to_v"),
            }),
            ..own
        }
    }

    /// Its name below its network.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Self-attention over `x` `[batch, positions, width]`, which no probe sees.
    pub fn forward_own(&self, x: &Tensor) -> Tensor {
        let query = split_heads(&self.to_q.forward(x), self.heads);
        let [key, value] = self.keys(x);
        self.to_out.forward(&attend(&query, &key, &value))
    }

    /// Self-attention over `x` `[batch, H*W, width]`, the positions of a map of `grid`, with what `joint` adds.
    ///
    /// # Panics
    /// If `joint` has no features for this layer, or halves a map of odd height.
    pub fn forward_self(
        &self,
        x: &Tensor,
        joint: &Joint,
        grid: (i64, i64),
        probe: &mut dyn AttentionProbe,
    ) -> Tensor {
        match joint {
            Joint::Nothing => self.forward_own(x),
            Joint::LowerHalf => {
                let (height, width) = grid;
                assert!(height % 2 == 0, "the seam of {height} rows cuts a row");
                let half = (height / 2, width);
                let segments = [
                    Segment::grid(Role::Generated, 0, half),
                    Segment::grid(Role::Reference(0), half.0 * half.1, half),
                ];
                self.forward_seen(x, x, [&segments, &segments], probe)
            }
            Joint::Features(features) => {
                let reference = features
                    .get(&self.name)
                    .expect("the other network has a layer of the same name");
                let segments = [
                    Segment::grid(Role::Generated, 0, grid),
                    Segment::grid(Role::Reference(0), grid.0 * grid.1, grid),
                ];
                let both = Tensor::cat(&[x, reference], 1);
                self.forward_seen(x, &both, [&segments[..1], &segments], probe)
            }
        }
    }

    /// Attention from `x` `[batch, H*W, width]`, the positions of a map of `grid`, to what `context` has for it.
    ///
    /// # Panics
    /// If `context` has no tokens, or none for the second softmax of a layer that has one.
    pub fn forward_cross(
        &self,
        x: &Tensor,
        context: &Context,
        grid: (i64, i64),
        probe: &mut dyn AttentionProbe,
    ) -> Tensor {
        let cross = context.cross.as_ref();
        let cross = cross.expect("cross-attention is given tokens");
        let query = split_heads(&self.to_q.forward(x), self.heads);
        let generated = [Segment::grid(Role::Generated, 0, grid)];
        let segments = [&generated[..], &cross.segments];
        let keys = self.keys(&cross.tokens);
        let attended = self.attend_seen(&self.name, &query, keys, segments, probe);
        let Some(second) = &self.second else {
            return self.to_out.forward(&attended);
        };
        let (tokens, factor) = context
            .second
            .as_ref()
            .expect("a layer of two softmaxes is given tokens for both");
        let keys = [&second.to_k, &second.to_v]
            .map(|to| split_heads(&to.forward(&tokens.tokens), self.heads));
        let segments = [&generated[..], &tokens.segments];
        let image = self.attend_seen(&second.name, &query, keys, segments, probe);
        // At 0 the layer is exactly the one without a second softmax.
        let attended = if *factor == 0.0 {
            attended
        } else {
            attended + image * *factor
        };
        self.to_out.forward(&attended)
    }

    /// Keys and values of `tokens`, split into heads.
    fn keys(&self, tokens: &Tensor) -> [Tensor; 2] {
        [&self.to_k, &self.to_v].map(|to| split_heads(&to.forward(tokens), self.heads))
    }

    fn forward_seen(
        &self,
        x: &Tensor,
        tokens: &Tensor,
        segments: [&[Segment]; 2],
        probe: &mut dyn AttentionProbe,
    ) -> Tensor {
        let query = split_heads(&self.to_q.forward(x), self.heads);
        let keys = self.keys(tokens);
        let attended = self.attend_seen(&self.name, &query, keys, segments, probe);
        self.to_out.forward(&attended)
    }

    /// One softmax, seen by `probe` as `layer`; heads are merged again.
    fn attend_seen(
        &self,
        layer: &str,
        query: &Tensor,
        [key, value]: [Tensor; 2],
        [queries, keys]: [&[Segment]; 2],
        probe: &mut dyn AttentionProbe,
    ) -> Tensor {
        let asked = Asked {
            layer,
            query,
            key: &key,
            value: &value,
            queries,
            keys,
            to_out: self.to_out.weight(),
        };
        attend_seen(&asked, probe)
    }
}

/// One softmax of a layer. Queries, keys and values are `[batch, heads, tokens, d]`.
pub(crate) struct Asked<'a> {
    pub(crate) layer: &'a str,
    pub(crate) query: &'a Tensor,
    pub(crate) key: &'a Tensor,
    pub(crate) value: &'a Tensor,
    /// What the queries stand for.
    pub(crate) queries: &'a [Segment],
    /// What the keys stand for.
    pub(crate) keys: &'a [Segment],
    /// The weight that hands the merged heads on.
    pub(crate) to_out: &'a Tensor,
}

/// One softmax, seen by `probe`; heads are merged again.
///
/// The probe sees the very queries and keys that make the output; it runs in addition to the fused kernel, not instead of it. If it
/// intervenes, the same kernel leaves out scores, and heads are scaled before they are merged.
pub(crate) fn attend_seen(asked: &Asked<'_>, probe: &mut dyn AttentionProbe) -> Tensor {
    let &Asked {
        query, key, value, ..
    } = asked;
    // Computed where a probe asks for its sums; else below.
    let with_sums = OnceCell::new();
    let seen = Observation {
        layer: asked.layer,
        query,
        key,
        scale: (query.size()[3] as f64).powf(-0.5),
        queries: asked.queries,
        keys: asked.keys,
        carried: &|| carried(asked.to_out, value),
        log_sums: &|| {
            let with_sums = with_sums.get_or_init(|| heads_and_sums(query, key, value));
            with_sums.as_ref().map(|(_, sums)| sums.shallow_clone())
        },
    };
    probe.observe(&seen);
    match probe.intervene(&seen) {
        None => match with_sums.get() {
            Some(Some((heads, _))) => merge_heads(heads),
            _ => attend(query, key, value),
        },
        Some(change) => attend_changed(query, key, value, &change),
    }
}

/// `|W_o v|` for each head of `value` `[batch, heads, tokens, d]`, which `weight` `[width, heads * d]` hands on: `[batch, heads, tokens]`,
/// f32. The square is `v · (W_oᵀ W_o) v`, so that no vector of the layer's whole width is formed.
fn carried(weight: &Tensor, value: &Tensor) -> Tensor {
    let heads = value.size()[1];
    let weight = weight.to_kind(Kind::Float);
    let width = weight.size()[0];
    let by_head = weight.reshape([width, heads, -1]).permute([1, 0, 2]);
    let squared = by_head.transpose(1, 2).matmul(&by_head);
    let value = value.to_kind(Kind::Float);
    let lengths =
        (value.matmul(&squared) * &value).sum_dim_intlist([-1_i64].as_slice(), false, Kind::Float);
    lengths.clamp_min(0.0).sqrt()
}

/// `[batch, positions, width]` to `[batch, heads, positions, width / heads]`; the channels of a head are contiguous.
pub fn split_heads(x: &Tensor, heads: i64) -> Tensor {
    let size = x.size();
    x.reshape([size[0], size[1], heads, size[2] / heads])
        .transpose(1, 2)
}

/// Fused scaled dot-product attention; heads are merged again: `[batch, positions, width]`.
pub fn attend(q: &Tensor, k: &Tensor, v: &Tensor) -> Tensor {
    merge_heads(&heads_of(q, k, v, None))
}

/// As [`attend`], where a position sees itself and those before it only.
pub fn attend_causal(q: &Tensor, k: &Tensor, v: &Tensor) -> Tensor {
    let heads = product([q, k, v], |[q, k, v]| {
        Tensor::scaled_dot_product_attention(&q, &k, &v, None::<&Tensor>, 0.0, true, None, false)
    });
    merge_heads(&heads)
}

/// As [`attend`], where queries see the keys that `seen` `[batch, 1, queries, keys]` names, and a head of keys and values serves as many
/// heads of queries as there are more of them.
pub(crate) fn attend_shared(q: &Tensor, k: &Tensor, v: &Tensor, seen: &Tensor) -> Tensor {
    let heads = product([q, k, v], |[q, k, v]| {
        Tensor::scaled_dot_product_attention(&q, &k, &v, Some(seen), 0.0, false, None, true)
    });
    merge_heads(&heads)
}

/// As [`attend`], under an intervention.
fn attend_changed(q: &Tensor, k: &Tensor, v: &Tensor, change: &Intervention) -> Tensor {
    let allowed = change.allowed.as_ref();
    let mixed = change.mixed.as_ref();
    let mixed = mixed.map(|mixed| matmul(&mixed.to_kind(v.kind()), v));
    let v = mixed.as_ref().unwrap_or(v);
    let out = match &change.weakened {
        None => heads_of(q, k, v, allowed),
        // Only here are all probabilities formed, a run of queries at a time.
        Some(factors) => {
            let scale = (q.size()[3] as f64).powf(-0.5);
            let rows = q.size()[2];
            let run = |start: i64| {
                let length = WEAKENED_ROWS.min(rows - start);
                let part = |x: &Tensor| match x.size()[2] {
                    1 => x.shallow_clone(),
                    _ => x.narrow(2, start, length),
                };
                let scores = matmul(&q.narrow(2, start, length), &k.transpose(2, 3)) * scale;
                let scores = match allowed {
                    None => scores,
                    Some(allowed) => {
                        scores.masked_fill(&part(allowed).logical_not(), f64::NEG_INFINITY)
                    }
                };
                let probabilities = scores.softmax(-1, scores.kind());
                let weakened = probabilities * part(factors).to_kind(scores.kind());
                matmul(&weakened, v)
            };
            let starts = (0..rows).step_by(WEAKENED_ROWS as usize);
            Tensor::cat(&starts.map(run).collect::<Vec<_>>(), 2)
        }
    };
    match &change.factors {
        None => merge_heads(&out),
        Some(factors) => merge_heads(&(&out * factors.to_kind(out.kind()).view([1, -1, 1, 1]))),
    }
}

fn heads_of(q: &Tensor, k: &Tensor, v: &Tensor, allowed: Option<&Tensor>) -> Tensor {
    product([q, k, v], |[q, k, v]| {
        Tensor::scaled_dot_product_attention(&q, &k, &v, allowed, 0.0, false, None, false)
    })
}

/// As [`heads_of`] without a mask, where that computes in f32, bit for bit, and the logarithms of the sums of exponentials, `[batch, heads, queries]`. None where
/// libtorch would take another kernel than the one that returns them.
fn heads_and_sums(q: &Tensor, k: &Tensor, v: &Tensor) -> Option<(Tensor, Tensor)> {
    let is_plain = |x: &&Tensor| {
        x.device() == Device::Cpu
            && computed(x) == Kind::Float
            && x.stride().last() == Some(&1)
            && x.numel() > 0
    };
    // Its gradient is that of another function.
    let all = [q, k, v];
    if !all.iter().all(is_plain) || all.iter().any(|x| x.requires_grad()) {
        return None;
    }
    let [wide_q, wide_k, wide_v] = all.map(|x| x.to_kind(Kind::Float));
    let (heads, sums) = Tensor::internal_scaled_dot_product_flash_attention_for_cpu(
        &wide_q,
        &wide_k,
        &wide_v,
        0.0,
        false,
        None::<&Tensor>,
        None,
    );
    Some((heads.to_kind(v.kind()), sums))
}

fn merge_heads(x: &Tensor) -> Tensor {
    x.transpose(1, 2).flatten(2, 3)
}
