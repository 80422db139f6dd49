"""How much nearer “snap to edge” brings outlines to an expert's, on held-out HC18 heads.

Starts from the expert's ellipse disturbed at random, and from fada-mini's own outlines where a
folder of its readings (``napari-fada run … --out FOLDER``) is given:

    python benchmarks/snap_heads.py DATA [FOLDER]

DATA is the folder that holds ``hc18/images`` and ``hc18/masks``.
"""

from __future__ import annotations

import csv
import json
import sys
import time
from pathlib import Path

import numpy as np
from PIL import Image

from napari_fada.records.annotation import Annotation
from napari_fada.records.ellipse import Ellipse, fit_ellipse
from napari_fada.records.geometry import mask_to_annotation, rasterise
from napari_fada.records.snap import snap
from napari_fada.training.samples import in_validation

COUNT = 50


def main(data: Path, readings: Path | None) -> None:
    """Measure and print."""
    with (data / "hc18/measurements.csv").open(newline="") as f:
        rows = sorted(csv.DictReader(f), key=lambda r: r["file"])
    held = [r["file"] for r in rows if in_validation("hc18/" + r["examination"])]
    rng = np.random.default_rng(1)
    disturbed, model, seconds = [], [], []
    for name in (held[int(i * len(held) / COUNT)] for i in range(COUNT)):
        image = _read(data / "hc18/images" / name)
        mask = _read(data / "hc18/masks" / name) > 0
        e = fit_ellipse(mask_to_annotation(mask, "Brain").points)
        x, y, a, b, angle = rng.normal(size=5)
        r = (e.a + e.b) / 2
        start = Ellipse(
            *(e.x + 0.04 * r * x, e.y + 0.04 * r * y),
            *(e.a * (1 + 0.05 * a), e.b * (1 + 0.05 * b), e.angle + 0.06 * angle),
        )
        disturbed.append(
            _one(Annotation("Brain", "polygon", start.polygon()), image, mask, seconds)
        )
        own = _own(readings, name) if readings else None
        if own is not None:
            model.append(_one(own, image, mask, seconds))
    _tell("disturbed ellipse", disturbed)
    if model:
        _tell("fada-mini's outline", model)
    print(f"seconds: mean {np.mean(seconds):.3f}, most {max(seconds):.3f}")


def _one(
    record: Annotation, image: np.ndarray, mask: np.ndarray, seconds: list[float]
) -> tuple[float, float]:
    began = time.perf_counter()
    *_, end = snap(record, image)
    seconds.append(time.perf_counter() - began)
    return _dice(record, mask), _dice(end.record, mask)


def _dice(record: Annotation, mask: np.ndarray) -> float:
    drawn = rasterise(record, mask.shape)
    return 2 * float((drawn & mask).sum()) / float(drawn.sum() + mask.sum())


def _own(readings: Path, name: str) -> Annotation | None:
    path = readings / f"{Path(name).stem}.fada.json"
    found = json.loads(path.read_text(encoding="utf-8"))["annotations"] if path.exists() else []
    heads = [a for a in found if a["kind"] == "polygon" and a["class"] == "Brain"]
    return Annotation.from_dict(heads[0]) if heads else None


def _tell(what: str, pairs: list[tuple[float, float]]) -> None:
    before, after = np.array(pairs).T
    print(
        f"{what} ({len(pairs)}): mean Dice {before.mean():.4f} → {after.mean():.4f}, "
        f"median {np.median(before):.4f} → {np.median(after):.4f}, "
        f"lowest {before.min():.3f} → {after.min():.3f}; "
        f"nearer {int((after > before).sum())}, further by more than 0.01 "
        f"{int((after < before - 0.01).sum())}"
    )


def _read(path: Path) -> np.ndarray:
    with Image.open(path) as im:
        return np.asarray(im.convert("L"))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) > 2 else None)
