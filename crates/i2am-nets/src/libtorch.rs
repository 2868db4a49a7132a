//! The library itself: which version is loaded, and how its threads wait.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};

/// OpenMP reads it once, when libtorch is loaded.
const WAIT_POLICY: &str = "OMP_WAIT_POLICY";

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
    let read = |name: &str| std::fs::read_to_string(folder.join(name)).ok();
    let of_python = |text: String| {
        let line = text.lines().find(|line| line.starts_with("__version__"))?;
        Some(line.split(['\'', '"']).nth(1)?.to_owned())
    };
    read("build-version")
        .or_else(|| read("version.py").and_then(of_python))
        .map(|version| version.trim().to_owned())
        .filter(|version| !version.is_empty())
}

/// Starts the program once more with `OMP_WAIT_POLICY=passive`, unless the variable is set.
///
/// OpenMP's threads spin while they wait for each other. With another program on the same cores, small networks then take many times
/// as long; asleep, the threads lose little on an idle machine. The variable counts only before libtorch is loaded, which happens
/// before `main`; so the process replaces itself, and this returns only where that is not necessary or not possible.
pub fn let_threads_sleep() {
    if std::env::var_os(WAIT_POLICY).is_some() {
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
        let _ = again.args(arguments).env(WAIT_POLICY, "passive").exec();
    }
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
