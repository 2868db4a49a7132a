//! The networks and runs of a tiny `StableVITON` against the published code.

use std::path::PathBuf;

use i2am_nets::layers::{BlockShape, Conv2d, SpatialTransformer};
use i2am_nets::layout::Checkpoint;
use i2am_nets::unet::{ControlModel, UNetConfig};
use i2am_nets::{CheckpointSource, Context, NoProbe, Precision, Scope};
use i2am_runner::families::{
    StableVitonConfig, StableVitonInputs, StableVitonPipeline, StableVitonSizes,
};
use i2am_runner::samplers::SamplerKind;
use i2am_runner::schedule::Schedule;
use i2am_testkit::{FixtureDir, Tensors};
use serde_json::Value;
use tch::{Device, Tensor};

use crate::common::{Blocks, close, compare_image_encoder, number, shape, tensor};
use crate::stable_viton::{config, generate, load, main_run, sample, stable_viton, whole_models};

/// Of the largest magnitude; what the fixture's note recommends for single networks and for whole runs.
const PARTS: f64 = 3e-5;
const RUNS: f64 = 1e-4;

fn steps(folder: &FixtureDir) -> u32 {
    number(&folder.json("sampling"), "steps") as u32
}

fn loaded(folder: &FixtureDir) -> StableVitonPipeline {
    load(&config(folder, SamplerKind::Ddim, steps(folder)))
}

/// The weights, or as many of them as the folder has.
fn weights(folder: &FixtureDir) -> PathBuf {
    let file = if folder.has("weights") {
        "weights.safetensors"
    } else {
        "networks.safetensors"
    };
    folder.path().join(file)
}

/// The UNet's sizes as the sidecar tells them; a part of the weights does not.
fn unet_config(sidecar: &Value) -> UNetConfig {
    let base = number(sidecar, "model_channels");
    let list = |key: &str| -> Vec<i64> {
        let list = sidecar["config"][key].as_array().unwrap();
        list.iter().map(|n| n.as_i64().unwrap()).collect()
    };
    let attention = list("attention_resolutions");
    let levels = list("channel_mult");
    let block_type = |level: usize| {
        let attention = attention.contains(&(1 << level));
        if attention {
            "CrossAttnDownBlock2D"
        } else {
            "DownBlock2D"
        }
        .to_owned()
    };
    UNetConfig {
        block_out_channels: levels.iter().map(|factor| factor * base).collect(),
        down_block_types: (0..levels.len()).map(block_type).collect(),
        layers_per_block: number(sidecar, "num_res_blocks") as usize,
        cross_attention_dim: number(sidecar, "context_dim"),
        norm_num_groups: number(sidecar, "norm_groups"),
        sample_size: None,
        cross: i2am_nets::layers::CrossAttention::Single,
        ..UNetConfig::stable_diffusion_v1(number(sidecar, "in_channels"))
    }
}

#[test]
fn parity_control_model() {
    for folder in stable_viton() {
        let _guard = tch::no_grad_guard();
        let (parts, name) = (folder.tensors("parts"), folder.name());
        let config = unet_config(&folder.json("parts"));
        let checkpoint = Checkpoint::open(&weights(&folder)).unwrap();
        let source = CheckpointSource::new(&checkpoint, Precision::F32, Device::Cpu);
        let control = ControlModel::new(&Scope::root(&source, "control_model"), &config, 4);
        source.finish().unwrap();

        let (x, hint) = (tensor(&parts, "single.x13"), tensor(&parts, "single.hint"));
        let t = Tensor::from_slice(&parts.i64("single.t"));
        let context = Context::pooled(tensor(&parts, "cond.context"));
        let all = control.all_features(&x, &hint, &t, &context);
        let read = control.features(&x, &hint, &t, &context);
        assert_eq!(
            parts
                .names()
                .filter(|name| name.starts_with("single.control."))
                .count(),
            all.len()
        );
        for (i, feature) in all.iter().enumerate() {
            close(
                &name,
                feature,
                &parts,
                &format!("single.control.{i:02}"),
                PARTS,
            );
        }
        // What the decoder discards is not computed; the rest is the same to the bit.
        assert_eq!(read.len(), 9);
        for (read, all) in read.iter().zip(&all) {
            assert_eq!(read, all);
        }
    }
}

/// The blocks whose input the fixture has: those after the output blocks 2, 3 and 7.
#[test]
fn parity_warp_blocks_one_by_one() {
    for folder in stable_viton() {
        let _guard = tch::no_grad_guard();
        let (parts, name) = (folder.tensors("parts"), folder.name());
        let sidecar = folder.json("parts");
        let checkpoint = Checkpoint::open(&weights(&folder)).unwrap();
        let source = CheckpointSource::new(&checkpoint, Precision::F32, Device::Cpu);
        let unet = Scope::root(&source, "unet");
        for (slot, before, feature) in [(0, "02", "08"), (1, "03", "07"), (5, "07", "03")] {
            let h = tensor(&parts, &format!("single.output_blocks.{before}"));
            let reference = tensor(&parts, &format!("single.control.{feature}"));
            let shape = BlockShape {
                width: h.size()[1],
                context: reference.size()[1],
                heads: number(&sidecar, "num_heads"),
                groups: number(&sidecar, "norm_groups"),
                depth: 1,
                cross: i2am_nets::layers::CrossAttention::Single,
            };
            let flow =
                SpatialTransformer::new(&unet.sub(format_args!("warp_flow_blks.{slot}")), &shape);
            let warped = flow.forward(&h, &Context::spatial(&reference), &mut NoProbe);
            close(
                &name,
                &warped,
                &parts,
                &format!("single.warp.{slot}"),
                PARTS,
            );
            let zero = Conv2d::zeroed(
                &unet.sub(format_args!("warp_zero_convs.{slot}")),
                shape.width,
                shape.width,
                1,
            );
            assert_eq!(zero.forward(&warped).size(), h.size());
        }
        source.finish().unwrap();
    }
}

#[test]
fn parity_every_tensor_finds_its_place() {
    for folder in whole_models() {
        let config = config(&folder, SamplerKind::Ddim, 10);
        let checkpoint = Checkpoint::open(&config.checkpoint).unwrap();
        let sizes = StableVitonSizes::of(&checkpoint).unwrap();
        assert_eq!(sizes.unet, unet_config(&folder.json("sampling")));
        let source = CheckpointSource::new(&checkpoint, Precision::F32, Device::Cpu);
        sizes.build(&source);
        let report = source.finish().unwrap();
        assert_eq!(report.unused, Vec::<String>::new());
    }
}

#[test]
fn parity_conditions() {
    for folder in whole_models() {
        let _guard = tch::no_grad_guard();
        let (parts, given, name) = (
            folder.tensors("parts"),
            folder.tensors("inputs"),
            folder.name(),
        );
        let pipeline = loaded(&folder);
        let networks = pipeline.networks();
        let size = networks.vae.config().factor();
        let latent = shape(&parts, "cond.z_image");
        let inputs =
            StableVitonInputs::of(&sample(&folder), (latent[2] * size, latent[3] * size)).unwrap();
        let pixels = inputs.clip(networks.image_encoder.config().image_size);
        close(&name, &pixels, &parts, "cond.clip_input", 1e-6);
        compare_image_encoder(&name, &networks.image_encoder, &pixels, &parts, PARTS);

        let vae = &networks.vae;
        close(
            &name,
            &vae.moments(&inputs.person),
            &parts,
            "vae.moments",
            PARTS,
        );
        let scale = vae.config().scaling_factor;
        let decoded = vae.decode(&(tensor(&parts, "vae.z") / scale));
        close(&name, &decoded, &parts, "vae.decoded", PARTS);
        let drawn = |picture: &Tensor, noise: &str| {
            vae.encode(picture).sample(&tensor(&given, noise)) * scale
        };
        let person = drawn(&inputs.person, "noise.image");
        close(&name, &person, &parts, "cond.z_image", PARTS);
        let fixed = [
            drawn(&inputs.agnostic, "noise.agn"),
            inputs.latent_keep(size),
            drawn(&inputs.densepose, "noise.densepose"),
        ];
        close(
            &name,
            &Tensor::cat(&fixed, 1),
            &parts,
            "cond.first_stage_cond",
            PARTS,
        );
        let hint = vae
            .encode(&inputs.cloth)
            .sample(&tensor(&parts, "single.noise_cloth"))
            * scale;
        close(&name, &hint, &parts, "single.hint", PARTS);
        let alpha = Schedule::default().alpha(999);
        let start = person * alpha.sqrt() + tensor(&given, "noise.start") * (1.0 - alpha).sqrt();
        close(&name, &start, &parts, "cond.start_code", PARTS);
    }
}

#[test]
fn parity_one_call_block_by_block() {
    for folder in whole_models() {
        let _guard = tch::no_grad_guard();
        let (parts, name) = (folder.tensors("parts"), folder.name());
        let pipeline = loaded(&folder);
        let networks = pipeline.networks();
        let (x, hint) = (tensor(&parts, "single.x13"), tensor(&parts, "single.hint"));
        let t = Tensor::from_slice(&parts.i64("single.t"));
        let context = Context::pooled(tensor(&parts, "cond.context"));
        let features = networks.control_model.features(&x, &hint, &t, &context);
        let mut blocks = Blocks::default();
        let eps =
            networks
                .unet
                .forward_warped(&x, &t, &context, &networks.warp, features, &mut blocks);
        close(&name, &eps, &parts, "single.eps", PARTS);
        close(
            &name,
            &blocks.below("mid_block")[0],
            &parts,
            "single.middle",
            PARTS,
        );
        let warped = blocks.below("warp_flow_blks");
        assert_eq!(warped.len(), 9);
        for (slot, output) in warped.iter().enumerate() {
            close(&name, output, &parts, &format!("single.warp.{slot}"), PARTS);
        }
        let outputs = blocks.ldm_output_blocks();
        for expected in parts
            .names()
            .filter(|name| name.starts_with("single.output_blocks."))
        {
            let number: usize = expected.rsplit('.').next().unwrap().parse().unwrap();
            close(&name, &outputs[number], &parts, expected, PARTS);
        }
    }
}

fn latents_of(folder: &FixtureDir, config: &StableVitonConfig, runs: &Tensors, run: &str) {
    let done = generate(folder, config, None);
    close(
        &folder.name(),
        &done.latent,
        runs,
        &format!("{run}.final"),
        RUNS,
    );
}

/// Every posterior drawn; the garment's anew at every call.
#[test]
fn parity_ddim_run_to_the_picture() {
    for folder in whole_models() {
        let (runs, name) = (folder.tensors("sampling"), folder.name());
        let done = generate(&folder, &main_run(&folder), None);
        close(&name, &done.latent, &runs, "ddim.final", RUNS);
        close(&name, &done.decoded, &runs, "ddim.decoded", RUNS);
        assert_levels(&name, done.image.as_raw(), &runs.u8("ddim.image_u8"));

        let repainted = StableVitonConfig {
            repaint: true,
            ..main_run(&folder)
        };
        let done = generate(&folder, &repainted, None);
        assert_levels(&name, done.image.as_raw(), &runs.u8("ddim.repaint_u8"));
    }
}

/// Within a level, 99.9 % equal.
fn assert_levels(name: &str, got: &[u8], want: &[u8]) {
    assert_eq!(got.len(), want.len(), "{name}");
    let off = |(a, b): (&u8, &u8)| a.abs_diff(*b);
    let different = got.iter().zip(want).filter(|pair| off(*pair) > 0).count();
    let worst = got.iter().zip(want).map(off).max().unwrap();
    assert!(
        worst <= 1 && different * 1000 <= got.len(),
        "{name}: {different} of {} levels differ, by up to {worst}",
        got.len()
    );
}

#[test]
fn parity_noise_prediction_at_every_step() {
    for folder in whole_models() {
        let _guard = tch::no_grad_guard();
        let (parts, runs, name) = (
            folder.tensors("parts"),
            folder.tensors("sampling"),
            folder.name(),
        );
        let pipeline = loaded(&folder);
        let networks = pipeline.networks();
        let latent = shape(&parts, "cond.z_image");
        let factor = networks.vae.config().factor();
        let inputs =
            StableVitonInputs::of(&sample(&folder), (latent[2] * factor, latent[3] * factor))
                .unwrap();
        let cloth = networks.vae.encode(&inputs.cloth);
        let drawn = tensor(&folder.tensors("inputs"), "noise.cloth");
        let context = Context::pooled(tensor(&parts, "cond.context"));
        let fixed = tensor(&parts, "cond.first_stage_cond");
        let latents = tensor(&runs, "ddim.x");
        let eps = runs
            .i64("ddim.timesteps")
            .into_iter()
            .enumerate()
            .map(|(step, t)| {
                let row = |rows: &Tensor| rows.narrow(0, step as i64, 1);
                let x = Tensor::cat(&[&row(&latents), &fixed], 1);
                let hint = cloth.sample(&row(&drawn)) * networks.vae.config().scaling_factor;
                let t = networks.unet.timesteps(t, 1, Device::Cpu);
                let features = networks.control_model.features(&x, &hint, &t, &context);
                networks.unet.forward_warped(
                    &x,
                    &t,
                    &context,
                    &networks.warp,
                    features,
                    &mut NoProbe,
                )
            });
        let eps: Vec<Tensor> = eps.collect();
        close(&name, &Tensor::cat(&eps, 0), &runs, "ddim.eps", RUNS);
    }
}

#[test]
fn parity_runs_with_posterior_means() {
    for folder in whole_models() {
        let runs = folder.tensors("sampling");
        let steps = steps(&folder);
        latents_of(
            &folder,
            &config(&folder, SamplerKind::Ddim, steps),
            &runs,
            "ddim_mean",
        );
        latents_of(
            &folder,
            &config(&folder, SamplerKind::Plms, steps),
            &runs,
            "plms_mean",
        );
        // Six do not divide 1000: seven steps.
        latents_of(
            &folder,
            &config(&folder, SamplerKind::Ddim, 6),
            &runs,
            "ddim6_mean",
        );
    }
}

/// Off by default; on, the pass with the reference comes first and the other is a call of its own.
#[test]
fn parity_guidance() {
    for folder in whole_models() {
        let runs = folder.tensors("sampling");
        let guided = StableVitonConfig {
            guidance: 5.0,
            ..config(&folder, SamplerKind::Ddim, steps(&folder))
        };
        latents_of(&folder, &guided, &runs, "ddim_cfg5_mean");
    }
}
