//! Safetensors headers that lie.

use ::safetensors::SafeTensors;
use proptest::prelude::*;

use crate::common::read_all;

/// A file of `header` and `data` zero bytes.
fn file(header: &str, data: usize) -> Vec<u8> {
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend_from_slice(header.as_bytes());
    bytes.resize(bytes.len() + data, 0);
    bytes
}

fn message(header: &str, data: usize) -> String {
    read_all(&file(header, data)).expect_err(header)
}

#[test]
fn a_sound_header_loads() {
    let header = r#"{"__metadata__":{"format":"pt"},"b":{"dtype":"F16","shape":[2,3],"data_offsets":[4,16]},"a":{"dtype":"F32","shape":[],"data_offsets":[0,4]},"none":{"dtype":"I8","shape":[0,7],"data_offsets":[4,4]}}   "#;
    assert_eq!(read_all(&file(header, 16)), Ok(16));
}

/// What the writer noted in addition to the tensors; a file without notes has none.
#[test]
fn free_texts_are_kept_by_key() {
    let folder = tempfile::tempdir().unwrap();
    let open = |name: &str, header: &str| {
        let path = folder.path().join(name);
        i2am_files::write_atomic(&path, file(header, 1)).unwrap();
        i2am_weights::WeightFile::open(&path).unwrap()
    };
    let tensor = r#""w":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}"#;
    let noted = open(
        "noted",
        &format!(r#"{{"__metadata__":{{"base":"other","format":"pt"}},{tensor}}}"#),
    );
    assert_eq!(noted.metadata("base"), Some("other"));
    assert_eq!(noted.metadata("bases"), None);
    assert_eq!(
        open("bare", &format!("{{{tensor}}}")).metadata("base"),
        None
    );
}

#[test]
fn sizes_that_disagree_name_the_tensor_and_both_sizes() {
    let header = r#"{"w":{"dtype":"F32","shape":[2,3],"data_offsets":[0,20]}}"#;
    assert_eq!(
        message(header, 20),
        "tensor `w`: expected 24 bytes, found 20"
    );
    let header = r#"{"w":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]}}"#;
    assert_eq!(
        message(header, 20),
        "data up to tensor `w`: expected 24 bytes, found 20"
    );
    assert_eq!(
        message(header, 25),
        "data of all tensors: expected 24 bytes, found 25"
    );
    let header = r#"{"w":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,24]}}"#;
    assert_eq!(
        message(header, 24),
        "tensor `w`: expected 18446744073709551615 bytes, found 24"
    );
    let header = r#"{"w":{"dtype":"F32","shape":[1],"data_offsets":[8,4]}}"#;
    assert_eq!(
        message(header, 8),
        "tensor `w`: expected an end of data after 8, found 4"
    );
}

#[test]
fn overlaps_and_gaps_name_the_tensor() {
    let two = |from: usize, to: usize| {
        format!(
            r#"{{"a":{{"dtype":"U8","shape":[4],"data_offsets":[0,4]}},"b":{{"dtype":"U8","shape":[4],"data_offsets":[{from},{to}]}}}}"#
        )
    };
    assert_eq!(read_all(&file(&two(4, 8), 8)), Ok(8));
    let want = "tensor `b`: expected its bytes to begin at 4, where those before it end, found 2";
    assert_eq!(message(&two(2, 6), 8), want);
    let want = "tensor `b`: expected its bytes to begin at 4, where those before it end, found 6";
    assert_eq!(message(&two(6, 10), 10), want);
}

#[test]
fn broken_json_says_where() {
    for (header, found) in [
        (
            r#"{"w":{"dtype":"F32","shape":[1],"#,
            "tensor `w`: EOF while parsing a value at line 1 column 32",
        ),
        (
            r#"{"w":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}"#,
            "tensor `w`: invalid value: integer `-1`",
        ),
        (
            r#"{"w":{"dtype":"F32","shape":[1],"data_offsets":[0]}}"#,
            "tensor `w`: invalid length 1",
        ),
        (
            r#"{"w":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"w":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}"#,
            "tensor `w` twice",
        ),
        (r#"{"__metadata__":[]}"#, "invalid type: sequence"),
    ] {
        let message = message(header, 4);
        let start = "safetensors header: expected a JSON object of tensors, found ";
        assert!(
            message.starts_with(start) && message.contains(found),
            "{message}"
        );
    }
    assert!(message(&"{\"a\":".repeat(5000), 0).contains("found"));
}

#[test]
fn unknown_types_and_huge_headers_are_refused() {
    let header = r#"{"w":{"dtype":"F8_E4M3","shape":[1],"data_offsets":[0,1]}}"#;
    let want = "tensor `w`: dtype F8_E4M3 is not supported; convert it to a floating-point, integer or boolean tensor";
    assert_eq!(message(header, 1), want);
    let header = r#"{"w":{"dtype":"F7","shape":[1],"data_offsets":[0,1]}}"#;
    let found = message(header, 1);
    assert!(
        found.contains("tensor `w`: unknown variant `F7`"),
        "{found}"
    );
    let mut bytes = file(r#"{"w":{}}"#, 0);
    bytes[..8].copy_from_slice(&u64::MAX.to_le_bytes());
    let want = "safetensors header: expected 18446744073709551615 bytes, found 8";
    assert_eq!(read_all(&bytes).expect_err("too long"), want);
    assert_eq!(message("{}", 0), "expected named tensors, found none");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Our checks name the tensor and the sizes; they refuse what those of the format's own library refuse, and nothing else.
    #[test]
    fn files_are_refused_as_by_the_library_of_the_format(
        tensors in prop::collection::vec(
            (
                prop::sample::select(vec![("U8", 1), ("F16", 2), ("F32", 4), ("I64", 8)]),
                prop::collection::vec(0_usize..4, 0..3),
                prop_oneof![8 => Just([0, 0]), 1 => prop::array::uniform2(0_usize..3)],
            ),
            1..5,
        ),
        surplus in prop_oneof![4 => Just(0), 1 => 0_usize..3],
    ) {
        let (mut entries, mut end) = (Vec::new(), 0);
        for (index, ((dtype, size), shape, [before, after])) in tensors.into_iter().enumerate() {
            let from = end + before;
            let to = (from + size * shape.iter().product::<usize>()).saturating_sub(after);
            entries.push(format!(r#""{index}":{{"dtype":"{dtype}","shape":{shape:?},"data_offsets":[{from},{to}]}}"#));
            end = to;
        }
        let bytes = file(&format!("{{{}}}", entries.join(",")), end + surplus);
        let (ours, theirs) = (read_all(&bytes), SafeTensors::deserialize(&bytes));
        prop_assert_eq!(ours.is_ok(), theirs.is_ok(), "{:?}, {:?}", ours, theirs.err());
    }
}
