"""Outlines that are curves, in forms that know polygons only.

What is written as a polygon is the curve as it is drawn. Where a form lets one say more, the
corners stand beside it, and an import takes them if the polygon is still the curve through them:
nobody moved it meanwhile, and its class is one whose outlines are curves.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from napari_fada.exchange.checking import MAX_VERTICES
from napari_fada.records.annotation import Annotation, Ring
from napari_fada.records.curves import curve
from napari_fada.records.geometry import corner_rings, drawn, is_round

KEY = "corners"
CLOSE = 0.02
"""Pixels by which what comes back may differ: forms round."""


def polygon_rings(record: Annotation, size: tuple[int, int]) -> tuple[Ring, ...]:
    """Return the rings of a polygon as they are drawn on an image of (width, height)."""
    return corner_rings(drawn(record, size))


def said(record: Annotation) -> dict[str, Any]:
    """Return the corners of a record, to be written beside its polygon, if it is a curve."""
    if drawn(record) == record:
        return {}
    return {KEY: [[list(p) for p in ring] for ring in corner_rings(record)]}


def said_of_ring(record: Annotation, place: int) -> dict[str, Any]:
    """Return the corners of one ring, where each ring of a record is written by itself."""
    one = replace(record, points=corner_rings(record)[place], rings=())
    return said(one)


def with_corners(record: Annotation, about: Mapping[str, Any]) -> Annotation:
    """Return a polygon that was read with the corners that were said of it, if they still hold."""
    told = about.get(KEY)
    rings = corner_rings(record)
    if record.kind != "polygon" or not told:
        return record
    try:
        told = json.loads(told) if isinstance(told, str) else told
        corners = [tuple((float(x), float(y)) for x, y in ring) for ring in told]
    except (TypeError, ValueError, RecursionError, OverflowError):
        return record
    if len(corners) != len(rings):
        return record
    if sum(map(len, corners)) > MAX_VERTICES or not is_round(record.category):
        return record
    left = list(rings)
    for ring in corners:
        match = next((other for other in left if len(ring) > 2 and _draw(ring, other)), None)
        if match is None:
            return record
        left.remove(match)
    return replace(record, points=corners[0], rings=tuple(corners[1:]))


def _draw(corners: Ring, ring: Ring) -> bool:
    """Tell whether a ring is the curve through corners, or that curve up to the image's edge."""
    there = np.asarray(ring, float)
    line = np.asarray(curve(corners), float)
    if not np.isfinite(line).all():
        return False
    line = np.clip(line, there.min(axis=0), there.max(axis=0))
    return _all_near(there, line) and _all_near(line, there)


def _all_near(points: Any, others: Any) -> bool:
    from scipy.spatial import cKDTree

    off, _ = cKDTree(others).query(points)
    return bool(np.max(off) <= CLOSE)
