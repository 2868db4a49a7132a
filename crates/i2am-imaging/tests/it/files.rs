//! Reading against Pillow (fixture `decode`), writing and reading back, and what a user sees of a bad file.

use std::path::{Path, PathBuf};

use i2am_files::write_atomic;
use i2am_imaging::{
    GrayImage, ImagingError, RgbImage, encode_jpeg_rgb, encode_png_gray, encode_png_rgb,
};
use i2am_imaging::{read_gray, read_labels, read_rgb, read_size};
use i2am_imaging::{write_jpeg_rgb, write_png_gray, write_png_labels, write_png_rgb};
use i2am_testkit::{FixtureDir, fixtures};

/// Levels by which a decoded JPEG may differ from libjpeg-turbo, as Pillow uses it, at worst and on average: the inverse
/// cosine transform and the chroma upsampling are up to the decoder.
const JPEG_TOLERANCE: (u8, f64) = (4, 0.5);

fn decode_fixtures() -> Vec<FixtureDir> {
    fixtures(
        Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures")),
        "decode",
    )
}

fn fixture_file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures/decode")
        .join(name)
}

fn check_against_pillow(kind: &str, read: impl Fn(&Path) -> Vec<u8>) {
    for fixture in decode_fixtures() {
        let expected = fixture.tensors("expected");
        let mut checked = 0;
        for name in expected.names() {
            let Some(file) = name
                .strip_prefix(kind)
                .and_then(|rest| rest.strip_prefix('.'))
            else {
                continue;
            };
            let (levels, want) = (read(&fixture.path().join(file)), expected.u8(name));
            assert_eq!(levels.len(), want.len(), "{name}");
            let off: Vec<u8> = levels
                .iter()
                .zip(&want)
                .map(|(a, b)| a.abs_diff(*b))
                .collect();
            let worst = off.iter().copied().max().unwrap_or_default();
            let mean = off.iter().map(|&off| f64::from(off)).sum::<f64>() / off.len() as f64;
            let is_jpeg = Path::new(file).extension() == Some("jpg".as_ref());
            let (most, most_mean) = if is_jpeg { JPEG_TOLERANCE } else { (0, 0.0) };
            assert!(
                worst <= most && mean <= most_mean,
                "{name}: off by {worst} levels, {mean:.3} on average"
            );
            checked += 1;
        }
        assert!(checked > 0, "{}: nothing named {kind}", fixture.name());
    }
}

#[test]
fn every_kind_of_file_reads_as_rgb_as_in_pillow() {
    check_against_pillow("rgb", |path| {
        read_rgb(path).expect("a whole file").into_raw()
    });
}

#[test]
fn every_kind_of_file_reads_as_gray_as_in_pillow() {
    check_against_pillow("gray", |path| {
        read_gray(path).expect("a whole file").into_raw()
    });
}

/// As `numpy.array` of the picture, which EXIF may have turned.
#[test]
fn labels_read_as_in_pillow() {
    check_against_pillow("labels", |path| {
        read_labels(path).expect("a whole file").into_raw()
    });
}

/// Every orientation has another size, or another first pixel, than the stored picture.
#[test]
fn sizes_are_those_of_the_picture_the_right_way_up() {
    let mut turned = 0;
    for name in (2..=8).map(|number| format!("orientation{number}.png")) {
        let path = fixture_file(&name);
        let [height, width] = read_size(&path).unwrap();
        let dimensions = (width as u32, height as u32);
        assert_eq!(read_rgb(&path).unwrap().dimensions(), dimensions, "{name}");
        turned += usize::from(dimensions == (5, 7));
    }
    assert_eq!(turned, 4);
    assert_eq!(
        read_size(fixture_file("photo-rotated.jpg")).unwrap(),
        [37, 45]
    );
    assert_eq!(read_size(fixture_file("photo-444.jpg")).unwrap(), [45, 37]);
}

#[test]
fn png_keeps_every_level() {
    let dir = tempfile::tempdir().unwrap();
    let rgb = RgbImage::from_fn(20, 10, |x, y| {
        [x as u8 * 12, y as u8 * 25, (x * y) as u8].into()
    });
    let gray = GrayImage::from_fn(16, 16, |x, y| [(16 * y + x) as u8].into());
    let (rgb_path, gray_path) = (dir.path().join("a/rgb.png"), dir.path().join("gray.png"));
    write_png_rgb(&rgb_path, &rgb).unwrap();
    write_png_gray(&gray_path, &gray).unwrap();
    assert_eq!(read_rgb(&rgb_path).unwrap(), rgb);
    assert_eq!(read_gray(&gray_path).unwrap(), gray);
    assert_eq!(encode_png_rgb(&rgb).unwrap(), encode_png_rgb(&rgb).unwrap());
}

#[test]
fn jpeg_comes_back_about_the_same_and_is_known_by_its_content() {
    let dir = tempfile::tempdir().unwrap();
    let image = RgbImage::from_fn(40, 30, |x, y| [x as u8 * 6, y as u8 * 8, 128].into());
    let path = dir.path().join("named-wrongly.png");
    write_jpeg_rgb(&path, &image, 95).unwrap();
    let back = read_rgb(&path).unwrap();
    let off = back
        .as_raw()
        .iter()
        .zip(image.as_raw())
        .map(|(a, b)| a.abs_diff(*b))
        .max();
    assert!(off.is_some_and(|off| off <= 8), "{off:?}");
}

#[test]
fn an_image_without_pixels_cannot_be_encoded() {
    let error = encode_png_rgb(&RgbImage::new(0, 3)).unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("cannot encode an image of 3 x 0 pixels as PNG: "),
        "{error}"
    );
    assert!(encode_png_gray(&GrayImage::new(0, 0)).is_err());
    assert!(encode_jpeg_rgb(&RgbImage::new(0, 3), 90).is_err());
}

#[test]
fn a_missing_file_is_named() {
    let error = read_rgb("no/such/file.png").unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("cannot read no/such/file.png: "),
        "{error}"
    );
}

#[test]
fn a_file_cut_anywhere_is_an_error_that_names_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("cut");
    for (name, format) in [
        ("rgb8.png", "PNG"),
        ("photo-420.jpg", "JPEG"),
        ("photo-progressive.jpg", "JPEG"),
    ] {
        let whole = i2am_files::read(fixture_file(name)).unwrap();
        let expected = format!(
            "{}: expected a complete {format} image, found ",
            path.display()
        );
        // The last bytes of a PNG file hold no pixels: its decoder need not look at them.
        for kept in [16, whole.len() / 2, whole.len() * 3 / 4, whole.len() - 20] {
            write_atomic(&path, &whole[..kept]).unwrap();
            let error = read_rgb(&path).expect_err(name).to_string();
            assert!(
                error.starts_with(&expected),
                "{name} cut to {kept} bytes: {error}"
            );
        }
    }
}

#[test]
fn a_damaged_png_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("damaged.png");
    let mut bytes = i2am_files::read(fixture_file("rgb8.png")).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x55;
    write_atomic(&path, &bytes).unwrap();
    assert!(matches!(
        read_rgb(&path),
        Err(ImagingError::Decode { format: "PNG", .. })
    ));
}

#[test]
fn what_is_not_an_image_is_described() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.png");
    let cases: [(&[u8], &str); 12] = [
        (b"", "an empty file"),
        (
            b"<!DOCTYPE html>",
            "a web page, as a failed download leaves it",
        ),
        (b"GIF89a......", "a GIF image (convert it to PNG)"),
        (
            b"RIFF\x1a\0\0\0WEBPVP8 ",
            "a WebP image (convert it to PNG)",
        ),
        (b"BM\x46\0\0\0", "a BMP image (convert it to PNG)"),
        (b"II*\0\x08\0\0\0", "a TIFF image (convert it to PNG)"),
        (
            b"\0\0\0\x18ftypheic\0\0",
            "a HEIC image (convert it to PNG)",
        ),
        (
            b"\0\0\0\x20ftypavif\0\0",
            "an AVIF image (convert it to PNG)",
        ),
        (b"\x93NUMPY\x01\0", "a NumPy array (.npy)"),
        (
            &[0; 900],
            "a file of zeros, as an interrupted copy leaves it",
        ),
        (b"some text", "a file that starts with `some text`"),
        (
            b"version https://git-lfs.github.com/spec/v1\n",
            "a Git LFS pointer (fetch the file itself with `git lfs pull`)",
        ),
    ];
    for (content, found) in cases {
        write_atomic(&path, content).unwrap();
        let expected = format!(
            "{}: expected a PNG or JPEG image, found {found}",
            path.display()
        );
        assert_eq!(read_gray(&path).unwrap_err().to_string(), expected);
    }
}

/// `palette.png` has 16 colors, packed into 4 bits: every number stands for one color.
#[test]
fn labels_are_the_numbers_of_a_palette_and_not_its_colors() {
    let path = fixture_file("palette.png");
    let (labels, colors) = (read_labels(&path).unwrap(), read_rgb(&path).unwrap());
    assert_eq!(labels.dimensions(), colors.dimensions());
    let mut seen = std::collections::BTreeMap::new();
    for (label, color) in labels.pixels().zip(colors.pixels()) {
        assert!(label.0[0] < 16);
        assert_eq!(seen.entry(label.0[0]).or_insert(*color), color);
    }
    assert!(seen.len() > 8);
    let gray = fixture_file("gray8.png");
    assert_eq!(read_labels(&gray).unwrap(), read_gray(&gray).unwrap());
}

#[test]
fn labels_are_written_with_their_palette_and_read_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("new/labels.png");
    let palette = [[9, 9, 9], [200, 10, 10], [0, 0, 255]];
    let labels = GrayImage::from_fn(5, 3, |x, y| image::Luma([((x + y) % 3) as u8]));
    write_png_labels(&path, &labels, &palette).unwrap();
    assert_eq!(read_labels(&path).unwrap(), labels);
    let colors = read_rgb(&path).unwrap();
    let expected = labels.pixels().map(|label| palette[label.0[0] as usize]);
    assert!(colors.pixels().map(|color| color.0).eq(expected));
    let error = write_png_labels(&path, &labels, &palette[..2]).unwrap_err();
    assert!(
        error.to_string().contains("label 2 has none of 2 colors"),
        "{error}"
    );
}

#[test]
fn what_holds_no_labels_is_refused_by_name() {
    for (name, words) in [
        ("rgb8.png", "colors without a palette"),
        ("gray16.png", "16-bit gray"),
        ("gray.jpg", "a JPEG image"),
    ] {
        let error = read_labels(fixture_file(name)).unwrap_err().to_string();
        assert!(error.contains(name) && error.contains(words), "{error}");
    }
    let folder = tempfile::tempdir().unwrap();
    let cut = folder.path().join("cut.png");
    let bytes = std::fs::read(fixture_file("palette.png")).unwrap();
    write_atomic(&cut, &bytes[..bytes.len() / 2]).unwrap();
    assert!(read_labels(&cut).is_err());
}
