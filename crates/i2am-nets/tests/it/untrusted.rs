//! Numbers of configurations and of names that no network has: an error that names file and key, before anything is built of them.

use std::path::Path;

use i2am_nets::image_encoder::ImageEncoderConfig;
use i2am_nets::layout::Checkpoint;
use i2am_nets::text_encoder::TextEncoderConfig;
use i2am_nets::unet::UNetConfig;
use i2am_nets::vae::VaeConfig;
use i2am_testkit::workspace_root;
use serde_json::{Value, json};

use crate::fuzz::{write, write_names};

/// The message of reading the sizes of `network` from its committed configuration after `change`.
fn refusal(network: &str, key: &str, value: Value) -> String {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (zoo, stem) = match network {
        "text_encoder" => ("pasd", "model"),
        "image_encoder" => ("paint-by-example", "model"),
        _ => ("paint-by-example", "diffusion_pytorch_model"),
    };
    let below = folder.path().join(network);
    std::fs::create_dir(&below).expect("a writable folder");
    write_names(
        &below.join(format!("{stem}.safetensors")),
        &[("w".to_owned(), vec![1])],
    );
    let published = workspace_root()
        .join("datasets/zoo")
        .join(zoo)
        .join(network);
    let text = std::fs::read_to_string(published.join("config.json")).expect(network);
    let mut config: Value = serde_json::from_str(&text).expect(network);
    config[key] = value;
    write(&below.join("config.json"), config.to_string().as_bytes());
    let checkpoint = Checkpoint::open(folder.path()).expect("tensors of known names");
    let message = match network {
        "unet" => UNetConfig::of(&checkpoint).map(drop),
        "vae" => VaeConfig::of(&checkpoint).map(drop),
        "image_encoder" => ImageEncoderConfig::of(&checkpoint).map(drop),
        _ => TextEncoderConfig::of(&checkpoint).map(drop),
    };
    let message = message.expect_err(key).to_string();
    let file = format!("{network}/config.json: ");
    assert!(message.contains(&file), "{message}");
    message
}

/// Sizes of every network, none of which may have one of these values.
#[test]
fn sizes_have_a_range() {
    let counts: [(&str, &[&str]); 4] = [
        (
            "unet",
            &[
                "in_channels",
                "out_channels",
                "layers_per_block",
                "cross_attention_dim",
                "attention_head_dim",
                "norm_num_groups",
                "sample_size",
                "transformer_layers_per_block",
            ],
        ),
        (
            "vae",
            &[
                "in_channels",
                "out_channels",
                "layers_per_block",
                "latent_channels",
                "norm_num_groups",
            ],
        ),
        (
            "image_encoder",
            &[
                "hidden_size",
                "intermediate_size",
                "num_hidden_layers",
                "num_attention_heads",
                "image_size",
                "patch_size",
                "projection_dim",
            ],
        ),
        (
            "text_encoder",
            &[
                "hidden_size",
                "intermediate_size",
                "num_hidden_layers",
                "num_attention_heads",
                "vocab_size",
                "max_position_embeddings",
            ],
        ),
    ];
    let bad = [
        json!(0),
        json!(-1),
        json!(7.5),
        json!("8"),
        json!(1_000_000_000_000_000_000_u64),
        json!(i64::MAX),
        json!(u64::MAX),
        json!(1e300),
        json!([]),
        json!([0]),
        json!({}),
        json!(true),
        json!(100_000_000),
    ];
    for (network, keys) in counts {
        for key in keys {
            for value in &bad {
                let message = refusal(network, key, value.clone());
                let named = message.contains(&format!("`{key}`")) && message.contains("found");
                assert!(
                    named || message.contains("entries for"),
                    "{key} = {value}: {message}"
                );
            }
        }
    }
}

#[test]
fn lists_and_factors_have_a_range() {
    for network in ["unet", "vae"] {
        for value in [
            json!([]),
            json!([24, 24, -36]),
            json!([0, 0, 0]),
            json!([24, 24, 1e18]),
            json!([24, 24, u64::MAX]),
            json!([24, 24, 100_000]),
            json!(vec![24; 70]),
            json!(vec![24; 5000]),
            json!("24"),
            json!(null),
            json!([[24]]),
        ] {
            let message = refusal(network, "block_out_channels", value.clone());
            assert!(
                message.contains("`block_out_channels"),
                "{value}: {message}"
            );
        }
    }
    for value in [
        json!(0),
        json!(-1e-5),
        json!(1e300),
        json!("1e-5"),
        json!([]),
    ] {
        for (network, key) in [
            ("unet", "norm_eps"),
            ("vae", "scaling_factor"),
            ("image_encoder", "layer_norm_eps"),
            ("text_encoder", "layer_norm_eps"),
        ] {
            let message = refusal(network, key, value.clone());
            assert!(
                message.contains(&format!("`{key}`: expected")),
                "{value}: {message}"
            );
        }
    }
    for value in [
        json!([]),
        json!(["DownBlock2D"]),
        json!([1, 2, 3]),
        json!("DownBlock2D"),
        json!(["x", "y", "z"]),
    ] {
        let message = refusal("unet", "down_block_types", value);
        assert!(message.contains("`down_block_types`"), "{message}");
    }
    // What divides nothing, and levels that do not match.
    for (network, key, value) in [
        ("unet", "norm_num_groups", json!(5)),
        ("unet", "attention_head_dim", json!(5)),
        ("unet", "attention_head_dim", json!([2, 0, 2])),
        ("unet", "attention_head_dim", json!([2, 2])),
        ("vae", "norm_num_groups", json!(7)),
        ("image_encoder", "num_attention_heads", json!(7)),
        ("text_encoder", "num_attention_heads", json!(7)),
        ("image_encoder", "patch_size", json!(65)),
    ] {
        let message = refusal(network, key, value);
        assert!(message.contains(&format!("`{key}`")), "{message}");
    }
}

/// Numbers at which a division, a product or an addition would wrap.
#[test]
fn numbers_of_ldm_names_have_a_range() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("names.safetensors");
    for name in [
        "model.diffusion_model.input_blocks.{}.weight",
        "model.diffusion_model.input_blocks.{}.0.in_layers.0.weight",
        "model.diffusion_model.input_blocks.{}.0.op.weight",
        "model.diffusion_model.output_blocks.{}.0.in_layers.0.weight",
        "model.diffusion_model.output_blocks.{}.1.conv.weight",
        "model.diffusion_model.middle_block.{}.in_layers.0.weight",
        "control_model.input_blocks.{}.0.in_layers.0.weight",
        "first_stage_model.decoder.up.{}.block.0.conv1.weight",
        "first_stage_model.encoder.down.{}.block.0.conv1.weight",
        "cond_stage_model.mapper.resblocks.{}.ln_1.weight",
    ] {
        for number in [
            u64::MAX,
            1 << 63,
            (1 << 63) - 1,
            1 << 32,
            u64::from(u32::MAX),
            1000,
        ] {
            let name = name.replace("{}", &number.to_string());
            let message = opened(&path, &[&name]).expect_err(&name);
            assert!(
                message.contains("expected tensors named as"),
                "{name}: {message}"
            );
            assert!(message.contains(&name), "{name}: {message}");
        }
    }
    // Many levels, each with a number that is believed.
    let names: Vec<String> = (0..=999)
        .map(|n| format!("first_stage_model.encoder.down.{n}.block.0.conv1.weight"))
        .chain(
            [
                "conv_in.weight",
                "decoder.conv_out.weight",
                "post_quant_conv.weight",
            ]
            .map(|name| format!("first_stage_model.{name}")),
        )
        .collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let checkpoint = opened(&path, &names).unwrap();
    VaeConfig::of(&checkpoint).expect_err("a thousand levels");
}

fn opened(path: &Path, names: &[&str]) -> Result<Checkpoint, String> {
    let tensors: Vec<(String, Vec<u64>)> = names
        .iter()
        .map(|name| ((*name).to_owned(), vec![8, 8, 1, 1]))
        .collect();
    write_names(path, &tensors);
    Checkpoint::open(path).map_err(|error| error.to_string())
}
