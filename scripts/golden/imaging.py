#!/usr/bin/env python3
"""Makes the reference values of crates/i2am-imaging: resizes, decoded files, colour maps.

Requirements (pip): torch==2.13.0 numpy==2.4.6 pillow==13.0.0 matplotlib==3.11.2 safetensors==0.8.0

    python scripts/golden/imaging.py            from the root of the repository; rewrites the fixture folders

Everything is seeded; a second run writes the same bytes, except for the date in PROVENANCE.toml.
"""

import datetime
import hashlib
import struct
import zlib
from pathlib import Path

import matplotlib
import numpy as np
import PIL
import safetensors
import torch
from matplotlib import colormaps
from PIL import Image, ImageOps
from safetensors.numpy import save_file

SEED = 20240711
ROOT = Path(__file__).resolve().parents[2] / "crates/i2am-imaging/tests/fixtures"


def main():
    resizes(fresh("resize"))
    decoding(fresh("decode"))
    colour_maps(fresh("colormap"))


def fresh(family):
    folder = ROOT / family
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.iterdir():
        old.unlink()
    return folder


# --- Resizes -----------------------------------------------------------------------------------------------------

# Thin planes reach large sizes with few values: an axis is resampled the same whatever the other one is.
TORCH_SIZES = {
    "noise": ((13, 10), [(29, 31), (7, 4), (13, 10), (26, 20), (5, 33), (1, 1)]),
    "map": ((8, 6), [(64, 48), (44, 50)]),
    "wide": ((2, 1024), [(2, 384), (3, 77), (2, 1000)]),
    "tall": ((77, 1), [(512, 1), (24, 2), (333, 1)]),
    "one": ((1, 1), [(3, 2)]),
}
TORCH_MODES = {
    "bicubic": {"align_corners": False, "antialias": False},
    "bilinear": {"align_corners": False, "antialias": False},
    "nearest": {},
}
PILLOW_SIZES = {
    "noise": ((29, 37), [(13, 17), (51, 64), (29, 12), (12, 34), (40, 37), (29, 37), (1, 1), (3, 100)]),
    "photo": ((48, 36), [(32, 24), (64, 64), (17, 5)]),
    "edge": ((16, 16), [(24, 40), (7, 7)]),
    "wide": ((2, 1024), [(2, 384), (1, 224)]),
}
PILLOW_FILTERS = {name: Image.Resampling[name.upper()] for name in ["bicubic", "bilinear", "nearest"]}


def resizes(folder):
    rng = np.random.default_rng(SEED)
    inputs, expected = {}, {}
    for name, (shape, sizes) in TORCH_SIZES.items():
        plane = rng.standard_normal(shape).astype(np.float32)
        inputs[f"plane.{name}"] = plane
        tensor = torch.from_numpy(plane)[None, None]
        for size in sizes:
            for mode, options in TORCH_MODES.items():
                resized = torch.nn.functional.interpolate(tensor, size=size, mode=mode, **options)
                expected[f"torch.{mode}.{name}.{size[0]}x{size[1]}"] = resized[0, 0].numpy()
    for name, (shape, sizes) in PILLOW_SIZES.items():
        levels = picture(name, shape, rng)
        inputs[f"rgb.{name}"] = levels
        inputs[f"gray.{name}"] = np.ascontiguousarray(levels[:, :, 1])
        for kind in ["rgb", "gray"]:
            image = Image.fromarray(inputs[f"{kind}.{name}"])
            for height, width in sizes:
                for mode, method in PILLOW_FILTERS.items():
                    resized = image.resize((width, height), method)
                    expected[f"pillow.{mode}.{kind}.{name}.{height}x{width}"] = np.asarray(resized)
    save(folder, inputs, expected, "torch: 1e-6 of the largest value (order of additions); pillow: none")


def picture(name, shape, rng):
    """RGB levels: noise (a cubic overshoots everywhere), black-white edges, or something smooth."""
    if name in ("noise", "wide"):
        return rng.integers(0, 256, (*shape, 3), dtype=np.uint8)
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    if name == "edge":
        return np.stack([255 * ((rows + k * columns) // 5 % 2) for k in range(3)], -1).astype(np.uint8)
    waves = [np.sin(rows / (5 + k) + columns / (9 - 2 * k)) * np.cos(columns / 11) for k in range(3)]
    return (127.5 * (1 + np.stack(waves, -1))).astype(np.uint8)


# --- Decoding ----------------------------------------------------------------------------------------------------


def decoding(folder):
    """Files of every kind, and what Pillow reads from them as RGB and L, the right way up (16-bit gray: see below)."""
    rng = np.random.default_rng(SEED + 1)
    height, width = 5, 7

    def noise(*channels):
        return rng.integers(0, 256, (height, width, *channels), dtype=np.uint8)

    wide = rng.integers(0, 65536, (height, width), dtype=np.uint16)
    wide_rgb = rng.integers(0, 65536, (height, width, 3), dtype=np.uint16)
    wide_rgba = rng.integers(0, 65536, (height, width, 4), dtype=np.uint16)
    palette = Image.fromarray(noise(3)).quantize(16)
    Image.fromarray(noise()).save(folder / "gray8.png")
    Image.fromarray(noise(2), "LA").save(folder / "gray-alpha8.png")
    Image.fromarray(noise(3)).save(folder / "rgb8.png")
    Image.fromarray(noise(4)).save(folder / "rgb-alpha8.png")
    Image.fromarray(noise() > 127).save(folder / "gray1.png")
    palette.save(folder / "palette.png")
    palette.save(folder / "palette-transparent.png", transparency=3)
    Image.fromarray(noise(3)).save(folder / "rgb-transparent-colour.png", transparency=(1, 2, 3))
    (folder / "gray16.png").write_bytes(png(wide[..., None], color_type=0))
    (folder / "rgb16.png").write_bytes(png(wide_rgb, color_type=2))
    (folder / "rgb-alpha16.png").write_bytes(png(wide_rgba, color_type=6))

    photo = Image.fromarray(picture("photo", (45, 37), rng))
    photo.save(folder / "photo-420.jpg", quality=90, subsampling="4:2:0")
    photo.save(folder / "photo-444.jpg", quality=90, subsampling="4:4:4")
    photo.save(folder / "photo-progressive.jpg", quality=90, subsampling="4:2:0", progressive=True)
    exif = Image.Exif()
    exif[0x0112] = 6  # rotated by 90 degrees
    photo.save(folder / "photo-rotated.jpg", quality=90, subsampling="4:4:4", exif=exif)
    photo.convert("L").save(folder / "gray.jpg", quality=90)
    photo.convert("CMYK").save(folder / "photo-cmyk.jpg", quality=90, subsampling="4:4:4")
    for orientation in range(2, 9):
        exif[0x0112] = orientation
        Image.fromarray(noise(3)).save(folder / f"orientation{orientation}.png", exif=exif)
    labels = Image.fromarray(noise(3)).quantize(16)
    labels.save(folder / "palette-rotated.png", exif=exif)

    expected = {}
    for path in sorted(folder.iterdir()):
        image = Image.open(path)
        if path.name == "gray16.png":
            # Pillow cuts these off at 255; the high byte, which it takes of 16-bit colours, is what is meant.
            image = Image.fromarray((wide >> 8).astype(np.uint8))
        image = ImageOps.exif_transpose(image)
        expected[f"rgb.{path.name}"] = np.asarray(image.convert("RGB"))
        expected[f"gray.{path.name}"] = np.asarray(image.convert("L"))
        if image.mode == "P":
            expected[f"labels.{path.name}"] = np.asarray(image)
    tolerance = "PNG: none; JPEG: four levels, half a level on average (another inverse cosine transform and chroma upsampling)"
    save(folder, None, expected, tolerance)


def png(levels, color_type):
    """A 16-bit PNG file without filters; Pillow writes only gray of that depth."""
    height, width, _ = levels.shape
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in levels)
    header = struct.pack(">IIBBBBB", width, height, 16, color_type, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*each) for each in chunks)


# --- Colour maps -------------------------------------------------------------------------------------------------


def colour_maps(folder):
    """The 256 colours of each map, as `imsave` and `cmap(x, bytes=True)` give them."""
    names = ["inferno", "viridis", "turbo", "jet"]
    expected = {name: colormaps[name](np.arange(256), bytes=True)[:, :3].copy() for name in names}
    save(folder, None, expected, "jet: none; inferno, viridis: one level (rounded, not cut); turbo: 32 (a polynomial)")


# --- Files -------------------------------------------------------------------------------------------------------


def save(folder, inputs, expected, tolerance):
    if inputs is not None:
        save_file(inputs, folder / "inputs.safetensors")
    save_file({name: np.ascontiguousarray(value) for name, value in expected.items()}, folder / "expected.safetensors")
    hashes = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())}
    lines = [
        'reference = "the Python libraries below"',
        'command = "python scripts/golden/imaging.py"',
        f'date = "{datetime.date.today()}"',
        f"seed = {SEED}",
        'device = "cpu"',
        f'tolerance = "{tolerance}"',
        "",
        "[versions]",
        f'torch = "{torch.__version__.split("+")[0]}"',
        f'numpy = "{np.__version__}"',
        f'pillow = "{PIL.__version__}"',
        f'matplotlib = "{matplotlib.__version__}"',
        f'safetensors = "{safetensors.__version__}"',
        "",
        "[sha256]",
        *(f'"{name}" = "{digest}"' for name, digest in hashes.items()),
    ]
    (folder / "PROVENANCE.toml").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
