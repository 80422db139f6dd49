"""The figures of the FADA reference, by its own definitions, to compare with its published table.

They differ from COCO's, and are not to be mixed with ours: every confidence counts as 1, so the
order of answers is the ranking; only IoU .5 and .75 are looked at and "mAP@.50:.95" is the mean
of those two; precision is interpolated at 101 recalls with a precision of 1 before the first
answer, so that a class without a single hit scores 0.0099; a class that only the answers have
counts as 0; the boxes around outlines are samples beside those of the boxes; Dice and IoU are
taken on a canvas of 1000 × 1000 with the structures of a class as one area, and averaged over all
(frame, class). Source: the evaluation as it is coded in the FADA repository, commit c944124.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from napari_fada.evaluate.cases import Case, Side
from napari_fada.evaluate.shapes import area_of
from napari_fada.records.annotation import Annotation, Ring
from napari_fada.records.geometry import bounds, iou

_RECALLS = np.linspace(0, 1, 101)
_CANVAS = (1000, 1000)

#: The published table of the reference, for the report: model, figures.
PUBLISHED = {
    "FADA-SKD 4B": {
        "dice": 0.8820,
        "iou": 0.8149,
        "map50": 0.7671,
        "map75": 0.4402,
        "classification": 0.8379,
    },
    "FADA 0.8B": {"dice": 0.8662, "map50": 0.6744, "classification": 0.8433},
}


@dataclass(frozen=True, slots=True)
class Reference:
    """Figures by the reference's definitions."""

    map50: float | None
    map75: float | None
    map50_95: float | None
    dice: float | None
    iou: float | None
    classification: float | None
    classification_caseless: float | None
    frames: int


def reference_figures(cases: Sequence[Case]) -> Reference:
    """Work them out."""
    # A sample of the reference asks for boxes or for outlines; only frames whose truth has them.
    samples = [
        (gold, _boxes(c.answer, kind))
        for c in cases
        for kind in ("box", "polygon")
        if (gold := _boxes(c.truth, kind))
    ]
    truth, answers = [t for t, _ in samples], [a for _, a in samples]
    names = sorted({a.category for side in (*truth, *answers) for a in side})
    per_class = [[_precision(name, truth, answers, at) for at in (0.5, 0.75)] for name in names]
    map50, map75 = (
        float(np.mean([p[i] for p in per_class])) if per_class else None for i in (0, 1)
    )
    overlaps = [pair for case in cases for pair in _overlaps(case)]
    views = [(c.truth.view, c.answer.view or "") for c in cases if c.truth.view]
    exact = [t == a for t, a in views]
    caseless = [str(t).lower() == a.lower() for t, a in views]
    return Reference(
        map50,
        map75,
        None if map50 is None or map75 is None else (map50 + map75) / 2,
        float(np.mean([d for d, _ in overlaps])) if overlaps else None,
        float(np.mean([i for _, i in overlaps])) if overlaps else None,
        float(np.mean(exact)) if exact else None,
        float(np.mean(caseless)) if caseless else None,
        len(cases),
    )


def _boxes(side: Side, kind: str) -> list[Annotation]:
    """Return the boxes of a side, or those around its outlines."""
    return [
        a if a.kind == "box" else replace(a, kind="box", points=bounds(a), rings=())
        for a in side.annotations
        if a.kind == kind
    ]


def _precision(
    name: str,
    truth: Sequence[Sequence[Annotation]],
    answers: Sequence[Sequence[Annotation]],
    at: float,
) -> float:
    wanted = sum(a.category == name for side in truth for a in side)
    if not wanted:
        return 0.0
    right: list[bool] = []
    for gold, said in zip(truth, answers, strict=True):
        left = [a for a in gold if a.category == name]
        for answer in (a for a in said if a.category == name):
            fits = [(iou(answer, g), i) for i, g in enumerate(left)]
            best = max(fits, default=(0.0, -1))
            right.append(best[0] >= at)
            if best[0] >= at:
                left.pop(best[1])
    good = np.cumsum(right)
    recall = np.concatenate([[0.0], good / wanted, [1.0]])
    ranks = np.arange(1, len(right) + 1)
    precision = np.concatenate([[1.0], good / ranks if len(right) else [], [0.0]])
    precision = np.maximum.accumulate(precision[::-1])[::-1]
    # At recall 0 stands the 1 that was put before all answers: 1 / 101 is 0.0099.
    values = [precision[recall >= r].max(initial=0.0) for r in _RECALLS]
    return float(np.mean(values))


def _overlaps(case: Case) -> list[tuple[float, float]]:
    found = []
    sides = [
        [a for a in side.annotations if a.kind == "polygon"] for side in (case.truth, case.answer)
    ]
    for name in sorted({a.category for side in sides for a in side}):
        one, two = (
            area_of([_scaled(a, case.size) for a in side if a.category == name], _CANVAS)
            for side in sides
        )
        both, total = int((one & two).sum()), int(one.sum()) + int(two.sum())
        if total:
            found.append((2 * both / total, both / (total - both)))
    return found


def _scaled(record: Annotation, size: tuple[int, int]) -> Annotation:
    x, y = _CANVAS[0] / size[0], _CANVAS[1] / size[1]

    def ring(points: Ring) -> Ring:
        return tuple((px * x, py * y) for px, py in points)

    return replace(record, points=ring(record.points), rings=tuple(map(ring, record.rings)))
