"""Fixture `outlines` of i2am-imacs: regions, outlines and morphology of random masks, by OpenCV.

    pip install opencv-python-headless==5.0.0.93 numpy==2.4.6 safetensors
    python scripts/golden/outlines.py crates/i2am-imacs/tests/fixtures/outlines
"""

import sys
from pathlib import Path

import cv2
import numpy as np
from safetensors.numpy import save_file

HEIGHT, WIDTH = 28, 36


def masks():
    rng = np.random.default_rng(4471)
    for blur in (0.0, 0.8, 1.6, 2.5):
        for level in (-0.3, 0.0, 0.3, 0.8):
            noise = rng.normal(size=(HEIGHT, WIDTH))
            if blur:
                noise = cv2.GaussianBlur(noise, (0, 0), blur)
                noise /= noise.std()
            yield (noise > level).astype(np.uint8) * 255


def raster_first(contour):
    return min((int(y), int(x)) for x, y in contour[:, 0])


def rectangle(contour):
    return list(cv2.boundingRect(contour))


def set_in(mask, contour):
    x, y, w, h = cv2.boundingRect(contour)
    return int((mask[y : y + h, x : x + w] == 255).sum())


def main(folder):
    out = {"masks": [], "areas": [], "offsets": [0], "boxes": []}
    for mask in masks():
        out["masks"].append(mask)
        for side in (3, 5):
            square = np.ones((side, side), np.uint8)
            for name, operation in (
                ("erode", cv2.MORPH_ERODE),
                ("dilate", cv2.MORPH_DILATE),
                ("open", cv2.MORPH_OPEN),
                ("close", cv2.MORPH_CLOSE),
            ):
                result = cv2.morphologyEx(mask, operation, square)
                out.setdefault(f"{name}{side}", []).append(result)
        # Outer outlines at every depth; holes are every second level.
        every, hierarchy = cv2.findContours(mask, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
        outer = [c for c, h in zip(every, hierarchy[0]) if h[3] == -1]
        outer.sort(key=raster_first)
        areas = [round(2 * cv2.contourArea(c)) for c in outer]
        out["areas"] += areas
        out["offsets"].append(len(out["areas"]))
        external, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
        tree, _ = cv2.findContours(mask, cv2.RETR_TREE, cv2.CHAIN_APPROX_NONE)
        out["boxes"].append(rectangle(max(external, key=cv2.contourArea)))
        out["boxes"].append(rectangle(max(tree, key=lambda c: set_in(mask, c))))
    dtype = {"areas": np.int64, "offsets": np.int64, "boxes": np.int64}
    tensors = {k: np.array(v, dtype.get(k, np.uint8)) for k, v in out.items()}
    folder.mkdir(parents=True, exist_ok=True)
    save_file(tensors, folder / "outlines.safetensors")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
