//! A small `StableVITON` drawn up by formula, as the command meets it.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use i2am_nets::image_encoder::ImageEncoderConfig;
use i2am_nets::layout::to_ldm;
use i2am_nets::unet::UNetConfig;
use i2am_nets::vae::VaeConfig;
use i2am_nets::{ExpectedSource, formula_weights};
use i2am_runner::families::StableVitonSizes;
use safetensors::tensor::{Dtype, TensorView};
use tch::Tensor;

use crate::common::{SYNTH, run, write_model_config};

/// Two levels, one residual block each, eight heads as LDM files have them: two warp blocks.
fn sizes() -> StableVitonSizes {
    StableVitonSizes {
        unet: UNetConfig {
            block_out_channels: vec![32, 32],
            layers_per_block: 1,
            down_block_types: vec!["CrossAttnDownBlock2D".to_owned(), "DownBlock2D".to_owned()],
            cross_attention_dim: 16,
            ..UNetConfig::stable_diffusion_v1(13)
        },
        vae: VaeConfig {
            block_out_channels: vec![32, 32, 32],
            layers_per_block: 1,
            ..VaeConfig::stable_diffusion_v1()
        },
        image_encoder: ImageEncoderConfig {
            hidden_size: 64,
            intermediate_size: 64,
            num_hidden_layers: 1,
            num_attention_heads: 1,
            image_size: 28,
            projection_dim: 16,
            mapper_layers: 1,
            ..ImageEncoderConfig::clip_vit_l14()
        },
    }
}

fn write_checkpoint(path: &Path) {
    let source = ExpectedSource::new();
    sizes().build(&source);
    let own = source.shapes().into_iter().map(|(name, shape)| {
        let values = Tensor::from_slice(&formula_weights(&name, &shape));
        (name, values.reshape(shape))
    });
    let stored: BTreeMap<String, (Vec<usize>, Vec<u8>)> = to_ldm(&own.collect())
        .unwrap()
        .into_iter()
        .map(|(name, tensor)| {
            let values: Vec<f32> = Vec::try_from(tensor.reshape([-1])).unwrap();
            let bytes = values.iter().flat_map(|value| value.to_le_bytes());
            let shape = tensor.size().iter().map(|&n| n as usize).collect();
            (name, (shape, bytes.collect()))
        })
        .collect();
    let views = stored.iter().map(|(name, (shape, bytes))| {
        let view = TensorView::new(Dtype::F32, shape.clone(), bytes).unwrap();
        (name, view)
    });
    safetensors::serialize_to_file(views, None::<HashMap<_, _>>, path).unwrap();
}

/// As many as the drawn set has.
const SAMPLES: usize = 3;
const MODEL: &str = r#"name = "try-on"
family = "stable-viton"
checkpoint = "tiny.safetensors"
size = [64, 48]"#;

#[test]
fn inspect_tells_a_stable_viton() {
    let folder = tempfile::tempdir().unwrap();
    write_checkpoint(&folder.path().join("tiny.safetensors"));
    let (code, text) = run(folder.path(), &["inspect", "tiny.safetensors", "--json"]);
    assert_eq!(code, 0, "{text}");
    let object: serde_json::Value = serde_json::from_str(text.trim()).unwrap();
    assert_eq!(object["family"], "stable-viton");
    assert_eq!(object["layout"], "ldm");
    for faults in ["missing", "unused", "wrong"] {
        assert_eq!(object[faults], serde_json::json!([]), "{faults}");
    }
}

#[test]
fn a_run_scores_both_directions() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    write_checkpoint(&path.join("tiny.safetensors"));
    write_model_config(path, SYNTH, MODEL);
    let (code, text) = run(
        path,
        &["--config", "run.toml", "--stages", "generate,score"],
    );
    assert_eq!(code, 0, "{text}");
    let rows = std::fs::read_to_string(path.join("out/samples.csv")).unwrap();
    let count = |parts: &[&str]| {
        let has_all = |row: &&str| parts.iter().all(|part| row.contains(part));
        rows.lines().filter(has_all).count()
    };
    for metric in ["imacs_g", "imacs_r"] {
        assert_eq!(count(&[metric, ",unified,"]), SAMPLES, "{metric}: {rows}");
        assert_eq!(
            count(&[metric, ",layer:warp_flow_blks."]),
            2 * SAMPLES,
            "{metric}: {rows}"
        );
    }
    // Spatial layers take precedence: only rows of single layers rest on one token, and those say so. Nothing is missing.
    let layers = 3 * SAMPLES;
    assert_eq!(count(&["one-token", ",layer:"]), layers, "{rows}");
    assert_eq!(count(&["one-token"]), layers, "{rows}");
    assert_eq!(count(&[",empty,"]), 0, "{rows}");
}

/// A data set that lacks what this family reads is refused before anything runs.
#[test]
fn check_names_the_part_that_is_lacking() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    write_checkpoint(&path.join("tiny.safetensors"));
    let drawn = [
        "synth", "--out", "set", "--seed", "9", "--count", "1", "--size", "128x96",
    ];
    let (code, text) = run(path, &drawn);
    assert_eq!(code, 0, "{text}");
    std::fs::remove_dir_all(path.join("set/test/image-densepose")).unwrap();
    write_model_config(path, "kind = \"viton-hd\"\nroot = \"set\"", MODEL);
    let (code, text) = run(path, &["check", "--config", "run.toml"]);
    assert_ne!(code, 0, "{text}");
    assert!(text.contains("densepose"), "{text}");
}
