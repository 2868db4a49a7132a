//! The networks and runs of a tiny Paint-by-Example against the published code.

use i2am_nets::{Context, NoProbe};
use i2am_runner::families::PaintByExamplePipeline;
use i2am_runner::pictures;
use i2am_runner::samplers::SamplerKind;
use i2am_testkit::{FixtureDir, assert_close};
use tch::{Device, Tensor};

use crate::common::{
    Blocks, close, compare_image_encoder, config, generate, load, main_run, paint_by_example,
    sample, sampler, shape, tensor, values,
};

/// Of the largest magnitude; what the fixture's note recommends for single networks and for whole runs.
const PARTS: f64 = 3e-5;
const RUNS: f64 = 1e-4;

fn loaded(folder: &FixtureDir) -> PaintByExamplePipeline {
    load(&config(folder, sampler(SamplerKind::Ddim, 10), 5.0))
}

#[test]
fn parity_reference_encoder() {
    for folder in paint_by_example() {
        let _guard = tch::no_grad_guard();
        let (parts, name) = (folder.tensors("parts"), folder.name());
        let pipeline = loaded(&folder);
        let encoder = &pipeline.networks().image_encoder;
        let pixels = pictures::clip_normalised(&sample(&folder).reference);
        compare_image_encoder(&name, encoder, &pixels, &parts, PARTS);
        close(&name, encoder.unconditional(), &parts, "cond.uncond", 0.0);
    }
}

#[test]
fn parity_autoencoder() {
    for folder in paint_by_example() {
        let _guard = tch::no_grad_guard();
        let (parts, inputs, name) = (
            folder.tensors("parts"),
            folder.tensors("inputs"),
            folder.name(),
        );
        let pipeline = loaded(&folder);
        let vae = &pipeline.networks().vae;
        let sample = sample(&folder);
        let keep = (-pictures::unit(&sample.mask) + 1.0)
            .ge(0.5)
            .to_kind(tch::Kind::Float);
        let masked = pictures::signed(&sample.image) * &keep;
        close(&name, &vae.moments(&masked), &parts, "vae.moments", PARTS);
        let scale = vae.config().scaling_factor;
        let drawn = vae
            .encode(&masked)
            .sample(&tensor(&inputs, "noise.inpaint"))
            * scale;
        close(&name, &drawn, &parts, "cond.z_inpaint", PARTS);
        close(
            &name,
            &vae.decode(&(tensor(&parts, "vae.z") / scale)),
            &parts,
            "vae.decoded",
            PARTS,
        );
        let size = shape(&parts, "cond.mask_latent");
        let mask = keep.upsample_bilinear2d([size[2], size[3]], false, None, None);
        close(&name, &mask, &parts, "cond.mask_latent", 1e-6);
    }
}

#[test]
fn parity_unet_block_by_block() {
    for folder in paint_by_example() {
        let _guard = tch::no_grad_guard();
        let (parts, name) = (folder.tensors("parts"), folder.name());
        let pipeline = loaded(&folder);
        let unet = &pipeline.networks().unet;
        let mut blocks = Blocks::default();
        let context = Context::pooled(tensor(&parts, "single.context"));
        let t = Tensor::from_slice(&parts.i64("single.t"));
        let eps = unet.forward(&tensor(&parts, "single.x9"), &t, &context, &mut blocks);
        close(&name, &eps, &parts, "single.eps", PARTS);

        let (down, up) = (blocks.below("down_blocks"), blocks.ldm_output_blocks());
        for expected in parts.names().filter(|name| name.starts_with("single.")) {
            let number = expected
                .rsplit('.')
                .next()
                .and_then(|n| n.parse::<usize>().ok());
            match (expected.split('.').nth(1).unwrap(), number) {
                ("input_blocks", Some(n)) => close(&name, &down[n - 1], &parts, expected, PARTS),
                ("output_blocks", Some(n)) => close(&name, &up[n], &parts, expected, PARTS),
                ("middle_block", _) => close(
                    &name,
                    &blocks.below("mid_block")[0],
                    &parts,
                    expected,
                    PARTS,
                ),
                ("time_embed", _) => close(
                    &name,
                    &blocks.below("time_embedding")[0],
                    &parts,
                    expected,
                    PARTS,
                ),
                _ => {}
            }
        }
    }
}

#[test]
fn parity_noise_prediction_at_every_step() {
    for folder in paint_by_example() {
        let _guard = tch::no_grad_guard();
        let (parts, runs, name) = (
            folder.tensors("parts"),
            folder.tensors("sampling"),
            folder.name(),
        );
        let pipeline = loaded(&folder);
        let unet = &pipeline.networks().unet;
        let fixed = Tensor::cat(
            &[
                tensor(&parts, "cond.z_inpaint"),
                tensor(&parts, "cond.mask_latent"),
            ],
            1,
        );
        let contexts = [
            ("cond.uncond", "ddim.eps_uncond"),
            ("cond.context", "ddim.eps_cond"),
        ];
        for (context, expected) in contexts {
            let context = Context::pooled(tensor(&parts, context));
            let latents = tensor(&runs, "ddim.x");
            let eps = runs
                .i64("ddim.timesteps")
                .into_iter()
                .enumerate()
                .map(|(step, t)| {
                    let x = Tensor::cat(&[&latents.narrow(0, step as i64, 1), &fixed], 1);
                    unet.forward(
                        &x,
                        &unet.timesteps(t, 1, Device::Cpu),
                        &context,
                        &mut NoProbe,
                    )
                });
            let eps: Vec<Tensor> = eps.collect();
            close(&name, &Tensor::cat(&eps, 0), &runs, expected, RUNS);
        }
    }
}

#[test]
fn parity_ddim_run_to_the_picture() {
    for folder in paint_by_example() {
        let (runs, name) = (folder.tensors("sampling"), folder.name());
        let (steps, guidance) = main_run(&folder);
        let done = generate(
            &folder,
            &config(&folder, sampler(SamplerKind::Ddim, steps), guidance),
            None,
        );
        close(&name, &done.latent, &runs, "ddim.final", RUNS);
        close(&name, &done.decoded, &runs, "ddim.decoded", RUNS);
        let expected = runs.u8("ddim.image_u8");
        let worst = done
            .image
            .as_raw()
            .iter()
            .zip(&expected)
            .map(|(a, b)| a.abs_diff(*b))
            .max()
            .unwrap();
        assert!(worst <= 2, "{name}: picture differs by {worst} levels");

        let plain = generate(
            &folder,
            &config(&folder, sampler(SamplerKind::Ddim, steps), 1.0),
            None,
        );
        close(&name, &plain.latent, &runs, "ddim_scale1.final", RUNS);
    }
}

#[test]
fn parity_steps_that_do_not_divide_the_schedule() {
    for folder in paint_by_example() {
        let (runs, name) = (folder.tensors("sampling"), folder.name());
        let (_, guidance) = main_run(&folder);
        let done = generate(
            &folder,
            &config(&folder, sampler(SamplerKind::Ddim, 6), guidance),
            None,
        );
        close(&name, &done.latent, &runs, "ddim6.final", RUNS);
    }
}

#[test]
fn parity_plms_run() {
    for folder in paint_by_example() {
        let (runs, name) = (folder.tensors("sampling"), folder.name());
        let (steps, guidance) = main_run(&folder);
        let done = generate(
            &folder,
            &config(&folder, sampler(SamplerKind::Plms, steps), guidance),
            None,
        );
        close(&name, &done.latent, &runs, "plms.final", RUNS);
    }
}

/// The published bytes come from the published decoded values by truncation.
#[test]
fn parity_quantisation() {
    for folder in paint_by_example() {
        let runs = folder.tensors("sampling");
        let image = pictures::to_rgb(&tensor(&runs, "ddim.decoded"), pictures::Quantise::Truncate);
        assert_eq!(
            image.as_raw(),
            &runs.u8("ddim.image_u8"),
            "{}",
            folder.name()
        );
        let again = values(&tensor(&runs, "ddim.decoded"));
        assert_close("round trip", &again, &runs.f32("ddim.decoded"), 0.0);
    }
}
