use std::path::Path;
use std::time::{Duration, Instant};

use super::*;
use crate::pickle;

/// A 2 x 2 tensor over the storage `key`, in protocol 2.
fn tensor(key: &str) -> Vec<u8> {
    let mut bytes =
        b"ctorch._utils\n_rebuild_tensor_v2\n((U\x07storagectorch\nFloatStorage\n".to_vec();
    bytes.extend(text(key));
    bytes.extend(b"U\x03cpuK\x04tQK\x00K\x02K\x02\x86K\x02K\x01\x86\x89NtR");
    bytes
}

fn text(text: &str) -> Vec<u8> {
    let length = u8::try_from(text.len()).expect("a short text");
    [b"U", &[length][..], text.as_bytes()].concat()
}

fn dict(entries: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let entries = entries
        .iter()
        .flat_map(|(key, value)| [text(key), value.clone()]);
    [b"}(".to_vec(), entries.flatten().collect(), b"u".to_vec()].concat()
}

fn foreign() -> Vec<u8> {
    b"ctrainer\nLog\n)R".to_vec()
}

/// Names found in the pickle of `object`, or the message.
fn names(object: &[u8]) -> Result<Vec<String>, String> {
    let bytes = [object, b"."].concat();
    let source = Source {
        path: Path::new("file"),
        bytes: &bytes,
    };
    let pickle = pickle::parse(&bytes).expect("a sound pickle");
    let mut names: Vec<String> = named_tensors(source, &pickle.heap, pickle.root)
        .map_err(|error| error.to_string())?
        .into_iter()
        .map(|(name, _)| name)
        .collect();
    names.sort();
    Ok(names)
}

/// Pickles as torch writes them, and as an attacker would, read as a checkpoint's object.
#[test]
fn mutated_pickles_are_read_or_refused() {
    let state = dict(&[("conv.weight", tensor("0")), ("conv.bias", tensor("1"))]);
    let corpus = [
        dict(&[("state_dict", state.clone()), ("epoch", b"K\x07".to_vec())]),
        dict(&[("model", dict(&[("module", state)])), ("log", foreign())]),
        dict(&[("wide", b"ctorch._utils\n_rebuild_tensor_v3\n((U\x07storagectorch.storage\nUntypedStorage\nU\x010U\x03cpuK\x10tQK\x00K\x02K\x02\x86K\x02K\x01\x86\x89Nctorch\nfloat8_e5m2\ntR".to_vec())]),
        dict(&[("quantized", b"ctorch._utils\n_rebuild_qtensor\n((U\x07storagectorch\nQInt8Storage\nU\x010U\x03cpuK\x04tQK\x00K\x02K\x02\x86K\x02K\x01\x86NNNtR".to_vec())]),
        b"\x80\x04\x95\x0b\x00\x00\x00\x00\x00\x00\x00\x8c\x04conv\x94}q\x00h\x00s".to_vec(),
        b"}q\x00(U\x01ah\x00u".to_vec(),
        b"cposix\nsystem\n(U\x04trueo".to_vec(),
    ];
    let corpus: Vec<&[u8]> = corpus.iter().map(Vec::as_slice).collect();
    i2am_testkit::fuzz("unpickler", &corpus, |object| {
        let bytes = [object, b"."].concat();
        let source = Source {
            path: Path::new("file"),
            bytes: &bytes,
        };
        if let Ok(pickle) = pickle::parse(&bytes) {
            drop(named_tensors(source, &pickle.heap, pickle.root));
        }
    });
}

/// Tensors that only some versions of torch know are passed over, with what is known of them.
#[test]
fn quantized_and_sparse_tensors_are_unread() {
    let quantized = b"ctorch._utils\n_rebuild_qtensor\n((U\x07storagectorch\nQInt8Storage\nU\x010U\x03cpuK\x04tQK\x00K\x02K\x02\x86K\x02K\x01\x86NNNtR";
    let sparse = b"ctorch._utils\n_rebuild_sparse_tensor\nNN\x86R";
    let object = dict(&[
        ("q", quantized.to_vec()),
        ("s", sparse.to_vec()),
        ("w", tensor("0")),
    ]);
    let bytes = [&object[..], b"."].concat();
    let source = Source {
        path: Path::new("file"),
        bytes: &bytes,
    };
    let pickle = pickle::parse(&bytes).expect("a sound pickle");
    let found = named_tensors(source, &pickle.heap, pickle.root).expect("a state dict");
    let unread: Vec<(&str, &[usize], &str)> = found
        .iter()
        .filter_map(|(name, described)| match described {
            Described::Unread { shape, kind } => Some((&name[..], &shape[..], &kind[..])),
            Described::Tensor(_) => None,
        })
        .collect();
    assert_eq!(
        unread,
        [
            (
                "q",
                &[2, 2][..],
                "a tensor of `torch._utils._rebuild_qtensor`"
            ),
            (
                "s",
                &[],
                "a tensor of `torch._utils._rebuild_sparse_tensor`"
            ),
        ]
    );
}

#[test]
fn the_state_dict_is_found_under_its_usual_keys() {
    let state = || dict(&[("conv.weight", tensor("0")), ("conv.bias", tensor("1"))]);
    let want = Ok(vec!["conv.bias".to_owned(), "conv.weight".to_owned()]);
    assert_eq!(names(&state()), want);
    for wrapper in WRAPPERS {
        let log = ("log", foreign());
        let momentum = ("momentum", tensor("9"));
        assert_eq!(
            names(&dict(&[log.clone(), (wrapper, state()), momentum])),
            want,
            "{wrapper}"
        );
        let twice = dict(&[("model", dict(&[("state_dict", state())])), log]);
        assert_eq!(names(&twice), want);
    }
}

#[test]
fn nested_dictionaries_are_joined_by_dots() {
    let object = dict(&[
        (
            "generator",
            dict(&[("conv", dict(&[("weight", tensor("0"))]))]),
        ),
        ("step", b"K\x07".to_vec()),
        ("encoder", dict(&[("bias", tensor("1"))])),
    ]);
    let want = Ok(vec![
        "encoder.bias".to_owned(),
        "generator.conv.weight".to_owned(),
    ]);
    assert_eq!(names(&object), want);
    let numbered = [&b"}(K\x00"[..], &tensor("0"), b"K\x01", &tensor("1"), b"u"].concat();
    assert_eq!(names(&numbered), Ok(vec!["0".to_owned(), "1".to_owned()]));
}

#[test]
fn foreign_objects_are_refused_only_in_place_of_tensors() {
    let state = dict(&[("weight", tensor("0"))]);
    let beside = dict(&[("callbacks", foreign()), ("state_dict", state)]);
    assert_eq!(names(&beside), Ok(vec!["weight".to_owned()]));
    for (object, entry) in [
        (
            dict(&[("state_dict", dict(&[("weight", foreign())]))]),
            "entry `weight`",
        ),
        (
            dict(&[("weight", tensor("0")), ("bias", foreign())]),
            "entry `bias`",
        ),
        (
            dict(&[("state_dict", foreign()), ("other", tensor("0"))]),
            "entry `state_dict`",
        ),
        (foreign(), "the pickled object itself"),
    ] {
        let want = format!(
            "file: refused: {entry} calls for `trainer.Log`, which builds neither tensors nor plain containers; nothing was run"
        );
        assert_eq!(names(&object), Err(want));
    }
}

#[test]
fn bad_arguments_name_the_tensor() {
    let good = tensor("0");
    let change = |from: &[u8], to: &[u8]| {
        let at = good
            .windows(from.len())
            .position(|window| window == from)
            .expect("a part of it");
        dict(&[("w", [&good[..at], to, &good[at + from.len()..]].concat())])
    };
    for (object, problem) in [
        (change(b"\x89NtR", b"\x890tR"), None),
        (
            change(b"K\x02K\x02\x86", b"J\xff\xff\xff\xffK\x02\x86"),
            Some("expected a size that is not negative, found -1"),
        ),
        (
            change(b"K\x02K\x02\x86", b"K\x02\x85"),
            Some("expected as many strides as axes, at most 16, found 2 and 1"),
        ),
        (
            change(b"K\x02K\x02\x86", b"N"),
            Some("expected a tuple of sizes, found None"),
        ),
        (
            change(b"tQ", b"t"),
            Some("expected a storage, found a tuple"),
        ),
        (change(b"FloatStorage", b"NoStorage"), None),
    ] {
        match (names(&object), problem) {
            (Err(message), Some(problem)) => {
                assert_eq!(message, format!("file: tensor `w`: {problem}"));
            }
            (Ok(names), None) => assert_eq!(names, ["w"]),
            (Err(message), None) => {
                assert!(message.contains("storage type `torch.NoStorage` is not supported"));
            }
            (Ok(_), Some(problem)) => panic!("loaded in spite of: {problem}"),
        }
    }
}

#[test]
fn dictionaries_nested_in_themselves_end_in_an_error() {
    let start = Instant::now();
    let circular = b"}q\x00U\x01ah\x00s".to_vec();
    let message = names(&circular).expect_err("endless");
    assert_eq!(
        message,
        "file: state dict: more than 64 dictionaries within each other"
    );

    // Forty levels, each holding the one below twice: 2^40 names.
    let mut bomb = dict(&[("w", tensor("0"))]);
    bomb.extend(b"q\x000");
    for level in 0..40 {
        bomb.extend(
            [
                &b"}(U\x01ah"[..],
                &[level],
                b"U\x01bh",
                &[level],
                b"uq",
                &[level + 1],
                b"0",
            ]
            .concat(),
        );
    }
    bomb.extend(b"h\x28");
    let message = names(&bomb).expect_err("too many");
    assert_eq!(message, "file: state dict: more than 524288 entries");
    assert!(start.elapsed() < Duration::from_secs(20));
}
