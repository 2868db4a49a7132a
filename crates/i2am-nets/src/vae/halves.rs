//! The encoder and decoder of the autoencoder, under the tensor names of diffusers' `AutoencoderKL`. A picture `[batch, 3, H, W]`
//! becomes moments, and a latent `[batch, latent_channels, h, w]` a picture.

use tch::Tensor;

use super::config::VaeConfig;
use crate::layers::{
    Bias, Conv2d, Downsample, GroupNorm, Linear, Padding, ResnetBlock, ResnetShape, Upsample,
    attend, split_heads,
};
use crate::scope::Scope;

/// Epsilon of every normalization in the autoencoder.
const EPS: f64 = 1e-6;

/// What the normalizations of a pass do, asked in the order in which they run.
pub(super) type Normalize<'a> = &'a mut dyn FnMut(&GroupNorm, &Tensor) -> Tensor;

fn resnet(scope: &Scope<'_>, config: &VaeConfig, inputs: i64, outputs: i64) -> ResnetBlock {
    ResnetBlock::new(
        scope,
        ResnetShape {
            inputs,
            outputs,
            time: None,
            groups: config.norm_num_groups,
            eps: EPS,
        },
    )
}

/// Single-head self-attention over all positions, residual.
#[derive(Debug)]
struct MidAttention {
    group_norm: GroupNorm,
    to_q: Linear,
    to_k: Linear,
    to_v: Linear,
    to_out: Linear,
}

impl MidAttention {
    fn new(scope: &Scope<'_>, width: i64, groups: i64) -> Self {
        let linear = |name: &str| Linear::new(&scope.sub(name), width, width, Bias::Yes);
        Self {
            group_norm: GroupNorm::new(&scope.sub("group_norm"), width, groups, EPS),
            to_q: linear("to_q"),
            to_k: linear("to_k"),
            to_v: linear("to_v"),
            to_out: linear("to_out.0"),
        }
    }

    fn forward(&self, x: &Tensor, normalize: Normalize<'_>) -> Tensor {
        let positions = normalize(&self.group_norm, x).flatten(2, 3).transpose(1, 2);
        let head = |layer: &Linear| split_heads(&layer.forward(&positions), 1);
        let out = self.to_out.forward(&attend(
            &head(&self.to_q),
            &head(&self.to_k),
            &head(&self.to_v),
        ));
        out.transpose(1, 2).reshape(x.size()) + x
    }
}

/// Residual block, attention, residual block at the lowest resolution.
#[derive(Debug)]
struct MidBlock {
    first: ResnetBlock,
    attention: MidAttention,
    second: ResnetBlock,
}

impl MidBlock {
    fn new(scope: &Scope<'_>, config: &VaeConfig, width: i64) -> Self {
        Self {
            first: resnet(&scope.sub("resnets.0"), config, width, width),
            attention: MidAttention::new(&scope.sub("attentions.0"), width, config.norm_num_groups),
            second: resnet(&scope.sub("resnets.1"), config, width, width),
        }
    }

    fn forward(&self, x: &Tensor, normalize: Normalize<'_>) -> Tensor {
        let h = self.first.forward_with(x, None, normalize);
        let h = self.attention.forward(&h, normalize);
        self.second.forward_with(&h, None, normalize)
    }
}

/// Picture to moments.
#[derive(Debug)]
pub(super) struct Encoder {
    conv_in: Conv2d,
    down_blocks: Vec<(Vec<ResnetBlock>, Option<Downsample>)>,
    mid_block: MidBlock,
    conv_norm_out: GroupNorm,
    conv_out: Conv2d,
}

impl Encoder {
    pub(super) fn new(scope: &Scope<'_>, config: &VaeConfig) -> Self {
        let channels = &config.block_out_channels;
        let last = channels.len() - 1;
        let level = |level: usize| {
            let scope = scope.sub(format_args!("down_blocks.{level}"));
            let outputs = channels[level];
            let resnets = (0..config.layers_per_block).map(|i| {
                let inputs = if i == 0 {
                    channels[level.saturating_sub(1)]
                } else {
                    outputs
                };
                resnet(
                    &scope.sub(format_args!("resnets.{i}")),
                    config,
                    inputs,
                    outputs,
                )
            });
            let down = (level < last)
                .then(|| Downsample::new(&scope.sub("downsamplers.0"), outputs, Padding::None));
            (resnets.collect(), down)
        };
        Self {
            conv_in: Conv2d::new(&scope.sub("conv_in"), config.in_channels, channels[0], 3),
            down_blocks: (0..=last).map(level).collect(),
            mid_block: MidBlock::new(&scope.sub("mid_block"), config, channels[last]),
            conv_norm_out: GroupNorm::new(
                &scope.sub("conv_norm_out"),
                channels[last],
                config.norm_num_groups,
                EPS,
            ),
            conv_out: Conv2d::new(
                &scope.sub("conv_out"),
                channels[last],
                2 * config.latent_channels,
                3,
            ),
        }
    }

    pub(super) fn forward(&self, x: &Tensor, normalize: Normalize<'_>) -> Tensor {
        let mut h = self.conv_in.forward(x);
        for (resnets, downsample) in &self.down_blocks {
            h = resnets
                .iter()
                .fold(h, |h, resnet| resnet.forward_with(&h, None, normalize));
            h = downsample
                .as_ref()
                .map_or_else(|| h.shallow_clone(), |down| down.forward(&h));
        }
        let h = self.mid_block.forward(&h, normalize);
        self.conv_out
            .forward(&normalize(&self.conv_norm_out, &h).silu())
    }
}

/// Latent to picture.
#[derive(Debug)]
pub(super) struct Decoder {
    conv_in: Conv2d,
    mid_block: MidBlock,
    up_blocks: Vec<(Vec<ResnetBlock>, Option<Upsample>)>,
    conv_norm_out: GroupNorm,
    conv_out: Conv2d,
}

impl Decoder {
    pub(super) fn new(scope: &Scope<'_>, config: &VaeConfig) -> Self {
        let channels = &config.block_out_channels;
        let last = channels.len() - 1;
        let block = |index: usize| {
            let scope = scope.sub(format_args!("up_blocks.{index}"));
            let level = last - index;
            let outputs = channels[level];
            let resnets = (0..=config.layers_per_block).map(|i| {
                let inputs = if i == 0 {
                    channels[(level + 1).min(last)]
                } else {
                    outputs
                };
                resnet(
                    &scope.sub(format_args!("resnets.{i}")),
                    config,
                    inputs,
                    outputs,
                )
            });
            let up = (level > 0).then(|| Upsample::new(&scope.sub("upsamplers.0"), outputs));
            (resnets.collect(), up)
        };
        Self {
            conv_in: Conv2d::new(
                &scope.sub("conv_in"),
                config.latent_channels,
                channels[last],
                3,
            ),
            mid_block: MidBlock::new(&scope.sub("mid_block"), config, channels[last]),
            up_blocks: (0..=last).map(block).collect(),
            conv_norm_out: GroupNorm::new(
                &scope.sub("conv_norm_out"),
                channels[0],
                config.norm_num_groups,
                EPS,
            ),
            conv_out: Conv2d::new(&scope.sub("conv_out"), channels[0], config.out_channels, 3),
        }
    }

    pub(super) fn forward(&self, z: &Tensor, normalize: Normalize<'_>) -> Tensor {
        let mut h = self.mid_block.forward(&self.conv_in.forward(z), normalize);
        for (resnets, upsample) in &self.up_blocks {
            h = resnets
                .iter()
                .fold(h, |h, resnet| resnet.forward_with(&h, None, normalize));
            h = upsample
                .as_ref()
                .map_or_else(|| h.shallow_clone(), |up| up.forward(&h));
        }
        self.conv_out
            .forward(&normalize(&self.conv_norm_out, &h).silu())
    }
}
