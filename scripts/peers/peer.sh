# Sourced by the scripts here: runs a comparison in a Python environment of its own.
# shellcheck shell=bash

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)

die() {
    printf 'peers: %s\n' "$*" >&2
    exit 1
}

# has_packages PACKAGE==VERSION...: whether the environment has all of them, however they came there.
has_packages() {
    "$venv/bin/python" - "$@" <<'PYTHON'
import importlib.metadata, sys

for package in sys.argv[1:]:
    name, version = package.split("==")
    try:
        found = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        found = "nothing"
    if found.split("+")[0] != version:
        sys.exit(f"peers: {name} {version} is needed, {found} is installed")
PYTHON
}

# peer NAME VENV PACKAGE==VERSION... -- ARGUMENT...: runs scripts/peers/NAME.py with the arguments, --venv taken out, in an environment
# that has the packages: VENV below target/, or that of --venv. --help calls `usage`.
peer() {
    local name=$1 venv=$root/target/$2 packages=() arguments=()
    shift 2
    while [[ $1 != -- ]]; do
        packages+=("$1")
        shift
    done
    shift
    while (($#)); do
        case $1 in
        -h | --help)
            usage
            exit 0
            ;;
        --venv)
            (($# > 1)) || die "--venv needs a value (see scripts/peers/$name.sh --help)"
            venv=$2
            shift
            ;;
        *) arguments+=("$1") ;;
        esac
        shift
    done
    if [[ ! -x $venv/bin/python ]]; then
        python3 -m venv "$venv" || die "could not make $venv (Debian, Ubuntu: apt install python3-venv)"
    fi
    if ! has_packages "${packages[@]}"; then
        "$venv/bin/python" -m pip install --disable-pip-version-check --quiet "${packages[@]}" >&2 ||
            die "could not install the Python tools (pip says why above)"
    fi
    exec "$venv/bin/python" "$root/scripts/peers/$name.py" ${arguments[@]+"${arguments[@]}"}
}
