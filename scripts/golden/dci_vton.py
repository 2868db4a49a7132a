#!/usr/bin/env python3
"""Makes the reference values of the data path of DCI-VTON, and of the drawing and morphology that it needs.

Requirements (pip): torch==2.13.0 numpy==2.4.6 opencv-python-headless==5.0.0.93 pillow==13.0.0 safetensors==0.8.0

    python scripts/golden/dci_vton.py           from the root of the repository; rewrites three fixture folders:
                                                draw and morphology of i2am-imaging, dci-vton of i2am-runner

There is no published reference output: the data path is written here from its description, with the libraries that the published code
calls, in another way than in Rust (Pillow's own drawing, OpenCV's own morphology, torch's own resizes). Everything is seeded.
"""

import datetime
import hashlib
from pathlib import Path

import cv2
import numpy as np
import PIL
import safetensors
import torch
import torch.nn.functional as F
from PIL import Image, ImageDraw
from safetensors.numpy import save_file

SEED = 20261125
CRATES = Path(__file__).resolve().parents[2] / "crates"


def main():
    draw(fresh("i2am-imaging", "draw"))
    morphology(fresh("i2am-imaging", "morphology"))
    data_path(fresh("i2am-runner", "dci-vton"))


def fresh(crate, family):
    folder = CRATES / crate / "tests/fixtures" / family
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.iterdir():
        old.unlink()
    return folder


# --- Drawing -----------------------------------------------------------------------------------------------------


def draw(folder):
    """Shapes with random corners in and beyond a picture of 48 x 64; one row of numbers for each, in hundredths."""
    rng = np.random.default_rng(SEED)
    height, width, count = 48, 64, 120
    shapes = {"rectangle": [], "ellipse": [], "wide_line": [], "polygon": []}
    drawn = {kind: [] for kind in shapes}

    def point():
        return rng.uniform([-12, -12], [width + 12, height + 12]).round(2).tolist()

    for number in range(count):
        for kind in shapes:
            image = Image.new("L", (width, height), "black")
            pen = ImageDraw.Draw(image)
            if kind in ("rectangle", "ellipse"):
                center, half = point(), rng.uniform(0, 25, 2).round(2).tolist()
                box = np.round([center[0] - half[0], center[1] - half[1], center[0] + half[0], center[1] + half[1]], 2).tolist()
                getattr(pen, kind)(box, "white", "white")
                numbers = box
            elif kind == "wide_line":
                numbers = [*point(), *point(), float(rng.integers(2, 30))]
                if number % 10 == 0:
                    numbers[2 + number // 10 % 2] = numbers[number // 10 % 2]  # upright or level
                pen.line([tuple(numbers[:2]), tuple(numbers[2:4])], "white", width=int(numbers[4]))
            else:
                corners = [point() for _ in range(4)]
                if number % 8 == 0:
                    corners[1][1] = corners[0][1]  # a level edge
                pen.polygon([tuple(corner) for corner in corners], "white", "white")
                numbers = sum(corners, [])
            shapes[kind].append(numbers)
            drawn[kind].append(np.asarray(image) > 0)
    inputs = {kind: hundredths(rows) for kind, rows in shapes.items()}
    expected = {kind: np.packbits(np.stack(images), axis=-1) for kind, images in drawn.items()}
    save(folder, inputs, expected, "none")


def hundredths(numbers):
    """Numbers of two decimals as whole ones."""
    return np.round(np.array(numbers) * 100).astype(np.int64)


# --- Morphology --------------------------------------------------------------------------------------------------

MORPHOLOGY = [(1, 1), (2, 1), (2, 3), (3, 1), (3, 2), (5, 1), (10, 1), (10, 3), (4, 2)]


def morphology(folder):
    rng = np.random.default_rng(SEED + 1)
    inputs = {
        "dots": np.where(rng.random((61, 53)) < 0.01, 255, 0).astype(np.uint8),
        "holes": np.where(rng.random((40, 70)) < 0.99, 255, 0).astype(np.uint8),
        "levels": rng.integers(0, 256, (23, 17), dtype=np.uint8),
    }
    expected = {}
    for name, mask in inputs.items():
        for side, iterations in MORPHOLOGY:
            kernel = np.ones((side, side), np.uint8)
            for what, method in (("dilate", cv2.dilate), ("erode", cv2.erode)):
                expected[f"{what}.{name}.{side}x{iterations}"] = method(mask, kernel, iterations=iterations)
    save(folder, inputs, expected, "none")


# --- The data path -----------------------------------------------------------------------------------------------

PERSON = (240, 180)  # height, width
CLOTH = (150, 110)
WARPED = (120, 90)
ENLARGEMENT = 0.137
CLIP_SIDE = 32
# Height and width that the networks work at, by name: squashed, and small enough that the square of the morphology is one pixel.
WORK = {"square": (128, 128), "narrow": (64, 48)}
OUTPUT = {"square": (128, 96), "narrow": (64, 48)}
MEAN = torch.tensor([0.48145466, 0.4578275, 0.40821073])[:, None, None]
STD = torch.tensor([0.26862954, 0.26130258, 0.27577711])[:, None, None]


def data_path(folder):
    rng = np.random.default_rng(SEED + 2)
    sample = drawn_sample(rng)
    inputs = sample | {"pose": hundredths(sample["pose"])}
    expected = {}
    for name, work in WORK.items():
        inputs[f"decoded.{name}"] = rng.normal(0, 0.7, (1, 3, *work)).astype(np.float32)
        decoded = torch.from_numpy(inputs[f"decoded.{name}"])[0]
        for version in ("v1", "v2"):
            for key, value in prepared(sample, version, work).items():
                expected[f"{version}.{name}.{key}"] = value.numpy().astype(np.float32)
            person, keep = (torch.from_numpy(expected[f"{version}.{name}.{key}"]) for key in ("person", "keep"))
            expected[f"{version}.{name}.picture"] = finished(decoded, person, keep, OUTPUT[name])
    hole, hidden = painted(sample)
    expected["hole_of_joints"], expected["agnostic"] = hole, hidden
    # A person whose right wrist and left elbow were not found.
    sample["pose"] = sample["pose"].copy()
    sample["pose"][[4, 6]] = 0
    inputs["pose.partly"] = hundredths(sample["pose"])
    expected["hole_of_joints.partly"] = painted(sample)[0]
    # The square of the morphology at the published width.
    parse = np.asarray(Image.fromarray(sample["parse"]).resize((512, 512), Image.NEAREST))
    expected["hole_of_parse.published"] = np.packbits(hole_of_parse(parse) > 0, axis=-1)
    save(folder, inputs, expected, "holes, agnostic picture: none; tensors: 1e-6; picture: one level (order of additions)")


def drawn_sample(rng):
    """A person in blots: what matters is that every label and every rule has pixels."""
    height, width = PERSON
    rows, columns = np.mgrid[:height, :width]
    waves = [np.sin(rows / (7 + 3 * k)) * np.cos(columns / (11 - 2 * k)) for k in range(3)]
    image = (127.5 * (1 + np.stack(waves, -1))).astype(np.uint8)
    pose = np.zeros((25, 2))
    for joint, place in {
        0: (92, 40), 1: (91, 70.4), 2: (61.7, 72.9), 3: (44.2, 110.3), 4: (57.8, 140.6), 5: (120.4, 71.1), 6: (139.9, 108.5),
        7: (131.3, 150.2), 8: (90.5, 150), 9: (76.3, 151.8), 12: (104.6, 149.4), 10: (75, 200), 13: (106, 205),
    }.items():
        pose[joint] = place
    parse = Image.new("L", (width, height), 0)
    pen = ImageDraw.Draw(parse)
    pen.rectangle((70, 150, 112, 239), 9)
    pen.rectangle((70, 215, 90, 239), 16)
    pen.rectangle((92, 215, 112, 239), 17)
    pen.polygon([(60, 70), (122, 70), (112, 158), (68, 158)], 5)
    pen.rectangle((84, 62, 98, 74), 10)
    for label, joints in ((15, (2, 3, 4)), (14, (5, 6, 7))):
        places = [tuple(pose[joint]) for joint in joints]
        pen.line(places, label, width=15)
        reach = np.array(places[2]) + (np.array(places[2]) - np.array(places[1])) * 0.5
        pen.ellipse((*(reach - 11), *(reach + 11)), label)
    pen.ellipse((76, 22, 108, 64), 13)
    pen.ellipse((74, 14, 110, 34), 2)
    pen.rectangle((84, 36, 100, 40), 4)
    pen.rectangle((120, 200, 140, 220), 11)
    parse = np.asarray(parse)
    agnostic_parse = np.where(np.isin(parse, (5, 10)) | (np.isin(parse, (14, 15)) & (rows < 135)), 0, parse)
    cloth = (120 + 100 * np.sin(np.mgrid[:CLOTH[0], :CLOTH[1]].sum(0) / 6)[..., None] * [1, 0.5, -1]).astype(np.uint8)
    cloth_mask = np.zeros(CLOTH, np.uint8)
    cloth_mask[21:131, 17:84] = 255
    warped = rng.integers(0, 256, (*WARPED, 3), dtype=np.uint8)
    warped_mask = np.zeros(WARPED, np.uint8)
    warped_mask[35:80, 30:62] = rng.integers(200, 256, (45, 32))
    return {
        "image": image, "pose": pose, "parse": parse, "agnostic_parse": agnostic_parse.astype(np.uint8), "cloth": cloth,
        "cloth_mask": cloth_mask, "warped": warped, "warped_mask": warped_mask,
    }


def painted(sample):
    """255 where the person is hidden by strokes along the joints and no label keeps it; and the person hidden there by 128."""
    pose, parse = sample["pose"].copy(), sample["parse"]
    (height, width) = parse.shape
    shoulders, hips = np.linalg.norm(pose[5] - pose[2]), np.linalg.norm(pose[12] - pose[9])
    middle = (pose[9] + pose[12]) / 2
    for hip in (9, 12):
        pose[hip] = middle + (pose[hip] - middle) / hips * shoulders
    unit = int(shoulders / 16) + 1

    def canvas():
        image = Image.new("L", (width, height), 0)
        return image, ImageDraw.Draw(image)

    def blot(pen, joint, across, down):
        x, y = pose[joint]
        pen.ellipse((x - across * unit, y - down * unit, x + across * unit, y + down * unit), 255, 255)

    def stroke(pen, first, second, thick):
        pen.line([tuple(pose[first]), tuple(pose[second])], 255, width=thick * unit)

    def found(*joints):
        return all(pose[joint].any() for joint in joints)

    over, pen = canvas()
    for hip in (9, 12):
        blot(pen, hip, 3, 6)
    stroke(pen, 2, 9, 6), stroke(pen, 5, 12, 6), stroke(pen, 9, 12, 12)
    pen.polygon([tuple(pose[joint]) for joint in (2, 5, 12, 9)], 255, 255)
    x, y = pose[1]
    pen.rectangle((x - 5 * unit, y - 9 * unit, x + 5 * unit, y), 255, 255)
    stroke(pen, 2, 5, 12)
    blot(pen, 2, 5, 6), blot(pen, 5, 5, 6)
    for joint in (3, 4, 6, 7):
        if found(joint - 1, joint):
            stroke(pen, joint - 1, joint, 10)
            blot(pen, joint, 5, 5)
    hole = np.array(over)
    hole[np.isin(parse, (4, 13, 9, 12, 16, 17, 18, 19))] = 0
    for label, (shoulder, elbow, wrist) in ((14, (5, 6, 7)), (15, (2, 3, 4))):
        sleeve, pen = canvas()
        blot(pen, shoulder, 5, 6)
        last = shoulder
        for joint in (elbow, wrist):
            if found(joint - 1, joint):
                stroke(pen, joint - 1, joint, 10)
                last = joint
                if joint == elbow:
                    blot(pen, joint, 5, 5)
        blot(pen, last, 4, 4)
        hole[(parse == label) & (np.asarray(sleeve) == 0)] = 0
    return hole, np.where(hole[..., None] > 0, np.uint8(128), sample["image"])


def hole_of_parse(parse):
    side = max(int(5 * (parse.shape[1] / 256)), 1)
    hole = np.isin(parse, (5, 6, 7, 14, 15)).astype(np.uint8) * 255
    kernel = np.ones((side, side))
    return cv2.erode(cv2.dilate(hole, kernel, iterations=3), kernel, iterations=1)


def prepared(sample, version, work):
    """Tensors as the networks take them, from the description of the two versions of the data."""
    size = work[::-1]

    def colours(array):
        image = Image.fromarray(array).resize(size, Image.BILINEAR)
        return torch.from_numpy(np.array(image)).permute(2, 0, 1).float().div(255).sub(0.5).div(0.5)

    def nearest(array):
        return np.asarray(Image.fromarray(array).resize(size, Image.NEAREST))

    def unit(array):
        return torch.from_numpy(array.astype(np.float32) / 255)[None]

    hole, hidden = painted(sample)
    person, agnostic = colours(sample["image"]), colours(hidden)
    warped = colours(sample["warped"]) * unit(nearest(sample["warped_mask"]))
    if version == "v1":
        keep = 1 - unit(hole_of_parse(nearest(sample["parse"])))
        composite = warped * (1 - keep) + person * keep
        hands = torch.from_numpy(np.isin(nearest(sample["agnostic_parse"]), (14, 15)).astype(np.float32))[None]
        inpaint = composite * (1 - hands) + agnostic * hands
    else:
        keep = 1 - unit(np.where(nearest(hole) >= 128, 255, 0))
        inpaint = composite = agnostic + warped * (1 - keep)
    places = np.argwhere(nearest(sample["cloth_mask"]) >= 128)
    (top, left), (bottom, right) = places.min(0), places.max(0)
    middle = (top + bottom) // 2, (left + right) // 2
    grow = 1 + ENLARGEMENT
    rows = slice(
        int(max(top * grow - middle[0] * ENLARGEMENT, 0)), int(min(bottom * grow - middle[0] * ENLARGEMENT + 1, work[0]))
    )
    columns = slice(
        int(max(left * grow - middle[1] * ENLARGEMENT, 0)), int(min(right * grow - middle[1] * ENLARGEMENT + 1, work[1]))
    )
    crop = (colours(sample["cloth"])[:, rows, columns] + 1) / 2
    clip = (bilinear(crop, (CLIP_SIDE, CLIP_SIDE)) - MEAN) / STD
    return {
        "person": person, "keep": keep, "composite": composite, "inpaint_image": inpaint, "clip": clip,
        "latent_keep": bilinear(keep, (work[0] // 8, work[1] // 8)),
    }


def bilinear(x, size):
    return F.interpolate(x[None], size, mode="bilinear", align_corners=False, antialias=False)[0]


def finished(decoded, person, keep, output):
    def unit(x):
        return ((x + 1) / 2).clamp(0, 1)

    whole = unit(decoded) * (1 - keep) + keep * unit(person)
    return (255 * bilinear(whole, output)).permute(1, 2, 0).numpy().astype(np.uint8)


# --- Files -------------------------------------------------------------------------------------------------------


def save(folder, inputs, expected, tolerance):
    for name, tensors in (("inputs", inputs), ("expected", expected)):
        save_file({key: np.ascontiguousarray(value) for key, value in tensors.items()}, folder / f"{name}.safetensors")
    hashes = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())}
    lines = [
        'reference = "the Python libraries below"',
        'command = "python scripts/golden/dci_vton.py"',
        f'date = "{datetime.date.today()}"',
        f"seed = {SEED}",
        'device = "cpu"',
        f'tolerance = "{tolerance}"',
        "",
        "[versions]",
        f'torch = "{torch.__version__.split("+")[0]}"',
        f'numpy = "{np.__version__}"',
        f'opencv-python-headless = "{cv2.__version__}"',
        f'pillow = "{PIL.__version__}"',
        f'safetensors = "{safetensors.__version__}"',
        "",
        "[sha256]",
        *(f'"{name}" = "{digest}"' for name, digest in hashes.items()),
    ]
    (folder / "PROVENANCE.toml").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
