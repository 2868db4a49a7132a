//! What a file that is neither PNG nor JPEG looks like.

use image::ImageFormat;

/// Beginnings of files that people take for pictures, or that stand in the place of one, with what they are.
const BEGINNINGS: [(&[u8], &str); 13] = [
    (
        b"version https://git-lfs",
        "a Git LFS pointer (fetch the file itself with `git lfs pull`)",
    ),
    (
        b"<!DOCTYPE html",
        "a web page, as a failed download leaves it",
    ),
    (
        b"<!doctype html",
        "a web page, as a failed download leaves it",
    ),
    (b"<html", "a web page, as a failed download leaves it"),
    (b"<svg", "an SVG drawing (convert it to PNG)"),
    (b"<?xml", "an XML file, such as an SVG drawing"),
    (b"\x93NUMPY", "a NumPy array (.npy)"),
    (b"PK\x03\x04", "a zip archive"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"%PDF", "a PDF document"),
    (b"\xff\x0a", "a JPEG XL image (convert it to PNG)"),
    (
        b"\x00\x00\x00\x0cJXL ",
        "a JPEG XL image (convert it to PNG)",
    ),
    (
        b"\x00\x00\x00\x0cjP  ",
        "a JPEG 2000 image (convert it to PNG)",
    ),
];

/// What `bytes` are, of which `format` is known if they are a picture.
pub(super) fn describe(bytes: &[u8], format: Option<ImageFormat>) -> String {
    let known = BEGINNINGS
        .iter()
        .find(|(start, _)| bytes.starts_with(start));
    match (bytes, known, format) {
        ([], ..) => "an empty file".to_owned(),
        (_, Some((_, what)), _) => (*what).to_owned(),
        (_, _, Some(ImageFormat::WebP)) => convert("WebP"),
        (_, _, Some(format)) => convert(&format!("{format:?}").to_uppercase()),
        (bytes, ..) if bytes.iter().all(|&byte| byte == 0) => {
            "a file of zeros, as an interrupted copy leaves it".to_owned()
        }
        (bytes, ..) => match bytes.get(4..12) {
            // ISO base media: the brand says which kind.
            Some(brand) if brand.starts_with(b"ftypavi") => convert("AVIF"),
            Some([b'f', b't', b'y', b'p', b'h' | b'm', ..]) => convert("HEIC"),
            _ => {
                let start = bytes[..bytes.len().min(12)].escape_ascii();
                format!("a file that starts with `{start}`")
            }
        },
    }
}

fn convert(format: &str) -> String {
    let article = if format.starts_with('A') { "an" } else { "a" };
    format!("{article} {format} image (convert it to PNG)")
}
