//! Truncated and altered files: always an error or the same tensors, never a panic.

use std::fs;

use crate::common::{fixture_root, golden, read_all};
use proptest::prelude::*;

/// Small files of every format, good and bad.
const FILES: &[&str] = &[
    "weights/zip.pt",
    "weights/zip64.pt",
    "weights/protocol4.pt",
    "weights/legacy.pt",
    "weights/legacy_views.pt",
    "weights/frozen.pt",
    "weights/script.pt",
    "weights/expected.safetensors",
    "weights/unknown_call.pt",
    "checkpoint-format/lightning.ckpt",
];

fn content(index: usize) -> Vec<u8> {
    fs::read(fixture_root().join(FILES[index])).expect("a committed fixture")
}

/// The message of reading a golden file after `change`.
fn message_after(name: &str, change: impl FnOnce(&mut Vec<u8>)) -> String {
    let mut bytes = fs::read(golden(name)).expect("a committed fixture");
    change(&mut bytes);
    read_all(&bytes).expect_err(name)
}

fn position(bytes: &[u8], part: &[u8]) -> usize {
    let found = bytes.windows(part.len()).position(|window| window == part);
    found.expect("the fixture has this part")
}

#[test]
fn truncated_files_say_what_is_missing() {
    let message = message_after("zip.pt", |bytes| bytes.truncate(4000));
    assert!(
        message.starts_with("zip container: expected a whole zip file, found "),
        "{message}"
    );
    assert!(
        message.ends_with("(a file of 4000 bytes; is it truncated?)"),
        "{message}"
    );

    let message = message_after("legacy.pt", |bytes| bytes.truncate(bytes.len() - 3));
    assert!(message.starts_with("storage "), "{message}");
    let message = message_after("legacy.pt", |bytes| bytes.truncate(300));
    assert!(message.starts_with("object: pickle byte "), "{message}");

    let message = message_after("expected.safetensors", |bytes| {
        bytes.truncate(bytes.len() - 1);
    });
    assert!(message.starts_with("data up to tensor `"), "{message}");
    let message = message_after("expected.safetensors", |bytes| bytes.truncate(100));
    assert!(
        message.starts_with("safetensors header: expected "),
        "{message}"
    );
    assert!(message.ends_with(" bytes, found 92"), "{message}");
}

#[test]
fn a_flipped_bit_of_a_zip_record_is_found_by_its_checksum() {
    let message = message_after("zip.pt", |bytes| {
        // A local header ends with its name and as many bytes of padding as it says before the name.
        let name = position(bytes, b"zip/data/0");
        let padding = usize::from(u16::from_le_bytes([bytes[name - 2], bytes[name - 1]]));
        bytes[name + "zip/data/0".len() + padding] ^= 1;
    });
    assert!(
        message.starts_with("zip/data/0: expected crc32 "),
        "{message}"
    );
    assert!(message.ends_with("; the file is damaged"), "{message}");

    let message = message_after("zip.pt", |bytes| {
        let name = position(bytes, b"view.whole");
        bytes[name] = b'V';
    });
    assert!(
        message.starts_with("zip/data.pkl: expected crc32 "),
        "{message}"
    );
}

#[test]
fn a_record_that_is_said_to_lie_elsewhere_is_an_error() {
    let message = message_after("zip.pt", |bytes| {
        // The offset of the first local header in the central directory.
        let entry = position(bytes, b"PK\x01\x02");
        bytes[entry + 42..entry + 46].copy_from_slice(&0x00ff_ff00_u32.to_le_bytes());
    });
    assert!(
        message.starts_with("zip container: expected a whole zip file"),
        "{message}"
    );
}

#[test]
fn a_record_behind_the_end_of_the_file_is_an_error_even_if_it_is_empty() {
    let good = fs::read(golden("zip_old.pt")).expect("a committed fixture");
    let headers = good
        .windows(4)
        .enumerate()
        .filter(|(_, window)| *window == b"PK\x03\x04");
    let mut records = 0;
    for (header, _) in headers {
        let mut bytes = good.clone();
        // The length of the padding before the data.
        bytes[header + 28..header + 30].copy_from_slice(&u16::MAX.to_le_bytes());
        let name = String::from_utf8_lossy(&bytes[header + 30..header + 45]).into_owned();
        match read_all(&bytes) {
            Err(message) => assert!(
                message.starts_with("archive/") || message.starts_with("zip container"),
                "{message}"
            ),
            Ok(_) => assert!(name.starts_with("archive/version"), "{name}"),
        }
        records += 1;
    }
    assert!(records > 10, "{records}");
}

#[test]
fn a_view_beyond_its_storage_is_an_error() {
    // The shape (2, 3) as protocol 2 writes it.
    let message = message_after("legacy_views.pt", |bytes| {
        let sizes = position(bytes, b"K\x02K\x03\x86");
        bytes[sizes + 1] = 200;
    });
    assert_eq!(message, "tensor `head`: expected 2408 bytes, found 32");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_never_panic(
        start in prop::sample::select(vec![&b""[..], b"PK\x03\x04", b"PK\x05\x06", b"\x80\x02", b"\x20\0\0\0\0\0\0\0{"]),
        rest in prop::collection::vec(any::<u8>(), 0..300),
    ) {
        prop_assert!(read_all(&[start, &rest].concat()).is_err());
    }

    #[test]
    fn any_truncation_is_an_error(file in 0..FILES.len(), at in any::<prop::sample::Index>()) {
        let mut bytes = content(file);
        bytes.truncate(at.index(bytes.len()));
        prop_assert!(read_all(&bytes).is_err());
    }

    #[test]
    fn flipped_bytes_never_panic(
        file in 0..FILES.len(),
        flips in prop::collection::vec((any::<prop::sample::Index>(), 1_u8..), 1..6),
    ) {
        let mut bytes = content(file);
        for (at, mask) in flips {
            let at = at.index(bytes.len());
            bytes[at] ^= mask;
        }
        // Checksums make most changes errors; names, padding and unchecked formats may change and still load.
        let _: Result<usize, String> = read_all(&bytes);
    }

    /// Flips where they hurt: sizes, offsets and opcodes lie in headers and pickles, a small part of each file.
    #[test]
    fn flipped_bytes_without_checksums_never_panic(
        file in prop::sample::select(vec!["no_crc.pt", "legacy.pt", "legacy_views.pt"]),
        flips in prop::collection::vec((0..1500_usize, any::<u8>()), 1..4),
    ) {
        let mut bytes = fs::read(golden(file)).expect("a committed fixture");
        for (at, value) in flips {
            let at = at % bytes.len();
            bytes[at] = value;
        }
        let _: Result<usize, String> = read_all(&bytes);
    }
}
