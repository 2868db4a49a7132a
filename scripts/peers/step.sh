#!/usr/bin/env bash
# Times a recorded step of the full-size UNet in bench and in Python. See --help.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/peer.sh"

usage() {
    cat <<'TEXT'
Usage: scripts/peers/step.sh [--venv DIR] [OPTION]...

Times a guided step of the full-size Paint-by-Example UNet (512x512, f32, random weights) with recorded
attention: bench, Python with a hook as in the code of I2AM's authors on eager attention, the same hook on
fused attention, and Python's fused attention without a hook. One after the other on this machine. Prints a
Markdown table.

  --venv DIR   where diffusers is, or is installed to [default: target/peers-step-venv]

TEXT
    sed -n 's/^# help: \{0,1\}//p' "$root/scripts/peers/step.py"
    cat <<'TEXT'

Needs 5 GB of memory and some minutes. Leave the machine alone meanwhile.
TEXT
}

# torch is the version that tch links to.
peer step peers-step-venv torch==2.13.0 diffusers==0.42.1 numpy==2.4.6 -- "$@"
