//! The commands beside a run.

use crate::common::{root, run};
use i2am_imaging::{GrayImage, write_png_gray};
use image::Luma;

#[test]
fn list_names_everything_a_configuration_can_name() {
    let (code, text) = run(&root(), &["list"]);
    assert_eq!(code, 0);
    for name in [
        #[cfg(feature = "torch")]
        "dci-vton",
        "dresscode",
        "viton-hd",
        "sr",
        "manifest",
        "synth",
        "spatial",
        "released-code",
        "paper",
        "imacs_g",
        "iou",
        "best-fit",
        "ground-truth",
        "coco-detection",
        "spearman",
    ] {
        assert!(text.contains(name), "{name}");
    }
}

#[test]
fn help_has_examples() {
    let (code, text) = run(&root(), &["--help"]);
    assert_eq!(code, 0);
    assert!(text.contains("bench --config configs/demo.toml"));
}

#[test]
fn no_command_is_a_usage_error() {
    assert_eq!(run(&root(), &[]).0, 2);
}

/// A map that is 1 inside the mask and 0 outside scores 1; the other way round it scores -penalty.
#[test]
fn imacs_of_a_picture() {
    let folder = tempfile::tempdir().unwrap();
    let left = |white: u8, black: u8| {
        GrayImage::from_fn(16, 16, |x, _| Luma([if x < 8 { white } else { black }]))
    };
    write_png_gray(folder.path().join("mask.png"), &left(255, 0)).unwrap();
    write_png_gray(folder.path().join("good.png"), &left(200, 10)).unwrap();
    write_png_gray(folder.path().join("bad.png"), &left(10, 200)).unwrap();
    let score = |map: &str| {
        let (code, text) = run(
            folder.path(),
            &["imacs", "--map", map, "--mask", "mask.png", "--json"],
        );
        assert_eq!(code, 0, "{text}");
        let object: serde_json::Value = serde_json::from_str(text.trim()).unwrap();
        object["imacs"].as_f64().unwrap()
    };
    assert!((score("good.png") - 1.0).abs() < 1e-6);
    assert!((score("bad.png") + 3.0).abs() < 1e-6);
}

#[test]
fn imacs_of_an_empty_mask_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    write_png_gray(folder.path().join("mask.png"), &GrayImage::new(8, 8)).unwrap();
    write_png_gray(
        folder.path().join("map.png"),
        &GrayImage::from_fn(8, 8, |x, _| Luma([x as u8])),
    )
    .unwrap();
    let (code, text) = run(
        folder.path(),
        &["imacs", "--map", "map.png", "--mask", "mask.png"],
    );
    assert_eq!(code, 1);
    assert!(text.contains("mask.png"), "{text}");
}

#[cfg(feature = "torch")]
#[test]
fn inspect_tells_family_and_tensors() {
    for (checkpoint, family, layout) in [
        ("paint-by-example", "paint-by-example", "diffusers"),
        ("pasd", "pasd", "diffusers"),
        // The others have their autoencoder and reference encoder in that folder, which has another UNet.
        ("paint-by-example-000300", "paint-by-example", "ldm"),
        ("paint-by-example-002500", "paint-by-example", "ldm"),
        ("stable-viton-000500", "stable-viton", "ldm"),
        ("stable-viton-002000", "stable-viton", "ldm"),
        ("stable-viton-longer-014000", "stable-viton", "ldm"),
        ("stable-viton-refined-002000", "stable-viton", "ldm"),
        ("stable-viton-supervised-007000", "stable-viton", "ldm"),
        ("stable-viton-prints-008000", "stable-viton", "ldm"),
    ] {
        let file = if layout == "ldm" { ".safetensors" } else { "" };
        let path = format!("datasets/zoo/{checkpoint}{file}");
        let (code, text) = run(&root(), &["inspect", &path, "--json"]);
        assert_eq!(code, 0, "{text}");
        let object: serde_json::Value = serde_json::from_str(text.trim()).unwrap();
        assert_eq!(object["family"], family);
        assert_eq!(object["layout"], layout);
        assert_eq!(object["dtype"], "f16");
        for faults in ["missing", "unused", "wrong"] {
            assert_eq!(object[faults], serde_json::json!([]), "{path}: {faults}");
        }
        // The files of Paint-by-Example and DCI-VTON have the same tensors.
        let alike: &[&str] = match (family, layout) {
            ("paint-by-example", "ldm") => &["dci-vton"],
            _ => &[],
        };
        assert_eq!(object["alike"], serde_json::json!(alike), "{path}");
    }
}

#[cfg(feature = "torch")]
#[test]
fn inspect_tells_the_variant_of_an_ip_adapter() {
    let folder = "crates/i2am-runner/tests/fixtures/ip-adapter";
    for (file, variant, tensors) in [
        (
            "adapter_base.safetensors",
            "base: 4 tokens from an image embedding of width 28",
            36,
        ),
        (
            "adapter_base.bin",
            "base: 4 tokens from an image embedding of width 28",
            36,
        ),
        (
            "adapter_plus.safetensors",
            "plus: 16 tokens that read image states of width 32",
            83,
        ),
        (
            "adapter_full.safetensors",
            "full-face: one token from each image state of width 32",
            38,
        ),
    ] {
        let path = format!("{folder}/{file}");
        let (code, text) = run(&root(), &["inspect", &path]);
        assert_eq!(code, 0, "{text}");
        let lines = [
            "family      ip-adapter".to_owned(),
            format!("variant     {variant}"),
            format!("tensors     {tensors} used, 0 missing, 0 wrong, 0 unused"),
        ];
        for line in lines {
            assert!(text.contains(&line), "{line}: {text}");
        }
        let (_, text) = run(&root(), &["inspect", &path, "--json"]);
        let object: serde_json::Value = serde_json::from_str(text.trim()).unwrap();
        assert_eq!(object["variant"], variant);
    }
}

#[cfg(feature = "torch")]
#[test]
fn inspect_refuses_what_is_no_checkpoint() {
    let (code, text) = run(&root(), &["inspect", "README.md"]);
    assert_eq!(code, 1);
    assert!(text.contains("README.md"), "{text}");
}
