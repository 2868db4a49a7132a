//! Which globals are plain containers, and which are refused on sight.

/// Modules that exist to run programs, load code or reach the machine. No checkpoint needs them.
const REFUSED_MODULES: &[&str] = &[
    "_pickle",
    "bdb",
    "cPickle",
    "ctypes",
    "importlib",
    "marshal",
    "nt",
    "os",
    "pdb",
    "pickle",
    "posix",
    "pty",
    "runpy",
    "shutil",
    "socket",
    "subprocess",
    "sys",
    "timeit",
    "webbrowser",
];

/// Built-in functions that run or reach anything.
const REFUSED_BUILTINS: &[&str] = &[
    "__import__",
    "apply",
    "breakpoint",
    "compile",
    "delattr",
    "eval",
    "exec",
    "execfile",
    "file",
    "getattr",
    "globals",
    "input",
    "locals",
    "open",
    "raw_input",
    "reload",
    "setattr",
    "vars",
];

const BUILTINS: &[&str] = &["builtins", "__builtin__", "__builtins__"];

/// Whether a pickle that names this global is refused outright.
///
/// Nothing is called either way. This list only turns a file that was made to attack its reader into a clear error
/// instead of a missing tensor.
pub(super) fn is_refused(module: &str, name: &str) -> bool {
    let package = module.split('.').next().unwrap_or(module);
    let (path, _) = name.rsplit_once('.').unwrap_or(("", name));
    let first = name.split('.').next().unwrap_or(name);
    REFUSED_MODULES.contains(&package)
        // `torch` + `os.system` reaches through one module into another.
        || path.split('.').any(|part| REFUSED_MODULES.contains(&part) || BUILTINS.contains(&part))
        || BUILTINS.contains(&package) && REFUSED_BUILTINS.contains(&first)
}

/// Whether the global makes a dictionary.
pub(super) fn is_dictionary(module: &str, name: &str) -> bool {
    matches!(
        (module, name),
        ("collections", "OrderedDict" | "defaultdict")
    ) || BUILTINS.contains(&module) && name == "dict"
}
