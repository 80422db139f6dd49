"""Numbers, boxes, outlines and points from loosely typed values of an answer.

Here, and nowhere else, what a model wrote by its own convention becomes our grid.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from napari_fada.engines.conventions import GRID
from napari_fada.pipeline.salvage import NUMBER

Pair = tuple[float, float]
Triple = tuple[float, float, int]
#: From the two numbers of a point, as written, to x and y on the grid.
Place = Callable[[float, float], Pair]

_MAX_DEPTH = 4
_CLIPPED = "values outside 0-1000 were clipped"


def clean(text: str, length: int = 60) -> str:
    """Shorten model text for use in a message."""
    flat = " ".join(text.split())
    return flat if len(flat) <= length else flat[: length - 1] + "…"


def as_written(first: float, second: float) -> Pair:
    """Take the two numbers of a point for x and y on our grid."""
    return first, second


def box_of(
    value: Any, notes: list[str], place: Place = as_written
) -> tuple[float, float, float, float] | None:
    """Return the four corners, ordered and clipped to the grid; None if there are not four."""
    numbers = _flat(value)
    if numbers is None or len(numbers) != 4:
        notes.append("its box does not have four finite numbers")
        return None
    corners = (*place(numbers[0], numbers[1]), *place(numbers[2], numbers[3]))
    x1, y1, x2, y2 = (_clip(n, notes) for n in corners)
    if x1 > x2 or y1 > y2:
        notes.append("corners were swapped")
        x1, x2, y1, y2 = min(x1, x2), max(x1, x2), min(y1, y2), max(y1, y2)
    return x1, y1, x2, y2


def ring_of(value: Any, notes: list[str], place: Place = as_written) -> tuple[Pair, ...] | None:
    """Return the vertices of an outline; None if fewer than three are left."""
    ring: list[Pair] = []
    for point in _rows(value, 2, notes, "mask"):
        x, y = place(point[0], point[1])
        vertex = (_clip(x, notes), _clip(y, notes))
        if not ring or vertex != ring[-1]:
            ring.append(vertex)
    if len(ring) > 1 and ring[0] == ring[-1]:
        ring.pop()
    if len(ring) < 3:
        notes.append(f"its mask has {len(ring)} vertices, three are needed")
        return None
    return tuple(ring)


def keypoints_of(
    value: Any, notes: list[str], place: Place = as_written
) -> tuple[Triple, ...] | None:
    """Return keypoints as (x, y, visibility); a missing visibility counts as visible."""
    points: list[Triple] = []
    for point in _rows(value, 3, notes, "keypoints"):
        seen = 2 if len(point) < 3 else min(2, max(0, round(point[2])))
        x, y = place(point[0], point[1])
        points.append((_clip(x, notes), _clip(y, notes), seen))
    if not points:
        notes.append("it has no keypoints")
        return None
    return tuple(points)


def _rows(value: Any, size: int, notes: list[str], what: str) -> list[list[float]]:
    """Split a list of points, a flat list of numbers, or a list of such lists into points."""
    depth = 0
    while _is_list(value) and value and _is_list(value[0]) and value[0] and _is_list(value[0][0]):
        if len(value) > 1:
            notes.append(f"its {what} has several parts; the longest was kept")
        value = max((part for part in value if _is_list(part)), key=len)
        depth += 1
        if depth > _MAX_DEPTH:
            return []
    if not _is_list(value):
        value = _flat(value) or []
    if value and not any(_is_list(row) for row in value):
        numbers = _flat(value)
        if numbers is None or len(numbers) % size:
            notes.append(f"its {what} is not a list of points")
            return []
        return [numbers[i : i + size] for i in range(0, len(numbers), size)]
    rows = [_flat(row) for row in value]
    good = [row[:3] for row in rows if row is not None and len(row) in (2, 3)]
    if len(good) < len(rows):
        notes.append(f"{len(rows) - len(good)} points of its {what} could not be read")
    return good


def _is_list(value: Any) -> bool:
    return isinstance(value, list)


def _flat(value: Any, depth: int = 0) -> list[float] | None:
    """Return the finite numbers in a value; None if something else stands among them."""
    if isinstance(value, bool) or value is None or depth > _MAX_DEPTH:
        return None
    if isinstance(value, int | float):
        return [value] if math.isfinite(value) else None
    if isinstance(value, str):
        found = [float(n) for n in NUMBER.findall(value[:400])]
        rest = NUMBER.sub("", value[:400]).strip(" ,;[]()\t\n")
        whole = bool(found) and not rest and all(map(math.isfinite, found))
        return found if whole else None
    if not isinstance(value, list):
        return None
    out: list[float] = []
    for part in value:
        numbers = _flat(part, depth + 1)
        if numbers is None:
            return None
        out.extend(numbers)
    return out


def _clip(value: float, notes: list[str]) -> float:
    clipped = min(GRID, max(0, value))
    if clipped != value and _CLIPPED not in notes:
        notes.append(_CLIPPED)
    return clipped
