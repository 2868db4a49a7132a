//! Downloads that stopped, links to nothing, and values that no training leaves.

use serde_json::json;

use super::super::as_expected;
use super::copy::{Copy, NETWORKS, USED, zoo};
use super::{STEM, UNET};
use crate::common::{SYNTH, run, write_model_config};

#[test]
fn what_is_in_place_of_weights_is_named() {
    let expected = format!("expected {STEM}.safetensors or {STEM}.bin, found neither");
    let other = |name: &str, bytes: &str, found: &str| {
        let copy = Copy::new();
        copy.remove(UNET);
        copy.write(name, bytes);
        copy.assert_refused(&["unet", &expected, found]);
    };
    other(
        "unet/flax_model.msgpack",
        "",
        "in the folder: config.json, flax_model.msgpack",
    );
    for end in ["incomplete", "part", "crdownload"] {
        let name = format!("{STEM}.safetensors.{end}");
        other(
            &format!("unet/{name}"),
            "",
            &format!("but {name}, a download that is not finished"),
        );
    }
    other(
        ".cache/huggingface/download/unet/abc=.0123.incomplete",
        "",
        "in the cache of the download: abc=.0123.incomplete, which is not finished",
    );
    // A folder of many files is not listed to its end.
    let copy = Copy::new();
    copy.remove(UNET);
    for number in 0..40 {
        copy.write(&format!("unet/{number:02}.txt"), "");
    }
    copy.assert_refused(&["00.txt, 01.txt", "11.txt and 29 more"]);

    let copy = Copy::new();
    copy.write(
        UNET,
        "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n",
    );
    copy.assert_refused(&[
        UNET,
        "a git-lfs pointer; fetch the file itself with `git lfs pull`",
    ]);
    let copy = Copy::new();
    copy.write(
        "unet/config.json",
        "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n",
    );
    copy.assert_refused(&["unet/config.json", "a git-lfs pointer"]);
    // Where a program reserves the whole file before it fills it, the file next to it says so.
    let copy = Copy::new();
    copy.write(&format!("{UNET}.aria2"), "");
    copy.assert_refused(&[UNET, "a download that is not finished"]);
    // Networks instead of a folder of them.
    let copy = Copy::new();
    let (code, text) = run(copy.folder(), &["inspect", "model/unet"]);
    assert_eq!(code, 1);
    assert!(
        text.contains(
            "found none of them; in the folder: config.json, diffusion_pytorch_model.safetensors"
        ),
        "{text}"
    );
    as_expected("folder-without-weights");
}

/// A snapshot in the cache of a hub: every file is a link to a blob.
#[test]
fn links_are_followed_and_dangling_ones_named() {
    let copy = Copy::new();
    let mut blobs = 0;
    for (network, stem) in NETWORKS {
        for file in ["config.json", &format!("{stem}.safetensors")] {
            let (name, blob) = (format!("{network}/{file}"), format!("../blobs/{blobs}"));
            blobs += 1;
            i2am_files::create_dir(copy.path("blobs")).unwrap();
            copy.rename(&name, &blob[3..]);
            copy.link(&blob, &name);
        }
    }
    copy.assert_whole(&[UNET]);
    let target = std::fs::read_link(copy.path(UNET)).unwrap();
    let blob = format!("blobs/{}", target.file_name().unwrap().display());
    copy.remove(&blob);
    let found = format!("but {STEM}.safetensors, a link to ../{blob}, which is not there");
    copy.assert_refused(&["unet", "found neither", &found]);
    copy.write(&format!("{blob}.incomplete"), "");
    copy.assert_refused(&[&found, "its download is not finished"]);
    let copy = Copy::new();
    copy.remove("vae/config.json");
    copy.link("../blobs/9", "vae/config.json");
    copy.assert_refused(&["vae/config.json: a link to ../blobs/9, which is not there"]);
    let copy = Copy::new();
    std::fs::remove_dir_all(copy.path("vae")).unwrap();
    copy.link("../blobs/vae", "vae");
    copy.assert_refused(&["vae: a link to ../blobs/vae, which is not there"]);
    // The cache itself, above its snapshots.
    let copy = Copy::new();
    copy.write("../cache/snapshots/0123abc/model_index.json", "{}");
    let (code, text) = run(copy.folder(), &["inspect", "cache"]);
    assert_eq!(code, 1);
    assert!(
        text.contains("revisions in its folder snapshots: 0123abc"),
        "{text}"
    );
    as_expected("links-of-a-cache");
}

#[test]
fn tensors_of_any_type_are_in_nobodys_way() {
    let copy = Copy::new();
    let plain = copy.tensors(UNET);
    for dtype in [
        "F4", "F6_E2M3", "F8_E4M3", "F8_E5M2", "F8_E8M0", "U16", "U32", "U64", "C64", "I64",
        "BOOL", "F9",
    ] {
        let mut tensors = plain.clone();
        let bytes = match dtype {
            "U64" | "C64" | "I64" => 64,
            "U32" => 32,
            "U16" => 16,
            "F4" => 4,
            "F6_E2M3" => 6,
            _ => 8,
        };
        tensors.all.insert(
            "own.state".to_owned(),
            (dtype.to_owned(), vec![8], vec![1; bytes]),
        );
        copy.write(UNET, tensors.bytes());
        let (code, text) = copy.inspect();
        assert_eq!(code, 0, "{dtype}: {text}");
        assert!(
            text.contains(&format!("{USED} used, 0 missing, 0 wrong, 1 unused")),
            "{dtype}: {text}"
        );
    }
    // Where a network needs it, it is named; so are eight-bit floats that are not the values themselves.
    let with = |name: &str, dtype: &str, width: usize| {
        let mut tensors = plain.clone();
        let (was, shape, bytes) = tensors.all["conv_out.bias"].clone();
        assert_eq!(was, "F16");
        let bytes = vec![0x38; bytes.len() / 2 * width];
        tensors
            .all
            .insert("conv_out.bias".to_owned(), (dtype.to_owned(), shape, bytes));
        if name != "conv_out.bias" {
            tensors
                .all
                .insert(name.to_owned(), ("F32".to_owned(), vec![1], vec![0; 4]));
        }
        copy.write(UNET, tensors.bytes());
    };
    with("conv_out.bias", "U16", 2);
    copy.assert_refused(&[UNET, "tensor `conv_out.bias`: dtype U16 is not supported"]);
    let model =
        "name = \"pbe\"\nfamily = \"paint-by-example\"\ncheckpoint = \"model\"\nsize = [128, 96]";
    write_model_config(copy.folder(), SYNTH, model);
    for args in [
        &["check", "--config", "run.toml"][..],
        &["--config", "run.toml"],
    ] {
        let (code, text) = run(copy.folder(), args);
        assert!(
            code == 1 && text.contains("`conv_out.bias`: dtype U16 is not supported"),
            "{text}"
        );
    }
    with("conv_out.bias", "F8_E4M3", 1);
    copy.assert_whole(&[UNET]);
    with("conv_out.bias_scale", "F8_E4M3", 1);
    copy.assert_refused(&[
        "`conv_out.bias`",
        "eight-bit floats to be multiplied by `conv_out.bias_scale`",
    ]);
    as_expected("tensors-of-unread-types");
}

/// The second half of a file that was reserved before it was loaded.
fn half(copy: &Copy) {
    let mut bytes = i2am_files::read(copy.path(UNET)).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle..].fill(0);
    copy.write(UNET, bytes);
}

#[test]
fn half_a_download_is_noticed() {
    let copy = Copy::new();
    half(&copy);
    let (code, text) = copy.inspect();
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("494 used, 0 missing, 0 wrong"), "{text}");
    assert!(
        text.contains("tensors are zero throughout or not finite, 20 of which"),
        "{text}"
    );
    assert!(
        text.contains("zero throughout, which the scales of a normalization never are"),
        "{text}"
    );
    let model =
        "name = \"pbe\"\nfamily = \"paint-by-example\"\ncheckpoint = \"model\"\nsize = [128, 96]";
    write_model_config(copy.folder(), SYNTH, model);
    for args in [
        &["check", "--config", "run.toml"][..],
        &["--config", "run.toml"],
    ] {
        let (code, text) = run(copy.folder(), args);
        assert_eq!(code, 1, "{text}");
        assert!(
            text.contains("zero throughout, which the scales of a normalization never are; a download may have stopped"),
            "{text}"
        );
    }
    as_expected("half-a-download");
}

#[test]
fn values_that_are_no_numbers_are_noticed() {
    const NAN: [u8; 2] = [0x00, 0x7e];
    const INFINITE: [u8; 2] = [0x00, 0x7c];
    for (name, value, all, words) in [
        (
            "mid_block.resnets.0.norm1.weight",
            NAN,
            false,
            "some of these scales of a normalization are not finite",
        ),
        (
            "mid_block.resnets.0.norm1.weight",
            INFINITE,
            false,
            "some of these scales of a normalization are not finite",
        ),
        (
            "mid_block.resnets.0.norm1.weight",
            NAN,
            true,
            "not finite throughout",
        ),
        (
            "mid_block.resnets.0.norm1.bias",
            NAN,
            true,
            "not finite throughout",
        ),
        ("conv_in.weight", INFINITE, true, "not finite throughout"),
    ] {
        let copy = Copy::new();
        let mut tensors = copy.tensors(UNET);
        let bytes = &mut tensors.all.get_mut(name).unwrap().2;
        let last = bytes.len() - 2;
        for (at, element) in bytes.chunks_mut(2).enumerate() {
            if all || 2 * at == last {
                element.copy_from_slice(&value);
            }
        }
        copy.write(UNET, tensors.bytes());
        let (code, text) = copy.inspect();
        assert_eq!(code, 0, "{text}");
        assert!(text.contains(name) && text.contains(words), "{text}");
        let model = "name = \"pbe\"\nfamily = \"paint-by-example\"\ncheckpoint = \"model\"\nsize = [128, 96]";
        write_model_config(copy.folder(), SYNTH, model);
        let (code, text) = run(copy.folder(), &["check", "--config", "run.toml"]);
        assert!(
            code == 1 && text.contains(name) && text.contains(words),
            "{text}"
        );
    }
    as_expected("weights-that-are-no-numbers");
}

/// Convolutions and biases that training starts at zero may stay there, and no committed checkpoint is suspected.
#[test]
fn what_may_be_zero_is_not_suspected() {
    let copy = Copy::new();
    let mut tensors = copy.tensors(UNET);
    for (name, (.., bytes)) in &mut tensors.all {
        if name.ends_with("bias") || name == "conv_out.weight" {
            bytes.fill(0);
        }
    }
    copy.write(UNET, tensors.bytes());
    copy.assert_whole(&[UNET]);
    for entry in i2am_files::sorted_entries(zoo("")).unwrap() {
        let is_checkpoint =
            entry.is_dir() || entry.extension().is_some_and(|end| end == "safetensors");
        if !is_checkpoint {
            continue;
        }
        let (code, text) = run(
            copy.folder(),
            &["inspect", entry.to_str().unwrap(), "--json"],
        );
        assert_eq!(code, 0, "{text}");
        let found: serde_json::Value = serde_json::from_str(text.trim()).unwrap();
        assert_eq!(found["damaged"], json!([]), "{}", entry.display());
    }
    as_expected("zeros-that-are-no-fault");
}
