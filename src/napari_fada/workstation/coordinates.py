"""Records to napari coordinates and back: the one place that adds or subtracts half a pixel.

Records are original-image pixels, x then y, corner convention: pixel i covers [i, i+1].
napari is row then column on pixel centres: pixel i covers [i-0.5, i+0.5]. On a scan of
several frames every vertex carries its frame as a first coordinate.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from napari_fada.records.annotation import Ring

HALF = 0.5

Vertices = npt.NDArray[np.float64]


def to_layer(points: Iterable[tuple[float, float]], frame: int | None = None) -> Vertices:
    """Turn record points into napari vertices.

    Parameters
    ----------
    points : iterable of (x, y)
        Original-image pixels, corner convention.
    frame : int, optional
        Put before every vertex, for layers of a scan with several frames.

    Returns
    -------
    array, (N, 2) as (row, column) or (N, 3) as (frame, row, column)
    """
    xy = np.asarray(list(points), dtype=np.float64).reshape(-1, 2)
    rows = xy[:, ::-1] - HALF
    if frame is None:
        return rows
    return np.insert(rows, 0, float(frame), axis=1)


def from_layer(vertices: npt.ArrayLike) -> Ring:
    """Turn napari vertices, (N, 2) or (N, 3), into record points (the frame is dropped)."""
    rows = np.asarray(vertices, dtype=np.float64)
    xy = rows[:, :-3:-1] + HALF
    return tuple((float(x), float(y)) for x, y in xy)


def frame_of(vertices: npt.ArrayLike) -> int:
    """Return the frame that vertices lie on: their first coordinate, 0 when they have none.

    A shape that was dragged by a hair off its frame belongs to the nearest one.
    """
    rows = np.atleast_2d(np.asarray(vertices, dtype=np.float64))
    if rows.shape[1] < 3:
        return 0
    return int(np.floor(float(np.median(rows[:, 0])) + HALF))
