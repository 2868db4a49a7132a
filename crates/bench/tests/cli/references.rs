//! Generated images compared with their reference images, in a run and of two folders.

use std::path::Path;

use i2am_imaging::{RgbImage, write_png_rgb};
use i2am_nets::image_encoder::{ClipEmbedder, ImageEncoderConfig};
use i2am_nets::layers::Activation;
use i2am_nets::{ExpectedSource, Scope, formula_weights};
use safetensors::tensor::{Dtype, TensorView};
use serde_json::Value;

use crate::common::{SYNTH, run, write_config};

/// A small CLIP where a run looks for the published one.
fn write_clip(folder: &Path) {
    let config = ImageEncoderConfig {
        hidden_size: 64,
        intermediate_size: 96,
        num_hidden_layers: 1,
        num_attention_heads: 1,
        image_size: 28,
        patch_size: 14,
        layer_norm_eps: 1e-5,
        projection_dim: 16,
        hidden_act: Activation::QuickGelu,
        mapper_layers: 0,
    };
    let expected = ExpectedSource::new();
    ClipEmbedder::new(&Scope::root(&expected, "clip"), config);
    let tensors: Vec<(String, Vec<usize>, Vec<u8>)> = expected
        .shapes()
        .into_iter()
        .map(|(full, shape)| {
            let values = formula_weights(&full, &shape);
            let bytes = values.iter().flat_map(|value| value.to_le_bytes());
            let shape = shape.iter().map(|&extent| extent as usize).collect();
            let name = full.strip_prefix("clip.").unwrap().to_owned();
            (name, shape, bytes.collect())
        })
        .collect();
    let views = tensors.iter().map(|(name, shape, bytes)| {
        let view = TensorView::new(Dtype::F32, shape.clone(), bytes).unwrap();
        (name.as_str(), view)
    });
    let path = folder.join(".weights/clip-vit-base-patch32/model.safetensors");
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    safetensors::serialize_to_file(views, None, &path).unwrap();
}

/// The values of `metric` in the ledger of the run.
fn values(folder: &Path, metric: &str) -> Vec<f64> {
    let ledger = std::fs::read_to_string(folder.join("out/samples.csv")).unwrap();
    let mut lines = ledger.lines();
    let header = lines.next().unwrap();
    let place = header.split(',').position(|name| name == "value").unwrap();
    let rows = lines.filter(|row| row.contains(&format!(",measure,,,{metric},")));
    rows.map(|row| row.split(',').nth(place).unwrap().parse().unwrap())
        .collect()
}

#[test]
fn a_run_compares_images_with_their_reference_and_its_masked_region() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    write_config(folder, SYNTH);
    let with = |more: &[&str]| {
        let args = [
            "--config",
            "run.toml",
            "--set",
            "metric.clip-i.net=vit-b-32",
        ];
        run(folder, &[&args, more].concat())
    };
    let (code, text) = with(&[]);
    assert_eq!(code, 1, "{text}");
    let expected = "no weights `clip-vit-b-32`: expected ";
    assert!(
        text.contains(expected) && text.contains("clip-vit-base-patch32"),
        "{text}"
    );
    write_clip(folder);
    let (code, text) = with(&[]);
    assert_eq!(code, 0, "{text}");
    let whole = values(folder, "clip-i");
    assert_eq!(whole.len(), 3);
    assert!(
        whole.iter().all(|value| (-1.0..=1.0).contains(value)),
        "{whole:?}"
    );

    // The garments are the reference images of paired samples, under the same names.
    let folders = ["--generated", "out/images/pbe", "--real", "set/test/cloth"];
    let flags = [
        "--metric",
        "clip-i",
        "--per-sample",
        "--json",
        "--quiet",
        "--no-cache",
    ];
    let (code, text) = run(folder, &[&["measure"], &folders[..], &flags].concat());
    assert_eq!(code, 0, "{text}");
    let line = text.lines().find(|line| line.starts_with('{')).unwrap();
    let measured: Value = serde_json::from_str(line).unwrap();
    let measured = measured["metrics"][0]["per_sample"].as_array().unwrap();
    for (in_run, of_folders) in whole.iter().zip(measured) {
        let off = (in_run - of_folders.as_f64().unwrap()).abs();
        assert!(off < 1e-9, "{whole:?} {measured:?}");
    }

    let (code, text) = with(&["--set", "metric.clip-i.region=masked"]);
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("vit-b-32, masked"), "{text}");
    let masked = values(folder, "clip-i");
    assert_eq!(masked.len(), 3);
    assert!(
        masked.iter().zip(&whole).all(|(a, b)| (a - b).abs() > 1e-6),
        "{masked:?}"
    );
}

#[test]
fn folders_of_reference_images_may_have_other_sizes() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    write_clip(folder);
    let picture = |width, height| {
        RgbImage::from_fn(width, height, |x, y| [x as u8 * 5, y as u8 * 7, 90].into())
    };
    write_png_rgb(folder.join("a/0.png"), &picture(40, 30)).unwrap();
    write_png_rgb(folder.join("b/0.png"), &picture(33, 50)).unwrap();
    let measure = |more: &[&str]| {
        let args = [
            "measure",
            "--no-cache",
            "--generated",
            "a",
            "--real",
            "b",
            "--metric",
            "clip-i",
        ];
        run(folder, &[&args, more].concat())
    };
    let (code, text) = measure(&[]);
    assert_eq!(code, 0, "{text}");
    let (code, text) = measure(&["--set", "clip-i.region=masked"]);
    assert_eq!(code, 0, "{text}");
    assert!(
        text.contains("there is no masked region to look at"),
        "{text}"
    );
    let (code, text) = measure(&["--metric", "ssim"]);
    assert_eq!(code, 1, "{text}");
    assert!(text.contains("expected pictures of one size"), "{text}");
}
