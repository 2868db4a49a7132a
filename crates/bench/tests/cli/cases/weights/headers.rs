//! Numbers of configurations, of names and of headers that no network has.

use serde_json::{Value, json};

use super::super::as_expected;
use super::UNET;
use super::copy::{Copy, Tensors, write};
use crate::common::run;

#[test]
fn numbers_of_names_do_not_wrap() {
    let folder = tempfile::tempdir().unwrap();
    for name in [
        "model.diffusion_model.input_blocks.{}.weight",
        "model.diffusion_model.output_blocks.{}.0.in_layers.0.weight",
        "first_stage_model.decoder.up.{}.block.0.conv1.weight",
    ] {
        let mut tensors = Tensors::default();
        let tensor = ("F32".to_owned(), vec![1], vec![0; 4]);
        tensors
            .all
            .insert(name.replace("{}", &u64::MAX.to_string()), tensor);
        write(&folder.path().join("name.safetensors"), &tensors.bytes());
        let (code, text) = run(folder.path(), &["inspect", "name.safetensors"]);
        assert_eq!(code, 1, "{text}");
        assert!(text.contains("expected tensors named as"), "{text}");
    }
    as_expected("ldm-number-wraps");
}

/// A few of every kind; the tests of the networks have all.
#[test]
fn sizes_of_a_configuration_have_a_range() {
    for (network, key, value) in [
        ("unet", "attention_head_dim", json!(0)),
        ("unet", "norm_num_groups", json!(5)),
        (
            "unet",
            "layers_per_block",
            json!(1_000_000_000_000_000_000_u64),
        ),
        ("unet", "block_out_channels", json!([])),
        ("vae", "block_out_channels", json!(vec![24; 70])),
        ("image_encoder", "patch_size", json!("8")),
    ] {
        let copy = Copy::new();
        let file = format!("{network}/config.json");
        let text = i2am_files::read(copy.path(&file)).unwrap();
        let mut config: Value = serde_json::from_slice(&text).unwrap();
        config[key] = value;
        copy.write(&file, config.to_string());
        copy.assert_refused(&[&file, key, "expected"]);
    }
    as_expected("sizes-out-of-range");
}

#[test]
fn configurations_that_are_none_are_described() {
    let deep = "[".repeat(100_000);
    let wide = "\u{feff}{}"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect::<Vec<u8>>();
    for (bytes, found) in [
        (&b""[..], "an empty file"),
        (b"{", "expected JSON, found EOF"),
        (b"3", "expected an object of keys, found 3"),
        (b"[]", "expected an object of keys, found []"),
        (deep.as_bytes(), "expected JSON, found"),
        (&wide, "UTF-16: save the file as UTF-8"),
        (
            b"\xef\xbb\xbf{}",
            "`in_channels`: expected an integer that is not negative, found nothing",
        ),
        (
            b"{\"in_channels\": 9, \xff}",
            "line 1, character 20: expected text in UTF-8, found the byte 0xFF",
        ),
        (b"<html>", "an HTML or XML page"),
    ] {
        let copy = Copy::new();
        copy.write("unet/config.json", bytes);
        copy.assert_refused(&["unet/config.json", found]);
    }
    as_expected("configurations-that-are-none");
}

/// Shapes whose products or axes are no sizes, with no bytes behind them.
#[test]
fn shapes_that_claim_too_much_are_refused() {
    let copy = Copy::new();
    let plain = copy.tensors(UNET);
    for shape in [
        vec![1 << 40, 1 << 40],
        vec![usize::MAX],
        vec![0, 1 << 63],
        vec![1 << 62, 8],
        vec![1; 100],
        vec![0, 1 << 62],
    ] {
        let mut tensors = plain.clone();
        tensors.all.insert(
            "conv_in.weight".to_owned(),
            ("F32".to_owned(), shape, Vec::new()),
        );
        copy.write(UNET, tensors.bytes());
        copy.assert_refused(&["conv_in.weight"]);
    }
    // A file without a configuration, whose shapes tell the sizes of its networks.
    let tower = "cond_stage_model.transformer.vision_model";
    for axis in [0, 1 << 62, 70_000] {
        let mut tensors = Tensors::default();
        for (name, shape) in [
            (
                "model.diffusion_model.input_blocks.0.0.weight".to_owned(),
                vec![axis, 9, 3, 3, 0],
            ),
            (
                "model.diffusion_model.out.2.weight".to_owned(),
                vec![4, axis, 0],
            ),
            (
                "first_stage_model.post_quant_conv.weight".to_owned(),
                vec![4, 4, 1, 1, 0],
            ),
            ("learnable_vector".to_owned(), vec![1, 1, axis, 0]),
            (
                format!("{tower}.embeddings.patch_embedding.weight"),
                vec![axis, 3, axis, axis, 0],
            ),
        ] {
            tensors
                .all
                .insert(name, ("F32".to_owned(), shape, Vec::new()));
        }
        write(&copy.folder().join("bare.safetensors"), &tensors.bytes());
        let (code, text) = run(copy.folder(), &["inspect", "bare.safetensors"]);
        assert!(code == 1 && !text.contains("panicked"), "{axis}: {text}");
    }
    as_expected("shapes-that-claim-too-much");
}
