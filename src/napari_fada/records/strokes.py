"""What a stroke of the brush or the eraser makes of an outline: it changes near the stroke only.

The pixels that a stroke changed are traced and joined to the outline as it is drawn, or cut out of
it; the rest keeps its corners. Nothing is traced anew from the whole mask: that would move the far
side of a large outline by half a pixel with each stroke, and give it hundreds of corners.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from napari_fada.records.annotation import Annotation, Ring
from napari_fada.records.geometry import (
    is_degenerate,
    is_round,
    is_simple,
    mask_to_annotation,
    outlines,
    rasterise,
    ring_area,
    rings_cross,
    to_shapely,
)
from napari_fada.records.redrawing import OldOutlines, corners_of
from napari_fada.records.shaping import SPECK, as_polygon, count, polygons_of

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry

THIN, THIN_CURVE = 0.45, 0.35
"""Pixels by which an outline may leave the painted edge so that it stays editable: with straight
sides, and where the sides are curves."""
JOIN = 2
"""Pixels beyond a stroke that are joined with it."""
DUST = 0.45
"""Square pixels below which a part or a hole is no pixel: nothing is said of it."""

Mask = npt.NDArray[np.bool_]


def drawn_outline(mask: Mask, category: str) -> tuple[Annotation | None, str]:
    """Return the polygon of a structure that was painted, and a word on what was left out.

    Specks that a hand leaves or forgets are left out; None if there is nothing else.
    """
    traced = mask_to_annotation(mask, category)
    if traced is None:
        return None, ""
    return _with_rings(traced, list(outlines(traced)), OldOutlines(()))


def stroked_outline(record: Annotation, mask: Mask) -> tuple[Annotation | None, str]:
    """Return a record with the outline that strokes made of it, and a word on what was left out.

    Parameters
    ----------
    record : Annotation
        A polygon.
    mask : 2D bool array
        Its pixels after the stroke. Those that did not change stand for the outline as it is.

    Returns
    -------
    record : Annotation or None
        None if nothing but specks is left.
    word : str
        For the user; may be empty.
    """
    before = rasterise(record, (mask.shape[0], mask.shape[1]))
    if not mask.any():
        return None, ""
    region = _changed(to_shapely(record), before, mask)
    rings: list[Ring] = []
    for part in sorted(polygons_of(region), key=lambda p: -_area(p.exterior.coords)):
        lines = [tuple((x, y) for x, y in part.exterior.coords[:-1])]
        lines += [tuple((x, y) for x, y in hole.coords[:-1]) for hole in part.interiors]
        rings += lines
    return _with_rings(record, rings, OldOutlines([record]))


def _changed(region: BaseGeometry, before: Mask, after: Mask) -> BaseGeometry:
    """Return a region with the pixels that came and without those that went."""
    came, went = after & ~before, before & ~after
    if came.any():
        region = region.union(_traced(_near(came) & _padded(after)))
    if went.any():
        if _at_the_edge(went):
            # The outline may lie beyond the image, where no stroke reaches.
            region = region.intersection(_frame(before.shape))
        region = region.difference(_traced(_near(went) & ~_padded(after)))
    return region


def _padded(mask: Mask) -> Mask:
    return np.pad(mask, JOIN)


def _near(mask: Mask) -> Mask:
    """Return the pixels of a mask and around it, in the padded image."""
    from scipy.ndimage import binary_dilation

    wide = _padded(mask)
    rows, columns = (np.flatnonzero(wide.any(axis=axis)) for axis in (1, 0))
    cut = np.s_[rows[0] - JOIN : rows[-1] + JOIN + 1, columns[0] - JOIN : columns[-1] + JOIN + 1]
    wide[cut] = binary_dilation(wide[cut], iterations=JOIN)
    return wide


def _traced(padded: Mask) -> BaseGeometry:
    from shapely.affinity import translate

    found = mask_to_annotation(padded, "")
    assert found is not None
    return translate(to_shapely(found), -JOIN, -JOIN)


def _at_the_edge(mask: Mask) -> bool:
    return bool(mask[[0, -1]].any() or mask[:, [0, -1]].any())


def _frame(shape: tuple[int, ...]) -> BaseGeometry:
    from shapely import box

    found: BaseGeometry = box(0, 0, shape[1], shape[0])
    return found


def _with_rings(
    record: Annotation, rings: list[Ring], old: OldOutlines
) -> tuple[Annotation | None, str]:
    """Return a record with these rings as few corners, specks left out."""
    kept = [r for r in rings if ring_area(r) >= SPECK or all(p in old for p in r)]
    specks = sum(ring_area(r) >= DUST for r in rings) - sum(ring_area(r) >= DUST for r in kept)
    word = ""
    if specks:
        word = f"{record.category}: {count(specks, 'speck')} of less than {SPECK:g} px² left out."
    if not kept:
        return None, word
    as_curve = is_round(record.category)
    thin = THIN_CURVE if as_curve else THIN
    for tolerance in (thin, thin / 4, 0.0):
        found = as_polygon(
            record, [corners_of(r, old, as_curve=as_curve, thin=tolerance) for r in kept]
        )
        if not is_degenerate(found, smallest=0.5) and _sound(found):
            return found, word
    return as_polygon(record, kept), word


def _sound(record: Annotation) -> bool:
    return all(map(is_simple, outlines(record))) and not rings_cross(record)


def _area(coordinates: object) -> float:
    return ring_area([(x, y) for x, y in coordinates])  # type: ignore[attr-defined]
