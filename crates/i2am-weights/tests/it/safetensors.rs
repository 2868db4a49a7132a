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

fn open(bytes: &[u8]) -> i2am_weights::WeightFile {
    let file = tempfile::NamedTempFile::new().expect("a temporary file");
    i2am_files::write_atomic(file.path(), bytes).expect("a writable temporary file");
    i2am_weights::WeightFile::open(file.path()).expect("a sound file")
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

/// Every type of the format that is not read here, and one that the format does not have yet: they do not keep other tensors from being read.
#[test]
fn tensors_of_unread_types_are_passed_over_until_they_are_read() {
    for dtype in [
        "F4",
        "F6_E2M3",
        "F6_E3M2",
        "F8_E8M0",
        "F8_E4M3FNUZ",
        "F8_E5M2FNUZ",
        "U16",
        "U32",
        "U64",
        "C64",
        "F7",
    ] {
        let header = format!(
            r#"{{"odd":{{"dtype":"{dtype}","shape":[4],"data_offsets":[0,2]}},"w":{{"dtype":"U8","shape":[2],"data_offsets":[2,4]}}}}"#
        );
        let file = open(&file(&header, 4));
        assert_eq!(*file.bytes("w").expect("a known type"), [0, 0], "{dtype}");
        let found = file.bytes("odd").expect_err(dtype).to_string();
        let want = format!("tensor `odd`: dtype {dtype} is not supported; convert it to");
        assert!(found.contains(&want), "{found}");
    }
}

/// By the definition of both formats (Micikevicius et al. 2022): sign, exponent, mantissa, with a bias of 7 and 15.
fn eight_bits(byte: u8, mantissa_bits: i32, bias: i32) -> f64 {
    let magnitude = i32::from(byte & 0x7f);
    let (exponent, mantissa) = (
        magnitude >> mantissa_bits,
        magnitude & ((1 << mantissa_bits) - 1),
    );
    let fraction = f64::from(mantissa) / f64::from(1 << mantissa_bits);
    let value = if exponent == 0 {
        fraction * 2_f64.powi(1 - bias)
    } else {
        (1.0 + fraction) * 2_f64.powi(exponent - bias)
    };
    if byte & 0x80 == 0 { value } else { -value }
}

#[test]
fn all_values_of_eight_bit_floats_are_exact() {
    let codes: Vec<u8> = (0..=255).collect();
    for (dtype, mantissa_bits, bias) in [("F8_E4M3", 3, 7), ("F8_E5M2", 2, 15)] {
        let header =
            format!(r#"{{"w":{{"dtype":"{dtype}","shape":[256],"data_offsets":[0,256]}}}}"#);
        let values = open(&[file(&header, 0), codes.clone()].concat())
            .to_f32("w")
            .expect(dtype);
        for (&code, value) in codes.iter().zip(values) {
            let what = format!("{dtype} 0x{code:02x}: {value}");
            match (dtype, code & 0x7f) {
                // One code for what is no number, and no infinity; or both as in IEEE 754.
                ("F8_E4M3", 0x7f) | ("F8_E5M2", 0x7d..) => assert!(value.is_nan(), "{what}"),
                ("F8_E5M2", 0x7c) => assert!(value.is_infinite(), "{what}"),
                _ => {
                    let expected = eight_bits(code, mantissa_bits, bias);
                    assert_eq!(f64::from(value).to_bits(), expected.to_bits(), "{what}");
                }
            }
            assert!(
                value.is_nan() || value.is_sign_negative() == (code >= 0x80),
                "{what}"
            );
        }
    }
    // The largest, as both papers and torch.finfo give them.
    let largest = [eight_bits(0x7e, 3, 7), eight_bits(0x7b, 2, 15)];
    assert_eq!(
        largest.map(f64::to_bits),
        [448.0, 57344.0].map(f64::to_bits)
    );
}

/// Messages show names, so a file may not choose how long a message is or what a terminal does with it.
#[test]
fn names_are_short_and_printable() {
    let header =
        |name: &str| format!(r#"{{"{name}":{{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}}}"#);
    assert_eq!(read_all(&file(&header(&"n".repeat(1024)), 1)), Ok(1));
    assert_eq!(
        message(&header(&"n".repeat(1025)), 1),
        "name of a tensor: more than 1024 bytes"
    );
    let want = "name of a tensor: expected printable characters, found `w\\u{1b}[2J`";
    assert_eq!(message(&header("w\\u001b[2J"), 1), want);
}

#[test]
fn huge_headers_and_axes_are_refused() {
    let header = r#"{"w":{"dtype":"U8","shape":[0,9223372036854775808],"data_offsets":[0,0]}}"#;
    assert_eq!(
        message(header, 0),
        "tensor `w`: expected 18446744073709551615 bytes, found 0"
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
