"""Fit the calibration of a pack's scores on scans that its model never saw.

    napari-fada run SCANS --model fada-mini --out out/
    python benchmarks/fit_scores.py out/ ../shared/data

Prints slope and offset for ``"calibration"`` in pack.json (``napari_fada.pipeline.scores``), and
how well the scores sort right from wrong. A structure is right when its IoU with the mask (or
the mask's box) is at least 0.5. The readings must come from a pack without a calibration.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
from pathlib import Path

import numpy as np
from score_readings import Mask, parts, truths

from napari_fada.exchange.reading_json import read_reading
from napari_fada.pipeline.scores import fit_calibration, score
from napari_fada.records.annotation import Annotation
from napari_fada.records.geometry import rasterise

RIGHT = 0.5


def overlap(annotation: Annotation, truth: Mask) -> float:
    """IoU of a structure with a mask, or of a box with the mask's bounding box."""
    if annotation.kind == "box":
        rows, columns = (np.flatnonzero(truth.any(axis)) for axis in (1, 0))
        if not len(rows):
            return 0.0
        boxed = np.zeros_like(truth)
        boxed[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] = True
        truth = boxed
    mine = rasterise(annotation, truth.shape)
    union = int((mine | truth).sum())
    return int((mine & truth).sum()) / union if union else 0.0


def main() -> None:
    """Collect structures, fit, and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path, help="folder with *.fada.json")
    parser.add_argument("data", type=Path, help="folder with hc18 and psfhs")
    arguments = parser.parse_args()
    known = parts(arguments.data)
    means, right = [], []
    for path in sorted(arguments.out.rglob("*.fada.json")):
        reading = read_reading(path)
        dataset, part = known.get(reading.scan.file, ("", ""))
        if part != "never seen":
            continue
        masks = truths(arguments.data, dataset, reading.scan.file)
        for annotation in reading.annotations:
            if annotation.category in masks and annotation.score:
                means.append(math.log(annotation.score))
                right.append(overlap(annotation, masks[annotation.category]) >= RIGHT)
    pair = fit_calibration(means, right)
    scores = np.array([score(mean, pair) for mean in means])
    truth = np.array(right)
    wins = (scores[truth][:, None] > scores[~truth][None]).mean()
    print(json.dumps({"calibration": [round(v, 4) for v in pair]}))
    print(f"{len(truth)} structures, {truth.mean():.1%} right; area under the curve {wins:.3f}")
    edges = np.quantile(scores, [0, 0.2, 0.4, 0.6, 0.8, 1])
    for low, high in itertools.pairwise(edges):
        inside = (scores >= low) & (scores <= high)
        print(f"  score {low:.2f} to {high:.2f}: {truth[inside].mean():.1%} right")


if __name__ == "__main__":
    main()
