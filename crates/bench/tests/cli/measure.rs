//! Metrics on folders, and as a stage of a run.

use std::path::Path;

use i2am_imaging::{RgbImage, write_jpeg_rgb, write_png_gray, write_png_rgb};
use image::{GrayImage, Luma, Rgb};
use serde_json::Value;

use crate::common::run;

/// A picture of its own for each `seed`.
fn picture(seed: u32, height: u32, width: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| {
        let level = |k: u32| ((x * (k + 3) + y * (seed + k) + 40 * seed) % 256) as u8;
        Rgb([level(0), level(1), level(2)])
    })
}

/// Folders `a` and `b` with `count` pictures each, the second a little different.
fn two_folders(folder: &Path, count: u32) {
    for seed in 0..count {
        let real = picture(seed, 32, 24);
        let mut generated = real.clone();
        generated
            .pixels_mut()
            .step_by(3)
            .for_each(|pixel| pixel.0[0] ^= 8 + seed as u8);
        write_png_rgb(folder.join(format!("a/{seed}.png")), &generated).unwrap();
        write_png_rgb(folder.join(format!("b/{seed}.png")), &real).unwrap();
    }
}

fn measure(folder: &Path, more: &[&str]) -> (i32, String) {
    let args = ["measure", "--no-cache", "--generated", "a", "--real", "b"];
    run(folder, &[&args, more].concat())
}

#[track_caller]
fn json(folder: &Path, more: &[&str]) -> Value {
    let (code, text) = measure(folder, &[more, &["--json", "--quiet"]].concat());
    assert_eq!(code, 0, "{text}");
    let line = text.lines().find(|line| line.starts_with('{')).unwrap();
    serde_json::from_str(line).unwrap()
}

#[track_caller]
fn refused(folder: &Path, more: &[&str], code: i32, words: &[&str]) {
    let (found, text) = measure(folder, more);
    assert_eq!(found, code, "{text}");
    for word in words {
        assert!(text.contains(word), "expected `{word}` in: {text}");
    }
    assert_eq!(
        text.lines().filter(|line| line.contains("ERROR")).count(),
        1,
        "{text}"
    );
}

#[test]
fn pairs_are_measured_in_the_order_of_their_names() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    two_folders(folder, 11);
    let flags = [
        "--metric",
        "ssim",
        "--metric",
        "ssim:gray",
        "--metric",
        "psnr",
        "--per-sample",
    ];
    let result = json(folder, &flags);
    let metrics = result["metrics"].as_array().unwrap();
    let names: Vec<_> = metrics
        .iter()
        .map(|m| {
            (
                m["metric"].as_str().unwrap(),
                m["variant"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        names,
        [("ssim", "gaussian"), ("ssim", "gray"), ("psnr", "rgb")]
    );
    assert_eq!(result["samples"][2], "10.png", "names are sorted as text");
    for metric in metrics {
        let values: Vec<f64> = metric["per_sample"]
            .as_array()
            .unwrap()
            .iter()
            .map(|v| v.as_f64().unwrap())
            .collect();
        assert_eq!(
            (values.len(), &metric["n_generated"]),
            (11, &Value::from(11))
        );
        let mean = values.iter().sum::<f64>() / 11.0;
        assert!((metric["value"].as_f64().unwrap() - mean).abs() < 1e-12);
    }
    assert!(
        json(folder, &["--metric", "psnr"])["metrics"][0]
            .get("per_sample")
            .is_none()
    );
}

#[test]
fn a_border_is_left_out_of_psnr_and_ssim_alike() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    two_folders(folder, 2);
    let flags = ["--metric", "psnr:y", "--metric", "ssim:y"];
    let variants = |more: &[&str]| -> Vec<(String, f64)> {
        let result = json(folder, &[&flags[..], more].concat());
        let of = |metric: &Value| {
            let variant = metric["variant"].as_str().unwrap().to_owned();
            (variant, metric["value"].as_f64().unwrap())
        };
        result["metrics"]
            .as_array()
            .unwrap()
            .iter()
            .map(of)
            .collect()
    };
    let (whole, inside) = (variants(&[]), variants(&["--crop-border", "4"]));
    for (whole, inside) in whole.iter().zip(&inside) {
        assert_eq!((whole.0.as_str(), inside.0.as_str()), ("y", "y, crop 4"));
        assert!((whole.1 - inside.1).abs() > 1e-6, "{whole:?} {inside:?}");
    }
    let alone = json(folder, &["--metric", "ssim", "--crop-border", "4"]);
    assert_eq!(alone["metrics"][0]["variant"], "gaussian, crop 4");
    refused(
        folder,
        &["--metric", "psnr", "--crop-border", "12"],
        1,
        &["psnr: expected pictures of at least 25 x 25, found 32 x 24"],
    );
    #[cfg(feature = "torch")]
    refused(
        folder,
        &["--metric", "fid", "--crop-border", "4"],
        2,
        &["--crop-border", "psnr and ssim"],
    );
}

#[test]
fn equal_pictures_have_no_psnr_and_say_so() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    two_folders(folder, 2);
    write_png_rgb(folder.join("a/1.png"), &picture(1, 32, 24)).unwrap();
    let result = json(folder, &["--metric", "psnr", "--per-sample"]);
    let psnr = &result["metrics"][0];
    assert_eq!(psnr["per_sample"][1], Value::Null);
    assert_eq!(psnr["value"], psnr["per_sample"][0]);
    assert!(
        psnr["notes"][0]
            .as_str()
            .unwrap()
            .starts_with("1 of 2 pairs have no value")
    );
}

#[test]
fn lists_are_paired_line_by_line() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    two_folders(folder, 2);
    i2am_files::write_atomic(folder.join("a.txt"), "# two\na/1.png\na/0.png\n").unwrap();
    i2am_files::write_atomic(folder.join("b.txt"), "b/1.png\nb/0.png\n").unwrap();
    let of = |generated: &str, real: &str| {
        let args = [
            "measure",
            "--generated",
            generated,
            "--real",
            real,
            "--metric",
            "ssim",
            "--per-sample",
            "--json",
            "-q",
        ];
        let (code, text) = run(folder, &args);
        assert_eq!(code, 0, "{text}");
        let value: Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
        value["metrics"][0]["per_sample"].clone()
    };
    let (listed, sorted) = (of("a.txt", "b.txt"), of("a", "b"));
    assert_eq!((&listed[0], &listed[1]), (&sorted[1], &sorted[0]));
}

#[test]
fn lists_of_any_editor_are_the_same_lists() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    two_folders(folder, 2);
    let list = |name: &str, text: &[u8]| i2am_files::write_atomic(folder.join(name), text).unwrap();
    let of = |generated: &str| {
        let args = [
            "measure",
            "--generated",
            generated,
            "--real",
            "b.txt",
            "--metric",
            "psnr",
        ];
        run(folder, &args)
    };
    list("b.txt", b"b/0.png\nb/1.png\n");
    list("a.txt", b"a/0.png\na/1.png\n");
    let plain = of("a.txt");
    assert_eq!(plain.0, 0, "{}", plain.1);
    let utf_16: Vec<u8> = "a/0.png\na/1.png"
        .encode_utf16()
        .flat_map(u16::to_be_bytes)
        .collect();
    for (name, text) in [
        ("mark.txt", &b"\xef\xbb\xbfa/0.png\r\na/1.png\r\n"[..]),
        ("joined.txt", b"\xef\xbb\xbfa/0.png\n\xef\xbb\xbfa/1.png\n"),
        ("mac.txt", b"# two\ra/0.png\ra/1.png"),
        ("windows.TXT", b"\"a\\0.png\"\r\na\\1.png  \r\n"),
    ] {
        list(name, text);
        assert_eq!(of(name), plain, "{name}");
    }
    for (text, problem) in [
        (
            &b"a/0.png\r\n\r\n# no\r\na/9.png\r\n"[..],
            "line 4: expected the path of a picture, found no file `a/9.png`",
        ),
        (
            b"a/0.png\n\xe2\x80\x8ba/1.png\n",
            "line 2: expected the path of a picture, found no file `\\u{200b}a/1.png`",
        ),
        (
            b"a/0.png\na\n",
            "line 2: expected the path of a picture, found no file `a`",
        ),
        (
            b"a/0.png\n\xe9.png\n",
            "line 2, character 1: expected text in UTF-8, found the byte 0xE9",
        ),
        (b"# none\n", "expected one path per line, found none"),
        (
            b"a/0.png\n",
            "expected as many pictures as b.txt lists, 2, found 1",
        ),
        (
            &utf_16,
            "found UTF-16 without a byte order mark: save the file as UTF-8",
        ),
    ] {
        list("bad.txt", text);
        let (code, said) = of("bad.txt");
        assert_eq!(code, 1, "{said}");
        assert!(
            said.contains("bad.txt: ") && said.contains(problem),
            "expected `{problem}` in: {said}"
        );
    }
}

#[test]
fn every_kind_of_picture_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    two_folders(folder, 1);
    let gray = GrayImage::from_fn(24, 32, |x, y| Luma([(x * y % 256) as u8]));
    write_png_gray(folder.join("a/gray.png"), &gray).unwrap();
    write_png_gray(folder.join("b/gray.png"), &gray).unwrap();
    write_jpeg_rgb(folder.join("a/photo.jpg"), &picture(5, 40, 30), 95).unwrap();
    write_png_rgb(folder.join("b/photo.png"), &picture(5, 40, 30)).unwrap();
    let result = json(folder, &["--metric", "ssim", "--per-sample"]);
    assert_eq!(
        result["samples"],
        serde_json::json!(["0.png", "gray.png", "photo.jpg"])
    );
    assert_eq!(result["metrics"][0]["per_sample"][1], 1.0);
}

#[test]
fn sets_that_cannot_be_used_are_refused_with_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    two_folders(folder, 2);
    let psnr = ["--metric", "psnr"];
    refused(
        folder,
        &["--metric", "sim"],
        2,
        &["no metric `sim`", "did you mean `ssim`"],
    );
    refused(
        folder,
        &["--metric", "ssim:grey"],
        2,
        &["no variant `grey`", "`gray`"],
    );
    refused(
        folder,
        &["--metric", "ssim", "--tap", "64"],
        2,
        &["--tap", "fid"],
    );

    let misspelt = ["--metric", "ssim", "--weights", "incepton=x.pt"];
    refused(
        folder,
        &misspelt,
        2,
        &["no weights `incepton`", "did you mean `inception`"],
    );
    refused(
        folder,
        &["--metric", "ssim", "--maps", "m"],
        2,
        &["--maps", "lpips"],
    );

    write_png_rgb(folder.join("b/2.png"), &picture(2, 32, 24)).unwrap();
    refused(folder, &psnr, 1, &["`2` has no counterpart in a"]);
    write_png_rgb(folder.join("a/2.png"), &picture(2, 32, 25)).unwrap();
    refused(
        folder,
        &psnr,
        1,
        &["a/2.png and b/2.png", "generated 32 x 25, real 32 x 24"],
    );
    i2am_files::write_atomic(
        folder.join("a/2.png"),
        &i2am_files::read(folder.join("b/2.png")).unwrap()[..100],
    )
    .unwrap();
    refused(folder, &psnr, 1, &["a/2.png", "cannot be decoded"]);
    i2am_files::write_atomic(folder.join("a/2.webp"), "").unwrap();
    refused(folder, &psnr, 1, &["`2.webp`", "convert them to PNG"]);

    std::fs::remove_file(folder.join("a/2.webp")).unwrap();
    write_png_rgb(folder.join("a/2.png"), &picture(2, 32, 24)).unwrap();
    write_jpeg_rgb(folder.join("a/2.jpg"), &picture(2, 32, 24), 95).unwrap();
    let both = "`2.jpg` and `2.png` would both be the counterpart of `2`";
    refused(folder, &psnr, 1, &[both, "two lists (.txt)"]);

    std::fs::remove_dir_all(folder.join("a")).unwrap();
    i2am_files::create_dir(folder.join("a/inner")).unwrap();
    refused(
        folder,
        &psnr,
        1,
        &[
            "a: expected PNG or JPEG pictures, found 1 folders",
            "--recursive",
        ],
    );
    refused(
        folder,
        &["--metric", "psnr", "-r"],
        1,
        &["found an empty folder"],
    );
}

#[cfg(feature = "torch")]
#[test]
fn missing_weights_are_told_before_anything_runs() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    two_folders(folder, 2);
    // The folder is outside the checkout, so that its weights are not found.
    refused(
        folder,
        &["--metric", "ssim", "--metric", "lpips:vgg"],
        1,
        &[
            "lpips-vgg",
            "vgg16-397923af.pth",
            "scripts/setup --weights lpips",
        ],
    );
    refused(
        folder,
        &["--metric", "fid"],
        1,
        &["no weights `inception`", "scripts/setup"],
    );
    refused(
        folder,
        &["--metric", "fid", "--weights", "inception=nowhere.pt"],
        1,
        &["nowhere.pt"],
    );
    refused(
        folder,
        &["--metric", "fid", "--weights", "inception=a/0.png"],
        1,
        &["a/0.png"],
    );
}

#[cfg(feature = "torch")]
mod in_a_run {
    use super::*;
    use crate::common::{SYNTH, write_config};

    const METRICS: [&str; 4] = [
        "--set",
        "metric.ssim.variant=gaussian",
        "--set",
        "metric.psnr.variant=rgb",
    ];

    fn rows(folder: &Path, metric: &str) -> Vec<String> {
        let ledger = std::fs::read_to_string(folder.join("out/samples.csv")).unwrap();
        ledger
            .lines()
            .filter(|row| row.contains(&format!(",measure,,,{metric},")))
            .map(str::to_owned)
            .collect()
    }

    #[test]
    fn pictures_are_compared_with_their_ground_truth() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        write_config(folder, SYNTH);
        let (code, text) = run(folder, &[&["--config", "run.toml"], &METRICS[..]].concat());
        assert_eq!(code, 0, "{text}");
        assert!(text.contains("SSIM") && text.contains("gaussian"), "{text}");
        let found = rows(folder, "ssim");
        assert_eq!(found.len(), 3);
        assert!(
            found.iter().all(|row| row.contains(",ok,,gaussian,")),
            "{found:?}"
        );
        let aggregate = std::fs::read_to_string(folder.join("out/aggregate.csv")).unwrap();
        assert!(
            aggregate.contains(",measure,,,psnr,1,rgb,,3,0,"),
            "{aggregate}"
        );
    }

    #[test]
    fn without_a_ground_truth_rows_are_empty_with_the_reason() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        write_config(folder, &format!("{SYNTH}\npairing = \"unpaired\""));
        let (code, text) = run(folder, &[&["--config", "run.toml"], &METRICS[..]].concat());
        assert_eq!(code, 4, "{text}");
        let said = "model pbe, psnr: 3 of 3 samples have no value: there is no ground truth";
        assert!(text.contains(said), "{text}");
        let found = rows(folder, "psnr");
        assert_eq!(found.len(), 3);
        assert!(
            found
                .iter()
                .all(|row| row.contains(",,empty,there is no ground truth,rgb,")),
            "{found:?}"
        );
    }

    #[test]
    fn a_metric_that_is_not_known_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        write_config(folder, SYNTH);
        for (set, words) in [
            ("metric.sim.variant=gray", ["no metric `sim`", "`ssim`"]),
            (
                "metric.ssim.variant=grey",
                ["unknown variant `grey`", "gray"],
            ),
            (
                "metric.ssim.window=7",
                ["unknown field `window`", "variant"],
            ),
        ] {
            let (code, text) = run(folder, &["check", "--config", "run.toml", "--set", set]);
            assert_eq!(code, 2, "{text}");
            assert!(words.iter().all(|word| text.contains(word)), "{text}");
        }
    }
}
