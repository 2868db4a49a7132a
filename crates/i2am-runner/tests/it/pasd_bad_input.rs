//! What is wrong with a PASD's files or settings is told in one message, by `check` as by `load`.

use i2am_nets::unet::PixelKind;
use i2am_nets::vae::Tiles;
use i2am_runner::families::{Model as _, PasdConfig};
use tch::Device;
use tempfile::TempDir;

use crate::tiny::{TinyModel, write as write_file};
use crate::tiny_pasd::{config, model, run, sample, write, write_tokenizer};

fn folder(damage: impl FnOnce(&mut TinyModel)) -> (PasdConfig, TempDir) {
    let mut model = model(PixelKind::Modules);
    damage(&mut model);
    let folder = tempfile::tempdir().unwrap();
    model.write_networks(folder.path());
    write_tokenizer(folder.path());
    (config(PixelKind::Modules, folder.path()), folder)
}

fn assert_refused(config: &PasdConfig, expected: &str) {
    let checked = config
        .check(None)
        .expect_err("must not pass the check")
        .to_string();
    let loaded = config
        .load(Device::Cpu)
        .err()
        .expect("must not load")
        .to_string();
    assert_eq!(checked, loaded);
    assert!(
        checked.ends_with(expected),
        "`{expected}` does not end: {checked}"
    );
    if !expected.starts_with("model.") {
        let root = config.checkpoint.display().to_string();
        assert!(checked.contains(&root), "{root} is not in: {checked}");
    }
}

#[test]
fn no_tokenizer() {
    let (config, folder) = folder(|_| {});
    std::fs::remove_dir_all(folder.path().join("tokenizer")).unwrap();
    assert_refused(&config, "tokenizer: expected vocab.json, found none");
    write_tokenizer(folder.path());
    let merges = folder.path().join("tokenizer/merges.txt");
    std::fs::remove_file(&merges).unwrap();
    assert_refused(&config, "tokenizer: expected merges.txt, found none");
}

#[test]
fn a_tokenizer_of_another_model() {
    let (config, folder) = folder(|_| {});
    let vocabulary = folder.path().join("tokenizer/vocab.json");
    let merges = folder.path().join("tokenizer/merges.txt");
    write_file(&merges, b"#version: 0.2\n");
    write_file(&vocabulary, b"{\"a</w>\": 0, \"<|endoftext|>\": 1}");
    assert_refused(
        &config,
        "tokenizer: vocab.json: expected `<|startoftext|>`, found none",
    );
    write_file(
        &vocabulary,
        b"{\"a</w>\": 0, \"<|endoftext|>\": 1, \"<|startoftext|>\": 800}",
    );
    assert_refused(
        &config,
        "tokenizer/vocab.json: expected at most the 639 tokens of the text encoder, found 801",
    );
}

#[test]
fn no_controlnet_or_text_encoder() {
    for (network, expected) in [
        (
            "controlnet",
            "expected a pasd checkpoint, found no ControlNet",
        ),
        (
            "text_encoder",
            "expected the folder text_encoder, found none",
        ),
    ] {
        let (config, folder) = folder(|_| {});
        std::fs::remove_dir_all(folder.path().join(network)).unwrap();
        assert_refused(&config, expected);
    }
}

#[test]
fn the_variant_with_a_preprocessor() {
    let name = "controlnet.controlnet_cond_embedding.preprocesser.0.conv1.weight";
    let (config, _folder) = folder(|model| {
        model.shapes.insert(name.to_owned(), vec![2, 2, 3, 3]);
    });
    assert_refused(
        &config,
        "expected a pasd checkpoint, found a variant with an RRDB preprocessor, which is not built",
    );
}

#[test]
fn the_other_family() {
    for (kind, asked, found) in [
        (
            PixelKind::Modules,
            "pasd-light",
            "a UNet with pixel attentions of their own",
        ),
        (
            PixelKind::Plus,
            "pasd",
            "a UNet with pixel attentions in its transformers",
        ),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let config = PasdConfig {
            family: asked.to_owned(),
            ..write(kind, folder.path())
        };
        assert_refused(
            &config,
            &format!("expected a {asked} checkpoint, found {found}"),
        );
    }
}

#[test]
fn a_missing_tensor() {
    let name = "unet.up_blocks.1.pixel_attentions.0.transformer_blocks.0.attn2.to_k.weight";
    let (config, _folder) = folder(|model| drop(model.shapes.remove(name)));
    assert_refused(&config, &format!("missing tensor `{name}`"));
}

#[test]
fn settings_out_of_range() {
    let (config, _folder) = folder(|_| {});
    for (upscale, found) in [
        (0.0, "0"),
        (-2.0, "-2"),
        (f64::NAN, "NaN"),
        (f64::INFINITY, "inf"),
    ] {
        let config = PasdConfig {
            upscale,
            ..config.clone()
        };
        assert_refused(
            &config,
            &format!("model.upscale: expected a number above 0, found {found}"),
        );
    }
    let config = PasdConfig {
        tiles: Tiles {
            encoder: 20,
            ..Tiles::default()
        },
        ..config
    };
    assert_refused(
        &config,
        "model.tiles.encoder: expected 8 or more, a multiple of 8, found 20",
    );
}

#[test]
fn a_picture_without_pixels() {
    let (config, _folder) = folder(|_| {});
    let refused = run(&config, &sample(0, 5), None).unwrap_err().to_string();
    assert!(
        refused.contains("expected a picture, found one without pixels"),
        "{refused}"
    );
}
