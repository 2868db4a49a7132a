//! What a run refuses, `check` finds: one line for each fault, and the same message from both. `check` writes nothing.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use i2am_imaging::{GrayImage, RgbImage, write_png_gray, write_png_rgb};
use rayon::prelude::*;

use crate::common::{root, run, write_config};

/// A fault in one folder: what it is, how it gets there, the flags that it needs, the exit code, and words of the message.
struct Fault {
    name: &'static str,
    make: fn(&Path),
    flags: &'static [&'static str],
    code: i32,
    words: &'static [&'static str],
}

const fn fault(
    name: &'static str,
    make: fn(&Path),
    flags: &'static [&'static str],
    code: i32,
    words: &'static [&'static str],
) -> Fault {
    Fault {
        name,
        make,
        flags,
        code,
        words,
    }
}

/// A fault of a value, which a flag puts there.
const fn set(
    name: &'static str,
    flags: &'static [&'static str],
    words: &'static [&'static str],
) -> Fault {
    fault(name, nothing, flags, 2, words)
}

#[rustfmt::skip]
const FAULTS: &[Fault] = &[
    // The file.
    fault("no such file", nothing, &["--config", "none.toml"], 2, &["none.toml"]),
    fault("no TOML", |f| text(f, "run.toml", "name = "), &[], 2, &["run.toml", "line 1"]),
    fault("no model", |f| replace(f, "[[model]]", "[[modell]]"), &[], 2, &["run.toml", "model"]),
    set("schema version", &["--set", "schema_version=9"], &["schema_version", "expected 1", "found 9"]),
    set("name with a line break", &["--set", "name=\"a\\nb\""], &["name", "`a\\nb`", "line break"]),
    fault("configuration in UTF-16", |f| utf_16(f, "run.toml"), &[], 2, &["run.toml", "UTF-16", "save the file as UTF-8"]),
    fault("configuration in Latin-1", |f| bytes(f, "run.toml", b"schema_version = 1\n# caf\xe9\n"), &[], 2, &["run.toml", "line 2, character 6", "0xE9"]),
    set("name leaves the folder", &["--set", "name=../x"], &["name", "../x"]),
    set("unknown key", &["--set", "surprise=2"], &["surprise"]),
    set("unknown key of a table", &["--set", "attribution.surprise=2"], &["surprise"]),
    set("unknown key of a model", &["--set", "model.0.guidence=2"], &["guidence", "guidance"]),
    set("batch of none", &["--set", "model.0.batch=0"], &["model `pbe`: batch: expected a whole number of at least 1, found 0"]),
    set("batch that is no number", &["--set", "model.0.batch=many"], &["model `pbe`: batch:", "found a string"]),
    set("unknown task", &["--set", "task=inpaintin"], &["inpaintin", "did you mean `inpainting`"]),
    set("table without its task", &["--set", "detection.baselines=[]"], &["detection", "task"]),
    set("unknown defaults", &["--set", "defaults.modell.size=1"], &["modell", "model"]),
    set("set names nothing", &["--set", "model.7.size=1"], &["model.7", "1 entries"]),
    // The data set.
    set("unknown data set", &["--set", "dataset.kind=viton"], &["viton", "did you mean `viton-hd`"]),
    set("unknown key of the data set", &["--set", "dataset.splitt=test"], &["splitt"]),
    fault("no folder", nothing, &["--set", "dataset.root=nowhere"], 1, &["nowhere"]),
    fault("pairs in UTF-16", |f| utf_16(f, PAIRS), &[], 1, &["test_pairs.txt", "UTF-16", "save the file as UTF-8"]),
    fault("pairs in Latin-1", |f| bytes(f, PAIRS, b"00000_00.jpg 00000_00.jpg\r\n\xe9.jpg x.jpg\r\n"), &[], 1, &["test_pairs.txt", "line 2, character 1", "0xE9"]),
    fault("pairs with NUL bytes", |f| bytes(f, PAIRS, b"00000_00.jpg 00000_00.jpg\n\0\0\0"), &[], 1, &["test_pairs.txt", "line 2", "NUL"]),
    fault("pairs of one name", |f| text(f, PAIRS, "\u{feff}00000_00.jpg 00000_00.jpg\r\n\r\n00001_00.jpg\r\n"), &[], 1, &["test_pairs.txt: line 3", "found `00001_00.jpg`"]),
    fault("missing mask", |f| remove(f, "set/test/agnostic-mask/00001_00_mask.png"), &[], 1, &["1 of 2", "00001_00_mask.png"]),
    fault("missing reference", |f| remove(f, "set/test/cloth/00000_00.jpg"), &[], 1, &["1 of 2", "cloth/00000_00.jpg"]),
    fault("mask of another size", small_mask, &[], 4, &["00001", "128 x 96", "found 64 x 48"]),
    fault("mask that is no image", |f| text(f, MASK, "no image"), &[], 4, &["00001", "00001_00_mask.png"]),
    fault("mask that is cut off", |f| cut(f, MASK), &[], 4, &["00001_00_mask.png", "the file is cut off after 100 bytes"]),
    fault("picture that is cut off", |f| cut(f, "set/test/image/00001_00.jpg"), &[], 4, &["image/00001_00.jpg", "cut off before the end-of-image marker"]),
    fault("mask of zeros and ones", |f| mask(f, 1, false), &[], 1, &["00001_00_mask.png", "highest level 1,", "mask_levels = \"binary\""]),
    fault("mask of the lower half", |f| mask(f, 127, false), &[], 1, &["highest level 127,", "expected a mask that is white (level 255)"]),
    fault("mask of 16 bits and a white of 8", |f| mask(f, 255, true), &[], 1, &["highest level 255,", "white (level 65535)"]),
    fault("reference mask of zeros and ones", reference_mask, &[], 1, &["part `reference_mask`", "highest level 1,"]),
    set("unknown levels of masks", &["--set", "dataset.mask_levels=half"], &["half", "`full` or `binary`"]),
    set("unknown channel of masks", &["--set", "dataset.mask_channel=red"], &["red", "`gray` or `alpha`"]),
    set("unknown polarity of masks", &["--set", "dataset.mask_polarity=black"], &["black", "`direct` or `inverted`"]),
    fault("pictures above the limit", nothing, &["--set", "max_megapixels=0"], 4, &["at most 0 megapixels, the limit `max_megapixels`"]),
    fault("sample name that no file can have", |f| text(f, "set/test_pairs.txt", &format!("{0}.jpg {0}.jpg", "é".repeat(60))), &[], 2, &["sample `éé", "a file name of 360 bytes"]),
    fault("sample names in capital and small letters", |f| text(f, "set/test_pairs.txt", "a.jpg a.jpg\nA.jpg A.jpg"), &[], 2, &["samples `A` and `a`"]),
    fault("reference that is no image", |f| text(f, "set/test/cloth/00001_00.jpg", "no image"), &[], 4, &["cloth/00001_00.jpg"]),
    // The models.
    set("unknown family", &["--set", "model.0.family=paint-by-exampel"], &["paint-by-exampel", "`paint-by-example`"]),
    set("model name with a line break", &["--set", "model.0.name=\"a\\nb\""], &["model.name", "`a\\nb`", "line break"]),
    fault("model name that no file can have", |f| replace(f, "name = \"pbe\"", &format!("name = \"{}\"", "x".repeat(300))), &[], 2, &["model.name", "300 bytes"]),
    fault("model names in capital and small letters", |f| second_model(f, "PBE"), &[], 2, &["models `pbe` and `PBE`"]),
    set("model name is a path", &["--set", "model.0.name=a/b"], &["model.name", "a/b"]),
    fault("no checkpoint", nothing, &["--set", "model.0.checkpoint=nowhere"], 1, &["nowhere"]),
    fault("checkpoint of nothing", |f| text(f, "junk.ckpt", "junk"), &["--set", "model.0.checkpoint=junk.ckpt"], 1, &["junk.ckpt"]),
    fault("checkpoint of another family", nothing, &["--set", "model.0.family=stable-viton", "--set", "model.0.start=noise"], 2, &["stable-viton"]),
    fault("missing shard", missing_shard, OWN_MODEL, 1, &["unet", "expected 1 shards, missing a.safetensors"]),
    fault("link to nothing", dangling_link, OWN_MODEL, 1, &["unet", "a link to gone, which is not there"]),
    fault("several variants", several_variants, OWN_MODEL, 1, &["vae", "found the variants bf16, fp16"]),
    fault("half a download", half_a_download, OWN_MODEL, 1, &["unet/diffusion_pytorch_model.safetensors", "(and 19 more)", "zero throughout"]),
    fault("heads of a checkpoint", |f| unet_config(f, "\"attention_head_dim\": 2", "\"attention_head_dim\": 0"), OWN_MODEL, 1, &["unet/config.json", "attention_head_dim", "found 0"]),
    fault("groups of a checkpoint", |f| unet_config(f, "\"norm_num_groups\": 4", "\"norm_num_groups\": 5"), OWN_MODEL, 1, &["unet/config.json", "norm_num_groups", "found 5"]),
    set("heads of a setting", &["--set", "model.0.unet_heads=5"], &["model.unet_heads", "found 5"]),
    set("no heads", &["--set", "model.0.clip_heads=0"], &["model.clip_heads", "found 0"]),
    fault("no such variant", nothing, &["--set", "model.0.variant=bf16"], 1, &["the variant `bf16`, found none"]),
    set("steps that cannot be spaced", &["--set", "model.0.sampler.steps=3"], &["sampler.steps = 3"]),
    set("no steps", &["--set", "model.0.sampler.steps=0"], &["expected 1 to 1000"]),
    set("size", &["--set", "model.0.size=[100, 96]"], &["multiples of 16", "[100, 96]"]),
    set("unknown sampler", &["--set", "model.0.sampler.kind=euler"], &["euler"]),
    fault("device", nothing, &["--device", "cuda:9"], 1, &["cuda:9"]),
    set("device name", &["--device", "gpu"], &["--device gpu", "cpu, cuda:N or cuda:all"]),
    set("no threads", &["--threads", "0"], &["--threads"]),
    // What is recorded and scored.
    set("more groups than steps", &["--set", "attribution.time_groups=5"], &["time_groups", "found 5"]),
    set("convention", &["--set", "attribution.convention=spacial"], &["spacial"]),
    set("specific layer that is not there", &["--set", "attribution.capture.specific=[\"warp_flow_blks.9\"]"], &["warp_flow_blks.9"]),
    set("specific without layers", &["--set", "attribution.specific.generated.points=[[0.5, 0.5]]"], &["attribution.specific", "layers"]),
    set("specific point outside", &["--set", "attribution.specific.generated.points=[[1.5, 0.5]]"], &["specific.generated.points", "1.5"]),
    set("locality radii", &["--set", "attribution.locality.radii=[2, 1]"], &["attribution.locality.radii", "[2, 1]"]),
    set("rule for no model", &["--set", "intervene.forbid=[{model = \"x\", reference = { boxes = [[0.0, 0.0, 1.0, 1.0]] }}]"], &["intervene"]),
    set("boxes without objects", &["--set", "task=detection"], &["detection", "knows no boxes"]),
    // Metrics and statistics.
    set("unknown metric", &["--set", "metric.fidd.mode=clean"], &["fidd", "did you mean `fid`"]),
    set("unknown variant", &["--set", "metric.ssim.variant=grey"], &["grey"]),
    set("setting of a metric", &["--set", "metric.kid.subsets=0"], &["subsets"]),
    fault("missing backbone", nothing, &["--set", "metric.lpips.net=alex"], 1, &["lpips-alex", "scripts/setup --weights lpips"]),
    set("unknown method", &["--set", "statistics.methods=[\"pearsen\"]"], &["pearsen", "pearson"]),
    set("no resamples", &["--set", "statistics.resamples=0"], &["resamples", "at least 1"]),
    set("level of a statistic", &["--set", "statistics.level=95"], &["level", "found 95"]),
    set("level of a map", &["--set", "statistics.levels=[\"unifed\"]"], &["unifed"]),
    set("page", &["--set", "page.max_megabytes=0"], &["max_megabytes"]),
    // The output.
    fault("output below a file", |f| text(f, "file", ""), &["--set", "output=file/out"], 1, &["file/out"]),
    fault("output of something else", |f| text(f, "out/notes.txt", "mine"), &[], 1, &["out"]),
    fault("output of another run", other_run, &[], 1, &["out", "seed"]),
];

const PAIRS: &str = "set/test_pairs.txt";
const MASK: &str = "set/test/agnostic-mask/00001_00_mask.png";

const OWN_MODEL: &[&str] = &["--set", "model.0.checkpoint=model"];

/// A copy of the committed checkpoint next to the configuration; gives the place of the UNet's weights.
fn own_model(folder: &Path) -> PathBuf {
    copy(
        &root().join("datasets/zoo/paint-by-example"),
        &folder.join("model"),
    );
    folder.join("model/unet/diffusion_pytorch_model.safetensors")
}

fn missing_shard(folder: &Path) {
    std::fs::remove_file(own_model(folder)).unwrap();
    let index = "model/unet/diffusion_pytorch_model.safetensors.index.json";
    text(
        folder,
        index,
        r#"{"weight_map": {"conv_in.weight": "a.safetensors"}}"#,
    );
}

fn dangling_link(folder: &Path) {
    let weights = own_model(folder);
    std::fs::remove_file(&weights).unwrap();
    std::os::unix::fs::symlink("gone", weights).unwrap();
}

fn several_variants(folder: &Path) {
    own_model(folder);
    let of = |variant: &str| {
        folder.join(format!(
            "model/vae/diffusion_pytorch_model{variant}.safetensors"
        ))
    };
    std::fs::copy(of(""), of(".bf16")).unwrap();
    std::fs::rename(of(""), of(".fp16")).unwrap();
}

/// A file that was reserved in full, whose second half never came.
fn half_a_download(folder: &Path) {
    let weights = own_model(folder);
    let mut bytes = i2am_files::read(&weights).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle..].fill(0);
    i2am_files::write_atomic(weights, bytes).unwrap();
}

fn unet_config(folder: &Path, old: &str, new: &str) {
    own_model(folder);
    let name = "model/unet/config.json";
    let before = std::fs::read_to_string(folder.join(name)).unwrap();
    assert!(before.contains(old));
    text(folder, name, &before.replace(old, new));
}

fn nothing(_folder: &Path) {}

pub(crate) fn text(folder: &Path, name: &str, text: &str) {
    bytes(folder, name, text.as_bytes());
}

fn bytes(folder: &Path, name: &str, bytes: &[u8]) {
    i2am_files::write_atomic(folder.join(name), bytes).unwrap();
}

/// The same text as Notepad saves it under the name Unicode.
fn utf_16(folder: &Path, name: &str) {
    let before = std::fs::read_to_string(folder.join(name)).unwrap();
    let units = format!("\u{feff}{before}");
    let units: Vec<u8> = units.encode_utf16().flat_map(u16::to_le_bytes).collect();
    bytes(folder, name, &units);
}

fn replace(folder: &Path, old: &str, new: &str) {
    let before = std::fs::read_to_string(folder.join("run.toml")).unwrap();
    assert!(before.contains(old));
    text(folder, "run.toml", &before.replace(old, new));
}

fn remove(folder: &Path, name: &str) {
    std::fs::remove_file(folder.join(name)).unwrap();
}

/// Leaves the first bytes of a file.
fn cut(folder: &Path, name: &str) {
    let bytes = std::fs::read(folder.join(name)).unwrap();
    i2am_files::write_atomic(folder.join(name), &bytes[..100]).unwrap();
}

/// A mask with a box of this level, 0 elsewhere; its levels have 16 bits if `is_wide`, else 8.
fn mask(folder: &Path, level: u8, is_wide: bool) {
    let level_at = |x, y| u8::from((20..60).contains(&x) && (30..90).contains(&y)) * level;
    if is_wide {
        let level = |x, y| image::Luma([u16::from(level_at(x, y))]);
        let mask = image::ImageBuffer::from_fn(96, 128, level);
        let mask = image::DynamicImage::ImageLuma16(mask);
        mask.save(folder.join(MASK)).unwrap();
    } else {
        let mask = GrayImage::from_fn(96, 128, |x, y| image::Luma([level_at(x, y)]));
        write_png_gray(folder.join(MASK), &mask).unwrap();
    }
}

/// A PNG of levels 0 and 1 under the name that the data set has for it.
fn reference_mask(folder: &Path) {
    let path = folder.join("set/test/cloth-mask/00001_00.jpg");
    let mask = GrayImage::from_fn(96, 128, |x, _| image::Luma([u8::from(x > 40)]));
    write_png_gray(path, &mask).unwrap();
}

/// A second model, called `name`, that is the first one.
fn second_model(folder: &Path, name: &str) {
    let text_of = std::fs::read_to_string(folder.join("run.toml")).unwrap();
    let (start, rest) = text_of.split_once("[[model]]").unwrap();
    let (model, end) = rest.split_once("[attribution]").unwrap();
    let second = model.replace("\"pbe\"", &format!("\"{name}\""));
    let whole = format!("{start}[[model]]{model}[[model]]{second}[attribution]{end}");
    text(folder, "run.toml", &whole);
}

fn small_mask(folder: &Path) {
    let mask = GrayImage::from_pixel(48, 64, image::Luma([255]));
    write_png_gray(folder.join(MASK), &mask).unwrap();
}

/// What a run with another seed leaves before its first sample is done.
fn other_run(folder: &Path) {
    let blank = RgbImage::new(8, 8);
    write_png_rgb(folder.join("set/test/image/unread.png"), &blank).unwrap();
    let flags = ["--config", "run.toml", "--set", "seed=99", "--limit", "0"];
    let (code, text) = run(folder, &flags);
    assert_eq!(code, 0, "{text}");
}

/// Two samples in VITON-HD's layout and a configuration for them.
fn folder(set: &Path) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    write_config(folder.path(), "kind = \"viton-hd\"\nroot = \"set\"");
    copy(set, &folder.path().join("set"));
    // No backbone of a metric is found from here.
    i2am_files::create_dir(folder.path().join(".weights")).unwrap();
    let inception = root().join(".weights/fid-inception-2015-12-05.pt");
    if inception.exists() {
        std::os::unix::fs::symlink(
            inception,
            folder.path().join(".weights/fid-inception-2015-12-05.pt"),
        )
        .unwrap();
    }
    folder
}

pub(crate) fn copy(from: &Path, to: &Path) {
    i2am_files::create_dir(to).unwrap();
    for entry in i2am_files::sorted_entries(from).unwrap() {
        let target = to.join(entry.file_name().unwrap());
        if entry.is_dir() {
            copy(&entry, &target);
        } else {
            std::fs::copy(&entry, &target).unwrap();
        }
    }
}

/// Every file below `folder` with its size and time.
fn listing(folder: &Path) -> BTreeMap<PathBuf, (u64, std::time::SystemTime)> {
    let mut found = BTreeMap::new();
    for entry in i2am_files::sorted_entries(folder).unwrap() {
        if entry.is_dir() {
            found.extend(listing(&entry));
        } else {
            let metadata = entry.symlink_metadata().unwrap();
            found.insert(entry, (metadata.len(), metadata.modified().unwrap()));
        }
    }
    found
}

/// What both say: the lines with a reason, without what a run adds about its stages.
fn reasons(text: &str) -> Vec<&str> {
    let mut found: Vec<&str> = text
        .lines()
        .filter(|line| line.contains("ERROR") || line.contains("WARN") || line.starts_with("error"))
        .collect();
    found.sort_unstable();
    found.dedup();
    found
}

#[test]
fn check_finds_what_a_run_refuses_in_the_same_words() {
    assert!(FAULTS.len() >= 40);
    let set = tempfile::tempdir().unwrap();
    let args = ["synth", "--out", "set", "--count", "2", "--seed", "5"];
    let (code, said) = run(set.path(), &args);
    assert_eq!(code, 0, "{said}");
    let problems: Vec<String> = FAULTS
        .par_iter()
        .filter_map(|fault| problem(fault, &set.path().join("set")).err())
        .collect();
    assert!(problems.is_empty(), "{}", problems.join("\n\n"));
}

fn problem(fault: &Fault, set: &Path) -> Result<(), String> {
    let Fault {
        name,
        make,
        flags,
        code,
        words,
    } = fault;
    let folder = folder(set);
    make(folder.path());
    let config: &[&str] = if flags.contains(&"--config") {
        &[]
    } else {
        &["--config", "run.toml"]
    };
    let before = listing(folder.path());
    let checked = run(folder.path(), &[&["check"], config, flags].concat());
    if listing(folder.path()) != before {
        return Err(format!("{name}: check wrote something"));
    }
    let ran = run(folder.path(), &[config, flags].concat());
    if (checked.0, ran.0) != (*code, *code) {
        let [(check, said), (run, ran)] = [checked, ran];
        return Err(format!(
            "{name}: expected {code}, check gave {check}, the run {run}\n--- check\n{said}\n--- run\n{ran}"
        ));
    }
    let said = reasons(&checked.1);
    if let Some(word) = words.iter().find(|word| !checked.1.contains(**word)) {
        return Err(format!("{name}: expected `{word}` in\n{}", checked.1));
    }
    let missing: Vec<&&str> = said.iter().filter(|line| !ran.1.contains(**line)).collect();
    if said.is_empty() || !missing.is_empty() {
        return Err(format!(
            "{name}: check says {said:?}, which the run does not:\n{}",
            ran.1
        ));
    }
    Ok(())
}
