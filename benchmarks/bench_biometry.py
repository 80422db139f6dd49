"""Head circumferences and angles of progression against what is published and labelled.

    python benchmarks/bench_biometry.py ../shared/data

HC18: expert masks as input, then fada-mini's outlines as they are and after "snap to edge", on the
examinations that it was not trained on. PSFHS: the angle of the labels against the model's, on
held-out frames.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from napari_fada.evaluate.challenges import OUTLINE_PX, aop_of, labour_labels, read_labour
from napari_fada.exchange.writers import Problem
from napari_fada.measure import read_spacing_table
from napari_fada.measuring import Measured, measure_masks, measure_scans
from napari_fada.models import load_engine
from napari_fada.pipeline import PromptSet, read_frame
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
        wanted = {n for n in known if in_validation(f"hc18/{n.split('_')[0]}")}
        for title, edge in (("fada-mini's outlines", False), ("… after snap to edge", True)):
            events = measure_scans(engine, images, table=table, edge=edge)
            found = circumferences(events, known)
            chosen = [v for n, v in found.items() if n in wanted]
            tell(title, chosen, len(wanted))
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
