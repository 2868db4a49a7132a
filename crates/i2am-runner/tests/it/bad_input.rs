//! What cannot work is refused before any sampling, in a message that says what to change.

use std::collections::BTreeMap;

use i2am_imaging::GrayImage;
use i2am_nets::layout::Checkpoint;
use i2am_runner::capture::CaptureConfig;
use i2am_runner::families::{Model as _, PaintByExampleConfig, recognise};
use i2am_runner::noise::NoiseSource;
use i2am_runner::samplers::{SamplerConfig, SamplerKind};
use i2am_runner::schedule::{Spacing, timesteps};
use tch::{Device, Kind, Tensor};
use tempfile::TempDir;

use crate::tiny::{SIDE, TinyModel, run, sample, seeded, weight_file, write};

/// A folder with the model, damaged by `damage` before it is written.
fn folder(damage: impl FnOnce(&mut TinyModel)) -> (TempDir, PaintByExampleConfig) {
    let mut model = TinyModel::new();
    damage(&mut model);
    let folder = tempfile::tempdir().unwrap();
    let config = model.write(folder.path());
    (folder, config)
}

/// What [`Model::load`] complains about, having made sure that [`Model::check`] says the same without reading weights.
fn complaint(config: &PaintByExampleConfig) -> String {
    let loaded = config
        .load(Device::Cpu)
        .err()
        .expect("must not load")
        .to_string();
    let checked = config
        .check(None)
        .expect_err("must not pass the check")
        .to_string();
    // Without reading, the check counts a tensor whose bytes nobody asked for among the rest; the faults are the same.
    assert_eq!(checked, loaded);
    loaded
}

fn assert_mentions(message: &str, parts: &[&str]) {
    for part in parts {
        assert!(message.contains(part), "`{part}` is not in: {message}");
    }
}

#[test]
fn the_undamaged_model_passes() {
    let (_folder, config) = folder(|_| {});
    let facts = config
        .check(Some(&CaptureConfig {
            time_groups: 4,
            ..CaptureConfig::default()
        }))
        .unwrap();
    assert_eq!(
        (facts.steps, facts.size),
        (4, Some((i64::from(SIDE), i64::from(SIDE))))
    );
    assert_eq!(facts.files.len(), 3);
    let done = run(&config, &sample(SIDE), &seeded(), None).unwrap();
    assert_eq!(done.image.dimensions(), (SIDE, SIDE));
}

#[test]
fn missing_tensor() {
    let name = "unet.mid_block.attentions.0.transformer_blocks.0.attn2.to_k.weight";
    let (folder, config) = folder(|model| drop(model.shapes.remove(name)));
    let path = folder.path().display().to_string();
    assert_mentions(
        &complaint(&config),
        &[&path, &format!("missing tensor `{name}`")],
    );
}

#[test]
fn several_missing_tensors_are_counted() {
    let (_folder, config) = folder(|model| {
        model
            .shapes
            .retain(|name, _| !name.contains("mid_block.resnets.1.conv2"));
    });
    assert_mentions(
        &complaint(&config),
        &["mid_block.resnets.1.conv2", "(and 5 more)"],
    );
}

#[test]
fn wrong_shape() {
    let (_folder, config) = folder(|model| {
        model
            .shapes
            .insert("vae.decoder.conv_out.weight".to_owned(), vec![3, 8, 1, 1]);
    });
    let expected =
        "tensor `decoder.conv_out.weight`: expected shape [3, 8, 3, 3], found [3, 8, 1, 1]";
    assert_mentions(&complaint(&config), &[expected]);
}

/// A shape that libtorch would stretch silently.
#[test]
fn a_shape_that_broadcasts_is_wrong_too() {
    let (_folder, config) = folder(|model| {
        model
            .shapes
            .insert("unet.conv_norm_out.weight".to_owned(), vec![1]);
    });
    assert_mentions(
        &complaint(&config),
        &["tensor `conv_norm_out.weight`: expected shape [8], found [1]"],
    );
}

#[test]
fn other_family() {
    let model = TinyModel::with_input_channels(4);
    let folder = tempfile::tempdir().unwrap();
    let config = model.write(folder.path());
    let expected =
        "expected a paint-by-example checkpoint, found a UNet with 4 input channels instead of 9";
    assert_mentions(
        &complaint(&config),
        &[&folder.path().display().to_string(), expected],
    );
    assert!(recognise(&Checkpoint::open(folder.path()).unwrap()).is_none());
}

#[test]
fn a_model_without_its_reference_encoder() {
    let (folder, config) = folder(|_| {});
    std::fs::remove_dir_all(folder.path().join("image_encoder")).unwrap();
    assert_mentions(
        &complaint(&config),
        &["found no image encoder with an unconditional vector"],
    );
}

#[test]
fn truncated_weight_file() {
    let (folder, config) = folder(|_| {});
    let path = weight_file(folder.path(), "unet");
    let length = std::fs::metadata(&path).unwrap().len();
    std::fs::File::options()
        .write(true)
        .open(&path)
        .unwrap()
        .set_len(length - 100)
        .unwrap();
    assert_mentions(&complaint(&config), &[&path.display().to_string()]);
}

#[test]
fn weight_file_that_is_none() {
    let (folder, config) = folder(|_| {});
    let path = weight_file(folder.path(), "vae");
    write(&path, b"<!DOCTYPE html><title>404</title>");
    assert_mentions(&complaint(&config), &[&path.display().to_string()]);
}

#[test]
fn no_checkpoint_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let empty = PaintByExampleConfig::new("x", folder.path().to_owned());
    assert_mentions(
        &complaint(&empty),
        &[
            "expected at least one of the folders unet, vae, image_encoder, text_encoder, controlnet, transformer, found none of them",
        ],
    );
    let absent = folder.path().join("model.ckpt");
    let absent = PaintByExampleConfig::new("x", absent);
    assert_mentions(&complaint(&absent), &["model.ckpt"]);
}

#[test]
fn folder_without_weights() {
    let (folder, config) = folder(|_| {});
    std::fs::remove_file(weight_file(folder.path(), "vae")).unwrap();
    let expected = "expected diffusion_pytorch_model.safetensors or diffusion_pytorch_model.bin, found neither";
    assert_mentions(&complaint(&config), &["vae", expected]);
}

#[test]
fn configuration_values_that_are_not_built() {
    let cases = [
        (
            "unet",
            "use_linear_projection",
            "true",
            "`use_linear_projection`: expected false or null, found true",
        ),
        (
            "unet",
            "act_fn",
            "\"gelu\"",
            "`act_fn`: expected \"silu\" or null, found \"gelu\"",
        ),
        (
            "unet",
            "class_embed_type",
            "\"timestep\"",
            "`class_embed_type`: expected null, found \"timestep\"",
        ),
        (
            "unet",
            "down_block_types",
            "[\"CrossAttnDownBlock2D\", \"AttnDownBlock2D\"]",
            "`down_block_types`: expected CrossAttnDownBlock2D or DownBlock2D, found AttnDownBlock2D",
        ),
        (
            "unet",
            "down_block_types",
            "[\"DownBlock2D\"]",
            "`down_block_types` has 1 entries for 2 levels",
        ),
        (
            "unet",
            "attention_head_dim",
            "[2, 2, 2]",
            "`attention_head_dim` has 3 entries for 2 levels",
        ),
        (
            "vae",
            "use_quant_conv",
            "false",
            "`use_quant_conv`: expected true or null, found false",
        ),
        (
            "image_encoder",
            "hidden_act",
            "\"gelu\"",
            "`hidden_act`: expected \"quick_gelu\" or null, found \"gelu\"",
        ),
        (
            "vae",
            "latent_channels",
            "\"four\"",
            "`latent_channels`: expected an integer that is not negative, found \"four\"",
        ),
        (
            "unet",
            "norm_num_groups",
            "3",
            "`norm_num_groups`: expected a divisor of the channels of a level, 8, found 3",
        ),
        (
            "unet",
            "attention_head_dim",
            "3",
            "`attention_head_dim`: expected a divisor of the channels of a layer, 8, found 3",
        ),
        (
            "unet",
            "out_channels",
            "1",
            "`out_channels` of the UNet: expected 4, as `latent_channels` of the autoencoder, found 1",
        ),
        (
            "unet",
            "cross_attention_dim",
            "5",
            "`cross_attention_dim` of the UNet: expected 12, as `projection_dim` of the image encoder, found 5",
        ),
        (
            "vae",
            "scaling_factor",
            "0.0",
            "`scaling_factor`: expected a number above 0, at most 1000000, found 0",
        ),
    ];
    for (network, key, value, expected) in cases {
        let (_folder, config) = folder(|model| {
            model
                .configs
                .get_mut(network)
                .unwrap()
                .insert(key.to_owned(), serde_json::from_str(value).unwrap());
        });
        assert_mentions(
            &complaint(&config),
            &[&format!("{network}/config.json"), expected],
        );
    }
}

#[test]
fn configuration_that_lacks_a_key_or_is_not_json() {
    let (folder, config) = folder(|model| {
        model
            .configs
            .get_mut("unet")
            .unwrap()
            .remove("block_out_channels");
    });
    assert_mentions(
        &complaint(&config),
        &[
            "unet/config.json",
            "`block_out_channels`: expected a list of integers that are not negative, found nothing",
        ],
    );
    write(&folder.path().join("unet/config.json"), b"{");
    assert_mentions(
        &complaint(&config),
        &["unet/config.json", "expected JSON, found EOF"],
    );
}

#[test]
fn mask_and_image_of_different_size() {
    let (_folder, config) = folder(|_| {});
    let mut sample = sample(SIDE);
    sample.mask = GrayImage::new(SIDE, SIDE / 2);
    let message = run(&config, &sample, &seeded(), None)
        .unwrap_err()
        .to_string();
    assert_eq!(
        message,
        "sample drawn: expected a mask of (16, 16) (height, width) like the image, found (8, 16)"
    );
}

#[test]
fn size_that_the_networks_cannot_halve() {
    let (_folder, config) = folder(|_| {});
    for size in [[18, 16], [16, 0], [-16, 16]] {
        let config = PaintByExampleConfig {
            size: Some(size),
            ..config.clone()
        };
        let [height, width] = size;
        let expected = format!(
            "model.size: expected [height, width] in multiples of 4, found [{height}, {width}]"
        );
        assert_eq!(complaint(&config), expected);
    }
}

#[test]
fn steps_that_cannot_work() {
    let (_folder, config) = folder(|_| {});
    let with = |steps, spacing| PaintByExampleConfig {
        sampler: SamplerConfig {
            steps,
            spacing,
            ..SamplerConfig::default()
        },
        ..config.clone()
    };
    assert_eq!(
        complaint(&with(0, Spacing::Ldm)),
        "sampler.steps = 0: expected 1 to 1000"
    );
    assert_eq!(
        complaint(&with(1001, Spacing::Diffusers)),
        "sampler.steps = 1001: expected 1 to 1000"
    );
    let beyond = "sampler.steps = 3: timesteps would reach 1000, the schedule ends at 999; 4 works";
    assert_eq!(complaint(&with(3, Spacing::Ldm)), beyond);
    assert_eq!(timesteps(3, Spacing::Diffusers).unwrap(), [667, 334, 1]);
    assert_mentions(
        &complaint(&with(1000, Spacing::Ldm)),
        &["timesteps would reach 1000"],
    );
}

#[test]
fn sampler_settings_out_of_range() {
    let (_folder, config) = folder(|_| {});
    let with = |kind, eta| PaintByExampleConfig {
        sampler: SamplerConfig {
            kind,
            eta,
            steps: 4,
            ..SamplerConfig::default()
        },
        ..config.clone()
    };
    assert_eq!(
        complaint(&with(SamplerKind::Ddim, 1.5)),
        "sampler.eta: expected 0 to 1, found 1.5"
    );
    let plms = complaint(&with(SamplerKind::Plms, 0.5));
    assert_eq!(
        plms,
        "sampler.eta: expected 0, because PLMS adds no noise, found 0.5"
    );
}

#[test]
fn injected_noise_missing_or_of_another_shape() {
    let (_folder, config) = folder(|_| {});
    let noise = |names: &[(&str, i64)]| {
        let tensor = |side: i64| Tensor::zeros([1, 4, side, side], (Kind::Float, Device::Cpu));
        let named = names
            .iter()
            .map(|&(name, side)| (name.to_owned(), tensor(side)));
        NoiseSource::Injected(named.collect::<BTreeMap<_, _>>())
    };
    let refused = |names: &[(&str, i64)]| {
        run(&config, &sample(SIDE), &noise(names), None)
            .unwrap_err()
            .to_string()
    };
    assert_eq!(
        refused(&[]),
        "noise for `posterior.masked_image`: expected shape [1, 4, 8, 8], found none"
    );
    let start = refused(&[("posterior.masked_image", 8), ("start", 4)]);
    assert_eq!(
        start,
        "noise for `start`: expected shape [1, 4, 8, 8], found [1, 4, 4, 4]"
    );
    let fresh = PaintByExampleConfig {
        sampler: SamplerConfig {
            eta: 0.5,
            ..config.sampler.clone()
        },
        ..config.clone()
    };
    let given = noise(&[("posterior.masked_image", 8), ("start", 8)]);
    let step = run(&fresh, &sample(SIDE), &given, None)
        .unwrap_err()
        .to_string();
    assert_eq!(
        step,
        "noise for `step.0`: expected shape [1, 4, 8, 8], found none"
    );
}

#[test]
fn time_groups_that_do_not_fit_the_steps() {
    let (_folder, config) = folder(|_| {});
    for time_groups in [0, 5] {
        let capture = CaptureConfig {
            time_groups,
            ..CaptureConfig::default()
        };
        let expected = format!(
            "attribution.time_groups: expected 1 to the number of steps, 4, found {time_groups}"
        );
        assert_eq!(
            config.check(Some(&capture)).unwrap_err().to_string(),
            expected
        );
        let run = run(&config, &sample(SIDE), &seeded(), Some(&capture));
        assert_eq!(run.unwrap_err().to_string(), expected);
    }
}

/// A layer asked for by name is looked up while sampling; both kinds of refusal name the key and the layer.
#[test]
fn position_by_position_maps_of_a_pooled_reference() {
    let (_folder, config) = folder(|_| {});
    let refused = |layer: &str| {
        let capture = CaptureConfig {
            time_groups: 1,
            specific: vec![layer.to_owned()],
            ..CaptureConfig::default()
        };
        run(&config, &sample(SIDE), &seeded(), Some(&capture))
            .unwrap_err()
            .to_string()
    };
    let there = "down_blocks.0.attentions.0.transformer_blocks.0.attn2";
    let pooled = format!(
        "attribution.specific: layer `{there}`: its reference is pooled, so there is no map over it"
    );
    assert_eq!(refused(there), pooled);
    let unknown = refused("down_blocks.7.attn2");
    assert_mentions(
        &unknown,
        &[
            "layer `down_blocks.7.attn2`: no such layer; the model has",
            there,
        ],
    );
}
