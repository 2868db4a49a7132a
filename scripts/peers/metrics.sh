#!/usr/bin/env bash
# Times bench measure beside the Python tools whose numbers it gives. See --help.
set -euo pipefail

usage() {
    cat <<'TEXT'
Usage: scripts/peers/metrics.sh [--venv DIR] [OPTION]...

Times bench measure beside pytorch-fid, torch-fidelity, lpips and scikit-image: the same pictures, the
same weights, the same threads, one after the other on this machine. Prints a Markdown table with the
scores, so that their equality is seen too.

  --venv DIR   where the Python tools are, or are installed to [default: target/peers-venv]; the
               first run downloads scripts/peers/requirements.txt with pip (5 GB: torch comes with CUDA)

TEXT
    sed -n 's/^# help: \{0,1\}//p' "$root/scripts/peers/metrics.py"
    cat <<'TEXT'

Needs target/release/bench (cargo build --release --bins --examples) and .weights/ (scripts/setup). With --part fid and
256 pictures it takes some minutes and 3 GB of memory. Leave the machine alone meanwhile.
TEXT
}

say() { printf 'peers: %s\n' "$*" >&2; }
die() {
    say "$*"
    exit 1
}

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
requirements=$root/scripts/peers/requirements.txt
venv=$root/target/peers-venv
arguments=()
while (($#)); do
    case $1 in
    -h | --help)
        usage
        exit 0
        ;;
    --venv)
        (($# > 1)) || die "--venv needs a value (see scripts/peers/metrics.sh --help)"
        venv=$2
        shift
        ;;
    *) arguments+=("$1") ;;
    esac
    shift
done

# has_packages: whether the environment has every package in the version wanted, however it came there.
has_packages() {
    "$venv/bin/python" - "$requirements" <<'PYTHON'
import importlib.metadata, sys

for line in open(sys.argv[1]):
    if "==" in line:
        name, version = line.strip().split("==")
        try:
            found = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found = "nothing"
        if found.split("+")[0] != version:
            sys.exit(f"peers: {name} {version} is needed, {found} is installed")
PYTHON
}

if [[ ! -x $venv/bin/python ]]; then
    python3 -m venv "$venv" || die "could not make $venv (Debian, Ubuntu: apt install python3-venv)"
fi
if ! has_packages; then
    "$venv/bin/python" -m pip install --disable-pip-version-check --quiet -r "$requirements" >&2 ||
        die "could not install the Python tools (pip says why above)"
fi
exec "$venv/bin/python" "$root/scripts/peers/metrics.py" ${arguments[@]+"${arguments[@]}"}
