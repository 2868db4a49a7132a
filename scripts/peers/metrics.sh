#!/usr/bin/env bash
# Times bench measure and the Python tools whose numbers it gives. See --help.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/peer.sh"

usage() {
    cat <<'TEXT'
Usage: scripts/peers/metrics.sh [--venv DIR] [OPTION]...

Times bench measure and pytorch-fid, torch-fidelity, prdc, lpips, DISTS-pytorch, transformers, timm,
cmmd-pytorch, scikit-image and pytorch-msssim: the same pictures, the same weights, the same threads, one after the other on this
machine. Prints a Markdown table with the scores and the largest difference of the two sides.

  --venv DIR   where the Python tools are, or are installed to [default: target/peers-venv]; the
               first run downloads scripts/peers/requirements.txt with pip (5 GB: torch comes with CUDA),
               and two tools that have no release with git, into the folder of --scratch

TEXT
    sed -n 's/^# help: \{0,1\}//p' "$root/scripts/peers/metrics.py"
    cat <<'TEXT'

Needs target/release/bench (cargo build --release --bins --examples) and .weights/ (scripts/setup). With --part fid and
256 pictures it takes some minutes and 3 GB of memory. Leave the machine alone meanwhile.
TEXT
}

mapfile -t packages < <(grep == "$root/scripts/peers/requirements.txt")
peer metrics peers-venv "${packages[@]}" -- "$@"
