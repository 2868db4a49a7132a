use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::*;

/// Far more than any refusal takes, far less than doing what the stream asks for.
const PATIENCE: Duration = Duration::from_secs(20);

fn error_of(bytes: &[u8]) -> PickleError {
    parse(bytes)
        .expect_err("a pickle that must not parse")
        .error
}

/// The integer or text a one-value pickle holds.
fn scalar(bytes: &[u8]) -> Result<i128, String> {
    let pickle = parse(bytes).expect("a sound pickle");
    assert_eq!(pickle.length, bytes.len());
    let int = pickle.heap.int(pickle.root);
    int.ok_or_else(|| pickle.heap.text(pickle.root).unwrap_or("other").to_owned())
}

#[test]
fn integers_of_every_opcode() {
    assert_eq!(scalar(b"K\xff."), Ok(255));
    assert_eq!(scalar(b"M\x01\x02."), Ok(513));
    assert_eq!(scalar(b"J\xfe\xff\xff\xff."), Ok(-2));
    assert_eq!(scalar(b"I-17\n."), Ok(-17));
    assert_eq!(
        scalar(b"L123456789012345678901L\n."),
        Ok(123_456_789_012_345_678_901)
    );
    assert_eq!(scalar(b"\x8a\x00."), Ok(0));
    assert_eq!(scalar(b"\x8a\x02\x00\xff."), Ok(-256));
    assert_eq!(scalar(b"\x8b\x02\x00\x00\x00\xff\x7f."), Ok(32767));
    assert_eq!(
        scalar(b"\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19."),
        Ok(0x1950_a86a_20f9_469c_fc6c)
    );
    assert_eq!(
        scalar(b"\x8a\x11aaaaaaaaaaaaaaaaa."),
        Err("other".to_owned())
    );
    assert!(matches!(error_of(b"Iseven\n."), PickleError::Malformed(_)));
}

#[test]
fn texts_of_every_opcode() {
    for bytes in [
        &b"S'conv'\n."[..],
        b"U\x04conv.",
        b"T\x04\x00\x00\x00conv.",
        b"Vconv\n.",
        b"X\x04\x00\x00\x00conv.",
        b"\x80\x04\x95\x07\x00\x00\x00\x00\x00\x00\x00\x8c\x04conv\x94.",
        b"\x8d\x04\x00\x00\x00\x00\x00\x00\x00conv.",
    ] {
        assert_eq!(
            scalar(bytes),
            Err("conv".to_owned()),
            "{}",
            bytes.escape_ascii()
        );
    }
}

#[test]
fn containers_keep_order_and_the_last_of_equal_keys_counts() {
    let pickle = parse(b"}(U\x01aK\x01U\x01bK\x02uU\x01aK\x03s.").expect("a sound pickle");
    let (heap, root) = (&pickle.heap, pickle.root);
    assert_eq!(heap.pairs(root).map(<[_]>::len), Some(3));
    assert_eq!(heap.lookup(root, "a").and_then(|id| heap.int(id)), Some(3));
    let pickle = parse(b"K\x01K\x02\x86q\x000h\x00K\x03\x86.").expect("a sound pickle");
    let items = pickle.heap.items(pickle.root).expect("a tuple");
    let inner = pickle.heap.items(items[0]).expect("a tuple");
    let ints: Vec<_> = inner.iter().map(|&id| pickle.heap.int(id)).collect();
    assert_eq!(ints, [Some(1), Some(2)]);
}

#[test]
fn a_call_is_recorded_and_its_items_and_state_do_not_matter() {
    // trainer.Log(1), then a list item, a dictionary item and a state set on it.
    let pickle =
        parse(b"ctrainer\nLog\nK\x01\x85RK\x02aU\x01aK\x01sK\x03b.").expect("a sound pickle");
    let Value::Made { state, .. } = pickle.heap.get(pickle.root) else {
        panic!("{:?}", pickle.heap.get(pickle.root));
    };
    assert_eq!(state.and_then(|id| pickle.heap.int(id)), Some(3));
    assert_eq!(pickle.heap.global_name(pickle.root), "trainer.Log");
    // What a made value is called with is made, too.
    let pickle = parse(b"ctrainer\nLog\n)R)R.").expect("a sound pickle");
    assert_eq!(pickle.heap.global_name(pickle.root), "trainer.Log");
    // INST and OBJ of protocol 0.
    for bytes in [&b"(K\x01itrainer\nLog\n."[..], b"(ctrainer\nLog\nK\x01o."] {
        let pickle = parse(bytes).expect("a sound pickle");
        let args = pickle.heap.call(pickle.root).expect("a made value").1;
        assert_eq!(args.len(), 1);
    }
}

#[test]
fn ordered_dictionaries_are_dictionaries() {
    for bytes in [
        &b"ccollections\nOrderedDict\n)RU\x01aK\x05s."[..],
        b"ccollections\nOrderedDict\n](U\x01aK\x05\x86e\x85R.",
        b"\x80\x04\x8c\x0bcollections\x8c\x0bOrderedDict\x93)R\x8c\x01aK\x05s.",
        b"ccollections\ndefaultdict\nc__builtin__\nlist\n\x85RU\x01aK\x05s.",
    ] {
        let pickle = parse(bytes).expect("a sound pickle");
        let value = pickle
            .heap
            .lookup(pickle.root, "a")
            .and_then(|id| pickle.heap.int(id));
        assert_eq!(value, Some(5), "{}", bytes.escape_ascii());
    }
}

#[test]
fn globals_that_run_code_are_refused_wherever_they_stand() {
    for (bytes, global) in [
        (&b"cos\nsystem\n."[..], "os.system"),
        (b"cposix\nsystem\n0N.", "posix.system"),
        (b"csubprocess\nPopen\n.", "subprocess.Popen"),
        (b"crunpy\n_run_code\n.", "runpy._run_code"),
        (b"c__builtin__\neval\n.", "__builtin__.eval"),
        (b"cbuiltins\ngetattr\n.", "builtins.getattr"),
        (
            b"\x80\x04\x8c\x08builtins\x8c\x08exec.foo\x93.",
            "builtins.exec.foo",
        ),
        (
            b"\x80\x04\x8c\x05torch\x8c\x09os.system\x93.",
            "torch.os.system",
        ),
        (b"(ios\nsystem\n.", "os.system"),
        (b"cos.path\njoin\n.", "os.path.join"),
        (b"cos\n\x1b[2J\n.", "os.\\u{1b}[2J"),
    ] {
        assert_eq!(
            error_of(bytes),
            PickleError::Refused {
                global: global.to_owned()
            }
        );
    }
    for bytes in [
        &b"cbuiltins\nset\n."[..],
        b"cposixpath\njoin\n.",
        b"ctorch.os2\nsystem\n.",
    ] {
        assert!(parse(bytes).is_ok(), "{}", bytes.escape_ascii());
    }
}

#[test]
fn broken_streams_are_errors() {
    for bytes in [
        &b""[..],
        b".",
        b"N",
        b"\x80\x06N.",
        b"h\x00.",
        b"t.",
        b"(0.",
        b"((NR.",
        b"N(0R.",
        b"}U\x01a(K\x01s.",
        b"}(K\x01u.",
        b"NNa.",
        b"NNNs.",
        b"K\x01)R.",
        b"(o.",
        b"NK\x01\x93.",
        b"X\xff\xff\xff\xffabc.",
        b"\x8d\xff\xff\xff\xff\xff\xff\xff\xffabc.",
        b"\x8b\xff\xff\xff\xffabc.",
        b"gx\n.",
        &[b"ctrainer\n", &[b'x'; 1025][..], b"\n."].concat(),
        b"cos",
        b"ccollections\nOrderedDict\n]K\x01a\x85R.",
        b"\x97.",
        b"\xff.",
    ] {
        assert!(parse(bytes).is_err(), "{}", bytes.escape_ascii());
    }
    assert_eq!(
        error_of(b"U\x05abc"),
        PickleError::Truncated {
            expected: 5,
            found: 3
        }
    );
    assert_eq!(parse(b"NNZ.").expect_err("Z is no opcode").offset, 2);
}

#[test]
fn deep_and_circular_values_need_no_stack() {
    let mut deep = vec![b']'; 1_000_000];
    deep.extend(vec![b'a'; 999_999]);
    deep.push(b'.');
    assert!(parse(&deep).is_ok());
    let circular = parse(b"]q\x00h\x00a.").expect("a sound pickle");
    assert_eq!(
        circular.heap.items(circular.root),
        Some(&[circular.root][..])
    );
    // A chain of calls of calls.
    let mut calls = b"ctrainer\nLog\n".to_vec();
    calls.extend(b")R".repeat(100_000));
    calls.push(b'.');
    let calls = parse(&calls).expect("a sound pickle");
    assert_eq!(
        calls.heap.global_name(calls.root),
        "an object that is no global"
    );
}

#[test]
fn a_short_stream_cannot_ask_for_a_long_list_again_and_again() {
    let start = Instant::now();
    let mut bytes = b"ccollections\nOrderedDict\nq\x000](".to_vec();
    bytes.extend(b"U\x01aN\x86".repeat(10_000));
    bytes.extend(b"e\x85q\x010");
    bytes.extend(b"h\x00h\x01R0".repeat(100_000));
    bytes.extend(b"N.");
    assert!(matches!(error_of(&bytes), PickleError::Malformed(_)));
    assert!(start.elapsed() < PATIENCE);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_parse_or_fail(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _: Result<Pickle<'_>, Failure> = parse(&bytes);
    }

    /// Streams of opcodes that are likely to get far.
    #[test]
    fn any_opcodes_parse_or_fail(parts in prop::collection::vec(prop::sample::select(vec![
        &b"("[..], b"0", b"1", b"2", b"N", b"K\x00", b"U\x01a", b")", b"]", b"}", b"a", b"e", b"s", b"u", b"t",
        b"\x85", b"\x86", b"\x87", b"l", b"d", b"q\x00", b"h\x00", b"q\x01", b"h\x01", b"\x94", b"ca\nb\n", b"\x93",
        b"ccollections\nOrderedDict\n", b"Q", b"R", b"\x81", b"\x92", b"o", b"ia\nb\n", b"b", b".",
    ]), 0..60)) {
        let bytes = parts.concat();
        if let Ok(pickle) = parse(&bytes) {
            prop_assert!(pickle.length <= bytes.len());
            for id in pickle.heap.ids() {
                prop_assert!(!pickle.heap.describe(id).is_empty());
            }
        }
    }
}
