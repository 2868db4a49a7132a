use proptest::prelude::*;

use super::*;

fn array() -> Array {
    Array {
        shape: vec![2, 3],
        values: vec![1.0, -2.5, 3.0, 4.0, 5.0, 1e-300],
    }
}

/// A `.npy` file of values in `bytes`.
fn file(format: &str, is_column_major: &str, shape: &str, bytes: &[u8]) -> Vec<u8> {
    let header =
        format!("{{'descr': {format}, 'fortran_order': {is_column_major}, 'shape': {shape}, }}\n");
    let mut file = b"\x93NUMPY\x02\x00".to_vec();
    file.extend((header.len() as u32).to_le_bytes());
    file.extend(header.as_bytes());
    file.extend(bytes);
    file
}

fn read(bytes: &[u8]) -> Result<Array, String> {
    parse(bytes, |_| Ok(()))
}

#[test]
fn what_is_written_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.npz");
    let mu = Array {
        shape: vec![2],
        values: vec![0.5, 7.0],
    };
    write(&path, &[("mu", &mu), ("sigma", &array())]).unwrap();
    let mut file = Npz::open(&path).unwrap();
    assert_eq!(file.array("sigma", |_| Ok(())).unwrap(), array());
    assert_eq!(file.array("mu", |_| Ok(())).unwrap(), mu);
    let refusal = |name: &str, file: &mut Npz| {
        let refused = file.array(name, |shape| Err(format!("found {shape:?}")));
        refused.unwrap_err().to_string()
    };
    let place = path.display();
    assert_eq!(
        refusal("nu", &mut file),
        format!("{place}: expected an array `nu`, found mu.npy, sigma.npy")
    );
    assert_eq!(
        refusal("sigma", &mut file),
        format!("{place}: array `sigma`: found [2, 3]")
    );
}

#[test]
fn orders_and_formats_of_other_machines_are_understood() {
    let columns = [1.0_f32, 4.0, 2.0, 5.0, 3.0, 6.0];
    let little: Vec<u8> = columns
        .iter()
        .flat_map(|value| value.to_le_bytes())
        .collect();
    let rows = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
    let bytes = file("'<f4'", "True", "(2, 3)", &little);
    assert_eq!(read(&bytes).unwrap().values, rows);
    let big: Vec<u8> = columns
        .iter()
        .flat_map(|value| value.to_be_bytes())
        .collect();
    let bytes = file("'>f4'", "True", "(2, 3)", &big);
    assert_eq!(read(&bytes).unwrap().values, rows);
    let big = file("'>f8'", "False", "(1,)", &(-2.5_f64).to_be_bytes());
    assert_eq!(read(&big).unwrap().values, [-2.5]);
}

#[test]
fn what_is_no_array_of_finite_numbers_is_refused_in_one_line() {
    let nan = [0.0, f64::NAN].map(f64::to_le_bytes).concat();
    for (format, shape, bytes, problem) in [
        (
            "'<f8'",
            "(2,)",
            &[0; 15][..],
            "expected 16 bytes of values, found 15",
        ),
        (
            "'<f8'",
            "(2,)",
            &[0; 99],
            "expected 16 bytes of values, found more",
        ),
        (
            "'<f8'",
            "(2,)",
            &nan,
            "expected finite numbers, found NaN at 1",
        ),
        (
            "'|O'",
            "(64,)",
            &[],
            "expected 32- or 64-bit floats, found `|O`",
        ),
        (
            "'<f2'",
            "(64,)",
            &[],
            "expected 32- or 64-bit floats, found `<f2`",
        ),
        (
            "[('a', '<f8')]",
            "(1,)",
            &[],
            "expected an array of one number format",
        ),
        (
            "'<f8'",
            "(-1,)",
            &[],
            "axis `-1`: invalid digit found in string",
        ),
        ("'<f8'", "64", &[], "expected a header with a shape"),
        // Sizes that wrap around: 2 values, and none.
        (
            "'<f8'",
            "(3, 6148914691236517206)",
            &[0; 16],
            "no memory holds the shape [3, 6148914691236517206]",
        ),
        (
            "'<f8'",
            "(2305843009213693952,)",
            &[],
            "no memory holds the shape [2305843009213693952]",
        ),
    ] {
        for order in ["True", "False"] {
            let found = read(&file(format, order, shape, bytes));
            assert_eq!(found, Err(problem.to_owned()));
        }
    }
    let mut long = b"\x93NUMPY\x02\x00".to_vec();
    long.extend(u32::MAX.to_le_bytes());
    let found = read(&long).unwrap_err();
    assert_eq!(
        found,
        "expected a header of at most 65536 bytes, found 4294967295"
    );
    assert_eq!(
        read(b"PK").unwrap_err(),
        "the header is cut off: failed to fill whole buffer"
    );
}

#[test]
fn an_array_that_is_not_expected_is_not_read() {
    struct Endless;
    impl Read for Endless {
        fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
            panic!("values were read")
        }
    }
    let huge = file("'<f8'", "False", "(1000000, 1000000)", &[]);
    let found = parse(huge.chain(Endless), |_| Err("too large".to_owned()));
    assert_eq!(found, Err("too large".to_owned()));
}

#[test]
fn values_start_at_a_multiple_of_64_bytes() {
    let bytes = encode(&array());
    assert_eq!((bytes.len() - 6 * 8) % 64, 0);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_an_array_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = read(&bytes);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.npz");
        i2am_files::write_atomic(&path, &bytes).unwrap();
        prop_assert!(Npz::open(&path).is_err());
    }

    #[test]
    fn any_header_is_an_array_or_refused(shape in "\\(?[0-9, -]{0,24}\\)?", format in "'[<>|]?[fiO][0-9]{1,2}'", bytes in 0_usize..64) {
        if let Ok(array) = read(&file(&format, "True", &shape, &vec![0; bytes])) {
            prop_assert_eq!(array.values.len(), array.shape.iter().product::<usize>());
        }
    }

    #[test]
    fn a_damaged_file_is_read_or_refused(place in any::<prop::sample::Index>(), value: u8, cut in any::<prop::sample::Index>()) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.npz");
        write(&path, &[("mu", &array())]).unwrap();
        let mut bytes = i2am_files::read(&path).unwrap();
        let place = place.index(bytes.len());
        bytes[place] = value;
        let whole = bytes.len();
        for bytes in [&bytes[..], &bytes[..cut.index(whole)]] {
            i2am_files::write_atomic(&path, bytes).unwrap();
            if let Ok(mut file) = Npz::open(&path) {
                let _ = file.array("mu", |_| Ok(()));
            }
        }
        let mut member = encode(&array());
        let place = place % member.len();
        member[place] = value;
        let _ = read(&member);
    }
}
