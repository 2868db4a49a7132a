//! Mutations of every kind of picture: each is read or refused, whatever reads it.

use std::fs;
use std::path::{Path, PathBuf};

use i2am_imaging::{
    MaskChannel, MaskLevels, MaskReading, limit_megapixels, read_gray, read_labels, read_mask,
    read_rgb, read_size, read_values,
};

use crate::damaged::{file, has_extension, pictures};

/// Files that a decoder did not survive.
fn findings() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz");
    let files = fs::read_dir(folder).expect("committed findings");
    files.map(|file| file.expect("a file").path()).collect()
}

/// The files of `wanted`, as a corpus.
fn corpus(wanted: impl Fn(&Path) -> bool) -> Vec<Vec<u8>> {
    let mut all = [pictures(), findings()].concat();
    all.sort();
    let wanted = all.into_iter().filter(|path| wanted(path));
    wanted
        .map(|path| fs::read(path).expect("a committed fixture"))
        .collect()
}

/// The PNG `bytes` with sound checksums, without which no change of a chunk would be looked at.
fn mended(bytes: &[u8]) -> Vec<u8> {
    let mut mended = bytes.to_vec();
    let mut at = 8;
    while let Some(length) = mended.get(at..).and_then(|rest| rest.first_chunk::<4>()) {
        let end = at.saturating_add(8 + u32::from_be_bytes(*length) as usize);
        let Some(content) = mended.get(at + 4..end) else {
            break;
        };
        let sum = crc32fast::hash(content).to_be_bytes();
        if let Some(place) = mended.get_mut(end..end + 4) {
            place.copy_from_slice(&sum);
        }
        at = end + 4;
    }
    mended
}

/// Hands `bytes`, and the same with sound checksums, to `read` as a file.
fn as_file(bytes: &[u8], read: impl Fn(&Path)) {
    for bytes in [bytes, &mended(bytes)] {
        read(file(bytes).path());
    }
}

#[test]
fn a_palette_that_is_none_is_refused() {
    let path = findings().remove(0);
    for error in [
        read_rgb(&path).map(drop).unwrap_err(),
        read_labels(&path).map(drop).unwrap_err(),
        read_size(&path).map(drop).unwrap_err(),
    ] {
        let words = "expected a palette of up to 256 colors, 3 bytes each, found one of 49 bytes";
        assert!(error.to_string().ends_with(words), "{error}");
    }
}

#[test]
fn mutated_pictures() {
    // What a large one would show, a small one shows in less time.
    limit_megapixels(4);
    let corpus = corpus(|_| true);
    let corpus: Vec<&[u8]> = corpus.iter().map(Vec::as_slice).collect();
    i2am_testkit::fuzz("pictures", &corpus, |bytes| {
        as_file(bytes, |path| {
            let size = read_size(path).ok();
            let meant = MaskReading {
                levels: MaskLevels::Binary,
                channel: MaskChannel::Alpha,
                ..MaskReading::default()
            };
            let found = [
                read_rgb(path).map(|picture| picture.dimensions()),
                read_gray(path).map(|picture| picture.dimensions()),
                read_mask(path, meant).map(|mask| mask.levels.dimensions()),
                read_mask(path, MaskReading::default()).map(|mask| mask.levels.dimensions()),
                read_values(path).map(|plane| (plane.width() as u32, plane.height() as u32)),
            ];
            for (width, height) in found.into_iter().flatten() {
                assert_eq!(size, Some([height as usize, width as usize]));
            }
        });
    });
}

#[test]
fn mutated_labels() {
    let corpus = corpus(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        has_extension(path, "png") && (name.starts_with("palette") || name.starts_with("gray"))
    });
    let corpus: Vec<&[u8]> = corpus.iter().map(Vec::as_slice).collect();
    i2am_testkit::fuzz("labels", &corpus, |bytes| {
        as_file(bytes, |path| {
            if let Ok(labels) = read_labels(path) {
                let size = [labels.height() as usize, labels.width() as usize];
                assert_eq!(read_size(path).ok(), Some(size));
            }
        });
    });
}
