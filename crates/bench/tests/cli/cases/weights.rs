//! Weight files as hubs, downloads and training scripts leave them.

mod copy;
mod damaged;
mod headers;

use serde_json::{Value, json};

use super::as_expected;
use crate::common::{SYNTH, run, write_model_config};
use copy::{Copy, NETWORKS, Tensors, zoo};

const UNET: &str = "unet/diffusion_pytorch_model.safetensors";

/// Leaves the weights of every network as this variant only.
fn to_variant(copy: &Copy, variant: &str) {
    for (network, stem) in NETWORKS {
        copy.rename(
            &format!("{network}/{stem}.safetensors"),
            &format!("{network}/{stem}.{variant}.safetensors"),
        );
    }
}

#[test]
fn weights_of_one_variant_are_taken() {
    for variant in ["fp16", "non_ema", "my-own"] {
        let copy = Copy::new();
        to_variant(&copy, variant);
        copy.assert_whole(&[
            &format!("unet/diffusion_pytorch_model.{variant}.safetensors"),
            &format!("image_encoder/model.{variant}.safetensors"),
        ]);
    }
    // Plain weights come first. A pickle is recognized by its content, so these are none.
    let copy = Copy::new();
    copy.write("unet/diffusion_pytorch_model.fp16.safetensors", "unread");
    copy.assert_whole(&[UNET]);
    copy.rename(
        "image_encoder/model.safetensors",
        "image_encoder/pytorch_model.fp16.bin",
    );
    copy.assert_whole(&["image_encoder/pytorch_model.fp16.bin"]);
    as_expected("variant-weight-files");
}

#[test]
fn one_of_several_variants_is_named_by_a_setting() {
    let copy = Copy::new();
    to_variant(&copy, "fp16");
    let other = copy.tensors("unet/diffusion_pytorch_model.fp16.safetensors");
    copy.write(
        "unet/diffusion_pytorch_model.non_ema.safetensors",
        other.bytes(),
    );
    copy.assert_refused(&[
        "unet",
        "found the variants fp16, non_ema",
        "`variant` says which",
    ]);
    let inspect = |variant: &str| run(copy.folder(), &["inspect", "model", "--variant", variant]);
    let (code, text) = inspect("non_ema");
    assert_eq!(code, 0, "{text}");
    // The others have that variant only.
    for file in [
        "unet/diffusion_pytorch_model.non_ema.safetensors",
        "vae/diffusion_pytorch_model.fp16.safetensors",
    ] {
        assert!(text.contains(file), "{text}");
    }
    let (code, text) = inspect("bf16");
    assert_eq!(code, 1, "{text}");
    assert!(text.contains("bf16") && text.contains("found"), "{text}");

    let model =
        "name = \"pbe\"\nfamily = \"paint-by-example\"\ncheckpoint = \"model\"\nsize = [128, 96]";
    write_model_config(copy.folder(), SYNTH, model);
    let check = |set: &[&str]| {
        run(
            copy.folder(),
            &[&["check", "--config", "run.toml"], set].concat(),
        )
    };
    let (code, text) = check(&[]);
    assert!(
        code == 1 && text.contains("found the variants fp16, non_ema"),
        "{text}"
    );
    let (code, text) = check(&["--set", "model.0.variant=non_ema"]);
    assert_eq!(code, 0, "{text}");
    as_expected("several-variants");
}

/// Stores the UNet of a copy in two shards called `start`-0000N-of-00002`end`, and gives the index of them.
fn shard(copy: &Copy, start: &str, end: &str) -> Value {
    let mut places = serde_json::Map::new();
    for (number, half) in (1..).zip(copy.tensors(UNET).halves()) {
        let name = format!("{start}-{number:05}-of-00002{end}");
        copy.write(&format!("unet/{name}"), half.bytes());
        places.extend(half.all.into_keys().map(|tensor| (tensor, json!(name))));
    }
    copy.remove(UNET);
    json!({ "metadata": { "total_size": 0 }, "weight_map": places })
}

const STEM: &str = "diffusion_pytorch_model";

#[test]
fn shards_are_found_by_their_index() {
    for (start, end, index) in [
        ("", ".safetensors", ".safetensors.index.json"),
        ("", ".bin", ".bin.index.json"),
        ("", ".fp16.safetensors", ".safetensors.index.fp16.json"),
        (".fp16", ".safetensors", ".fp16.safetensors.index.json"),
    ] {
        let copy = Copy::new();
        let start = format!("{STEM}{start}");
        let places = shard(&copy, &start, end);
        let index = format!("unet/{STEM}{index}");
        copy.write(&index, places.to_string());
        let shards = [1, 2].map(|number| format!("{start}-{number:05}-of-00002{end}"));
        copy.assert_whole(
            &shards
                .each_ref()
                .map(|name| format!("unet/{name}"))
                .each_ref()
                .map(String::as_str),
        );
        copy.remove(&format!("unet/{}", shards[1]));
        copy.assert_refused(&[&index, "expected 2 shards, missing", &shards[1]]);
        copy.link("../blobs/gone", &format!("unet/{}", shards[1]));
        copy.assert_refused(&[&shards[1], "a link to ../blobs/gone, which is not there"]);
    }
    as_expected("sharded-weights");
}

#[test]
fn an_index_that_lies_is_refused() {
    let copy = Copy::new();
    let places = shard(&copy, STEM, ".safetensors");
    let index = format!("unet/{STEM}.safetensors.index.json");
    let second = format!("{STEM}-00002-of-00002.safetensors");
    copy.assert_refused(&[
        "found neither, but",
        "00001-of-00002.safetensors, a shard without the index",
    ]);
    let with = |tensor: &str, place: Value| {
        let mut places = places.clone();
        places["weight_map"][tensor] = place;
        copy.write(&index, places.to_string());
    };
    with("surplus.weight", json!(second));
    copy.assert_refused(&[&index, "expected tensor `surplus.weight`", &second]);
    for outside in [
        "../vae/diffusion_pytorch_model.safetensors",
        "/etc/passwd",
        "..",
        "",
        "a/../b",
        ".",
    ] {
        with("conv_in.weight", json!(outside));
        copy.assert_refused(&[
            &index,
            "expected the names of files in the same folder",
            &format!("`{outside}`"),
        ]);
    }
    with("conv_in.weight", json!(3));
    copy.assert_refused(&[&index, "`conv_in.weight`: 3"]);
    for (text, found) in [
        ("", "an empty file"),
        ("{}", "no `weight_map`"),
        ("[]", "no `weight_map`"),
        ("{\"weight_map\": {}}", "a `weight_map` of nothing"),
        ("{\"weight_map\": [", "EOF"),
        (
            "version https://git-lfs.github.com/spec/v1\n",
            "a git-lfs pointer",
        ),
        ("<!DOCTYPE html>", "an HTML or XML page"),
    ] {
        copy.write(&index, text);
        copy.assert_refused(&[&index, found]);
    }
    as_expected("lying-index");
}

/// The identity of a checkpoint is that of all its files.
#[test]
fn every_shard_is_part_of_the_identity() {
    let copy = Copy::new();
    let places = shard(&copy, STEM, ".safetensors");
    copy.write(
        &format!("unet/{STEM}.safetensors.index.json"),
        places.to_string(),
    );
    let model =
        "name = \"pbe\"\nfamily = \"paint-by-example\"\ncheckpoint = \"model\"\nsize = [128, 96]";
    write_model_config(copy.folder(), SYNTH, model);
    let (code, text) = run(copy.folder(), &["--config", "run.toml", "--limit", "0"]);
    assert_eq!(code, 0, "{text}");
    let manifest = i2am_files::read(copy.folder().join("out/manifest.json")).unwrap();
    let manifest: Value = serde_json::from_slice(&manifest).unwrap();
    let inputs = manifest["inputs"].as_object().unwrap();
    let files: Vec<&str> = inputs
        .keys()
        .filter_map(|key| key.strip_prefix("checkpoint:pbe:"))
        .collect();
    let shards = [1, 2].map(|n| format!("unet/{STEM}-{n:05}-of-00002.safetensors"));
    let expected = [
        "image_encoder/model.safetensors",
        &shards[0],
        &shards[1],
        "vae/diffusion_pytorch_model.safetensors",
    ];
    assert_eq!(files, expected);
    as_expected("identity-of-shards");
}

#[test]
fn wrapped_names_are_unwrapped() {
    let copy = Copy::new();
    let plain = copy.tensors(UNET);
    for wrapper in [
        "module.",
        "_orig_mod.",
        "model.",
        "module._orig_mod.",
        "_orig_mod.module.",
        "state_dict.module.",
    ] {
        copy.write(
            UNET,
            plain.renamed(|name| format!("{wrapper}{name}")).bytes(),
        );
        copy.assert_whole(&[UNET]);
    }
    // Compiled in part.
    let compiled = |name: &str| name.replace("mid_block.", "mid_block._orig_mod.");
    copy.write(UNET, plain.renamed(compiled).bytes());
    copy.assert_whole(&[UNET]);
    // A tensor that is not wrapped: nothing is taken away from the others.
    let some = |name: &str| {
        if name == "conv_in.bias" {
            name.to_owned()
        } else {
            format!("module.{name}")
        }
    };
    copy.write(UNET, plain.renamed(some).bytes());
    copy.assert_refused(&["none that is known", "494 unused"]);
    // Two tensors for one place.
    let mut twice = plain.clone();
    twice.all.insert(
        "_orig_mod.conv_in.bias".to_owned(),
        plain.all["conv_in.bias"].clone(),
    );
    copy.write(UNET, twice.bytes());
    copy.assert_refused(&[
        "expected one tensor `conv_in.bias`",
        "`_orig_mod.conv_in.bias`",
    ]);

    // A file with LDM's names, which begin with `model.` themselves; the autoencoder is in the folder that it names.
    let snapshot = Tensors::read(&zoo("paint-by-example-000300.safetensors"));
    std::os::unix::fs::symlink(
        zoo("paint-by-example").canonicalize().unwrap(),
        copy.folder().join("paint-by-example"),
    )
    .unwrap();
    for wrapper in ["", "module.", "_orig_mod.", "model.", "state_dict."] {
        let path = copy.folder().join("snapshot.safetensors");
        copy::write(
            &path,
            &snapshot.renamed(|name| format!("{wrapper}{name}")).bytes(),
        );
        let (code, text) = run(copy.folder(), &["inspect", "snapshot.safetensors"]);
        assert!(
            code == 0 && text.contains("0 missing, 0 wrong, 0 unused"),
            "{wrapper}: {text}"
        );
    }
    as_expected("wrapped-names");
}

/// One sample of a small run: the bytes of its picture.
fn picture(copy: &Copy) -> Vec<u8> {
    let model = "name = \"pbe\"\nfamily = \"paint-by-example\"\ncheckpoint = \"model\"\nsize = [128, 96]\nguidance = 1.0";
    write_model_config(copy.folder(), SYNTH, model);
    let args = [
        "--config", "run.toml", "--fresh", "--stages", "generate", "--limit", "1",
    ];
    let (code, text) = run(copy.folder(), &args);
    assert_eq!(code, 0, "{text}");
    let images = copy.folder().join("out/images/pbe");
    i2am_files::read(&i2am_files::sorted_entries(&images).unwrap()[0]).unwrap()
}

/// However weights are stored, the same picture comes of them.
#[test]
fn pictures_do_not_depend_on_the_storage() {
    let copy = Copy::new();
    let expected = picture(&copy);
    let wrapped = copy.tensors(UNET).renamed(|name| format!("module.{name}"));
    copy.write(UNET, wrapped.bytes());
    let places = shard(&copy, &format!("{STEM}.fp16"), ".safetensors");
    copy.write(
        &format!("unet/{STEM}.fp16.safetensors.index.json"),
        places.to_string(),
    );
    assert_eq!(picture(&copy), expected);

    // Eight-bit floats, and the same values in 32 bits.
    let copy = Copy::new();
    let mut wide = copy.tensors(UNET);
    let mut small = wide.clone();
    let name = "conv_in.weight";
    let (dtype, shape, bytes) = wide.all[name].clone();
    assert_eq!(dtype, "F16");
    // The upper byte of an f16 is a float of eight bits, E5M2, and the lower one then zero.
    let codes: Vec<u8> = bytes.iter().skip(1).step_by(2).copied().collect();
    let values = codes.iter().flat_map(|&code| [0, code]).collect();
    small.all.insert(
        name.to_owned(),
        ("F8_E5M2".to_owned(), shape.clone(), codes),
    );
    wide.all.insert(name.to_owned(), (dtype, shape, values));
    copy.write(UNET, wide.bytes());
    let expected = picture(&copy);
    copy.write(UNET, small.bytes());
    assert_eq!(picture(&copy), expected);
    let (_, text) = copy.inspect();
    assert!(text.contains("f16+f8_e5m2"), "{text}");
    as_expected("storage-and-pictures");
}
