//! Files written by torch give the very bytes that torch holds.

use crate::common::{fixture_root, golden, safetensors_name};
use i2am_testkit::{FixtureDir, Tensors, fixtures};
use i2am_weights::{FileFormat, WeightFile};

/// Fails unless `file` holds the tensors of `expected`, and no others.
fn assert_same(file: &WeightFile, expected: &Tensors) {
    let shown = file.path().display();
    let names: Vec<&str> = file.names().collect();
    assert_eq!(names, expected.names().collect::<Vec<_>>(), "{shown}");
    assert_eq!(names.len(), file.len(), "{shown}");
    for (name, want) in expected.iter() {
        let info = file.info(name).expect("listed");
        assert_eq!(info.shape, want.shape, "{shown}: {name}");
        assert_eq!(
            info.elements,
            want.shape.iter().product::<usize>(),
            "{shown}: {name}"
        );
        assert_eq!(
            safetensors_name(info.dtype),
            want.dtype.to_string(),
            "{shown}: {name}"
        );
        assert_eq!(
            *file.bytes(name).expect(name),
            want.bytes,
            "{shown}: {name}"
        );
    }
}

fn open(dir: &FixtureDir, name: &str, format: FileFormat) -> WeightFile {
    let file = WeightFile::open(dir.path().join(name)).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(file.format(), format, "{name}");
    file
}

#[test]
fn parity_of_checkpoints_with_nested_flat_and_lightning_state_dicts() {
    for dir in fixtures(&fixture_root(), "checkpoint-format") {
        let expected = dir.tensors("expected");
        for name in ["nested.ckpt", "flat.ckpt", "lightning.ckpt"] {
            assert_same(&open(&dir, name, FileFormat::PytorchZip), &expected);
        }
        let file = open(&dir, "expected.safetensors", FileFormat::Safetensors);
        assert_same(&file, &expected);
    }
}

#[test]
fn parity_of_every_container_and_pickle_version() {
    for dir in fixtures(&fixture_root(), "weights") {
        let expected = dir.tensors("expected");
        for (name, format) in [
            ("expected.safetensors", FileFormat::Safetensors),
            ("zip.pt", FileFormat::PytorchZip),
            ("zip_old.pt", FileFormat::PytorchZip),
            ("zip64.pt", FileFormat::PytorchZip),
            ("protocol4.pt", FileFormat::PytorchZip),
            ("no_crc.pt", FileFormat::PytorchZip),
            ("legacy.pt", FileFormat::PytorchLegacy),
        ] {
            assert_same(&open(&dir, name, format), &expected);
        }
    }
}

#[test]
fn parity_of_storage_views_in_old_streams() {
    for dir in fixtures(&fixture_root(), "weights") {
        let file = open(&dir, "legacy_views.pt", FileFormat::PytorchLegacy);
        assert_same(&file, &dir.tensors("expected_legacy_views"));
    }
}

#[test]
fn parity_of_torchscript_attributes_and_constants() {
    for dir in fixtures(&fixture_root(), "weights") {
        for (name, expected) in [
            ("script.pt", "expected_script"),
            ("frozen.pt", "expected_frozen"),
        ] {
            assert_same(
                &open(&dir, name, FileFormat::TorchScript),
                &dir.tensors(expected),
            );
        }
    }
}

#[test]
fn contiguous_tensors_are_borrowed_and_strided_ones_copied() {
    let file = WeightFile::open(golden("zip.pt")).expect("a golden file");
    let borrowed = |name| matches!(file.bytes(name), Ok(std::borrow::Cow::Borrowed(_)));
    assert!(borrowed("view.whole"));
    assert!(borrowed("shape.ones"));
    assert!(!borrowed("view.transposed"));
}

#[test]
fn values_of_every_type_convert_to_f32() {
    let file = WeightFile::open(golden("zip.pt")).expect("a golden file");
    let values = |name| file.to_f32(name).expect("a known name");
    assert_eq!(values("dtype.u8"), [0.0, 1.0, 127.0, 128.0, 255.0]);
    assert_eq!(values("dtype.bool"), [1.0, 0.0, 0.0, 1.0]);
    assert_eq!(values("dtype.i8"), [-7.0, 0.0, 11.0, -128.0, 1.0, 127.0]);
    assert_eq!(
        values("dtype.i16"),
        [-7.0, 0.0, 11.0, -32768.0, 1.0, 32767.0]
    );
    assert_eq!(values("dtype.i32")[3..4], [-2_147_483_648.0]);
    assert_eq!(values("dtype.i64")[3..4], [-9_223_372_036_854_775_808.0]);
    assert_eq!(values("shape.scalar"), [2.5]);
    assert!(values("shape.empty").is_empty());

    let half = file.bytes("dtype.f16").expect("a known name");
    let want = half::f16::from_le_bytes([half[0], half[1]]).to_f32();
    assert_eq!(values("dtype.f16")[..1], [want]);
    let brain = file.bytes("dtype.bf16").expect("a known name");
    assert_eq!(
        values("dtype.bf16")[..1],
        [f32::from_le_bytes([0, 0, brain[0], brain[1]])]
    );
    let double = file.bytes("dtype.f64").expect("a known name");
    let want = f64::from_le_bytes(*double.first_chunk().expect("an element")) as f32;
    assert_eq!(values("dtype.f64")[..1], [want]);
}

#[test]
fn the_hash_is_that_of_the_file() {
    let path = golden("zip.pt");
    let file = WeightFile::open(&path).expect("a golden file");
    assert_eq!(
        file.sha256(),
        i2am_files::sha256_file(&path).expect("readable")
    );
    assert_eq!(file.path(), path);
}
