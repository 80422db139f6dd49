"""Dice, IoU and surface distances of each class, frame by frame."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from napari_fada.evaluate.bootstrap import Draws, Figure
from napari_fada.evaluate.cases import Case
from napari_fada.evaluate.shapes import Overlap, area_of, compare, outlines_of


@dataclass(frozen=True, slots=True)
class ClassAreas:
    """Figures of a class over the frames where either side has it.

    Where one side has nothing, Dice and IoU are 0 and there are no distances; ``missed`` and
    ``invented`` count those frames. Where neither has anything, a frame says nothing of the class.
    """

    category: str
    frames: int
    missed: int
    invented: int
    dice: Figure
    iou: Figure
    hd95_px: Figure
    asd_px: Figure
    hd95_mm: Figure
    asd_mm: Figure


@dataclass(frozen=True, slots=True)
class Areas:
    """Figures of every class, and the mean over all (frame, class)."""

    dice: Figure
    iou: Figure
    classes: tuple[ClassAreas, ...]


def overlaps(case: Case) -> dict[str, Overlap]:
    """Return how each class of a frame compares."""
    truth, answer = outlines_of(case.truth), outlines_of(case.answer)
    found = {}
    for name in dict.fromkeys(a.category for a in (*truth, *answer)):
        one, two = (
            area_of([a for a in side if a.category == name], case.size) for side in (truth, answer)
        )
        if one.any() or two.any():
            found[name] = compare(one, two, case.spacing_mm)
    return found


def areas(found: Sequence[dict[str, Overlap]], cases: Sequence[Case], draws: Draws) -> Areas | None:
    """Put the figures of all frames together; None if no frame has an outline.

    Parameters
    ----------
    found : sequence of dict
        What :func:`overlaps` gave of each case.
    cases, draws
        The cases, and the draws of them.
    """
    names = sorted({name for row in found for name in row})
    if not names:
        return None
    classes = [_class(name, found, cases, draws) for name in names]
    every = [(i, o) for i, row in enumerate(found) for o in row.values()]
    frames = [i for i, _ in every]
    return Areas(
        draws.mean([o.dice for _, o in every], frames),
        draws.mean([o.iou for _, o in every], frames),
        tuple(classes),
    )


def _class(
    name: str, found: Sequence[dict[str, Overlap]], cases: Sequence[Case], draws: Draws
) -> ClassAreas:
    rows = [(i, row[name]) for i, row in enumerate(found) if name in row]
    frames = [i for i, _ in rows]
    alone = [i for i, o in rows if o.hd95_px is None]
    missed = sum(any(a.category == name for a in outlines_of(cases[i].truth)) for i in alone)

    def figure(key: str) -> Figure:
        values = [getattr(o, key) for _, o in rows]
        return draws.mean([math.nan if v is None else v for v in values], frames)

    keys = ("dice", "iou", "hd95_px", "asd_px", "hd95_mm", "asd_mm")
    return ClassAreas(name, len(rows), missed, len(alone) - missed, *(figure(k) for k in keys))
