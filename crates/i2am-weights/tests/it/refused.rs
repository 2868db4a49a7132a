//! Files that must not load, and the one line that says why.

use crate::common::{golden, read_all};
use i2am_weights::{DType, WeightError, WeightFile};

/// The error of opening a golden file, without its folder.
fn refusal(name: &str) -> String {
    let path = golden(name);
    let error = WeightFile::open(&path).expect_err(name);
    let message = error.to_string();
    let start = format!("{}: ", path.display());
    let rest = message.strip_prefix(&start);
    rest.unwrap_or_else(|| panic!("{message}: no path"))
        .to_owned()
}

#[test]
fn a_pickle_that_runs_code_is_refused_and_not_run() {
    for (name, place, global) in [
        (
            "calls_system.pt",
            "data.pkl, pickle byte 38",
            "posix.system",
        ),
        (
            "calls_eval.pt",
            "data.pkl, pickle byte 31",
            "__builtin__.eval",
        ),
        (
            "bare_system.pkl",
            "magic number, pickle byte 2",
            "posix.system",
        ),
    ] {
        let want = format!(
            "refused: {place} calls for `{global}`, which builds neither tensors nor plain containers; nothing was run"
        );
        assert_eq!(refusal(name), want, "{name}");
        assert!(!std::path::Path::new("i2am_weights_ran_code").exists());
    }
}

#[test]
fn an_unknown_call_in_place_of_a_tensor_is_refused() {
    let want = "refused: entry `layer.weight` calls for `trainer.weights.Make`, which builds neither tensors nor plain containers; nothing was run";
    assert_eq!(refusal("unknown_call.pt"), want);
    let want = "refused: the pickled object itself calls for `models.net.Net`, which builds neither tensors nor plain containers; nothing was run";
    assert_eq!(refusal("whole_module.pt"), want);
}

#[test]
fn records_that_cannot_be_mapped_are_named() {
    let want = "archive/data/2 is compressed; records must be stored as they are: load the file in torch and save it again";
    assert_eq!(refusal("compressed.pt"), want);
    let want =
        "the tensors are big-endian; load it in torch and save it again on a little-endian machine";
    assert_eq!(refusal("big_endian.pt"), want);
    let want = "archive/data/3: expected a record of the zip file, found none";
    assert_eq!(refusal("no_record.pt"), want);
    let want = "archive/data/2 of tensor `dtype.f32`: expected 60 bytes, found 56";
    assert_eq!(refusal("short_record.pt"), want);
}

/// Nobody may want the tensor, so the file opens; reading the tensor says what it is.
#[test]
fn element_types_without_a_counterpart_are_named_when_they_are_read() {
    let advice = "convert it to a floating-point, integer or boolean tensor and save again";
    for (file, name, kind) in [
        (
            "complex.pt",
            "phase",
            "storage type `torch.ComplexFloatStorage`",
        ),
        ("uint16.pt", "wide", "dtype torch.uint16"),
    ] {
        let file = WeightFile::open(golden(file)).expect("it can be passed over");
        let info = file.info(name).expect("it is listed");
        assert_eq!((info.dtype, &info.shape[..]), (DType::Other, &[2][..]));
        let want = format!("tensor `{name}`: {kind} is not supported; {advice}");
        for error in [
            file.bytes(name).expect_err(name),
            file.all(name, |_| true).expect_err(name),
            file.check_readable(name).expect_err(name),
        ] {
            assert!(error.to_string().ends_with(&want), "{error}");
        }
    }
}

#[test]
fn files_without_named_tensors_are_refused() {
    assert_eq!(
        refusal("only_numbers.pt"),
        "expected named tensors, found none"
    );
    let want = "pickled object: expected a dictionary of named tensors, found a list";
    assert_eq!(refusal("a_list.pt"), want);
    assert_eq!(
        refusal("bare.pkl"),
        "not a weight file: expected safetensors or a file of torch.save or torch.jit.save, found a pickle that torch.save did not write"
    );
}

#[test]
fn what_is_no_weight_file_is_described() {
    let mut tar = vec![0; 512];
    tar[..8].copy_from_slice(b"sys_info");
    tar[257..262].copy_from_slice(b"ustar");
    for (bytes, found) in [
        (&b""[..], "found an empty file"),
        (
            b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n",
            "found a git-lfs pointer",
        ),
        (b"<!DOCTYPE html><html>", "found an HTML or XML page"),
        (
            b"\x89PNG\r\n\x1a\n and so on",
            "found 18 bytes that begin with \"\\x89PNG",
        ),
        (
            &tar,
            "the tar format of torch before 0.1.10 is not supported",
        ),
        (
            b"PK\x05\x06\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
            "found a zip file without <archive>/data.pkl",
        ),
    ] {
        let message = read_all(bytes).expect_err(found);
        assert!(message.contains(found), "{message}");
    }
}

#[test]
fn missing_files_folders_and_names_are_told_apart() {
    let error = WeightFile::open(golden("nowhere.pt")).expect_err("no such file");
    assert!(matches!(error, WeightError::Read { .. }), "{error}");
    let error = WeightFile::open(golden("")).expect_err("a folder");
    assert!(matches!(error, WeightError::Read { .. }), "{error}");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let link = folder.path().join("model.bin");
    std::os::unix::fs::symlink("../blobs/gone", &link).expect("a link");
    let error = WeightFile::open(&link).expect_err("a dangling link");
    let want = "model.bin: a link to ../blobs/gone, which is not there; the download it belongs to may have failed";
    assert!(error.to_string().ends_with(want), "{error}");
    let file = WeightFile::open(golden("zip.pt")).expect("a golden file");
    assert!(file.info("view").is_none());
    let error = file.bytes("view").expect_err("no such tensor");
    assert!(error.to_string().ends_with(": no tensor `view`"), "{error}");
}
