//! The transformer of FLUX.2 (`Flux2Transformer2DModel`): tokens of a text and of images, the generated one first, attend to each other in
//! every block. Under the tensor names of diffusers; no layer has a bias.

mod blocks;
mod config;
mod sequence;

use tch::{Kind, Tensor};

use blocks::{DoubleBlock, SingleBlock, scaled};
pub use config::Flux2Config;
pub use sequence::{Placed, Sequence};

use crate::layers::{Bias, Linear, TimeEmbedding, sinusoid};
use crate::probe::AttentionProbe;
use crate::scope::Scope;

/// The model is trained with times from 0 to 1, and sees a thousand times as much.
const TIME_SCALE: f64 = 1000.0;

/// The transformer: double blocks, which keep text and images apart but for attention, then single blocks over all tokens.
#[derive(Debug)]
pub struct Flux2 {
    config: Flux2Config,
    x_embedder: Linear,
    context_embedder: Linear,
    timestep_embedder: TimeEmbedding,
    modulation_img: Linear,
    modulation_txt: Linear,
    modulation_single: Linear,
    transformer_blocks: Vec<DoubleBlock>,
    single_transformer_blocks: Vec<SingleBlock>,
    norm_out: Linear,
    proj_out: Linear,
}

impl Flux2 {
    /// Builds the network of `config`.
    pub fn new(scope: &Scope<'_>, config: Flux2Config) -> Self {
        let width = config.width();
        let linear = |name: &str, inputs: i64, outputs: i64| {
            Linear::new(&scope.sub(name), inputs, outputs, Bias::No)
        };
        let double = |index: usize| {
            let scope = scope.sub(format_args!("transformer_blocks.{index}"));
            DoubleBlock::new(&scope, &config)
        };
        let single = |index: usize| {
            let scope = scope.sub(format_args!("single_transformer_blocks.{index}"));
            SingleBlock::new(&scope, &config)
        };
        Self {
            x_embedder: linear("x_embedder", config.in_channels, width),
            context_embedder: linear("context_embedder", config.joint_attention_dim, width),
            timestep_embedder: TimeEmbedding::with(
                &scope.sub("time_guidance_embed.timestep_embedder"),
                config.timestep_guidance_channels,
                width,
                Bias::No,
            ),
            modulation_img: linear("double_stream_modulation_img.linear", width, 6 * width),
            modulation_txt: linear("double_stream_modulation_txt.linear", width, 6 * width),
            modulation_single: linear("single_stream_modulation.linear", width, 3 * width),
            transformer_blocks: (0..config.num_layers).map(double).collect(),
            single_transformer_blocks: (0..config.num_single_layers).map(single).collect(),
            norm_out: linear("norm_out.linear", width, 2 * width),
            proj_out: linear("proj_out", width, config.out_channels()),
            config,
        }
    }

    /// The sizes it was built with.
    pub fn config(&self) -> &Flux2Config {
        &self.config
    }

    /// The embedding of time `sigma`, from 0 to 1: `[1, width]` in the precision of the network.
    pub fn time(&self, sigma: f64) -> Tensor {
        let like = self.x_embedder.weight();
        let time = Tensor::from_slice(&[(sigma * TIME_SCALE) as f32]).to_device(like.device());
        let wave = sinusoid(&time, self.config.timestep_guidance_channels);
        self.timestep_embedder.forward(&wave.to_kind(like.kind()))
    }

    /// The predicted velocity of the generated tokens, `[batch, tokens, out_channels]`.
    ///
    /// # Shapes
    /// `images` `[batch, tokens, in_channels]`, those of the generated image first; `text` `[batch, tokens, joint_attention_dim]`; as
    /// `sequence` says in which order and of which images.
    ///
    /// # Panics
    /// If the numbers of tokens are not those of `sequence`.
    pub fn forward(
        &self,
        images: &Tensor,
        text: &Tensor,
        sigma: f64,
        sequence: &Sequence,
        probe: &mut dyn AttentionProbe,
    ) -> Tensor {
        let (words, all) = (sequence.text(), sequence.tokens());
        assert_eq!(text.size()[1], words, "tokens of the text");
        assert_eq!(images.size()[1], all - words, "tokens of images");
        let time = self.time(sigma).silu();
        let vectors =
            |linear: &Linear, count: i64| linear.forward(&time).unsqueeze(1).chunk(count, -1);
        let (image, words) = (
            vectors(&self.modulation_img, 6),
            vectors(&self.modulation_txt, 6),
        );
        let single = vectors(&self.modulation_single, 3);
        let mut x = self.x_embedder.forward(images);
        let mut c = self.context_embedder.forward(text);
        for (index, block) in self.transformer_blocks.iter().enumerate() {
            (x, c) = block.forward([&x, &c], [&image, &words], sequence, probe);
            probe.block(&format!("transformer_blocks.{index}"), &x);
            probe.block(&format!("transformer_blocks.{index}.text"), &c);
        }
        let mut x = Tensor::cat(&[c, x], 1);
        for (index, block) in self.single_transformer_blocks.iter().enumerate() {
            x = block.forward(&x, &single, sequence, probe);
            probe.block(&format!("single_transformer_blocks.{index}"), &x);
        }
        let generated = sequence.generated();
        let x = x.narrow(1, generated.start, generated.end - generated.start);
        let last = vectors(&self.norm_out, 2);
        let x = scaled(&x, &last[1], &last[0], self.config.eps);
        probe.block("norm_out", &x);
        self.proj_out.forward(&x)
    }

    /// The precision that it computes in.
    pub fn kind(&self) -> Kind {
        self.x_embedder.weight().kind()
    }
}
