//! Any bytes are read or refused: never a panic, nor memory for what a header only claims.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use i2am_imaging::{
    ImagingError, MaskReading, read_gray, read_labels, read_mask, read_rgb, read_size,
};
use proptest::prelude::*;

/// The committed pictures, of every kind that is read.
pub(crate) fn pictures() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/decode");
    let files = fs::read_dir(folder).expect("committed fixtures");
    let mut pictures: Vec<PathBuf> = files
        .map(|file| file.expect("a file").path())
        .filter(|path| ["png", "jpg"].iter().any(|&end| has_extension(path, end)))
        .collect();
    pictures.sort();
    pictures
}

pub(crate) fn has_extension(path: &Path, extension: &str) -> bool {
    path.extension().is_some_and(|found| found == extension)
}

pub(crate) fn file(bytes: &[u8]) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
    file.write_all(bytes).expect("a writable temporary file");
    file
}

/// Reads `bytes` by every decoder; what was read has the size that the header says.
fn read(bytes: &[u8]) {
    let file = file(bytes);
    let path = file.path();
    let size = read_size(path).ok();
    let found = [
        read_rgb(path).map(|picture| picture.dimensions()),
        read_gray(path).map(|picture| picture.dimensions()),
        read_labels(path).map(|labels| labels.dimensions()),
        read_mask(path, MaskReading::default()).map(|mask| mask.levels.dimensions()),
    ];
    for (width, height) in found.into_iter().flatten() {
        assert_eq!(size, Some([height as usize, width as usize]));
    }
}

/// The PNG `bytes` with the 13 bytes of its header replaced, under a sound checksum.
fn with_header(bytes: &[u8], header: [u8; 13]) -> Vec<u8> {
    let (type_at, header_at, crc_at) = (12, 16, 29);
    let mut changed = bytes.to_vec();
    changed[header_at..crc_at].copy_from_slice(&header);
    let crc = crc32fast::hash(&changed[type_at..crc_at]);
    changed[crc_at..crc_at + 4].copy_from_slice(&crc.to_be_bytes());
    changed
}

#[test]
fn a_size_that_the_bytes_cannot_hold_is_refused_before_memory_is_taken() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/decode/gray8.png");
    let bytes = fs::read(path).expect("a committed fixture");
    let mut header: [u8; 13] = bytes[16..29].try_into().expect("13 bytes");
    for side in [1_u32 << 20, 1 << 25] {
        header[..4].copy_from_slice(&side.to_be_bytes());
        header[4..8].copy_from_slice(&side.to_be_bytes());
        let file = file(&with_header(&bytes, header));
        let error = read_labels(file.path()).expect_err("too large");
        assert!(matches!(error, ImagingError::Decode { .. }), "{error}");
        let claim = format!(
            "its header claims {side} x {side} pixels, more than its {} bytes can hold",
            bytes.len()
        );
        assert!(error.to_string().ends_with(&claim), "{error}");
        for error in [
            read_rgb(file.path()).map(drop).expect_err("too large"),
            read_gray(file.path()).map(drop).expect_err("too large"),
            read_size(file.path()).map(drop).expect_err("too large"),
        ] {
            assert!(error.to_string().ends_with(&claim), "{error}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes(
        start in prop::sample::select(vec![&b""[..], b"\x89PNG\r\n\x1a\n", b"\xff\xd8", b"\xff\xd8\xff\xe0"]),
        rest in prop::collection::vec(any::<u8>(), 0..300),
    ) {
        read(&[start, &rest].concat());
    }

    #[test]
    fn pictures_with_other_bytes(
        picture in prop::sample::select(pictures()),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        length in any::<prop::sample::Index>(),
        is_cut in any::<bool>(),
    ) {
        let mut bytes = fs::read(picture).expect("a committed fixture");
        for (at, value) in changes {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        if is_cut {
            bytes.truncate(length.index(bytes.len()));
        }
        read(&bytes);
    }

    /// The checksum of a header would make any change of it an error before it is believed.
    #[test]
    fn pictures_with_another_header(
        picture in prop::sample::select(pictures()),
        [width, height] in prop::array::uniform2(prop_oneof![0_u32..40, any::<u32>()]),
        depth in prop::sample::select(vec![0_u8, 1, 2, 4, 8, 16, 255]),
        rest in prop::array::uniform4(0_u8..8),
    ) {
        let bytes = fs::read(&picture).expect("a committed fixture");
        if has_extension(&picture, "png") {
            let mut header = [0; 13];
            header[..4].copy_from_slice(&width.to_be_bytes());
            header[4..8].copy_from_slice(&height.to_be_bytes());
            header[8] = depth;
            header[9..].copy_from_slice(&rest);
            read(&with_header(&bytes, header));
        }
    }
}
