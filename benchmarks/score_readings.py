"""Dice, view and validity of readings against the masks of HC18 and PSFHS.

    napari-fada run ../shared/data/hc18/images --model fada-mini --out out/
    python benchmarks/score_readings.py out/ ../shared/data

Polygons of one class are merged and rasterised at the original size; a structure that was not
outlined counts as Dice 0. Scans that fada-mini was trained on and scans it never saw are shown
apart (the split of ``napari_fada.training``: HC18 by examination, PSFHS by blocks of frames).
"""

from __future__ import annotations

import argparse
import csv
import json
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image
from rich.console import Console
from rich.table import Table

from napari_fada.exchange.reading_json import read_reading
from napari_fada.records.geometry import rasterise
from napari_fada.records.reading import Reading
from napari_fada.training.samples import in_validation, psfhs_part

Mask = npt.NDArray[np.bool_]


def parts(data: Path) -> dict[str, tuple[str, str]]:
    """Map each known file name to its data set and its part of the split."""
    known = {}
    with (data / "hc18" / "measurements.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            held = in_validation("hc18/" + row["examination"])
            known[row["file"]] = ("hc18", "never seen" if held else "trained on")
    for index, path in enumerate(sorted((data / "psfhs" / "images").glob("*.png"))):
        part = psfhs_part(index)
        known[path.name] = (
            "psfhs",
            {"validation": "never seen", "train": "trained on", None: "guard"}[part],
        )
    return known


def truths(data: Path, dataset: str, name: str) -> dict[str, Mask]:
    """Return the reference mask of each class on one image."""
    if dataset == "hc18":
        mask = np.asarray(Image.open(data / "hc18" / "masks" / name).convert("L"))
        return {"Brain": mask > 0}
    label = np.asarray(Image.open(data / "psfhs" / "labels" / name).convert("L"))
    return {"fetal_head": label == 2, "pubic_symphysis": label == 1}


def dice(one: Mask, two: Mask) -> float:
    """Twice the overlap over the sum of the areas; 1 for two empty masks."""
    total = int(one.sum() + two.sum())
    return 2.0 * int((one & two).sum()) / total if total else 1.0


def outlined(reading: Reading, category: str, shape: tuple[int, int]) -> Mask:
    """Merge the polygons of one class."""
    merged = np.zeros(shape, dtype=bool)
    for annotation in reading.annotations:
        if annotation.category == category and annotation.kind == "polygon":
            merged |= rasterise(annotation, shape)
    return merged


def score(out: Path, data: Path) -> Iterator[tuple[str, str, str, float]]:
    """Yield (data set, part, figure, value) for every reading."""
    known = parts(data)
    views = {"hc18": "BPD_PLANE", "psfhs": "Other"}
    for path in sorted(out.rglob("*.fada.json")):
        reading = read_reading(path)
        if reading.scan.file not in known:
            continue
        dataset, part = known[reading.scan.file]
        results = reading.phases.values()
        valid = all(r.state in ("done", "empty", "skipped") and not r.problems for r in results)
        yield dataset, part, "valid answers", float(valid)
        yield dataset, part, "view right", float(reading.view == views[dataset])
        yield dataset, part, "seconds", sum(r.seconds for r in results)
        for category, truth in truths(data, dataset, reading.scan.file).items():
            if truth.any():
                found = outlined(reading, category, truth.shape)
                yield dataset, part, f"Dice {category}", dice(found, truth)


def main() -> None:
    """Print the table, or JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path, help="folder with *.fada.json")
    parser.add_argument("data", type=Path, help="folder with hc18 and psfhs")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    values: dict[tuple[str, str, str], list[float]] = defaultdict(list)
    for dataset, part, figure, value in score(arguments.out, arguments.data):
        values[dataset, part, figure].append(value)
    rows = [
        (*key, len(v), float(np.mean(v)), float(np.median(v)), float(np.min(v)))
        for key, v in sorted(values.items())
    ]
    names = ("data set", "part", "figure", "n", "mean", "median", "lowest")
    if arguments.json:
        print(json.dumps([dict(zip(names, row, strict=True)) for row in rows], indent=1))
        return
    table = Table(*names)
    for row in rows:
        table.add_row(*(f"{cell:.3f}" if isinstance(cell, float) else str(cell) for cell in row))
    Console().print(table)


if __name__ == "__main__":
    main()
