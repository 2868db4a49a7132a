#!/usr/bin/env bash
# Times bench correlate and scipy. See --help.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/peer.sh"

usage() {
    cat <<'TEXT'
Usage: scripts/peers/stats.sh [--venv DIR] [OPTION]...

Times the bootstrap intervals of bench correlate and scipy.stats.bootstrap: the same table, the same
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

# The same versions as in scripts/golden/stats.py.
peer stats peers-stats-venv scipy==1.17.1 numpy==2.4.6 -- "$@"
