"""Outlines cut into dashes: pure functions from records to the vectors of a napari layer."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from napari_fada.records.annotation import Annotation, Ring
from napari_fada.records.geometry import outlines

Floats = npt.NDArray[np.float64]


def dashes(ring: Ring, dash: float, gap: float) -> Floats:
    """Cut a ring into dashes.

    Dash and gap are stretched a little so that a whole number of them goes round. A dash that
    goes over a corner is two pieces, so that no corner is cut off.

    Returns
    -------
    array, (N, 2, 2)
        Start and end of each piece, x then y.
    """
    corners = np.array([*ring, ring[0]], float)
    lengths = np.hypot(*np.diff(corners, axis=0).T)
    along = np.concatenate([[0.0], np.cumsum(lengths)])
    whole = along[-1]
    if whole <= 0:
        return np.empty((0, 2, 2))
    count = max(3, round(whole / (dash + gap)))
    step = whole / count
    starts = np.arange(count) * step
    ends = starts + step * dash / (dash + gap)
    cuts = np.unique(np.concatenate([starts, ends, along]))
    middles = (cuts[:-1] + cuts[1:]) / 2
    inside = middles % step < step * dash / (dash + gap)
    at = np.stack([np.interp(cuts, along, corners[:, i]) for i in (0, 1)], axis=1)
    return np.stack([at[:-1][inside], at[1:][inside]], axis=1)


def outline(records: Iterable[Annotation], dash: float, gap: float) -> tuple[Floats, list[int]]:
    """Return the dashes of records, and how many pieces each of them has."""
    pieces: list[Floats] = []
    counts: list[int] = []
    for record in records:
        own = [dashes(ring, dash, gap) for ring in outlines(record)]
        pieces += own
        counts.append(sum(map(len, own)))
    return np.concatenate([np.empty((0, 2, 2)), *pieces]), counts
