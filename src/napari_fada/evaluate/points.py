"""How far keypoints lie from where they should, and whether scores say how sure one may be."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from napari_fada.evaluate.bootstrap import Draws, Figure, Weights, interval
from napari_fada.evaluate.cases import Case
from napari_fada.evaluate.shapes import boxes_of
from napari_fada.records.agreement import match, pair_keypoints, seen_points

BINS = 10
#: A box is right from this IoU on.
RIGHT = 0.5


@dataclass(frozen=True, slots=True)
class ClassPoints:
    """Distances of the points of a class from the truth; ``alone`` points have no partner."""

    category: str
    points: int
    alone: int
    error_px: Figure
    error_mm: Figure


@dataclass(frozen=True, slots=True)
class Bin:
    """Boxes whose scores lie in a range: how many, their mean score, the share that is right."""

    low: float
    high: float
    count: int
    score: float | None
    right: float | None


@dataclass(frozen=True, slots=True)
class Calibration:
    """Whether of boxes with a score of 0.8 eight of ten are right (IoU of 0.5 or more).

    ``error`` is the expected calibration error: the mean gap between score and share, weighted by
    how many boxes a bin has (Guo et al. 2017).
    """

    bins: tuple[Bin, ...]
    error: Figure
    boxes: int


def keypoints(cases: Sequence[Case], draws: Draws) -> tuple[ClassPoints, ...]:
    """Compare keypoints, each with the same point of the truth."""
    found: dict[str, list[tuple[int, float, float]]] = {}
    alone: dict[str, int] = {}
    for i, case in enumerate(cases):
        sides = [
            [a for a in side.annotations if a.kind == "keypoints"]
            for side in (case.truth, case.answer)
        ]
        for name in sorted({a.category for side in sides for a in side}):
            one, two = ([a for a in side if a.category == name] for side in sides)
            for a, b in pair_keypoints(one, two):
                mine, yours = (seen_points(x) if x is not None else {} for x in (a, b))
                alone[name] = alone.get(name, 0) + len(mine.keys() ^ yours.keys())
                rows = found.setdefault(name, [])
                for part in sorted(mine.keys() & yours.keys()):
                    (x1, y1), (x2, y2) = mine[part], yours[part]
                    mm = math.nan
                    if case.spacing_mm:
                        y, x = case.spacing_mm
                        mm = math.hypot((x2 - x1) * x, (y2 - y1) * y)
                    rows.append((i, math.hypot(x2 - x1, y2 - y1), mm))
    return tuple(
        ClassPoints(
            *(name, len(rows), alone[name]),
            draws.mean([px for _, px, _ in rows], [i for i, _, _ in rows]),
            draws.mean([mm for _, _, mm in rows], [i for i, _, _ in rows]),
        )
        for name, rows in sorted(found.items())
    )


def calibration(cases: Sequence[Case], draws: Draws) -> Calibration | None:
    """Compare scores of boxes with how often they are right; None if nothing has a score."""
    rows: list[tuple[int, float, bool]] = []
    for i, case in enumerate(cases):
        scored = [a for a in boxes_of(case.answer) if a.score is not None]
        for truth, answer, alike in match(boxes_of(case.truth), scored, case.size):
            if answer is not None and answer.score is not None:
                rows.append((i, answer.score, truth is not None and alike >= RIGHT))
    if not rows:
        return None
    frames = np.array([i for i, _, _ in rows])
    scores, right = np.array([s for _, s, _ in rows]), np.array([r for _, _, r in rows], float)
    at = np.minimum((scores * BINS).astype(int), BINS - 1)
    bins = []
    for n in range(BINS):
        mine = at == n
        there = bool(mine.any())
        bins.append(
            Bin(
                *(n / BINS, (n + 1) / BINS, int(mine.sum())),
                float(scores[mine].mean()) if there else None,
                float(right[mine].mean()) if there else None,
            )
        )

    def error(weights: Weights) -> float:
        # A bin's count times the gap between its means is the gap between its sums.
        total = float(weights.sum())
        gaps = np.abs(np.bincount(at, weights * (scores - right), BINS))
        return float(gaps.sum()) / total if total else math.nan

    figure = interval(
        error(np.ones(len(rows))),
        [error(draws.weights(draw)[frames]) for draw in range(draws.times)],
        n=len(rows),
        groups=len(np.unique(draws.place[frames])),
    )
    return Calibration(tuple(bins), figure, len(rows))
