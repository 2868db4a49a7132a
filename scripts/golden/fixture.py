"""What the scripts for metrics share: the formula that fills networks, the pictures of the fixture `sets`, and the record of a fixture."""

import datetime
import hashlib
import importlib.metadata
import json
from pathlib import Path

import numpy as np
from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
FIXTURES = ROOT / "crates/i2am-metrics/tests/fixtures"


def picture(path):
    """Levels `[height, width, 3]` of a picture of the fixture `sets`, e.g. `real/23.png`."""
    return np.asarray(Image.open(FIXTURES / "sets" / path).convert("RGB"))


def write(name, values, packages, tolerance, root=FIXTURES, **more):
    """Writes `expected.json` and PROVENANCE.toml of the fixture `name` in `root`, and hashes whatever else its folder holds."""
    folder = root / name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "expected.json").write_text(json.dumps(values, indent=1) + "\n")
    files = [path for path in sorted(folder.rglob("*")) if path.is_file() and path.name != "PROVENANCE.toml"]
    hashes = {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
    lines = [
        'reference = "the Python libraries below"',
        f'command = "python scripts/golden/{name.replace("-", "_")}.py"',
        f'date = "{datetime.date.today()}"',
        'device = "cpu"',
        f'tolerance = "{tolerance}"',
        *(f'{key} = "{value}"' for key, value in more.items()),
        "",
        "[versions]",
        *(f'{package} = "{importlib.metadata.version(package).split("+")[0]}"' for package in packages),
        "",
        "[sha256]",
        *(f'"{name}" = "{digest}"' for name, digest in hashes.items()),
    ]
    (folder / "PROVENANCE.toml").write_text("\n".join(lines) + "\n")
