//! Loss and evaluation.

use std::path::Path;

use anyhow::Result;
use i2am_imaging::pillow_bicubic_rgb;
use i2am_nets::unet::Residuals;
use i2am_nets::{AttentionProbe, Context, NoProbe};
use i2am_runner::families::{LowResolution, Pipeline as _, Request};
use i2am_runner::pictures::{Quantise, centered, to_rgb};
use tch::{Device, Kind, Tensor};

use super::Pasd;
use super::locality::Nearness;
use super::set::{Drawn, PictureSet};
use crate::evaluation::{noise, record, write_columns};
use crate::noising::Noised;

/// A batch as the denoiser takes it.
struct Batch {
    noised: Noised,
    /// What the `ControlNet` sees, `[batch, 3, H, W]` in 0 to 1.
    low: Tensor,
    context: Context,
    /// 0 for samples without additions, else 1; `[batch, 1, 1, 1]`.
    share_added: Option<Tensor>,
}

/// The part of its pictures that a batch sees, in cells of the latents.
struct Window {
    pictures: i64,
    /// Of a whole latent.
    rows: i64,
    /// First row and column.
    start: [i64; 2],
    /// Rows and columns.
    size: [i64; 2],
}

impl Window {
    /// That part of `x` `[batch, channels, H, W]`, whose sides are multiples of the latents'.
    fn of(&self, x: &Tensor) -> Tensor {
        let each = x.size()[2] / self.rows;
        let narrow = |x: &Tensor, side: usize| {
            x.narrow(
                2 + side as i64,
                self.start[side] * each,
                self.size[side] * each,
            )
        };
        narrow(&narrow(x, 0), 1)
    }
}

impl Pasd {
    /// The next batch's: whole pictures, or as many times more crops as those are smaller, at one place for all.
    fn window(&self) -> Window {
        let (data, factor) = (
            &self.config.data,
            self.pipeline.networks().vae.config().factor(),
        );
        let cells = |height: usize, width: usize| [height, width].map(|side| side as i64 / factor);
        let whole = cells(data.height, data.width);
        let pictures = self.config.keys.schedule.batch as i64;
        let below =
            |bound: i64| Tensor::randint(bound, [1], (Kind::Int64, Device::Cpu)).int64_value(&[0]);
        let all = Window {
            pictures,
            rows: whole[0],
            start: [0, 0],
            size: whole,
        };
        let Some(crops) = &self.config.keys.crops else {
            return all;
        };
        let drawn = Tensor::rand([1], (Kind::Float, Device::Cpu)).double_value(&[0]);
        if drawn >= crops.share {
            return all;
        }
        let size = cells(crops.height, crops.width);
        Window {
            pictures: pictures * (whole[0] * whole[1]) / (size[0] * size[1]),
            start: [0, 1].map(|side| below(whole[side] - size[side] + 1)),
            size,
            ..all
        }
    }

    fn scale(&self) -> f64 {
        self.pipeline.networks().vae.config().scaling_factor
    }

    /// 1 with probability `share`, else 0: `[batch, 1, 1, ..]` of `dimensions`.
    fn chosen(&self, batch: i64, dimensions: usize, share: f64) -> Tensor {
        let mut shape = vec![1; dimensions];
        shape[0] = batch;
        Tensor::rand(&shape, (Kind::Float, self.device)).lt(share)
    }

    /// Predicted noise, and the small pictures.
    fn predict(&self, batch: &Batch, probe: &mut dyn AttentionProbe) -> (Tensor, Vec<Tensor>) {
        let denoiser = &self.pipeline.networks().denoiser;
        let ((unet, pixels), control) = (denoiser.unet(), denoiser.control());
        let (x, t) = (&batch.noised.noisy, &batch.noised.timesteps);
        let (hint, small) = control.conditioning().forward_with_pictures(&batch.low);
        let residuals = Residuals {
            share_added: batch.share_added.as_ref().map(Tensor::shallow_clone),
            ..control.forward(x, &hint, t, &batch.context, 1.0)
        };
        let eps = unet.forward_pixel(x, t, &batch.context, pixels, residuals, probe);
        (eps, small)
    }

    /// The high-resolution picture, and how good its neighbours on the evaluation picture are.
    fn evaluate_one(&self, drawn: &Drawn) -> Result<(Vec<Tensor>, [f64; 3])> {
        let noise = noise(self.config.keys.evaluation.seed, &drawn.sample.id);
        let request = Request {
            noise: &noise,
            capture: None,
            on_step: &mut |_| {},
        };
        let generated = self.pipeline.generate(&drawn.sample, request)?.image;
        let (width, height) = drawn.high.dimensions();
        let (width, height) = (width as usize, height as usize);
        let bicubic = pillow_bicubic_rgb(&drawn.sample.reference, height, width);
        let vae = &self.pipeline.networks().vae;
        let latent = vae
            .encode(&centered(&drawn.high).to_device(self.device))
            .mean;
        let coded = to_rgb(&vae.decode(&latent), Quantise::Round);
        let shown = [&bicubic, &generated, &coded];
        let quality = shown.map(|image| psnr(&centered(image), &centered(&drawn.high)));
        let all = shown.into_iter().chain([&drawn.high]);
        Ok((all.map(centered).collect(), quality))
    }

    /// Where pixel attentions look while noise is predicted in the evaluation pictures.
    fn nearness(&self, samples: &[Drawn]) -> Result<Nearness> {
        let config = &self.config.keys.evaluation;
        let mut nearness = Nearness::within(config.radius);
        let networks = self.pipeline.networks();
        let settings = self.config.settings("pasd");
        let factor = networks.vae.config().factor();
        for drawn in samples {
            let low = LowResolution::of(&drawn.sample, &settings, factor)?.unit;
            let high = centered(&drawn.high).to_device(self.device);
            let clean = networks.vae.encode(&high).mean * self.scale();
            for &timestep in &config.timesteps {
                let batch = Batch {
                    noised: Noised::at(&clean, &[timestep], self.device),
                    low: low.to_device(self.device),
                    context: Context::text(self.pipeline.context().tokens().shallow_clone()),
                    share_added: None,
                };
                let _ = self.predict(&batch, &mut nearness);
            }
        }
        Ok(nearness)
    }

    /// The loss of a fresh batch of `set`.
    pub(super) fn batch_loss(&self, set: &PictureSet) -> Tensor {
        let (device, config) = (self.device, &self.config.keys.loss);
        let window = self.window();
        let batch = window.pictures;
        let indices = Tensor::randint(set.len(), [batch], (Kind::Int64, Device::Cpu));
        let clean = window.of(&set.latents(&indices, self.scale(), device));
        let noised = Noised::draw(&clean, device);
        let without_text = self.chosen(batch, 3, config.drop_text);
        let prompt = self.pipeline.context().tokens();
        let batch = Batch {
            noised,
            low: window.of(&set.low(&indices, device)),
            context: Context::text(self.nothing.where_self(&without_text, prompt)),
            share_added: (config.drop_additions > 0.0).then(|| {
                let dropped = self.chosen(batch, 4, config.drop_additions);
                dropped.logical_not().to_kind(Kind::Float)
            }),
        };
        let (eps, small) = self.predict(&batch, &mut NoProbe);
        let time = batch.noised.high_noise_weight(config.high_noise_weight);
        let noise = ((eps - &batch.noised.noise).square() * time).mean(Kind::Float);
        let half = window.of(&set.half(&indices, device));
        let errors: Vec<Tensor> = small
            .iter()
            .map(|small| small_error(small, &half))
            .collect();
        noise + Tensor::stack(&errors, 0).mean(Kind::Float) * config.small_pictures
    }

    /// Rows: enlarged by the bicubic filter, generated, what the autoencoder makes of the truth, truth. Their figures, and those of the
    /// attention, go into a table.
    pub(super) fn evaluate_all(&self, samples: &[Drawn], step: u64, stem: &Path) -> Result<()> {
        let done: Vec<_> = samples
            .iter()
            .map(|drawn| self.evaluate_one(drawn))
            .collect::<Result<_>>()?;
        let mut columns = vec!["psnr_bicubic,psnr,psnr_autoencoder".to_owned()];
        let mut cells = write_columns(stem, &done)?.to_vec();
        for (rows, shares) in self.nearness(samples)?.shares() {
            columns.push(format!("near_{rows},shuffled_{rows}"));
            cells.extend([shares.near, shares.shuffled]);
        }
        record(stem, &columns.join(","), step, &cells)
    }
}

/// Mean absolute error of a small picture against the mean colors of a larger one, both in 0 to 1.
fn small_error(small: &Tensor, larger: &Tensor) -> Tensor {
    let size = small.size();
    (small - larger.adaptive_avg_pool2d([size[2], size[3]]))
        .abs()
        .mean(Kind::Float)
}

/// In decibels, of pictures from -1 to 1.
fn psnr(picture: &Tensor, truth: &Tensor) -> f64 {
    let error = (picture - truth)
        .square()
        .mean(Kind::Float)
        .double_value(&[]);
    10.0 * (4.0 / error).log10()
}
