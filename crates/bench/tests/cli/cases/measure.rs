//! Lists, tables, statistics and folders handed to `measure` and `correlate`.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use i2am_testkit::skipped;
use serde_json::Value;
use zip::write::SimpleFileOptions;

use super::as_expected;
use crate::common::{SYNTH, bench, root, run, write_config};

/// The folder with the files of the case `name`.
fn case(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/cases")
        .join(name)
}

/// Runs in the checkout, whose weights are found from there.
fn ran(args: &[&str]) -> (i32, String) {
    run(&root(), args)
}

/// `measure` of two sides.
fn measure(generated: &Path, real: &Path, more: &[&str]) -> (i32, String) {
    let sides = [generated, real].map(|side| side.to_str().unwrap());
    let args = ["measure", "--generated", sides[0], "--real", sides[1]];
    ran(&[&args[..], more].concat())
}

/// The object that `--json` prints.
#[track_caller]
fn json((code, text): (i32, String)) -> Value {
    assert_eq!(code, 0, "{text}");
    let line = text.lines().find(|line| line.starts_with('{')).unwrap();
    serde_json::from_str(line).unwrap()
}

#[track_caller]
fn says((code, text): &(i32, String), expected: i32, words: &[&str]) {
    assert_eq!(*code, expected, "{text}");
    for word in words {
        assert!(text.contains(word), "expected `{word}` in: {text}");
    }
}

/// Whether a test of FID can run; says so if not.
fn has_inception() -> bool {
    let weights = root().join(".weights/fid-inception-2015-12-05.pt").exists();
    if !weights {
        skipped("no weights of Inception: scripts/setup fetches them");
    }
    weights
}

/// `bench check` of a configuration of the case, with the committed checkpoint.
fn check(config: &Path) -> (i32, String) {
    let scratch = tempfile::tempdir().unwrap();
    let checkpoint = root().join("datasets/zoo/paint-by-example");
    let checkpoint = format!("model.0.checkpoint=\"{}\"", checkpoint.display());
    let output = format!("output=\"{}/out\"", scratch.path().display());
    let config = config.to_str().unwrap();
    let args = ["check", "--config", config, "--set", &checkpoint];
    ran(&[&args[..], &["--set", &output]].concat())
}

#[test]
fn pairs_with_byte_order_mark() {
    let (code, text) = check(&case("pairs-with-byte-order-mark").join("run.toml"));
    assert_eq!(code, 0, "{text}");
    assert!(
        text.contains("1 samples") || text.contains("1 sample"),
        "{text}"
    );
    as_expected("pairs-with-byte-order-mark");
}

#[test]
fn windows_text_files() {
    let folder = case("windows-text-files");
    let [generated, real] = ["gen.txt", "real.txt"].map(|name| folder.join(name));
    let found = json(measure(&generated, &real, &["--metric", "psnr", "--json"]));
    let psnr = &found["metrics"][0];
    assert_eq!(psnr["n_generated"], 3);
    assert!((psnr["value"].as_f64().unwrap() - 32.524_878).abs() < 1e-5);
    let (code, text) = check(&folder.join("coco.toml"));
    assert_eq!(code, 0, "{text}");
    as_expected("windows-text-files");
}

#[test]
fn try_on_names_and_sizes() {
    let folder = case("try-on-names-and-sizes");
    let [generated, same, real] = ["generated", "same-names", "real"].map(|name| folder.join(name));
    let ssim = ["--metric", "ssim"];
    says(
        &measure(&generated, &real, &ssim),
        1,
        &["`00000_00` has no counterpart", "two lists (.txt)"],
    );
    says(
        &measure(&same, &real, &ssim),
        1,
        &[
            "generated 64 x 48, real 128 x 96",
            "--resize pillow-bicubic",
        ],
    );
    let resized = ["--metric", "ssim", "--resize", "pillow-bicubic", "--json"];
    let by_name = json(measure(&same, &real, &resized));
    let found = &by_name["metrics"][0];
    assert_eq!(found["n_generated"], 4);
    assert_eq!(
        found["notes"][0],
        "4 of 4 pairs differ in size: the real picture was resized (pillow-bicubic)"
    );

    let lists = tempfile::tempdir().unwrap();
    let list = |side: &Path| {
        let files = i2am_files::sorted_entries(side).unwrap();
        let lines = files.iter().map(|file| format!("{}\r\n", file.display()));
        let path = lists
            .path()
            .join(side.file_name().unwrap())
            .with_extension("txt");
        i2am_files::write_atomic(&path, lines.collect::<String>()).unwrap();
        path
    };
    let by_list = json(measure(&list(&generated), &list(&real), &resized));
    assert_eq!(by_list["metrics"][0]["value"], found["value"]);

    let other = [&resized[..], &["--resize-side", "generated"]].concat();
    let enlarged = json(measure(&same, &real, &other));
    assert_ne!(enlarged["metrics"][0]["value"], found["value"]);
    says(
        &measure(
            &same,
            &real,
            &["--metric", "fid", "--resize", "pillow-bicubic"],
        ),
        if root().join(".weights").exists() {
            2
        } else {
            1
        },
        &[],
    );
    as_expected("try-on-names-and-sizes");
}

/// FID of `file` and the case's `real.npz`.
fn fid(file: &Path) -> (i32, String) {
    let real = case("statistics-of-other-tools").join("real.npz");
    measure(file, &real, &["--metric", "fid", "--tap", "64"])
}

#[test]
fn statistics_of_other_tools() {
    if !has_inception() {
        return;
    }
    let folder = case("statistics-of-other-tools");
    let of = |name: &str| fid(&folder.join(name));
    for name in ["plain.npz", "big-endian.npz", "UPPER.NPZ"] {
        says(&of(name), 0, &["11.267663"]);
    }
    says(&of("half.npz"), 0, &["16-bit floats", "11.2"]);
    says(
        &of("object.npz"),
        1,
        &[
            "object.npz: array `mu`: expected floats of 16, 32 or 64 bits, found Python objects (`|O`)",
        ],
    );
    says(
        &of("nan.npz"),
        1,
        &["nan.npz: array `mu`: expected finite numbers, found NaN at [3] (1 such)"],
    );
    as_expected("statistics-of-other-tools");
}

/// An `.npy` member of 64-bit floats.
fn npy(shape: &str, values: &[f64]) -> Vec<u8> {
    let mut bytes = npy_head(shape);
    bytes.extend(values.iter().flat_map(|value| value.to_le_bytes()));
    bytes
}

fn npy_head(shape: &str) -> Vec<u8> {
    let head = format!("{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}\n");
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((head.len() as u16).to_le_bytes());
    bytes.extend(head.as_bytes());
    bytes
}

/// An archive of these arrays, compressed.
fn npz(path: &Path, members: &[(&str, &[u8])]) {
    let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default();
    for (name, bytes) in members {
        archive.start_file(format!("{name}.npy"), options).unwrap();
        archive.write_all(bytes).unwrap();
    }
    let bytes = archive.finish().unwrap().into_inner();
    i2am_files::write_atomic(path, bytes).unwrap();
}

/// A covariance of 64 channels.
fn unit() -> Vec<f64> {
    (0..64 * 64)
        .map(|index| f64::from(u8::from(index % 65 == 0)))
        .collect()
}

#[test]
fn statistics_that_do_not_fit_are_refused_by_array_and_place() {
    if !has_inception() {
        return;
    }
    let scratch = tempfile::tempdir().unwrap();
    let path = scratch.path().join("s.npz");
    let mu = npy("(64,)", &[0.0; 64]);
    let sigma = npy("(64, 64)", &unit());
    let with = |place: usize, value: f64| {
        let mut values = unit();
        values[place] = value;
        npy("(64, 64)", &values)
    };
    let mut two = unit();
    (two[1], two[64]) = (2.0, 2.0);
    for (members, problem) in [
        (
            vec![("mu", mu.clone())],
            "expected an array `sigma`, found `mu`",
        ),
        (
            vec![("arr_0", mu.clone()), ("arr_1", sigma.clone())],
            "expected an array `mu`, found `arr_0`, `arr_1`",
        ),
        (
            vec![("mu", sigma.clone()), ("sigma", mu.clone())],
            "array `mu`: expected one axis of 1 to 8192 channels, found the shape (64, 64)",
        ),
        (
            vec![("mu", npy("(1, 64)", &[0.0; 64])), ("sigma", sigma.clone())],
            "array `mu`: expected one axis of 1 to 8192 channels, found the shape (1, 64)",
        ),
        (
            vec![("mu", mu.clone()), ("sigma", npy("(64, 32)", &[0.0; 2048]))],
            "array `sigma`: expected the shape (64, 64), since `mu` has 64 channels, found (64, 32)",
        ),
        (
            vec![("mu", npy("(192,)", &[0.0; 192])), ("sigma", sigma.clone())],
            "array `mu`: expected the means of 64 channels, found 192: measure with the tap that the statistics are of",
        ),
        (
            vec![("mu", mu.clone()), ("sigma", with(65, f64::INFINITY))],
            "array `sigma`: expected finite numbers, found inf at [1, 1] (1 such)",
        ),
        (
            vec![("mu", mu.clone()), ("sigma", with(130, -1.0))],
            "array `sigma`: expected variances of at least 0 on the diagonal, found -1 at [2, 2]",
        ),
        (
            vec![("mu", mu.clone()), ("sigma", with(64 * 3 + 1, 0.5))],
            "array `sigma`: expected a symmetric matrix, found 0.5 at [3, 1] and 0 at [1, 3]",
        ),
        (
            vec![("mu", mu.clone()), ("sigma", npy("(64, 64)", &two))],
            "array `sigma`: expected covariances of at most the product of the deviations, 1, found 2 at [1, 0]",
        ),
    ] {
        let members: Vec<(&str, &[u8])> = members
            .iter()
            .map(|(name, bytes)| (*name, &bytes[..]))
            .collect();
        npz(&path, &members);
        says(&fid(&path), 1, &[&format!("s.npz: {problem}")]);
    }
    let alone = scratch.path().join("mu.npy");
    i2am_files::write_atomic(&alone, &mu).unwrap();
    says(
        &fid(&alone),
        1,
        &["mu.npy: expected an .npz file with arrays `mu` and `sigma`, found a single array"],
    );
}

#[test]
fn statistics_zip_bomb() {
    const ZEROS: u64 = 1 << 30;
    if !has_inception() {
        return;
    }
    let scratch = tempfile::tempdir().unwrap();
    let path = scratch.path().join("bomb.npz");
    let mut archive = zip::ZipWriter::new(std::fs::File::create(&path).unwrap());
    let options = SimpleFileOptions::default();
    archive.start_file("mu.npy", options).unwrap();
    archive.write_all(&npy("(64,)", &[0.0; 64])).unwrap();
    archive.start_file("sigma.npy", options).unwrap();
    archive.write_all(&npy_head("(64, 64)")).unwrap();
    std::io::copy(
        &mut std::io::Read::take(std::io::repeat(0), ZEROS),
        &mut archive,
    )
    .unwrap();
    archive.finish().unwrap();
    let size = path.metadata().unwrap().len();
    assert!(size < ZEROS / 500, "{size} bytes on the disk");
    says(
        &fid(&path),
        1,
        &["bomb.npz: array `sigma`: expected 32768 bytes of values, found more"],
    );
    as_expected("statistics-zip-bomb");
}

/// Pictures for FID: two folders of a drawn set.
fn drawn() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let args = ["synth", "--out", "data", "--count", "4", "--seed", "5"];
    let (code, text) = run(folder.path(), &[&args[..], &["--size", "128x96"]].concat());
    assert_eq!(code, 0, "{text}");
    folder
}

/// The command in the checkout, with the user's caches at `cache`.
fn with_cache(cache: &Path, args: &[&str]) -> (i32, String) {
    let output = bench(&root(), args)
        .env("XDG_CACHE_HOME", cache)
        .output()
        .unwrap();
    let text = [output.stdout, output.stderr]
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        .concat();
    (output.status.code().unwrap(), text)
}

#[test]
fn feature_cache_that_cannot_be_written() {
    if !has_inception() {
        return;
    }
    let folder = drawn();
    // A file, where a folder would have to be made.
    let nowhere = folder.path().join("file");
    i2am_files::write_atomic(&nowhere, "").unwrap();
    let data = folder.path().join("data/test");
    let [generated, real] = ["cloth", "image"].map(|name| data.join(name).display().to_string());
    let args = [
        "measure",
        "--generated",
        &generated,
        "--real",
        &real,
        "--metric",
        "fid",
    ];
    let measured = with_cache(&nowhere, &args);
    says(
        &measured,
        0,
        &["features are computed, and not kept for the next time: cannot create folder"],
    );
    assert_eq!(measured.1.matches("not kept").count(), 1, "{}", measured.1);

    write_config(folder.path(), SYNTH);
    let config = folder.path().join("run.toml");
    let args = [
        "--config",
        config.to_str().unwrap(),
        "--set",
        "metric.fid.mode=clean",
    ];
    let ran = with_cache(&nowhere, &args);
    says(&ran, 0, &["not kept for the next time"]);
    let sets = std::fs::read_to_string(folder.path().join("out/sets.json")).unwrap();
    let sets: Value = serde_json::from_str(&sets).unwrap();
    assert_eq!(sets["scores"][0]["outcome"]["status"], "ok", "{sets}");
    as_expected("feature-cache-that-cannot-be-written");
}

#[test]
fn damaged_features_are_computed_again() {
    if !has_inception() {
        return;
    }
    let folder = drawn();
    let data = folder.path().join("data/test");
    let [generated, real] = ["cloth", "image"].map(|name| data.join(name).display().to_string());
    let cache = folder.path().join("cache");
    let args = [
        "measure",
        "--generated",
        &generated,
        "--real",
        &real,
        "--metric",
        "fid",
        "--tap",
        "64",
        "--json",
        "--cache",
        cache.to_str().unwrap(),
    ];
    let first = json(ran(&args));
    let kept = i2am_files::sorted_entries(&i2am_files::sorted_entries(&cache).unwrap()[0]).unwrap();
    assert_eq!(kept.len(), 2);
    let whole = std::fs::read(&kept[0]).unwrap();
    let mut flipped = whole.clone();
    *flipped.last_mut().unwrap() ^= 0x40;
    for damaged in [&flipped[..], &whole[..whole.len() / 2], b"", b"no features"] {
        i2am_files::write_atomic(&kept[0], damaged).unwrap();
        assert_eq!(json(ran(&args)), first);
        assert_eq!(std::fs::read(&kept[0]).unwrap(), whole, "written again");
    }
}

#[test]
fn statistics_that_cannot_be_written() {
    if !has_inception() {
        return;
    }
    let folder = drawn();
    let real = folder.path().join("data/test/image");
    let real = real.to_str().unwrap();
    let file = folder.path().join("file");
    i2am_files::write_atomic(&file, "").unwrap();
    let write = |path: &Path| {
        let path = path.to_str().unwrap();
        let args = ["measure", "--real", real, "--metric", "fid", "--tap", "64"];
        ran(&[&args[..], &["--no-cache", "--write-statistics", path]].concat())
    };
    let below = write(&file.join("s.npz"));
    says(&below, 1, &["cannot create folder", "file"]);
    i2am_files::create_dir(folder.path().join("folder.npz")).unwrap();
    says(
        &write(&folder.path().join("folder.npz")),
        1,
        &["cannot write", "folder.npz"],
    );
    says(
        &write(&folder.path().join("statistics")),
        2,
        &["--write-statistics", "ends in .npz"],
    );
    // Before anything is computed: pictures that cannot be read are not even looked at.
    let args = [
        "measure",
        "--real",
        "nowhere",
        "--metric",
        "fid",
        "--write-statistics",
    ];
    let path = file.join("s.npz");
    says(
        &ran(&[&args[..], &[path.to_str().unwrap()]].concat()),
        1,
        &["cannot create folder"],
    );
    says(&write(&folder.path().join("new/S.NPZ")), 0, &["wrote"]);
    let maps = file.join("maps");
    let args = [
        "measure",
        "--generated",
        "nowhere",
        "--real",
        "nowhere",
        "--metric",
        "lpips",
        "--maps",
    ];
    says(
        &ran(&[&args[..], &[maps.to_str().unwrap()]].concat()),
        1,
        &["cannot create folder"],
    );
    as_expected("statistics-that-cannot-be-written");
}

#[test]
fn a_set_with_itself_has_no_distance_and_no_minus() {
    if !has_inception() {
        return;
    }
    let folder = drawn();
    let image = folder.path().join("data/test/image");
    let statistics = folder.path().join("s.npz");
    let more = [
        "--metric",
        "fid",
        "--metric",
        "kid",
        "--tap",
        "64",
        "--no-cache",
    ];
    let (code, text) = measure(&image, &image, &more);
    assert_eq!(code, 0, "{text}");
    assert!(!text.contains("-0.000000"), "{text}");
    let found = json(measure(
        &image,
        &image,
        &[&more[..], &["--json", "-q"]].concat(),
    ));
    assert_eq!(found["metrics"][0]["value"].to_string(), "0.0");
    // Four pictures are fewer than a subset: all subsets are the whole set.
    let kid = &found["metrics"][1];
    assert!(kid.get("std").is_none(), "{kid}");
    assert!(
        kid["notes"]
            .to_string()
            .contains("no deviation: every subset is the whole set"),
        "{kid}"
    );

    let fid = ["--metric", "fid", "--tap", "64", "--no-cache"];
    let written = ["--write-statistics", statistics.to_str().unwrap()];
    let image_text = image.to_str().unwrap();
    let args = [&["measure", "--real", image_text][..], &fid, &written].concat();
    says(&ran(&args), 0, &[]);
    let found = json(measure(
        &statistics,
        &statistics,
        &[&fid[..], &["--json"]].concat(),
    ));
    assert_eq!(found["metrics"][0]["value"].to_string(), "0.0");
    let few = [
        "--metric",
        "kid",
        "--subset-size",
        "2",
        "--subsets",
        "1",
        "--no-cache",
        "--json",
    ];
    let one = json(measure(&image, &image, &few));
    assert!(
        one["metrics"][0]["notes"]
            .to_string()
            .contains("no deviation: there is one subset"),
        "{one}"
    );
}

#[test]
fn a_metric_that_fails_takes_no_other_with_it() {
    if !has_inception() {
        return;
    }
    let folder = drawn();
    let image = folder.path().join("data/test/image");
    let statistics = case("statistics-of-other-tools").join("real.npz");
    let fid = ["--metric", "fid", "--tap", "64", "--no-cache"];
    let both = [&fid[..], &["--metric", "kid"]].concat();
    let (_, alone) = measure(&image, &statistics, &fid);
    let found = measure(&image, &statistics, &both);
    let words = [
        "no value: ",
        "KID cannot be computed from means and covariances",
    ];
    says(&found, 4, &words);
    let value = |text: &str| {
        text.lines()
            .find(|line| line.contains("fid"))
            .map(str::to_owned)
    };
    let of_fid = |text: &str| {
        value(text)
            .unwrap()
            .split('┆')
            .nth(2)
            .unwrap()
            .trim()
            .to_owned()
    };
    assert_eq!(of_fid(&found.1), of_fid(&alone));
    let kid = ["--metric", "kid", "--no-cache"];
    says(&measure(&image, &statistics, &kid), 1, &words[1..]);
}

#[test]
fn equal_pictures_have_an_infinite_psnr_and_that_is_said() {
    let folder = case("windows-text-files").join("real");
    let (code, text) = measure(&folder, &folder, &["--metric", "psnr"]);
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("3 of 3 pairs have no value"), "{text}");
    assert!(text.contains("PSNR is infinite"), "{text}");
}
