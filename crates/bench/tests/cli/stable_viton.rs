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

#[test]
fn locality_is_scored_where_it_was_recorded() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    write_checkpoint(&path.join("tiny.safetensors"));
    write_model_config(path, SYNTH, MODEL);
    let stages = "generate,score,measure,correlate,report";
    let asked = ["--set", "attribution.locality.radii=[0, 2]"];
    let plain = ["--config", "run.toml", "--stages", stages];
    let (code, text) = run(path, &[&plain[..], &asked].concat());
    assert_eq!(code, 0, "{text}");
    let (code, text) = run(path, &["show", "out", "--locality"]);
    assert_eq!(code, 0, "{text}");
    for shown in ["try-on", "generated to reference", "Shuffled", "r=0", "r=2"] {
        assert!(text.contains(shown), "{shown}: {text}");
    }
    let samples = path.join("out/samples.csv");
    let rows: Vec<_> = i2am_results::read_rows(&samples)
        .unwrap()
        .map(Result::unwrap)
        .filter(|row| row.measurement.metric.starts_with("locality"))
        .collect();
    // Unified, two time groups, eight heads, two layers of one size each; two radii; four rows; both directions.
    let sizes = rows
        .iter()
        .filter_map(|row| row.measurement.level.as_ref())
        .filter(|level| matches!(level, i2am_results::Level::Resolution { .. }))
        .collect::<std::collections::BTreeSet<_>>();
    let levels = 1 + 2 + 8 + 2 + sizes.len();
    assert_eq!(rows.len(), levels * 2 * 4 * 2 * SAMPLES);
    let value = |metric: &str, level: &str, variant: &str| {
        let found = rows.iter().find(|row| {
            let row = &row.measurement;
            row.metric == metric && row.level == level.parse().ok() && row.convention == variant
        });
        found.unwrap().measurement.outcome.value().unwrap()
    };
    for direction in ["g2r", "r2g"] {
        for level in ["unified", "time:1", "head:7"] {
            let at =
                |part: &str, radius| value(&format!("locality{part}_{direction}"), level, radius);
            for radius in ["r=0", "r=2"] {
                let [near, shuffled, gain] =
                    ["", "_shuffled", "_gain"].map(|part| at(part, radius));
                assert!((0.0..=1.0).contains(&near) && (0.0..=1.0).contains(&shuffled));
                assert!((gain - (near - shuffled) / (1.0 - shuffled)).abs() < 1e-12);
            }
            assert!(at("", "r=0") < at("", "r=2"));
            assert!(at("_uniform", "r=0") < at("_uniform", "r=2"));
        }
    }
    let correlations = std::fs::read_to_string(path.join("out/correlations.csv")).unwrap();
    assert!(!correlations.contains("locality"), "{correlations}");
    let page = std::fs::read_to_string(path.join("out/report.html")).unwrap();
    for table in ["locality", "locality_levels"] {
        assert!(path.join(format!("out/tables/{table}.md")).is_file());
        assert!(page.contains(&format!("id=\"table-{table}\"")));
    }

    // Nothing is recorded that nobody asked for, and the pictures are the same.
    let other = ["--set", "output=plain"];
    let (code, text) = run(path, &[&plain[..], &other].concat());
    assert_eq!(code, 0, "{text}");
    let rows = std::fs::read_to_string(path.join("plain/samples.csv")).unwrap();
    assert!(!rows.contains("locality"));
    assert!(!path.join("plain/tables/locality.md").exists());
    let pictures = |run: &str| {
        let files = i2am_files::sorted_entries(path.join(run).join("images/try-on")).unwrap();
        assert_eq!(files.len(), SAMPLES);
        files
            .iter()
            .map(|file| std::fs::read(file).unwrap())
            .collect::<Vec<_>>()
    };
    assert_eq!(pictures("out"), pictures("plain"));

    let refused = ["--set", "attribution.locality.radii=[2, 1]"];
    let (code, text) = run(
        path,
        &[&["check", "--config", "run.toml"][..], &refused].concat(),
    );
    assert_eq!(code, 2, "{text}");
    assert!(
        text.contains("attribution.locality.radii`: expected at least one"),
        "{text}"
    );
}
