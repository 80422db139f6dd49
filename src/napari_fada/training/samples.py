"""Real training images: HC18, PSFHS and the axial brain set, read once into memory.

A sample says which classes it *knows about*: HC18 marks the head only, so nothing may be
taught about a cavum that is visible but not marked.
"""

from __future__ import annotations

import csv
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from napari_fada.training.contours import FloatArray, mask_outline

Part = Literal["train", "validation"]
#: Side of the square that images are kept at until augmentation.
STORED = 256
#: PSFHS frames come from cine runs: whole blocks of neighbours are held out, and the training
#: frames next to a held-out block are dropped.
BLOCK, EVERY, GUARD = 50, 5, 5


@dataclass(frozen=True)
class Structure:
    """One labelled structure: outline and points in 0–1 coordinates of the image."""

    name: str
    outline: FloatArray
    keypoints: FloatArray | None = None


@dataclass(frozen=True)
class Sample:
    """One image with what is known about it."""

    image: npt.NDArray[np.uint8]
    aspect: float
    view: str
    structures: tuple[Structure, ...]
    unknown: frozenset[str] = frozenset()
    source: str = ""
    name: str = ""
    scene: str = ""


def in_validation(key: str, share: float = 0.2) -> bool:
    """Decide by hash whether an examination is held out: stable, and independent of the rest."""
    return int(hashlib.sha256(key.encode()).hexdigest()[:8], 16) / 0xFFFFFFFF < share


def _grey(path: Path) -> npt.NDArray[np.uint8]:
    from PIL import Image

    with Image.open(path) as im:
        return np.asarray(im.convert("L"))


def stored(image: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Shrink or stretch an image to the square that is kept."""
    from PIL import Image

    resized = Image.fromarray(image).resize((STORED, STORED), Image.Resampling.BOX)
    return np.asarray(resized, dtype=np.uint8)


def read_hc18(data: Path, part: Part) -> list[Sample]:
    """HC18 heads, split by examination."""
    samples = []
    with (data / "hc18" / "measurements.csv").open(newline="") as f:
        rows = sorted(csv.DictReader(f), key=lambda r: r["file"])
    for row in rows:
        if in_validation("hc18/" + row["examination"]) != (part == "validation"):
            continue
        image = _grey(data / "hc18" / "images" / row["file"])
        mask = _grey(data / "hc18" / "masks" / row["file"]) > 0
        outline = mask_outline(mask)
        if outline is None:
            continue
        sample = Sample(
            stored(image), image.shape[1] / image.shape[0], "BPD_PLANE",
            (Structure("Brain", outline),), frozenset({"CSP", "LV", "head"}), "hc18",
            row["file"], "brain",
        )  # fmt: skip
        samples.append(sample)
    return samples


def psfhs_part(index: int) -> Part | None:
    """Part of the frame with this rank, or ``None`` for a guard frame beside a held-out block."""

    def held(i: int) -> bool:
        return (i // BLOCK) % EVERY == EVERY // 2

    if held(index):
        return "validation"
    return None if held(index - GUARD) or held(index + GUARD) else "train"


def read_psfhs(data: Path, part: Part) -> list[Sample]:
    """PSFHS transperineal frames, split by blocks of neighbouring numbers."""
    samples = []
    for index, path in enumerate(sorted((data / "psfhs" / "images").glob("*.png"))):
        if psfhs_part(index) != part:
            continue
        image = _grey(path)
        label = _grey(data / "psfhs" / "labels" / path.name)
        found = []
        for value, name in ((2, "fetal_head"), (1, "pubic_symphysis")):
            outline = mask_outline(label == value)
            if outline is not None:
                found.append(Structure(name, outline))
        sample = Sample(
            stored(image), image.shape[1] / image.shape[0], "Other", tuple(found),
            frozenset({"head"}), "psfhs", path.name, "transperineal",
        )  # fmt: skip
        samples.append(sample)
    return samples


def read_brain(data: Path, part: Part) -> list[Sample]:
    """Axial brains with ventricle and cavum, split by patient."""
    samples = []
    for path in sorted((data / "brain" / "images").glob("*.png")):
        if in_validation("brain/" + path.name.split("_")[0]) != (part == "validation"):
            continue
        image = _grey(path)
        label = _grey(data / "brain" / "labels" / path.name)
        found = []
        for value, name in ((1, "Brain"), (3, "CSP"), (2, "LV")):
            # The head encloses the other two.
            outline = mask_outline(label >= 1 if value == 1 else label == value)
            if outline is not None:
                found.append(Structure(name, outline))
        # All three were looked for: the cavum is not in every axial plane.
        sample = Sample(
            stored(image), image.shape[1] / image.shape[0], "BPD_PLANE", tuple(found),
            frozenset({"head"}), "brain", path.name, "brain",
        )  # fmt: skip
        samples.append(sample)
    return samples


def read_real(data: Path, part: Part) -> list[Sample]:
    """All real samples of one part."""
    return read_hc18(data, part) + read_psfhs(data, part) + read_brain(data, part)
