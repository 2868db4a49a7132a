#!/usr/bin/env bash
# Times bench correlate beside scipy. See --help.
set -euo pipefail

usage() {
    cat <<'TEXT'
Usage: scripts/peers/stats.sh [--venv DIR] [OPTION]...

Times the bootstrap intervals of bench correlate beside scipy.stats.bootstrap: the same table, the same
number of resamples, the same threads, one after the other on this machine. Prints a Markdown table with
the intervals, so that their likeness is seen too.

  --venv DIR   where scipy is, or is installed to [default: target/peers-stats-venv]

TEXT
    sed -n 's/^# help: \{0,1\}//p' "$root/scripts/peers/stats.py"
    cat <<'TEXT'

Needs target/release/bench (cargo build --release). Takes some minutes, nearly all of them scipy's.
Leave the machine alone meanwhile.
TEXT
}

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
venv=$root/target/peers-stats-venv
# The same versions as in scripts/golden/stats.py.
packages=(scipy==1.17.1 numpy==2.4.6)
arguments=()
while (($#)); do
    case $1 in
    -h | --help)
        usage
        exit 0
        ;;
    --venv)
        (($# > 1)) || {
            echo "peers: --venv needs a value (see scripts/peers/stats.sh --help)" >&2
            exit 1
        }
        venv=$2
        shift
        ;;
    *) arguments+=("$1") ;;
    esac
    shift
done

if [[ ! -x $venv/bin/python ]]; then
    python3 -m venv "$venv" || {
        echo "peers: could not make $venv (Debian, Ubuntu: apt install python3-venv)" >&2
        exit 1
    }
fi
# Says nothing where they are there.
"$venv/bin/python" -m pip install --disable-pip-version-check --quiet "${packages[@]}" >&2
exec "$venv/bin/python" "$root/scripts/peers/stats.py" ${arguments[@]+"${arguments[@]}"}
