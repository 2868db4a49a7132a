//! The blocks of the way down, the middle and the way up, under the tensor names of diffusers' `CrossAttnDownBlock2D`,
//! `UNetMidBlock2DCrossAttn`, `CrossAttnUpBlock2D` and of those without attention. Maps are `[batch, channels, H, W]`.

use tch::Tensor;

use super::config::UNetConfig;
use super::joining::Joining;
use crate::layers::{
    BlockShape, Downsample, Padding, ResnetBlock, ResnetShape, SpatialTransformer, Upsample,
};
use crate::probe::{AttentionProbe, Context};
use crate::scope::Scope;

fn resnet(scope: &Scope<'_>, config: &UNetConfig, inputs: i64, outputs: i64) -> ResnetBlock {
    let shape = ResnetShape {
        inputs,
        outputs,
        time: Some(config.time_width()),
        groups: config.norm_num_groups,
        eps: config.norm_eps,
    };
    ResnetBlock::new(scope, shape)
}

fn transformer(scope: &Scope<'_>, config: &UNetConfig, level: usize) -> SpatialTransformer {
    let shape = BlockShape {
        width: config.block_out_channels[level],
        context: config.cross_attention_dim,
        heads: config.attention_head_dim.at(level),
        groups: config.norm_num_groups,
        depth: config.transformer_layers_per_block,
        cross: config.cross,
    };
    SpatialTransformer::new(scope, &shape)
}

/// Residual blocks, each followed by a transformer where the level has attention, then a downsampling.
#[derive(Debug)]
pub struct DownBlock {
    name: String,
    resnets: Vec<ResnetBlock>,
    attentions: Vec<SpatialTransformer>,
    downsampler: Option<Downsample>,
}

impl DownBlock {
    /// `down_blocks.{level}` below `scope`.
    pub fn new(scope: &Scope<'_>, config: &UNetConfig, level: usize) -> Self {
        let scope = scope.sub(format_args!("down_blocks.{level}"));
        let outputs = config.block_out_channels[level];
        let inputs = config.block_out_channels[level.saturating_sub(1)];
        let layers = 0..config.layers_per_block;
        let resnets = layers.clone().map(|i| {
            let inputs = if i == 0 { inputs } else { outputs };
            resnet(
                &scope.sub(format_args!("resnets.{i}")),
                config,
                inputs,
                outputs,
            )
        });
        let attentions = layers
            .filter(|_| config.has_attention(level))
            .map(|i| transformer(&scope.sub(format_args!("attentions.{i}")), config, level));
        let last = level + 1 == config.block_out_channels.len();
        Self {
            name: scope.path().to_owned(),
            resnets: resnets.collect(),
            attentions: attentions.collect(),
            downsampler: (!last)
                .then(|| Downsample::new(&scope.sub("downsamplers.0"), outputs, Padding::Same)),
        }
    }

    /// Runs the block and leaves each layer's output on `skips`.
    pub fn forward(
        &self,
        mut h: Tensor,
        time: &Tensor,
        context: &Context,
        skips: &mut Vec<Tensor>,
        probe: &mut dyn AttentionProbe,
    ) -> Tensor {
        for (i, resnet) in self.resnets.iter().enumerate() {
            h = resnet.forward(&h, Some(time));
            if let Some(attention) = self.attentions.get(i) {
                h = attention.forward(&h, context, probe);
            }
            probe.block(&format!("{}.{i}", self.name), &h);
            skips.push(h.shallow_clone());
        }
        if let Some(downsampler) = &self.downsampler {
            h = downsampler.forward(&h);
            probe.block(&format!("{}.downsampler", self.name), &h);
            skips.push(h.shallow_clone());
        }
        h
    }
}

/// Residual block, transformer, residual block at the lowest resolution.
#[derive(Debug)]
pub struct MidBlock {
    resnets: [ResnetBlock; 2],
    attention: SpatialTransformer,
}

impl MidBlock {
    /// `mid_block` below `scope`.
    pub fn new(scope: &Scope<'_>, config: &UNetConfig) -> Self {
        let scope = scope.sub("mid_block");
        let level = config.block_out_channels.len() - 1;
        let width = config.block_out_channels[level];
        let resnet = |i: usize| {
            resnet(
                &scope.sub(format_args!("resnets.{i}")),
                config,
                width,
                width,
            )
        };
        let first = resnet(0);
        let attention = transformer(&scope.sub("attentions.0"), config, level);
        Self {
            resnets: [first, resnet(1)],
            attention,
        }
    }

    /// Same shape in and out.
    pub fn forward(
        &self,
        h: &Tensor,
        time: &Tensor,
        context: &Context,
        probe: &mut dyn AttentionProbe,
    ) -> Tensor {
        let h = self.resnets[0].forward(h, Some(time));
        let h = self.attention.forward(&h, context, probe);
        let h = self.resnets[1].forward(&h, Some(time));
        probe.block("mid_block", &h);
        h
    }
}

/// Residual blocks over the input and one skip each, with transformers where the level has attention, then an upsampling.
#[derive(Debug)]
pub struct UpBlock {
    name: String,
    resnets: Vec<ResnetBlock>,
    attentions: Vec<SpatialTransformer>,
    upsampler: Option<Upsample>,
}

impl UpBlock {
    /// `up_blocks.{index}` below `scope`; index 0 is the lowest resolution.
    pub fn new(scope: &Scope<'_>, config: &UNetConfig, index: usize) -> Self {
        let scope = scope.sub(format_args!("up_blocks.{index}"));
        let level = config.level_of_up_block(index);
        let outputs = config.block_out_channels[level];
        let resnets = config.up_layers(index).into_iter().enumerate();
        let resnets = resnets.map(|(i, layer)| {
            resnet(
                &scope.sub(format_args!("resnets.{i}")),
                config,
                layer.before + layer.skip,
                outputs,
            )
        });
        let attentions = (0..=config.layers_per_block)
            .filter(|_| config.has_attention(level))
            .map(|i| transformer(&scope.sub(format_args!("attentions.{i}")), config, level));
        Self {
            name: scope.path().to_owned(),
            resnets: resnets.collect(),
            attentions: attentions.collect(),
            upsampler: (level > 0).then(|| Upsample::new(&scope.sub("upsamplers.0"), outputs)),
        }
    }

    /// Runs the block and takes one skip per layer, with `joining` at its turns in every layer.
    ///
    /// # Panics
    /// If there are fewer skips than layers; the down path leaves one for each.
    pub(super) fn forward(
        &self,
        mut h: Tensor,
        time: &Tensor,
        context: &Context,
        skips: &mut Vec<Tensor>,
        joining: &mut dyn Joining,
        probe: &mut dyn AttentionProbe,
    ) -> Tensor {
        for (i, resnet) in self.resnets.iter().enumerate() {
            let skip = skips
                .pop()
                .expect("the down path leaves one skip for every layer of the up path");
            h = joining.before_skip(h, probe);
            h = resnet.forward(&Tensor::cat(&[h, skip], 1), Some(time));
            if let Some(attention) = self.attentions.get(i) {
                h = joining.transform(attention, &h, context, probe);
            }
            h = joining.after_layer(h, probe);
            probe.block(&format!("{}.{i}", self.name), &h);
        }
        if let Some(upsampler) = &self.upsampler {
            h = match skips.last().map(Tensor::size).as_deref() {
                Some(&[_, _, height, width]) => upsampler.forward_to(&h, (height, width)),
                _ => upsampler.forward(&h),
            };
            probe.block(&format!("{}.upsampler", self.name), &h);
        }
        h
    }
}
