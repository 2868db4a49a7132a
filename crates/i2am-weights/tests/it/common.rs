//! What several test programs need.

use std::io::Write;
use std::path::{Path, PathBuf};

use i2am_weights::{DType, WeightFile};

/// The committed fixtures of this crate.
pub(crate) fn fixture_root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

/// One of the files that `scripts/golden/weights.py` made.
pub(crate) fn golden(name: &str) -> PathBuf {
    fixture_root().join("weights").join(name)
}

/// The name of the same element type in a safetensors header.
pub(crate) fn safetensors_name(dtype: DType) -> String {
    dtype.to_string().to_uppercase()
}

/// Opens `bytes` as a file and reads every tensor; the message if either fails.
pub(crate) fn read_all(bytes: &[u8]) -> Result<usize, String> {
    let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
    file.write_all(bytes).expect("a writable temporary file");
    let path = file.path();
    read_all_of(path).map_err(|message| message.replace(&format!("{}: ", path.display()), ""))
}

fn read_all_of(path: &Path) -> Result<usize, String> {
    let file = WeightFile::open(path).map_err(|error| error.to_string())?;
    let mut total = 0;
    for (name, info) in file.tensors() {
        let bytes = file.bytes(name).map_err(|error| error.to_string())?;
        assert_eq!(bytes.len(), info.bytes(), "tensor `{name}`");
        file.all(name, |_| true)
            .map_err(|error| error.to_string())?;
        total += bytes.len();
    }
    Ok(total)
}
