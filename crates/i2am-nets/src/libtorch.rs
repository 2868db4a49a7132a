//! The library itself: which version is loaded, how its threads wait, and what becomes of memory that it frees.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};

/// Environment variables under which networks run faster, with their values. They change no number.
///
/// - OpenMP's threads spin while they wait for each other. With another program on the same cores, small networks then take many times
///   as long; asleep, the threads lose little on an idle machine. OpenMP reads the variable once, when libtorch is loaded.
/// - glibc gives memory back to the system as soon as a tensor is freed, and the system clears every page of the next one. Blocks up to
///   32 MiB, the largest value that glibc accepts, come from memory that is kept, of which at most 512 MiB stay unused.
pub const VARIABLES: &[(&str, &str)] = &[
    ("OMP_WAIT_POLICY", "passive"),
    ("MALLOC_MMAP_THRESHOLD_", "33554432"),
    ("MALLOC_TRIM_THRESHOLD_", "536870912"),
];

/// The version of the libtorch that this process has loaded, such as `2.13.0+cpu`, as it is written in the folder it was loaded from
/// (`build-version` of the libraries for C++, `version.py` of the Python package); `unknown` where neither is there.
pub fn version() -> String {
    let loaded = loaded_from().and_then(|folder| version_of(&folder));
    loaded.unwrap_or_else(|| "unknown".to_owned())
}

/// The folder of the libtorch in memory: the one above its `lib/`.
fn loaded_from() -> Option<PathBuf> {
    // Line by line: the length of the whole differs from start to start, and a large block that is freed changes where later tensors
    // lie, and thereby the last bits of products of matrices.
    let maps = BufReader::new(File::open("/proc/self/maps").ok()?);
    let library = maps.lines().map_while(Result::ok).find_map(|line| {
        let path = Path::new(&line[line.find('/')?..]);
        (path.file_name()? == "libtorch_cpu.so").then(|| path.to_owned())
    })?;
    Some(library.parent()?.parent()?.to_owned())
}

fn version_of(folder: &Path) -> Option<String> {
    let read = |name: &str| i2am_files::read_text(folder.join(name)).ok();
    let of_python = |text: String| {
        let line = text.lines().find(|line| line.starts_with("__version__"))?;
        Some(line.split(['\'', '"']).nth(1)?.to_owned())
    };
    read("build-version")
        .or_else(|| read("version.py").and_then(of_python))
        .map(|version| version.trim().to_owned())
        .filter(|version| !version.is_empty())
}

/// Starts the program once more under [`VARIABLES`], unless all of them are set.
///
/// They count only before libtorch is loaded, which happens before `main`; so the process replaces itself, and this returns only where
/// that is not necessary or not possible. A value that is set already stays.
pub fn start_again_tuned() {
    let missing = missing();
    if missing.is_empty() {
        return;
    }
    #[cfg(unix)]
    if let Ok(program) = std::env::current_exe() {
        use std::os::unix::process::CommandExt as _;

        let mut arguments = std::env::args_os();
        let mut again = std::process::Command::new(program);
        if let Some(name) = arguments.next() {
            again.arg0(name);
        }
        // It returns only if the program cannot be started again; then this one goes on.
        let _ = again.args(arguments).envs(missing).exec();
    }
}

/// Those of [`VARIABLES`] that are not set.
pub fn missing() -> Vec<(&'static str, &'static str)> {
    let is_missing = |(name, _): &(&str, &str)| std::env::var_os(name).is_none();
    VARIABLES.iter().copied().filter(is_missing).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loaded_library_knows_its_version() {
        // An operator, so that the library is needed.
        let sum = tch::Tensor::from_slice(&[1.0, 2.0]).sum(tch::Kind::Double);
        assert!((sum.double_value(&[]) - 3.0).abs() < 1e-12);
        let digits = |version: &str| version.starts_with(|first: char| first.is_ascii_digit());
        assert!(digits(&version()), "{}", version());
    }

    #[test]
    fn the_version_is_that_of_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(version_of(folder.path()), None);
        let python = "from typing import Optional\n__version__ = '9.8.7+cpu'\n";
        std::fs::File::create(folder.path().join("version.py"))
            .and_then(|mut file| std::io::Write::write_all(&mut file, python.as_bytes()))
            .unwrap();
        assert_eq!(version_of(folder.path()).as_deref(), Some("9.8.7+cpu"));
    }
}
