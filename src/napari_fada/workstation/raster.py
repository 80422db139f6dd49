"""Records to a label image and painted pixels back to masks: pure functions.

One polygon record has one label value on its frame: ``class id + 100 × instance``, so that
two structures of one class stay apart and a value tells its class. Larger structures are
drawn first, so that what lies inside another stays visible.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from napari_fada.records import geometry
from napari_fada.records.annotation import Annotation
from napari_fada.vocabulary import vocabulary

STRIDE = 100
UNKNOWN_ID = 99
"""Label of classes that the vocabulary does not know."""

Raster = npt.NDArray[np.uint16]
Mask = npt.NDArray[np.bool_]


def class_id(name: str) -> int:
    """Return the vocabulary's id of a class, 99 for one it does not know."""
    category = vocabulary().by_name.get(name)
    return category.id if category else UNKNOWN_ID


def class_of(value: int) -> str | None:
    """Return the class that a label value stands for."""
    category = vocabulary().by_id.get(int(value) % STRIDE)
    return category.name if category else None


def assign_values(
    records: Iterable[Annotation], taken: Mapping[str, int] | None = None
) -> dict[str, int]:
    """Give each record of a frame its label value; those in ``taken`` keep theirs.

    Parameters
    ----------
    records : iterable of Annotation
        Polygons of one frame.
    taken : mapping of uid to value, optional
        Values to keep, unless the class changed since.
    """
    records = list(records)
    values = {
        r.uid: taken[r.uid]
        for r in records
        if taken and r.uid in taken and taken[r.uid] % STRIDE == class_id(r.category)
    }
    used = set(values.values())
    for record in records:
        if record.uid not in values:
            value = class_id(record.category)
            while value in used:
                value += STRIDE
            used.add(value)
            values[record.uid] = value
    return values


@lru_cache(maxsize=128)
def mask_of(record: Annotation, shape: tuple[int, int]) -> Mask:
    """Return the pixels inside a record (kept, as most records stay as they are)."""
    mask = geometry.rasterise(record, shape)
    mask.setflags(write=False)
    return mask


def prepare(records: Iterable[Annotation], shape: tuple[int, int]) -> None:
    """Make the masks of records, so that they are at hand when they are to be shown.

    For a worker thread: a mask takes some milliseconds.
    """
    for record in records:
        if record.kind == "polygon":
            mask_of(record, shape)


def drawing_order(records: Iterable[Annotation], shape: tuple[int, int]) -> list[Annotation]:
    """Return records from the one drawn first (the largest) to the one on top."""
    return sorted(records, key=lambda r: (-int(mask_of(r, shape).sum()), r.created, r.uid))


def rasterise(
    records: Sequence[Annotation], values: Mapping[str, int], shape: tuple[int, int]
) -> Raster:
    """Return the label image of one frame."""
    image = np.zeros(shape, np.uint16)
    for record in drawing_order(records, shape):
        image[mask_of(record, shape)] = values[record.uid]
    return image


def painted_masks(
    before: Raster,
    after: Raster,
    records: Sequence[Annotation],
    values: Mapping[str, int],
    erased: int | None = None,
) -> dict[int, Mask]:
    """Tell what a stroke of the brush made of the mask of each value.

    A record gains the pixels that now carry its value. It loses those that were erased, and
    those painted with a structure that is drawn below it (or the stroke could not be seen);
    what is painted on top of it leaves it whole, because structures lie inside one another.

    Parameters
    ----------
    before, after : array
        Label images of the frame.
    records : sequence of Annotation
        Its outlines, as they were.
    values : mapping of uid to int
        Their labels.
    erased : int, optional
        The one label that an eraser takes pixels from; all others keep theirs.

    Returns
    -------
    mapping of value to mask
        Only values whose mask changed; an empty mask means that all of it was erased. A
        value that no record has stands for a new structure.
    """
    changed = before != after
    if not changed.any():
        return {}
    shape = before.shape
    ordered = drawing_order(records, (shape[0], shape[1]))
    rank = {values[r.uid]: i for i, r in enumerate(ordered)}
    by_value = {values[r.uid]: r for r in ordered}
    touched = np.union1d(before[changed], after[changed])
    out: dict[int, Mask] = {}
    for value in (int(v) for v in touched if v):
        record = by_value.get(value)
        full = mask_of(record, (shape[0], shape[1])) if record else np.zeros(shape, bool)
        lost = changed & (before == value)
        if lost.any():
            over = after[lost]
            below = [v for v in np.unique(over) if rank.get(int(v), len(rank)) < rank[value]]
            gone = (over == 0) & (erased in (None, value))
            lost[lost] = gone | np.isin(over, below)
        mask = (full | (changed & (after == value))) & ~lost
        if not np.array_equal(mask, full):
            out[value] = mask
    return out
