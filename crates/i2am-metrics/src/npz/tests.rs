use proptest::prelude::*;

use super::*;

fn array() -> Array {
    Array {
        shape: vec![2, 3],
        values: vec![1.0, -2.5, 3.0, 4.0, 5.0, 1e-300],
        is_half: false,
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
        is_half: false,
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
        format!("{place}: expected an array `nu`, found `mu`, `sigma`")
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
    for (format, bytes) in [("'<f2'", [0x00, 0xc1]), ("'>f2'", [0xc1, 0x00])] {
        let half = read(&file(format, "False", "(1L,)", &bytes)).unwrap();
        assert_eq!((half.values, half.is_half), (vec![-2.5], true));
    }
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
            "expected finite numbers, found NaN at [1] (1 such)",
        ),
        (
            "'|O'",
            "(64,)",
            &[],
            "expected floats of 16, 32 or 64 bits, found Python objects (`|O`): save the array as numpy.float64",
        ),
        (
            "'<f16'",
            "(64,)",
            &[],
            "expected floats of 16, 32 or 64 bits, found other floats (`<f16`): save the array as numpy.float64",
        ),
        (
            "'<c16'",
            "(64,)",
            &[],
            "expected floats of 16, 32 or 64 bits, found complex numbers (`<c16`): save the array as numpy.float64",
        ),
        (
            "'>i8'",
            "(64,)",
            &[],
            "expected floats of 16, 32 or 64 bits, found whole numbers (`>i8`): save the array as numpy.float64",
        ),
        (
            "'|V2'",
            "(64,)",
            &[],
            "expected floats of 16, 32 or 64 bits, found something else (`|V2`): save the array as numpy.float64",
        ),
        (
            "[('a', '<f8')]",
            "(1,)",
            &[],
            "expected an array of one number format, found a structured one",
        ),
        (
            "'<f8'",
            "(-1,)",
            &[],
            "expected a shape of whole numbers, found an axis `-1`",
        ),
        (
            "'<f8'",
            "64",
            &[],
            "expected a header with a shape, found none",
        ),
        // Sizes that wrap around: 2 values, and none.
        (
            "'<f8'",
            "(3, 6148914691236517206)",
            &[0; 16],
            "no memory holds the shape (3, 6148914691236517206)",
        ),
        (
            "'<f8'",
            "(2305843009213693952,)",
            &[],
            "no memory holds the shape (2305843009213693952,)",
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
        "expected an array of NumPy, found less than its header"
    );
}

#[test]
fn the_place_of_a_value_is_counted_as_numpy_does() {
    let rows = [1.0, 2.0, f64::INFINITY, 4.0, 5.0, f64::NAN];
    let bytes = rows.map(f64::to_le_bytes).concat();
    let found = read(&file("'<f8'", "False", "(2, 3)", &bytes)).unwrap_err();
    assert_eq!(
        found,
        "expected finite numbers, found inf at [0, 2] (2 such)"
    );
    // The same values, column by column.
    let columns = [1.0, 4.0, 2.0, 5.0, f64::INFINITY, f64::NAN];
    let bytes = columns.map(f64::to_le_bytes).concat();
    assert_eq!(
        read(&file("'<f8'", "True", "(2, 3)", &bytes)).unwrap_err(),
        found
    );
}

#[test]
fn a_file_of_another_kind_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.npz");
    for (bytes, found) in [
        (&b""[..], "an empty file"),
        (
            &file("'<f8'", "False", "(0,)", b""),
            "a single array, as in an .npy file",
        ),
        (
            b"\x80\x04\x95",
            "a pickle: save the arrays with numpy.savez",
        ),
        (b"\x1f\x8b\x08", "a gzip archive: unpack it"),
        (
            b"version https://git-lfs.github.com/spec/v1\n",
            "a pointer of Git LFS: get the file itself with `git lfs pull`",
        ),
        (b"<!DOCTYPE html>", "a page of the web"),
    ] {
        i2am_files::write_atomic(&path, bytes).unwrap();
        let error = Npz::open(&path).err().unwrap().to_string();
        let expected = "expected an .npz file with arrays `mu` and `sigma`, found";
        assert_eq!(error, format!("{}: {expected} {found}", path.display()));
    }
    i2am_files::write_atomic(&path, "PK\x03\x04 and no more").unwrap();
    let error = Npz::open(&path).err().unwrap().to_string();
    assert!(
        error.ends_with("a ZIP archive of arrays, found a damaged one, or a part of one"),
        "{error}"
    );
    let error = Npz::open(&folder.path().join("none.npz")).err().unwrap();
    assert!(error.to_string().contains("none.npz"));
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

#[test]
fn any_archive_is_read_or_refused_in_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.npz");
    let whole = |arrays: &[(&str, &Array)]| {
        write(&path, arrays).unwrap();
        i2am_files::read(&path).unwrap()
    };
    let mu = Array {
        shape: vec![3],
        values: vec![0.5, 7.0, 0.0],
        is_half: false,
    };
    let sigma = Array {
        shape: vec![3, 3],
        values: vec![1.0, 0.5, 0.0, 0.5, 1.0, 0.0, 0.0, 0.0, 2.0],
        is_half: false,
    };
    let both = whole(&[("mu", &mu), ("sigma", &sigma)]);
    let one = whole(&[("sigma", &sigma)]);
    // As `numpy.savez` writes them: not compressed, so that a mutation is one of a header or of values.
    let mut stored = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    for (name, bytes) in [
        ("mu.npy", file("'<f2'", "False", "(3,)", &[0; 6])),
        ("sigma.npy", file("'>f4'", "True", "(3, 3)", &[0; 36])),
    ] {
        stored.start_file(name, options).unwrap();
        stored.write_all(&bytes).unwrap();
    }
    let stored = stored.finish().unwrap().into_inner();
    let alone = file("'<f8'", "False", "(1,)", &[0; 8]);
    let corpus: [&[u8]; 6] = [&both, &one, &stored, &alone, b"\x80\x04\x95", b""];
    i2am_testkit::fuzz("npz", &corpus, |bytes| {
        File::create(&path).unwrap().write_all(bytes).unwrap();
        match crate::Statistics::read(&path, None) {
            Ok(statistics) => assert!((1..=8192).contains(&statistics.width())),
            Err(error) => assert!(!error.to_string().contains('\n'), "{error}"),
        }
        let _ = read(bytes);
    });
}
