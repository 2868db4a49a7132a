//! What an attention layer shows while a network runs, and how a probe may change it. Queries are `[batch, heads, tokens, d]`, keys
//! `[batch, heads, tokens, d]`; what their tokens stand for is said by [`Segment`]s.

use std::ops::Range;

use tch::Tensor;

/// What the tokens of a segment belong to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// The image that is generated.
    Generated,
    /// A reference image, counted from 0.
    Reference(usize),
    /// The image that is edited, as the network is shown it.
    Source,
    /// The prompt.
    Text,
    /// What fills a prompt up to a fixed length, where the network reads it.
    Padding,
    /// Anything else, such as registers.
    Other,
}

/// Where the tokens of a segment lie in their image.
#[derive(Debug)]
pub enum Places {
    /// Nowhere: each token stands for all of it.
    Pooled,
    /// One token for each position of a map of this height and width, row-major.
    Grid((i64, i64)),
    /// Every token mixes the positions of a map.
    Mixed {
        /// Height and width of the map.
        grid: (i64, i64),
        /// How much of each position is in each token, `[batch, tokens, height * width]`; what a row lacks to 1 comes from elsewhere.
        weights: Tensor,
    },
}

impl Places {
    /// Height and width of the map over which the tokens have places.
    pub fn grid(&self) -> Option<(i64, i64)> {
        match self {
            Self::Pooled => None,
            Self::Grid(grid) | Self::Mixed { grid, .. } => Some(*grid),
        }
    }
}

/// A run of tokens that belong together.
#[derive(Debug)]
pub struct Segment {
    /// What they belong to.
    pub role: Role,
    /// Which tokens of the sequence they are.
    pub tokens: Range<i64>,
    /// Where they lie.
    pub places: Places,
}

impl Segment {
    /// The positions of a map of `grid`, row-major, from token `start` on.
    pub fn grid(role: Role, start: i64, grid: (i64, i64)) -> Self {
        Self {
            role,
            tokens: start..start + grid.0 * grid.1,
            places: Places::Grid(grid),
        }
    }

    /// Tokens without a place.
    pub fn pooled(role: Role, tokens: Range<i64>) -> Self {
        Self {
            role,
            tokens,
            places: Places::Pooled,
        }
    }

    /// How many tokens there are.
    pub fn count(&self) -> i64 {
        self.tokens.end - self.tokens.start
    }
}

/// What one attention layer saw in one forward pass.
pub struct Observation<'a> {
    /// Layer name below its network, e.g. `down_blocks.0.attentions.0.transformer_blocks.0.attn2`.
    pub layer: &'a str,
    /// Queries, `[batch, heads, tokens, d]`, in the network's precision.
    pub query: &'a Tensor,
    /// Keys, `[batch, heads, tokens, d]`.
    pub key: &'a Tensor,
    /// Factor on `query · key` before the softmax: `d^-0.5`.
    pub scale: f64,
    /// What the queries stand for; together all of them, in order.
    pub queries: &'a [Segment],
    /// What the keys of this softmax stand for; together all of them, in order.
    pub keys: &'a [Segment],
    /// The length of what each key hands on through the layer's output, `|W_o v|` for each head: `[batch, heads, tokens]`, f32.
    pub carried: &'a dyn Fn() -> Tensor,
    /// The logarithm of the sum of the exponentials of each query's scores, `[batch, heads, tokens]`, f32: what the fused kernel of the layer
    /// sums anyway. None where that kernel does not say it.
    pub log_sums: &'a dyn Fn() -> Option<Tensor>,
}

impl Observation<'_> {
    /// The queries of the generated image, with their height and width.
    pub fn generated(&self) -> Option<(&Segment, (i64, i64))> {
        let segment = self.queries.iter().find(|s| s.role == Role::Generated)?;
        Some((segment, segment.places.grid()?))
    }

    /// Height and width of the generated map whose positions ask.
    pub fn grid(&self) -> Option<(i64, i64)> {
        Some(self.generated()?.1)
    }

    /// Height and width of the first reference whose keys have places.
    pub fn key_grid(&self) -> Option<(i64, i64)> {
        let of_reference = |s: &&Segment| matches!(s.role, Role::Reference(_));
        let mut references = self.keys.iter().filter(of_reference);
        references.find_map(|s| s.places.grid())
    }

    /// Whether a key belongs to a reference image.
    pub fn has_reference(&self) -> bool {
        let of_reference = |s: &Segment| matches!(s.role, Role::Reference(_));
        self.keys.iter().any(of_reference)
    }
}

/// Tokens that an attention reads, `[batch, tokens, width]`, and what they stand for.
#[derive(Debug)]
pub struct Tokens {
    /// `[batch, tokens, width]`.
    pub tokens: Tensor,
    /// What they stand for; together all of them, in order.
    pub segments: Vec<Segment>,
}

impl Tokens {
    /// Tokens without a place.
    pub fn pooled(role: Role, tokens: Tensor) -> Self {
        let count = tokens.size()[1];
        Self {
            tokens,
            segments: vec![Segment::pooled(role, 0..count)],
        }
    }

    /// The positions of a feature map `[batch, width, h, w]`.
    pub fn spatial(role: Role, features: &Tensor) -> Self {
        let size = features.size();
        Self {
            tokens: features.flatten(2, 3).transpose(1, 2),
            segments: vec![Segment::grid(role, 0, (size[2], size[3]))],
        }
    }
}

/// What self-attention reads in addition to the positions that ask.
#[derive(Debug, Default)]
pub enum Joint {
    /// Nothing: it is not shown to probes.
    #[default]
    Nothing,
    /// The upper half of the map is generated, the lower half is the reference image, as the input was put together.
    LowerHalf,
    /// Features of the reference from another network, by the name of the layer that reads them, each `[batch, positions, width]` and of
    /// the size of the layer's own input.
    Features(std::collections::BTreeMap<String, Tensor>),
}

/// What the transformers of a pass read besides the image itself.
#[derive(Debug, Default)]
pub struct Context {
    /// Read by cross-attention; networks without cross-attention have none.
    pub cross: Option<Tokens>,
    /// Read by a second softmax of the same queries, whose result is added with this factor.
    pub second: Option<(Tokens, f64)>,
    /// Read by self-attention.
    pub joint: Joint,
}

impl Context {
    /// Cross-attention to pooled tokens of the reference image.
    pub fn pooled(tokens: Tensor) -> Self {
        Self::of(Tokens::pooled(Role::Reference(0), tokens))
    }

    /// Cross-attention to the tokens of a text.
    pub fn text(tokens: Tensor) -> Self {
        Self::of(Tokens::pooled(Role::Text, tokens))
    }

    /// Cross-attention to the positions of a feature map `[batch, width, h, w]` of the reference image.
    pub fn spatial(features: &Tensor) -> Self {
        Self::of(Tokens::spatial(Role::Reference(0), features))
    }

    fn of(tokens: Tokens) -> Self {
        Self {
            cross: Some(tokens),
            ..Self::default()
        }
    }

    /// What cross-attention reads, `[batch, tokens, width]`.
    ///
    /// # Panics
    /// If it reads nothing.
    pub fn tokens(&self) -> &Tensor {
        let cross = self.cross.as_ref();
        &cross.expect("cross-attention is given tokens").tokens
    }

    /// What self-attention of a network without cross-attention reads.
    pub fn joint(joint: Joint) -> Self {
        Self {
            joint,
            ..Self::default()
        }
    }
}

/// What to change about one attention in one pass.
#[derive(Debug, Default)]
pub struct Intervention {
    /// The scores that take part, boolean, `[1 or batch, 1 or heads, queries, keys]`; all without one. Every query must keep a key.
    pub allowed: Option<Tensor>,
    /// A factor on probabilities after the softmax, which is not renormalized: `[1 or batch, 1 or heads, queries, keys]`; 1 without one.
    pub weakened: Option<Tensor>,
    /// What is read in place of the value of each key: mixtures of all values, `[1 or batch, 1 or heads, keys, keys]`, a row for each
    /// key. Probabilities stay as they are. The values themselves without one.
    pub mixed: Option<Tensor>,
    /// A factor on each head's output before `to_out`, `[heads]`; 1 without one. A head at 0 contributes nothing.
    pub factors: Option<Tensor>,
}

/// Watches a forward pass. What it observes are the pass's own tensors, and observing cannot change what the pass computes; only
/// [`AttentionProbe::intervene`] can, and does nothing by default.
pub trait AttentionProbe {
    /// Called by every attention layer that reads more than its own positions, with its own queries and keys; by a layer of two
    /// softmaxes once for each.
    fn observe(&mut self, seen: &Observation<'_>);

    /// Called after [`AttentionProbe::observe`] with the same tensors. Without an answer the layer computes what it always does, by
    /// the same kernel.
    fn intervene(&mut self, _seen: &Observation<'_>) -> Option<Intervention> {
        None
    }

    /// As [`AttentionProbe::intervene`], in a pass of its own without the reference that belongs to the same call. By default the same is
    /// changed.
    fn intervene_without(&mut self, seen: &Observation<'_>) -> Option<Intervention> {
        self.intervene(seen)
    }

    /// Called with the normalized input `[batch, positions, width]` of each self-attention of a transformer, by the layer's name.
    fn normed(&mut self, _layer: &str, _input: &Tensor) {}

    /// Called with the output of each named block, for stage-by-stage comparison. Ignored by default.
    fn block(&mut self, _name: &str, _output: &Tensor) {}
}

/// Watches nothing.
pub struct NoProbe;

impl AttentionProbe for NoProbe {
    fn observe(&mut self, _seen: &Observation<'_>) {}
}
