//! Masks, pictures, and annotation files as people have them.

use std::io::Write as _;
use std::path::Path;

use i2am_imaging::{GrayImage, RgbImage, read_rgb, write_png_gray, write_png_rgb};
use image::Luma;
use tempfile::TempDir;

use super::as_expected;
use crate::common::{root, run, write_config};
use crate::faults::copy;

/// A copy of the files of a case.
fn case(name: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let files = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    copy(&files.join(name), folder.path());
    folder
}

/// What `bench` says to the configuration `config` with `flags`: checked, or run.
fn told(folder: &Path, command: &[&str], config: &str, flags: &[&str]) -> (i32, String) {
    let checkpoint = root().join("datasets/zoo/paint-by-example");
    let checkpoint = format!("model.0.checkpoint='{}'", checkpoint.display());
    let args = [command, &["--config", config, "--set", &checkpoint], flags].concat();
    run(folder, &args)
}

#[track_caller]
fn says(text: &str, words: &[&str]) {
    for word in words {
        assert!(text.contains(word), "expected `{word}` in: {text}");
    }
}

/// The value of `metric` on maps over everything.
fn value(folder: &Path, metric: &str) -> Option<f64> {
    let rows = std::fs::read_to_string(folder.join("out/samples.csv")).unwrap();
    let is_it = |row: &&str| row.contains(&format!(",{metric},"));
    let row = rows
        .lines()
        .find(is_it)
        .unwrap_or_else(|| panic!("no {metric} in {rows}"));
    row.split(',')
        .find_map(|cell| cell.parse::<f64>().ok().filter(|_| cell.contains('.')))
}

/// The share of the picture that the run generated anew.
fn changed(folder: &Path) -> f64 {
    let [before, after] = ["test/image/00000_00.jpg", "out/images/pbe/00000_00.png"]
        .map(|name| read_rgb(folder.join(name)).unwrap());
    let differs = before.pixels().zip(after.pixels());
    let differs = differs.filter(|(a, b)| (0..3).any(|c| a.0[c].abs_diff(b.0[c]) > 60));
    differs.count() as f64 / before.pixels().len() as f64
}

#[test]
fn masks_of_zero_and_one() {
    let folder = case("masks-of-zero-and-one");
    let refused = [
        (
            "zero-one",
            &["highest level 1,", "mask_levels = \"binary\""][..],
            "dataset.mask_levels=binary",
        ),
        (
            "alpha",
            &["a shape in the alpha channel", "mask_channel = \"alpha\""],
            "dataset.mask_channel=alpha",
        ),
    ];
    for (kind, words, setting) in refused {
        let folder = folder.path().join(kind);
        for command in [&["check"][..], &[]] {
            let (code, text) = told(&folder, command, "run.toml", &[]);
            assert_eq!(code, 1, "{text}");
            says(&text, words);
            says(
                &text,
                &[
                    "test/agnostic-mask/00000_00_mask.png",
                    "white (level 255)",
                    " % of the picture",
                ],
            );
        }
        assert!(
            !folder.join("out").exists(),
            "{kind}: something was computed"
        );
        for command in [&["check"][..], &[]] {
            let (code, text) = told(&folder, command, "run.toml", &["--set", setting]);
            assert_eq!(code, 0, "{text}");
            assert!(!text.contains("WARN"), "{text}");
        }
        assert!(value(&folder, "imacs_g").is_some());
        assert!(changed(&folder) > 0.01, "{kind}: {}", changed(&folder));
    }
    as_expected("masks-of-zero-and-one");
}

#[test]
fn coco_files() {
    let folder = case("coco-files");
    let bad: [(&str, &[&str]); 2] = [
        (
            "no-bbox.toml",
            &[
                "no-bbox.json: passed over 1 of 3 annotations: annotation 41 of image 4: expected a `bbox` of four numbers, found none",
            ],
        ),
        (
            "outside.toml",
            &[
                "outside.json: passed over 1 of 2 annotations: annotation 31 of image 3",
                "inside the 128 x 96 image",
                "[60,60,60,60]",
            ],
        ),
    ];
    for (config, words) in bad {
        let (code, text) = told(folder.path(), &["check"], config, &[]);
        assert_eq!(code, 0, "{config}: {text}");
        says(&text, words);
    }
    let (code, text) = told(folder.path(), &[], "outside.toml", &[]);
    assert_eq!(code, 0, "{text}");
    says(&text, bad[1].1);
    assert!(value(folder.path(), "imacs_g").is_some());
    for config in ["string-ids.toml", "float-sizes.toml"] {
        let (code, text) = told(folder.path(), &["check"], config, &[]);
        assert_eq!(code, 0, "{config}: {text}");
        says(&text, &["for 1 samples of coco-detection"]);
    }
    for command in [&["check"][..], &[]] {
        let (code, text) = told(folder.path(), command, "results-file.toml", &[]);
        assert_eq!(code, 1, "{text}");
        says(
            &text,
            &[
                "results-file.json: expected annotations of objects",
                "a list of 1 entries, results of a detector",
            ],
        );
    }
    as_expected("coco-files");
}

#[test]
fn mask_of_another_size() {
    let folder = case("mask-of-another-size");
    for command in [&["check"][..], &[]] {
        let (code, text) = told(folder.path(), command, "run.toml", &[]);
        assert_eq!(code, 4, "{text}");
        for sample in ["00000_00", "00001_00"] {
            says(
                &text,
                &[
                    &format!("sample {sample}"),
                    &format!("test/agnostic-mask/{sample}_mask.png"),
                ],
            );
        }
        says(
            &text,
            &["`mask` to have the size of `image`, 128 x 96 (height x width), found 64 x 48"],
        );
    }
    as_expected("mask-of-another-size");
}

/// Whatever lies over a picture must have its size, a ground truth too; `check` finds it as the run does.
#[test]
fn pictures_of_another_size_than_the_one_they_lie_over() {
    let folder = tempfile::tempdir().unwrap();
    write_config(folder.path(), "kind = \"manifest\"\nfile = \"list.csv\"");
    let config = folder.path().join("run.toml");
    let measured = std::fs::read_to_string(&config).unwrap() + "[metric.psnr]\n";
    i2am_files::write_atomic(config, measured).unwrap();
    let args = ["synth", "--out", "set", "--count", "1", "--seed", "5"];
    assert_eq!(run(folder.path(), &args).0, 0);
    let small = RgbImage::from_pixel(48, 64, image::Rgb([255; 3]));
    write_png_rgb(folder.path().join("small.png"), &small).unwrap();
    let parts = ["mask", "reference_mask", "ground_truth"];
    let sound = [
        "set/test/agnostic-mask/00000_00_mask.png",
        "set/test/cloth-mask/00000_00.jpg",
        "set/test/image/00000_00.jpg",
    ];
    for (place, part) in parts.iter().enumerate() {
        let mut files = sound;
        files[place] = "small.png";
        let list = format!(
            "id,image,reference,{}\n0,set/test/image/00000_00.jpg,set/test/cloth/00000_00.jpg,{}\n",
            parts.join(","),
            files.join(",")
        );
        i2am_files::write_atomic(folder.path().join("list.csv"), list).unwrap();
        for command in [
            &["check", "--config", "run.toml"][..],
            &["--config", "run.toml", "--fresh"],
        ] {
            let (code, text) = run(folder.path(), command);
            assert_eq!(code, 4, "{part}: {text}");
            says(
                &text,
                &[
                    "sample 0",
                    "small.png",
                    &format!("`{part}` to have the size of"),
                    "found 64 x 48",
                ],
            );
        }
    }
}

/// The bytes of a PNG of one color, `side` x `side`.
fn large_png(side: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, side, side);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_compression(png::Compression::Fast);
    let mut writer = encoder.write_header().unwrap();
    let mut stream = writer.stream_writer().unwrap();
    let row = [9, 90, 9].repeat(side as usize);
    for _ in 0..side {
        stream.write_all(&row).unwrap();
    }
    stream.finish().unwrap();
    writer.finish().unwrap();
    bytes
}

#[test]
fn large_picture() {
    let folder = tempfile::tempdir().unwrap();
    for side in ["generated", "real"] {
        i2am_files::write_atomic(folder.path().join(side).join("a.png"), large_png(14_000))
            .unwrap();
    }
    let measure = [
        "measure",
        "--generated",
        "generated",
        "--real",
        "real",
        "--metric",
        "psnr",
    ];
    let (code, text) = run(folder.path(), &measure);
    assert_eq!(code, 0, "{text}");
    says(&text, &["psnr", "equal"]);
    assert!(!text.contains("complete PNG"), "{text}");
    let (code, text) = run(
        folder.path(),
        &[&measure[..], &["--max-megapixels", "100"]].concat(),
    );
    assert_eq!(code, 1, "{text}");
    says(
        &text,
        &[
            "a.png: expected at most 100 megapixels, the limit `max_megapixels`, found 14000 x 14000 pixels (height x width), 196 megapixels",
        ],
    );
    as_expected("large-picture");
}

/// Two drawn samples in VITON-HD's layout, a configuration for them, and masks of the first one drawn anew.
fn with_mask(level: impl Fn(u32, u32) -> u8) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    write_config(folder.path(), "kind = \"viton-hd\"\nroot = \"set\"\n");
    let args = ["synth", "--out", "set", "--count", "2", "--seed", "5"];
    assert_eq!(run(folder.path(), &args).0, 0);
    let mask = GrayImage::from_fn(96, 128, |x, y| Luma([level(x, y)]));
    let path = folder
        .path()
        .join("set/test/agnostic-mask/00000_00_mask.png");
    write_png_gray(path, &mask).unwrap();
    folder
}

fn in_box(x: u32, y: u32) -> bool {
    (20..60).contains(&x) && (30..90).contains(&y)
}

#[test]
fn strange_masks_are_told_with_their_share_and_setting() {
    type Level = fn(u32, u32) -> u8;
    let cases: [(Level, &[&str]); 5] = [
        (
            |_, _| 0,
            &[
                "nothing is masked (highest level 0, 0 % of the picture)",
                "IMACS has no value",
            ],
        ),
        (|_, _| 255, &["everything is masked (100 % of the picture)"]),
        (
            |x, y| if in_box(x, y) { 0 } else { 255 },
            &[
                "80.5 % of the picture and touches 100.0 % of its border",
                "mask_polarity = \"inverted\"",
            ],
        ),
        (
            |x, y| if in_box(x, y) { 200 } else { 0 },
            &["a highest level of 200", "19.5 % of the picture"],
        ),
        (
            |x, y| if in_box(x, y) { 255 } else { 127 },
            &["80.5 % of the picture in between"],
        ),
    ];
    for (level, words) in cases {
        let folder = with_mask(level);
        let (code, text) = run(folder.path(), &["check", "--config", "run.toml"]);
        assert_eq!(code, 0, "{text}");
        let place = "part `mask`: 1 of 2 samples, first 00000_00: set/test/agnostic-mask/00000_00_mask.png: ";
        says(&text, &[place]);
        says(&text, words);
    }
}

#[test]
fn an_empty_mask_shows_on_the_terminal_and_in_the_table() {
    let folder = with_mask(|_, _| 0);
    let (code, text) = run(folder.path(), &["--config", "run.toml"]);
    assert_eq!(code, 0, "{text}");
    says(
        &text,
        &[
            "WARN part `mask`: 1 of 2 samples",
            "IMACS_g of pbe: 1 of 2 samples have no value: empty mask: nothing to attend to",
        ],
    );
    let table = std::fs::read_to_string(folder.path().join("out/tables/results.md")).unwrap();
    says(
        &table,
        &["1 of 2 samples have no value: empty mask: nothing to attend to"],
    );
    let manifest = std::fs::read_to_string(folder.path().join("out/manifest.json")).unwrap();
    says(&manifest, &["part `mask`: 1 of 2 samples"]);
}

#[test]
fn an_inverted_mask_is_its_opposite() {
    let folder = with_mask(|x, y| if in_box(x, y) { 0 } else { 255 });
    let other = folder
        .path()
        .join("set/test/agnostic-mask/00001_00_mask.png");
    std::fs::copy(
        folder
            .path()
            .join("set/test/agnostic-mask/00000_00_mask.png"),
        other,
    )
    .unwrap();
    let inverted = ["--set", "dataset.mask_polarity=inverted"];
    let (code, text) = run(
        folder.path(),
        &[&["--config", "run.toml"], &inverted[..]].concat(),
    );
    assert_eq!(code, 0, "{text}");
    assert!(!text.contains("may be inverted"), "{text}");
    let rows = std::fs::read_to_string(folder.path().join("out/samples.csv")).unwrap();
    let area = rows.lines().filter(|row| row.contains(",mask_area,"));
    for row in area {
        assert!(row.contains(",0.1953125,"), "{row}");
    }
    // Another reading of the masks is another run.
    let (code, text) = run(folder.path(), &["--config", "run.toml"]);
    assert_eq!(code, 1, "{text}");
    says(&text, &["mask_polarity"]);
}

/// `picture` as a camera that was held sideways stores it: turned, with a note to turn it back.
fn turned(picture: &RgbImage) -> Vec<u8> {
    const TURN_BY_90: &[u8] = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0";
    let stored = image::imageops::rotate270(picture);
    let mut bytes = Vec::new();
    let mut info = png::Info::with_size(stored.width(), stored.height());
    info.color_type = png::ColorType::Rgb;
    info.exif_metadata = Some(TURN_BY_90.into());
    let encoder = png::Encoder::with_info(&mut bytes, info).unwrap();
    let mut writer = encoder.write_header().unwrap();
    writer.write_image_data(stored.as_raw()).unwrap();
    writer.finish().unwrap();
    bytes
}

#[test]
fn a_picture_that_exif_turns_gives_what_the_turned_picture_gives() {
    let folder = with_mask(|x, y| if in_box(x, y) { 255 } else { 0 });
    let files = [
        "image/00000_00.jpg",
        "cloth/00000_00.jpg",
        "cloth-mask/00000_00.jpg",
        "agnostic-mask/00000_00_mask.png",
    ];
    let files = files.map(|name| folder.path().join("set/test").join(name));
    let pictures = files.each_ref().map(|file| read_rgb(file).unwrap());
    let mut made = Vec::new();
    for is_turned in [false, true] {
        for (file, picture) in files.iter().zip(&pictures) {
            if is_turned {
                i2am_files::write_atomic(file, turned(picture)).unwrap();
            } else {
                write_png_rgb(file, picture).unwrap();
            }
        }
        let args = [
            "--config",
            "run.toml",
            "--limit",
            "1",
            "--fresh",
            "--set",
            "metric.psnr.crop_border=0",
        ];
        let (code, text) = run(folder.path(), &args);
        assert_eq!(code, 0, "{text}");
        let rows = std::fs::read_to_string(folder.path().join("out/aggregate.csv")).unwrap();
        let image = std::fs::read(folder.path().join("out/images/pbe/00000_00.png")).unwrap();
        made.push((rows, image));
        std::fs::copy(&files[0], folder.path().join(format!("{is_turned}.png"))).unwrap();
    }
    assert!(made[0].0.contains("psnr") && made[0] == made[1]);
    // The same in a folder of pictures.
    for side in ["true", "false"] {
        let from = folder.path().join(format!("{side}.png"));
        let file = RgbImage::from_pixel(96, 128, image::Rgb([90; 3]));
        write_png_rgb(folder.path().join("gray/a.png"), &file).unwrap();
        i2am_files::write_atomic(
            folder.path().join(side).join("a.png"),
            std::fs::read(from).unwrap(),
        )
        .unwrap();
    }
    let psnr = |side: &str| {
        run(
            folder.path(),
            &[
                "measure",
                "--generated",
                "gray",
                "--real",
                side,
                "--metric",
                "psnr",
                "--quiet",
            ],
        )
    };
    let upright = psnr("false");
    assert_eq!(upright.0, 0, "{}", upright.1);
    assert_eq!(upright, psnr("true"));
}

/// Hands `map` and a mask of the left half to `bench imacs`.
fn imacs(folder: &Path, map: &str, flags: &[&str]) -> (i32, String) {
    let mask = GrayImage::from_fn(16, 16, |x, _| Luma([if x < 8 { 255 } else { 0 }]));
    write_png_gray(folder.join("mask.png"), &mask).unwrap();
    run(
        folder,
        &[&["imacs", "--map", map, "--mask", "mask.png"], flags].concat(),
    )
}

#[test]
fn maps_that_are_no_values_are_refused_by_what_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let colors = i2am_imaging::Plane::from_fn(16, 16, |r, c| (r * c) as f32 / 225.0);
    let colors = i2am_imaging::colored(&colors, i2am_imaging::ColorMap::Jet);
    write_png_rgb(folder.path().join("jet.png"), &colors).unwrap();
    let (code, text) = imacs(folder.path(), "jet.png", &[]);
    assert_eq!(code, 1, "{text}");
    says(
        &text,
        &["jet.png: expected a gray picture, whose levels are values, found colors in"],
    );

    let mut values = vec![0.5_f32; 256];
    let mut write = |name: &str, at: usize, value: f32| {
        values[at] = value;
        let bytes: Vec<u8> = values
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect();
        let tensor =
            safetensors::tensor::TensorView::new(safetensors::Dtype::F32, vec![16, 16], &bytes)
                .unwrap();
        let file = safetensors::serialize([("map", tensor)], None).unwrap();
        i2am_files::write_atomic(folder.path().join(name), file).unwrap();
    };
    write("constant.safetensors", 0, 0.5);
    write("nan.safetensors", 16 * 3 + 7, f32::NAN);
    write("inf.safetensors", 5, f32::NEG_INFINITY);
    let (code, text) = imacs(folder.path(), "constant.safetensors", &[]);
    assert_eq!(code, 0, "{text}");
    says(
        &text,
        &["constant.safetensors: the map is constant (0.5 everywhere)"],
    );
    for (name, words) in [
        (
            "nan.safetensors",
            "found NaN at row 3, column 7 (1 of 256 values are not finite)",
        ),
        (
            "inf.safetensors",
            "found -inf at row 0, column 5 (2 of 256 values are not finite)",
        ),
    ] {
        let (code, text) = imacs(folder.path(), name, &[]);
        assert_eq!(code, 1, "{text}");
        says(&text, &[name, words]);
    }
}

#[test]
fn imacs_reads_masks_as_they_were_meant() {
    let folder = tempfile::tempdir().unwrap();
    let map = GrayImage::from_fn(16, 16, |x, _| Luma([if x < 8 { 255 } else { 0 }]));
    write_png_gray(folder.path().join("map.png"), &map).unwrap();
    let (code, expected) = imacs(folder.path(), "map.png", &[]);
    assert_eq!(code, 0, "{expected}");
    says(&expected, &["IMACS 1.000000"]);
    let low = GrayImage::from_fn(16, 16, |x, _| Luma([u8::from(x < 8)]));
    write_png_gray(folder.path().join("low.png"), &low).unwrap();
    let low = ["imacs", "--map", "map.png", "--mask", "low.png"];
    let (code, text) = run(folder.path(), &low);
    assert_eq!(code, 1, "{text}");
    says(
        &text,
        &["low.png", "highest level 1,", "50.0 % of the picture"],
    );
    let binary = run(
        folder.path(),
        &[&low[..], &["--mask-levels", "binary"]].concat(),
    );
    assert_eq!(binary, (0, expected));
    let inverted = run(
        folder.path(),
        &[
            &low[..],
            &["--mask-levels", "binary", "--mask-polarity", "inverted"],
        ]
        .concat(),
    );
    says(&inverted.1, &["IMACS -3.000000"]);
    let (code, text) = run(
        folder.path(),
        &[&low[..], &["--mask-levels", "half"]].concat(),
    );
    assert_eq!(code, 2, "{text}");
    says(&text, &["half", "binary"]);
}
