"""What changed in a Shapes layer since it was last in step with the records.

Rows are known by uid and part, never by position: napari moves rows when it removes one,
and leaves feature rows behind when it drops a shape with too few vertices.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from napari_fada.workstation.coordinates import Vertices
from napari_fada.workstation.shape_codec import Row

Key = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Shown:
    """A row of records together with the vertices the layer showed for it (a deep copy)."""

    row: Row
    vertices: Vertices


@dataclass(frozen=True, slots=True)
class Drawn:
    """A shape that no row accounts for: drawn or pasted."""

    index: int
    vertices: Vertices
    shape_type: str
    class_name: str


@dataclass(frozen=True, slots=True)
class Moved:
    """A shape whose vertices or type changed."""

    index: int
    shown: Shown
    vertices: Vertices
    shape_type: str


@dataclass(slots=True)
class Difference:
    """All that changed. ``order`` gives the key of each shape now (None for a new one)."""

    drawn: list[Drawn] = field(default_factory=list)
    moved: list[Moved] = field(default_factory=list)
    gone: list[Shown] = field(default_factory=list)
    renamed: list[tuple[Shown, str]] = field(default_factory=list)
    order: list[Key | None] = field(default_factory=list)
    out_of_step: bool = False

    def __bool__(self) -> bool:
        return bool(self.drawn or self.moved or self.gone or self.renamed)


def difference(
    shown: Sequence[Shown],
    data: Sequence[Vertices],
    shape_types: Sequence[str],
    features: Mapping[str, Sequence[Any]],
    expected_type: str,
) -> Difference:
    """Compare a layer with what it showed last.

    Parameters
    ----------
    shown : sequence of Shown
        Rows as they were.
    data, shape_types, features
        The layer as it is.
    expected_type : str
        Shape type of an untouched row.
    """
    uids = list(features.get("uid", ()))
    if len(uids) != len(data):
        return _by_geometry(shown, data)
    known = {s.row.key: s for s in shown}
    parts, classes = list(features["part"]), list(features["class"])
    found = Difference()
    seen: set[Key] = set()
    for i, vertices in enumerate(data):
        key = (str(uids[i]), int(parts[i] or 0))
        if key not in known or key in seen:  # a pasted shape brings the uid of its original
            found.order.append(None)
            found.drawn.append(Drawn(i, np.array(vertices), shape_types[i], str(classes[i])))
            continue
        seen.add(key)
        found.order.append(key)
        before = known[key]
        if shape_types[i] != expected_type or not _same(before.vertices, vertices):
            found.moved.append(Moved(i, before, np.array(vertices), shape_types[i]))
        if str(classes[i]) != before.row.record.category:
            found.renamed.append((before, str(classes[i])))
    found.gone = [s for key, s in known.items() if key not in seen]
    return found


def _by_geometry(shown: Sequence[Shown], data: Sequence[Vertices]) -> Difference:
    """Tell which rows went when features no longer line up with shapes.

    napari got here by removing a shape and leaving its feature row, so every shape that is
    left stands where it stood: a row is gone if no shape has its vertices.
    """
    left = list(data)
    found = Difference(out_of_step=True)
    for s in shown:
        match = next((i for i, v in enumerate(left) if _same(s.vertices, v)), None)
        if match is None:
            found.gone.append(s)
        else:
            left.pop(match)
            found.order.append(s.row.key)
    return found


def _same(a: Vertices, b: Vertices) -> bool:
    return a.shape == b.shape and bool(np.array_equal(a, b))
