"""Which records of a side count as boxes and which as outlines, and how two outlines compare."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from napari_fada.evaluate.cases import Side
from napari_fada.records.annotation import Annotation
from napari_fada.records.geometry import bounds, iou, rasterise

Mask = npt.NDArray[np.bool_]

#: An outline with a box of its class that covers it as much as this has its box already.
SAME = 0.5


def boxes_of(side: Side) -> list[Annotation]:
    """Return the boxes of a side: its own, and those around outlines that have none.

    A model answers with boxes first and outlines then; counting both would count one structure
    twice.
    """
    own = [a for a in side.annotations if a.kind == "box"]
    taken: set[int] = set()  # by place: records of other programs may have no uid
    around = []
    for record in side.annotations:
        if record.kind != "polygon":
            continue
        box = replace(record, kind="box", points=bounds(record), rings=())
        fits = [
            (iou(b, box), place)
            for place, b in enumerate(own)
            if b.category == record.category and place not in taken
        ]
        best = max(fits, key=lambda f: f[0], default=(0.0, -1))
        if best[0] >= SAME:
            taken.add(best[1])
        else:
            around.append(box)
    return [*own, *around]


def outlines_of(side: Side) -> list[Annotation]:
    """Return the outlines of a side."""
    return [a for a in side.annotations if a.kind == "polygon"]


@dataclass(frozen=True, slots=True)
class Overlap:
    """How two areas compare; distances are None where one of them is empty.

    ``hd95`` is the 95th percentile of the distances from each surface to the other (the larger
    of both directions), ``asd`` the mean of all of them.
    """

    dice: float
    iou: float
    hd95_px: float | None = None
    asd_px: float | None = None
    hd95_mm: float | None = None
    asd_mm: float | None = None


def area_of(records: Sequence[Annotation], size: tuple[int, int]) -> Mask:
    """Return the pixels that any of the outlines covers.

    Parameters
    ----------
    size : (width, height)
        Of the image.
    """
    whole: Mask = np.zeros(size[::-1], bool)
    for record in records:
        whole |= rasterise(record, size[::-1])
    return whole


def compare(truth: Mask, answer: Mask, spacing_mm: tuple[float, float] | None) -> Overlap:
    """Compare two areas.

    Parameters
    ----------
    truth, answer : 2D bool arrays
        Not both empty.
    spacing_mm : (y, x) or None
        Size of a pixel; oblong pixels are handled.
    """
    both = int((truth & answer).sum())
    total = int(truth.sum()) + int(answer.sum())
    dice = 2 * both / total if total else math.nan
    union = total - both
    share = both / union if union else math.nan
    if not truth.any() or not answer.any():
        return Overlap(dice, share)
    rows, columns = (np.flatnonzero((truth | answer).any(axis=a)) for a in (1, 0))
    window = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    truth, answer = np.pad(truth[window], 1), np.pad(answer[window], 1)
    hd, asd = _distances(truth, answer, (1.0, 1.0))
    if spacing_mm is None:
        return Overlap(dice, share, hd, asd)
    return Overlap(dice, share, hd, asd, *_distances(truth, answer, spacing_mm))


def _distances(one: Mask, two: Mask, sampling: tuple[float, float]) -> tuple[float, float]:
    """Return HD95 and the average symmetric surface distance.

    Surfaces are the pixels of an area with a neighbour (of four) outside it; distances are
    between pixel centres (as in the surface distances of Taha and Hanbury 2015).
    """
    from scipy.ndimage import binary_erosion, distance_transform_edt

    edge_one, edge_two = one & ~binary_erosion(one), two & ~binary_erosion(two)
    to_two = distance_transform_edt(~edge_two, sampling=sampling)[edge_one]
    to_one = distance_transform_edt(~edge_one, sampling=sampling)[edge_two]
    hd95 = max(float(np.percentile(to_two, 95)), float(np.percentile(to_one, 95)))
    asd = (float(to_two.sum()) + float(to_one.sum())) / (len(to_two) + len(to_one))
    return hd95, asd
