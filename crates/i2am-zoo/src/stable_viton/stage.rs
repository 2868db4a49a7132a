//! Loss and evaluation.

use std::path::Path;

use anyhow::{Context as _, Result};
use i2am_imaging::GrayImage;
use i2am_nets::{AttentionProbe, Context, NoProbe};
use i2am_runner::capture::CaptureConfig;
use i2am_runner::families::{Pipeline as _, Request, StableVitonInputs, StableVitonNetworks};
use i2am_runner::pictures as convert;
use tch::{Device, Kind, Tensor};

use super::StableViton;
use super::set::{Drawn, TryOnSet};
use crate::attention::{AttentionLoss, AttentionLossKind, Wanted};
use crate::evaluation::{noise, record, write_columns};
use crate::noising::Noised;

/// A training batch as the networks take it.
struct Batch {
    /// `[batch, in_channels, h, w]`.
    input: Tensor,
    /// The garments' scaled latents.
    hint: Tensor,
    context: Context,
    keep: Tensor,
    worn: Tensor,
    places: Option<Tensor>,
    noised: Noised,
}

impl StableViton {
    fn networks(&self) -> &StableVitonNetworks {
        self.pipeline.networks()
    }

    fn batch(&self, set: &TryOnSet) -> Batch {
        let device = self.device;
        let StableVitonNetworks {
            vae, image_encoder, ..
        } = self.networks();
        let keys = &self.config.keys;
        let batch = keys.schedule.batch as i64;
        let indices = Tensor::randint(set.len(), [batch], (Kind::Int64, Device::Cpu));
        let scale = vae.config().scaling_factor;
        let clean = set.person.sample(&indices, scale, device);
        let agnostic = set.agnostic.sample(&indices, scale, device);
        let densepose = set.densepose.sample(&indices, scale, device);
        let hint = set.cloth.sample(&indices, scale, device);
        let keep = set.keep(&indices, device);
        let noised = Noised::draw(&clean, device);
        let tokens = set.tokens(&indices, device);
        let drop = Tensor::rand([batch, 1, 1], (Kind::Float, device)).lt(keys.loss.drop_reference);
        let nothing = image_encoder.unconditional().expand_as(&tokens);
        Batch {
            input: Tensor::cat(&[&noised.noisy, &agnostic, &keep, &densepose], 1),
            hint,
            context: Context::pooled(nothing.where_self(&drop, &tokens)),
            worn: set.worn(&indices, device),
            places: (set.places.as_ref()).map(|places| places.pick(&indices, device)),
            keep,
            noised,
        }
    }

    fn predict(&self, batch: &Batch, probe: &mut dyn AttentionProbe) -> Tensor {
        let StableVitonNetworks {
            unet,
            warp,
            control_model,
            ..
        } = self.networks();
        let (x, t) = (&batch.input, &batch.noised.timesteps);
        let features = control_model.features(x, &batch.hint, t, &batch.context);
        unet.forward_warped(x, t, &batch.context, warp, features, probe)
    }

    fn diffusion_loss(&self, batch: &Batch, eps: &Tensor) -> Tensor {
        let masked = -&batch.keep + 1.0;
        let printed = (batch.places.as_ref()).map(|places| places.narrow(1, 3, 1));
        let loss = &self.config.keys.loss;
        batch
            .noised
            .try_on_loss(eps, &masked, printed.as_ref(), loss)
    }

    /// One column of the evaluation picture; the mean squared error in the masked region, levels from -1 to 1; and the share of attention that lies
    /// on the garment's pixels, over positions where it is worn.
    fn evaluate_one(&self, drawn: &Drawn) -> Result<(Vec<Tensor>, [f64; 2])> {
        let (size, evaluation) = (self.size(), &self.config.keys.evaluation);
        let inputs = StableVitonInputs::of(&drawn.sample, size)?;
        let noise = noise(evaluation.seed, &drawn.sample.id);
        let layer = format!(
            "warp_flow_blks.{}.transformer_blocks.0.attn2",
            evaluation.slot
        );
        let capture = CaptureConfig {
            time_groups: 1,
            specific: vec![layer.clone()],
            ..CaptureConfig::default()
        };
        let request = Request {
            noise: &noise,
            capture: Some(&capture),
            on_step: &mut |_| {},
        };
        let generated = self.pipeline.generate(&drawn.sample, request)?;
        let record = generated.record.context("no attention was recorded")?;
        let attention = record.layers.iter().find(|found| found.name == layer);
        let attention = attention.with_context(|| format!("no layer `{layer}`"))?;
        let rows = (attention.height * attention.width) as i64;
        let weights = attention.specific.as_ref().context("no positions kept")?;
        let weights: Vec<f32> = weights.iter().map(|weight| weight.to_f32()).collect();
        let weights = Tensor::from_slice(&weights).reshape([rows, -1]);
        let grid = [attention.height as i64, attention.width as i64];

        let painted = convert::centered(&generated.image);
        let masked = -&inputs.keep + 1.0;
        let error = ((&painted - &inputs.person).square() * &masked).sum(Kind::Float)
            / (masked.sum(Kind::Float) * 3.0);
        let measured = [error.double_value(&[]), on_garment(&weights, drawn, grid)];
        let fetched =
            fetched(&weights, &inputs.cloth, grid).upsample_nearest2d([size.0, size.1], None, None);
        let column = vec![
            inputs.agnostic,
            inputs.cloth,
            fetched,
            painted,
            inputs.person,
        ];
        Ok((column, measured))
    }

    /// The loss of a fresh batch of `set`.
    pub(super) fn batch_loss(&self, set: &TryOnSet) -> Tensor {
        let batch = self.batch(set);
        let Some(attention) = &self.config.keys.attention else {
            let eps = self.predict(&batch, &mut NoProbe);
            return self.diffusion_loss(&batch, &eps);
        };
        let wanted = match (attention.loss, &batch.places) {
            (AttentionLossKind::Correspondence, Some(places)) => Wanted::Places(places),
            _ => Wanted::Smooth(&batch.worn),
        };
        let mut watch = AttentionLoss::new(&attention.layers, wanted);
        let eps = self.predict(&batch, &mut watch);
        self.diffusion_loss(&batch, &eps) + watch.loss() * attention.weight
    }

    /// Rows: masked picture, garment, what attention fetches of it, generated, truth. The errors go into a table.
    pub(super) fn evaluate_all(&self, samples: &[Drawn], step: u64, stem: &Path) -> Result<()> {
        let done: Vec<_> = samples
            .iter()
            .map(|drawn| self.evaluate_one(drawn))
            .collect::<Result<_>>()?;
        let means = write_columns(stem, &done)?;
        record(stem, "hole_error,on_garment", step, &means)
    }
}

/// For each position the reference's colors, weighted as it attends to them: `[1, 3, H, W]`.
fn fetched(weights: &Tensor, cloth: &Tensor, [height, width]: [i64; 2]) -> Tensor {
    let colors = cloth
        .adaptive_avg_pool2d([height, width])
        .flatten(2, 3)
        .squeeze_dim(0)
        .transpose(0, 1);
    weights
        .matmul(&colors)
        .transpose(0, 1)
        .reshape([1, 3, height, width])
}

/// Mean share of attention on the garment's cells, over the positions where it is worn.
fn on_garment(weights: &Tensor, drawn: &Drawn, [height, width]: [i64; 2]) -> f64 {
    let cells = |mask: &GrayImage| {
        convert::unit(mask)
            .adaptive_avg_pool2d([height, width])
            .ge(0.5)
            .to_kind(Kind::Float)
            .reshape([-1])
    };
    let (garment, worn) = (cells(&drawn.garment), cells(&drawn.worn));
    let on_garment = weights.mv(&garment).dot(&worn);
    (on_garment / worn.sum(Kind::Float).clamp_min(1.0)).double_value(&[])
}
