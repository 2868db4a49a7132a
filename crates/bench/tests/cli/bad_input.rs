//! Bad input: one clear line, the right exit code, nothing lost.

use crate::common::{SYNTH, root, run, write_config};
use i2am_imaging::{GrayImage, write_png_gray, write_png_rgb};

/// Runs `args` on a fresh configuration over the synthetic set and expects `code` and every one of `words`.
fn refused(args: &[&str], code: i32, words: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    write_config(folder.path(), SYNTH);
    expect(folder.path(), args, code, words);
}

fn expect(folder: &std::path::Path, args: &[&str], code: i32, words: &[&str]) {
    let (found, text) = run(folder, args);
    assert_eq!(found, code, "{text}");
    for word in words {
        assert!(text.contains(word), "expected `{word}` in: {text}");
    }
}

#[test]
fn unknown_key_is_refused_by_name_and_line() {
    let folder = tempfile::tempdir().unwrap();
    write_config(folder.path(), &format!("{SYNTH}\nsplitt = \"test\""));
    expect(
        folder.path(),
        &["check", "--config", "run.toml"],
        2,
        &["run.toml", "splitt", "line 13"],
    );
    refused(
        &[
            "check",
            "--config",
            "run.toml",
            "--set",
            "model.0.guidence=2",
        ],
        2,
        &["guidence", "guidance"],
    );
    refused(
        &["check", "--config", "run.toml", "--set", "surprise=2"],
        2,
        &["surprise"],
    );
}

#[test]
fn unknown_kinds_are_answered_with_the_closest() {
    refused(
        &[
            "check",
            "--config",
            "run.toml",
            "--set",
            "dataset.kind=viton",
        ],
        2,
        &["`viton-hd`"],
    );
    refused(
        &[
            "check",
            "--config",
            "run.toml",
            "--set",
            "model.0.family=paint-by-exampel",
        ],
        2,
        &["`paint-by-example`"],
    );
}

#[test]
fn step_counts_that_cannot_work() {
    refused(
        &["--config", "run.toml", "--set", "model.0.sampler.steps=3"],
        2,
        &["sampler.steps = 3", "4 works"],
    );
    refused(
        &["--config", "run.toml", "--set", "model.0.sampler.steps=0"],
        2,
        &["expected 1 to 1000"],
    );
    refused(
        &["--config", "run.toml", "--set", "attribution.time_groups=5"],
        2,
        &["time_groups", "found 5"],
    );
}

#[test]
fn sizes_that_cannot_work() {
    refused(
        &["--config", "run.toml", "--set", "model.0.size=[100, 96]"],
        2,
        &["model.size", "multiples of 16", "[100, 96]"],
    );
}

/// A name that no layer has, and a layer without a map to keep: `check` finds them, not the first sample.
#[test]
fn layers_whose_maps_cannot_be_kept() {
    for (layer, reason) in [
        ("nothing", "no such layer; the model has"),
        (
            "up_blocks.1.attentions.0.transformer_blocks.0.attn2",
            "its reference is pooled",
        ),
    ] {
        let set = format!("attribution.capture.specific=[\"{layer}\"]");
        for command in [&["check", "--config"][..], &["--config"]] {
            let args = [command, &["run.toml", "--set", &set]].concat();
            refused(&args, 2, &["attribution.specific", layer, reason]);
        }
    }
}

#[test]
fn missing_configuration_and_checkpoint() {
    refused(&["--config", "none.toml"], 2, &["none.toml"]);
    refused(
        &[
            "--config",
            "run.toml",
            "--set",
            "model.0.checkpoint=nowhere",
        ],
        1,
        &["nowhere"],
    );
}

#[test]
fn missing_file_in_a_viton_hd_folder_is_found_before_the_run() {
    let folder = tempfile::tempdir().unwrap();
    write_config(folder.path(), "kind = \"viton-hd\"\nroot = \"set\"");
    let (code, text) = run(
        folder.path(),
        &["synth", "--out", "set", "--count", "2", "--seed", "5"],
    );
    assert_eq!(code, 0, "{text}");
    std::fs::remove_file(
        folder
            .path()
            .join("set/test/agnostic-mask/00001_00_mask.png"),
    )
    .unwrap();
    expect(
        folder.path(),
        &["--config", "run.toml"],
        1,
        &["00001_00", "mask", "00001_00_mask.png"],
    );
    assert!(!folder.path().join("out").exists(), "nothing was started");
}

/// `bench check` of a tree in Dress Code's layout: first whole, then without one mask, then without its lists of pairs.
#[test]
fn a_dresscode_folder_is_checked() {
    let folder = tempfile::tempdir().unwrap();
    write_config(
        folder.path(),
        "kind = \"dresscode\"\nroot = \"set\"\ncategory = \"dresses\"",
    );
    let dresses = folder.path().join("set/dresses");
    for index in 0..2 {
        let drawn = i2am_synth::render(5, index, 64, 48);
        let path = |file: String| dresses.join(file);
        let images = [(0, &drawn.person), (1, &drawn.garment)];
        for (kind, picture) in images {
            write_png_rgb(path(format!("images/{index:06}_{kind}.jpg")), picture).unwrap();
        }
        let mask = path(format!("agnostic_masks/{index:06}_0.png"));
        write_png_gray(mask, &drawn.agnostic_mask).unwrap();
    }
    let pairs = "000000_0.jpg 000000_1.jpg\n000001_0.jpg 000001_1.jpg\n";
    let list = dresses.join("test_pairs_paired.txt");
    i2am_files::write_atomic(&list, pairs).unwrap();
    let check = ["check", "--config", "run.toml"];
    let (code, text) = run(folder.path(), &check);
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("dresscode"), "{text}");

    std::fs::remove_file(dresses.join("agnostic_masks/000001_0.png")).unwrap();
    expect(
        folder.path(),
        &check,
        1,
        &[
            "mask",
            "1 of 2 files missing",
            "agnostic_masks/000001_0.png",
        ],
    );
    std::fs::remove_file(list).unwrap();
    expect(folder.path(), &check, 1, &["test_pairs_paired.txt"]);
    let category = ["--set", "dataset.category=shoes"];
    expect(
        folder.path(),
        &[&check[..], &category].concat(),
        2,
        &["shoes", "upper_body"],
    );
}

/// The committed configuration with a second model of another family on the same small networks.
fn with_dci_vton(folder: &std::path::Path, dataset: &str, data: &str) {
    write_config(folder, dataset);
    let path = folder.join("run.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    let checkpoint = root().join("datasets/zoo/paint-by-example");
    let model = format!(
        "[[model]]\nname = \"dci\"\nfamily = \"dci-vton\"\ncheckpoint = \"{}\"\ndata = \"{data}\"\nsize = [128, 128]\n\
         [model.sampler]\nkind = \"plms\"\nsteps = 2\n\n[attribution]",
        checkpoint.display()
    );
    let text = text.replace("[attribution]", &model);
    i2am_files::write_atomic(path, text).unwrap();
}

/// A folder good for one model may lack something for another: everything that is missing is told at once, by model.
#[test]
fn missing_parts_are_told_by_model_before_the_run() {
    let folder = tempfile::tempdir().unwrap();
    with_dci_vton(folder.path(), "kind = \"viton-hd\"\nroot = \"set\"", "v1");
    let args = ["synth", "--out", "set", "--count", "2", "--seed", "5"];
    let (code, text) = run(folder.path(), &args);
    assert_eq!(code, 0, "{text}");
    let test = folder.path().join("set/test");
    let check = |code: i32, words: &[&str]| {
        expect(
            folder.path(),
            &["check", "--config", "run.toml"],
            code,
            words,
        );
    };
    check(0, &["pbe, dci"]);
    std::fs::remove_dir_all(test.join("image-parse-agnostic-v3.2")).unwrap();
    let one = "model `dci` (dci-vton) needs part `agnostic_parse`: 2 of 2 files missing, first set/test/image-parse-agnostic-v3.2/00000_00.png";
    check(1, &[one]);
    std::fs::remove_file(test.join("cloth-warp/00001_00.jpg")).unwrap();
    std::fs::remove_file(test.join("cloth/00001_00.jpg")).unwrap();
    check(
        1,
        &[
            one,
            "model `pbe` (paint-by-example) needs part `reference`: 1 of 2 files missing, first set/test/cloth/00001_00.jpg",
            "model `dci` (dci-vton) needs part `reference`: 1 of 2",
            "model `dci` (dci-vton) needs part `warped`: 1 of 2 files missing, first set/test/cloth-warp/00001_00.jpg",
        ],
    );
    assert!(!folder.path().join("out").exists(), "nothing was started");
}

/// What no model of the run reads need not be there.
#[test]
fn a_folder_needs_only_what_the_models_read() {
    let folder = tempfile::tempdir().unwrap();
    with_dci_vton(folder.path(), "kind = \"viton-hd\"\nroot = \"set\"", "v2");
    let args = ["synth", "--out", "set", "--count", "1", "--seed", "5"];
    assert_eq!(run(folder.path(), &args).0, 0);
    let test = folder.path().join("set/test");
    for unread in [
        "image-parse-agnostic-v3.2",
        "image-densepose",
        "agnostic-v3.2",
        "unpaired-cloth-warp",
    ] {
        std::fs::remove_dir_all(test.join(unread)).unwrap();
    }
    // Read by no model of the run, so that damage does no harm.
    i2am_files::write_atomic(test.join("image-densepose/00000_00.jpg"), "no picture").unwrap();
    expect(
        folder.path(),
        &["--config", "run.toml"],
        0,
        &["dci", "IMACS_g"],
    );
    let picture = folder.path().join("out/images/dci/00000_00.png");
    let picture = i2am_imaging::read_rgb(picture).unwrap();
    assert_eq!(picture.dimensions(), (96, 128));
    assert!(
        folder
            .path()
            .join("out/attention/dci/00000_00.safetensors")
            .is_file()
    );
}

#[test]
fn unpaired_runs_read_the_unpaired_garments() {
    let folder = tempfile::tempdir().unwrap();
    let dataset = "kind = \"viton-hd\"\nroot = \"set\"\npairing = \"unpaired\"";
    with_dci_vton(folder.path(), dataset, "v1");
    let args = ["synth", "--out", "set", "--count", "2", "--seed", "5"];
    assert_eq!(run(folder.path(), &args).0, 0);
    std::fs::remove_dir_all(folder.path().join("set/test/cloth-warp")).unwrap();
    expect(folder.path(), &["--config", "run.toml"], 0, &["dci"]);
    let picture = folder.path().join("out/images/dci/00000_00_00001_00.png");
    assert!(picture.is_file());
}

#[test]
fn unwritable_output_is_found_before_the_run() {
    let folder = tempfile::tempdir().unwrap();
    write_config(folder.path(), SYNTH);
    i2am_files::write_atomic(folder.path().join("file"), b"not a folder").unwrap();
    expect(
        folder.path(),
        &["--config", "run.toml", "--set", "output=file/out"],
        1,
        &["file/out"],
    );
}

/// Writes a data set of our own with two samples, of which the first gets `mask`.
fn manifest(folder: &std::path::Path, mask: &GrayImage) {
    write_config(folder, "kind = \"manifest\"\nfile = \"list.csv\"");
    let (code, text) = run(
        folder,
        &["synth", "--out", "set", "--count", "2", "--seed", "5"],
    );
    assert_eq!(code, 0, "{text}");
    write_png_gray(folder.join("mask.png"), mask).unwrap();
    let line = |id: &str, mask: &str| {
        format!("{id},set/test/image/{id}_00.jpg,{mask},set/test/cloth/{id}_00.jpg\n")
    };
    let list = format!(
        "id,image,mask,reference\n{}{}",
        line("00000", "mask.png"),
        line("00001", "set/test/agnostic-mask/00001_00_mask.png")
    );
    i2am_files::write_atomic(folder.join("list.csv"), list.as_bytes()).unwrap();
}

#[test]
fn empty_mask_has_an_empty_score_with_a_reason() {
    let folder = tempfile::tempdir().unwrap();
    manifest(folder.path(), &GrayImage::new(96, 128));
    expect(folder.path(), &["--config", "run.toml"], 0, &["IMACS_g"]);
    let rows = std::fs::read_to_string(folder.path().join("out/samples.csv")).unwrap();
    let unified: Vec<&str> = rows
        .lines()
        .filter(|row| row.contains(",unified,imacs_g,"))
        .collect();
    assert!(unified[0].contains(",imacs_g,2,,empty,"), "{}", unified[0]);
    assert!(unified[1].contains(",ok,"), "{}", unified[1]);
    assert!(!rows.contains("NaN"));
}

#[test]
fn mask_of_another_size_fails_its_sample_and_no_other() {
    let folder = tempfile::tempdir().unwrap();
    manifest(
        folder.path(),
        &GrayImage::from_pixel(48, 64, image::Luma([255])),
    );
    expect(
        folder.path(),
        &["--config", "run.toml"],
        4,
        &["00000", "64", "128"],
    );
    let rows = std::fs::read_to_string(folder.path().join("out/samples.csv")).unwrap();
    assert!(
        rows.lines()
            .any(|row| row.contains(",00001,") && row.contains(",unified,imacs_g,2,"))
    );
}
