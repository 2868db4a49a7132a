//! A loaded FLUX.2 klein, and how a sample is put to its networks.

use std::rc::Rc;

use i2am_datasets::Sample;
use i2am_imaging::RgbImage;
use i2am_nets::flux2::{Placed, Sequence};
use i2am_nets::vae::Vae;
use i2am_nets::{AttentionProbe, Role};
use tch::{Device, Tensor};

use super::{Flux2KleinConfig, Flux2KleinInputs, Flux2KleinNetworks, PromptEmbeddings, Task};
use crate::RunnerError;
use crate::capture::{CaptureMasks, ConditionalHalf, Unrecorded};
use crate::families::kind;
use crate::families::rows::{Join, joined, joined_if_any};
use crate::families::sampling::{Frame, Pass, Prepared, Sampling};
use crate::noise::NoiseSource;
use crate::pictures::{self, Quantise};
use crate::samplers::Flow;

/// The first coordinate of images that are shown: 10, 20 ..
const IMAGES_APART: i64 = 10;

/// A loaded FLUX.2 klein.
pub struct Flux2KleinPipeline {
    networks: Flux2KleinNetworks,
    prompt: PromptEmbeddings,
    /// Of the empty prompt, under guidance.
    negative: Option<PromptEmbeddings>,
    frame: Frame,
    flow: Flow,
    config: Flux2KleinConfig,
    device: Device,
}

impl Flux2KleinPipeline {
    /// Loads the files of `config`.
    ///
    /// # Errors
    /// As [`crate::families::Model::load`].
    pub fn load(config: &Flux2KleinConfig, device: Device) -> Result<Self, RunnerError> {
        kind::load(config, device)
    }

    /// The pipeline of networks that come from elsewhere than a checkpoint.
    ///
    /// `networks` are on `device` in the precision of `config`, whose files are not looked at; under guidance there have to be embeddings of
    /// the empty prompt in addition to those of the prompt.
    ///
    /// # Errors
    /// A sampler that cannot work.
    pub fn of_networks(
        networks: Flux2KleinNetworks,
        config: &Flux2KleinConfig,
        (prompt, negative): (PromptEmbeddings, Option<PromptEmbeddings>),
        device: Device,
    ) -> Result<Self, RunnerError> {
        let frame = Frame::new(config, device)?;
        let ready = |prompt: PromptEmbeddings| PromptEmbeddings {
            tokens: frame.to_network(&prompt.tokens),
            runs: prompt.runs,
        };
        Ok(Self {
            networks,
            prompt: ready(prompt),
            negative: negative.map(ready),
            flow: config.flow()?,
            frame,
            config: config.clone(),
            device,
        })
    }

    /// The networks, for stage-by-stage comparison.
    pub fn networks(&self) -> &Flux2KleinNetworks {
        &self.networks
    }

    /// The order of tokens of a pass after `prompt` with `images`, the generated one first.
    fn sequence(&self, prompt: &PromptEmbeddings, images: &[Placed]) -> Rc<Sequence> {
        let config = self.networks.transformer.config();
        Rc::new(Sequence::new(config, &prompt.runs, images, self.device))
    }

    /// One pass: the velocity of the latents `x` `[samples, channels, h, w]`.
    fn velocity(
        &self,
        x: &Tensor,
        (tokens, sigma): (&Tensor, f64),
        (prompt, sequence): (&PromptEmbeddings, &Sequence),
        probe: &mut dyn AttentionProbe,
    ) -> Tensor {
        let samples = x.size()[0];
        let text = prompt.tokens.repeat([samples, 1, 1]);
        let transformer = &self.networks.transformer;
        let velocity = transformer.forward(tokens, &text, sigma, sequence, probe);
        velocity.transpose(1, 2).reshape(x.size())
    }
}

/// `[samples, channels, h, w]` as tokens `[samples, h * w, channels]`.
fn tokens_of(latent: &Tensor) -> Tensor {
    latent.flatten(2, 3).transpose(1, 2)
}

/// What inpainting puts back after each step.
struct Kept {
    /// The latent of the source.
    latent: Tensor,
    /// That sampling starts from.
    noise: Tensor,
    /// How far each token is repainted, `[samples, 1, h, w]`.
    hole: Tensor,
}

impl Kept {
    /// `x` where it is repainted, the source at the time `sigma` elsewhere.
    fn put_back(&self, x: &Tensor, sigma: f64) -> Tensor {
        let kept = &self.latent * (1.0 - sigma) + &self.noise * sigma;
        kept * (-&self.hole + 1.0) + x * &self.hole
    }
}

impl Join for Kept {
    fn join(samples: &[&Self]) -> Self {
        Self {
            latent: joined(samples, |s| &s.latent),
            noise: joined(samples, |s| &s.noise),
            hole: joined(samples, |s| &s.hole),
        }
    }
}

/// What the networks read besides the latent.
pub(in crate::families) struct Editing {
    /// Tokens of the images that are shown, `[samples, tokens, channels]`.
    shown: Tensor,
    /// All images, the generated one first: the same for all samples of a batch.
    images: Vec<Placed>,
    /// The order of tokens after the prompt, and after the empty one.
    sequence: Rc<Sequence>,
    negative: Option<Rc<Sequence>>,
    kept: Option<Kept>,
}

impl Join for Editing {
    fn join(samples: &[&Self]) -> Self {
        let first = samples[0];
        Self {
            shown: joined(samples, |s| &s.shown),
            images: first.images.clone(),
            sequence: Rc::clone(&first.sequence),
            negative: first.negative.as_ref().map(Rc::clone),
            kept: joined_if_any(samples, |s| s.kept.as_ref()),
        }
    }
}

impl Sampling for Flux2KleinPipeline {
    type Inputs = Editing;
    type Kept = ();

    fn frame(&self) -> &Frame {
        &self.frame
    }

    fn vae(&self) -> &Vae {
        self.networks.vae.vae()
    }

    /// The pass after the empty prompt is one of its own.
    fn conditional(&self) -> ConditionalHalf {
        ConditionalHalf::Whole
    }

    fn prepare(&self, sample: &Sample, noise: &NoiseSource) -> Result<Prepared<Self>, RunnerError> {
        let inputs = Flux2KleinInputs::of(sample, &self.config)?;
        let side = |pixels: i64| pixels / Flux2KleinConfig::PIXELS_PER_TOKEN;
        let [height, width] = self.config.size.map(side);
        let mut images = vec![Placed {
            role: Role::Generated,
            grid: (height, width),
            image: 0,
        }];
        let mut latents = Vec::new();
        for (role, picture) in &inputs.shown {
            let latent = self.networks.vae.encode(&self.frame.to_network(picture));
            let size = latent.size();
            images.push(Placed {
                role: *role,
                grid: (size[2], size[3]),
                image: IMAGES_APART * images.len() as i64,
            });
            latents.push(latent);
        }
        let shown: Vec<Tensor> = latents.iter().map(tokens_of).collect();
        let channels = self.networks.transformer.config().in_channels;
        let drawn = self
            .frame
            .draw(noise, "start", &[1, channels, height, width])?;
        let kept = (self.config.task == Task::Inpaint).then(|| Kept {
            latent: latents[0].shallow_clone(),
            noise: drawn.shallow_clone(),
            hole: self.frame.to_network(&inputs.token_hole()),
        });
        let first = self.flow.sigma(0);
        let start = match &kept {
            Some(kept) => &kept.latent * (1.0 - first) + &drawn * first,
            None => drawn,
        };
        let negative = self.negative.as_ref();
        Ok(Prepared {
            start,
            masks: CaptureMasks {
                inpainting: Some(inputs.hole),
                reference: inputs.reference_mask,
            },
            inputs: Editing {
                shown: Tensor::cat(&shown, 1),
                sequence: self.sequence(&self.prompt, &images),
                negative: negative.map(|prompt| self.sequence(prompt, &images)),
                images,
                kept,
            },
            kept: (),
        })
    }

    fn predict(
        &self,
        x: &Tensor,
        inputs: &mut Editing,
        pass: Pass<'_>,
    ) -> Result<Tensor, RunnerError> {
        let tokens = Tensor::cat(&[&tokens_of(x), &inputs.shown], 1);
        let read = (&tokens, self.flow.sigma(pass.step));
        let prompt = (&self.prompt, &*inputs.sequence);
        let with = self.velocity(x, read, prompt, pass.probe);
        let (Some(negative), Some(sequence)) = (&self.negative, &inputs.negative) else {
            return Ok(with);
        };
        let probe = &mut Unrecorded(pass.probe);
        let without = self.velocity(x, read, (negative, sequence), probe);
        Ok(&without + (with - &without) * self.config.guidance)
    }

    fn clean(&self, x: &Tensor, velocity: &Tensor, step: usize, _timestep: i64) -> Tensor {
        x - velocity * self.flow.sigma(step)
    }

    fn fits(&self, one: &Editing, other: &Editing) -> bool {
        one.images == other.images
    }

    fn stepped(&self, x: Tensor, inputs: &Editing, step: usize) -> Tensor {
        match &inputs.kept {
            Some(kept) => kept.put_back(&x, self.flow.sigma(step + 1)),
            None => x,
        }
    }

    fn decode(&self, packed: &Tensor) -> Tensor {
        self.networks.vae.decode(packed)
    }

    fn picture(&self, _kept: &(), decoded: &Tensor) -> RgbImage {
        pictures::to_rgb(decoded, Quantise::Round)
    }
}
