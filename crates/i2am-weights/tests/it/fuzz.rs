//! Mutations of files of every kind: an error or tensors, never a panic, a hang or memory that the file does not pay for.

use std::fs;

use i2am_testkit::fuzz;

use crate::common::{fixture_root, read_all};

fn corpus(names: &[&str]) -> Vec<Vec<u8>> {
    let content = |name: &&str| fs::read(fixture_root().join(name)).expect("a committed fixture");
    names.iter().map(content).collect()
}

fn read(name: &str, corpus: &[Vec<u8>]) {
    let corpus: Vec<&[u8]> = corpus.iter().map(Vec::as_slice).collect();
    fuzz(name, &corpus, |bytes| drop(read_all(bytes)));
}

/// The container. Checksums refuse most changes of a record, so some files have none.
#[test]
fn zip() {
    read(
        "zip",
        &corpus(&[
            "weights/no_crc.pt",
            "weights/no_record.pt",
            "weights/zip64.pt",
            "weights/compressed.pt",
            "weights/script.pt",
            "weights/frozen.pt",
        ]),
    );
}

/// Streams of torch before 1.6: nothing is between a mutation and the reader of pickles.
#[test]
fn legacy() {
    read(
        "legacy",
        &corpus(&[
            "weights/legacy.pt",
            "weights/legacy_views.pt",
            "weights/bare_system.pkl",
            "weights/bare.pkl",
        ]),
    );
}

#[test]
fn safetensors() {
    let file = |header: &str, data: usize| {
        let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
        bytes.extend_from_slice(header.as_bytes());
        bytes.resize(bytes.len() + data, 0);
        bytes
    };
    let mut corpus = corpus(&["weights/expected_script.safetensors"]);
    corpus.extend([
        file(
            r#"{"__metadata__":{"format":"pt"},"b":{"dtype":"F16","shape":[2,3],"data_offsets":[4,16]},"a":{"dtype":"F32","shape":[],"data_offsets":[0,4]}}"#,
            16,
        ),
        file(
            r#"{"a":{"dtype":"F8_E4M3","shape":[2,2],"data_offsets":[0,4]},"b":{"dtype":"C64","shape":[1],"data_offsets":[4,12]}}"#,
            12,
        ),
        file(
            r#"{"none":{"dtype":"I8","shape":[0,7],"data_offsets":[0,0]},"w":{"dtype":"BOOL","shape":[1],"data_offsets":[0,1]}}"#,
            1,
        ),
        file(&"{\"a\":".repeat(300), 0),
    ]);
    read("safetensors", &corpus);
}
