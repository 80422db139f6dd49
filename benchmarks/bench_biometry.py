"""Head circumferences and angles of progression against what is published and labelled.

    python benchmarks/bench_biometry.py ../shared/data

HC18: expert masks as input, then fada-mini's heads as they are and after "snap to edge", on the
examinations that it was not trained on: circumference, Dice and Hausdorff distance of the fitted
ellipses. PSFHS: the angle of the labels against the model's, on held-out frames.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from napari_fada.engines.protocol import Engine
from napari_fada.errors import ShapeError
from napari_fada.evaluate.challenges import (
    OUTLINE_PX,
    Head,
    HeadScore,
    aop_of,
    labour_labels,
    read_labour,
    score_head,
)
from napari_fada.exchange.writers import Problem
from napari_fada.measure import read_spacing_table
from napari_fada.measure.biometry import HEADS
from napari_fada.measuring import Measured, measure_masks
from napari_fada.models import load_engine
from napari_fada.pipeline import PromptSet, read_frame
from napari_fada.records.annotation import Annotation
from napari_fada.records.geometry import mask_to_annotation
from napari_fada.records.snap import snap
from napari_fada.scans import open_scan
from napari_fada.training.samples import in_validation, psfhs_part


def published(data: Path) -> tuple[dict[str, float], dict[str, float]]:
    """Return head circumference and size of a pixel in mm by file."""
    with (data / "hc18" / "measurements.csv").open() as file:
        rows = list(csv.DictReader(file))
    return (
        {r["file"]: float(r["head_circumference_mm"]) for r in rows},
        {r["file"]: float(r["pixel_size_mm"]) for r in rows},
    )


def tell(title: str, off: list[float], asked: int) -> None:
    """Print mean and mean absolute difference."""
    d = np.array(off)
    print(
        f"{title:52} {len(d):4} of {asked:4}: mean {d.mean():+6.2f} mm, "
        f"mean absolute {np.abs(d).mean():5.2f} mm, 95 % below {np.percentile(np.abs(d), 95):5.2f}",
        flush=True,
    )


def circumferences(events: Iterator[object], known: dict[str, float]) -> dict[str, float]:
    """Return ours minus the published circumference by file."""
    return {
        e.file: e.row["hc_mm"] - known[e.file]
        for e in events
        if isinstance(e, Measured) and e.row["hc_mm"] is not None and e.file in known
    }


def head_of(data: Path, name: str, hc_mm: float, spacing_mm: float) -> Head:
    """Return a head of the set with its expert's outline."""
    with Image.open(data / "hc18" / "masks" / name) as file:
        mask = np.asarray(file.convert("L")) > 0
    outline = mask_to_annotation(mask, "head")
    assert outline is not None
    path = data / "hc18" / "images" / name
    return Head(path.stem, path, outline, spacing_mm, hc_mm, (mask.shape[1], mask.shape[0]))


def outlines(engine: Engine, path: Path) -> tuple[Annotation | None, Annotation | None]:
    """Return the model's outline of a head, and the same moved to the edge in the scan."""
    scan = open_scan(path)
    reading = read_frame(engine, scan)
    found = [a for a in reading.annotations if a.kind == "polygon" and a.category in HEADS]
    if not found:
        return None, None
    try:
        *_, end = snap(found[0], scan.frame(0))
    except ShapeError:
        return found[0], found[0]
    return found[0], end.record


def tell_heads(title: str, scores: list[HeadScore]) -> None:
    """Print what the challenge scores: circumference, Dice and Hausdorff distance."""
    found = [s for s in scores if s.off_mm is not None]
    tell(title, [s.off_mm for s in found if s.off_mm is not None], len(scores))
    dice = np.array([s.dice for s in scores])
    apart = np.array([s.hausdorff_mm for s in found])
    print(
        f"{'':52} Dice {dice.mean():.3f} (median {np.median(dice):.3f}), Hausdorff "
        f"{apart.mean():.2f} mm (median {np.median(apart):.2f})",
        flush=True,
    )


def main() -> None:
    """Run everything once."""
    parser = argparse.ArgumentParser()
    parser.add_argument("data", type=Path)
    arguments = parser.parse_args()
    data: Path = arguments.data
    known, sizes = published(data)
    table = read_spacing_table(data / "hc18" / "measurements.csv")
    images, masks = data / "hc18" / "images", data / "hc18" / "masks"
    off = circumferences(measure_masks(images, masks, category="head", table=table), known)
    tell("expert masks as they are (outline included)", list(off.values()), len(known))
    less = [value - OUTLINE_PX * sizes[name] for name, value in off.items()]
    tell(f"expert masks less the outline ({OUTLINE_PX} px)", less, len(known))
    engine = load_engine("fada-mini")
    try:
        wanted = [n for n in known if in_validation(f"hc18/{n.split('_')[0]}")]
        plain, snapped = [], []
        for name in wanted:
            head = head_of(data, name, known[name], sizes[name])
            before, after = outlines(engine, head.image)
            plain.append(score_head(head, before))
            snapped.append(score_head(head, after))
        tell_heads("fada-mini's heads", plain)
        tell_heads("… after snap to edge", snapped)
        prompts, angles = PromptSet.load(engine.info.model.prompt_set), []
        for number, row in enumerate(read_labour(data / "psfhs")):
            if isinstance(row, Problem) or psfhs_part(number) != "validation":
                continue
            path, truth = row
            reading = read_frame(engine, open_scan(path), prompts=prompts)
            answer = labour_labels(reading.annotations, (truth.shape[1], truth.shape[0]))
            angles.append((aop_of(truth, challenge=False), aop_of(answer, challenge=False)))
    finally:
        engine.close()
    both = np.array([a for a in angles if min(a) > 0])
    d = both[:, 1] - both[:, 0]
    print(
        f"angle of progression, held-out frames of PSFHS: {len(both)} of {len(angles)} measurable "
        f"on both sides: mean {d.mean():+.1f}°, mean absolute {np.abs(d).mean():.1f}°"
    )


if __name__ == "__main__":
    main()
