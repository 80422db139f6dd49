"""Keypoint records to the rows of a Points layer: pure functions.

A keypoint that is absent (visibility 0) has no row, but keeps its place in the record.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_fada.records.annotation import Annotation, Point
from napari_fada.vocabulary import vocabulary
from napari_fada.workstation.coordinates import Vertices, to_layer

FEATURES = ("uid", "part", "number", "point", "class", "source", "status", "score")
ABSENT, HIDDEN, VISIBLE = 0, 1, 2


@dataclass(frozen=True, slots=True)
class PointRow:
    """One keypoint in the layer: number ``part`` of a record on a frame."""

    frame: int
    record: Annotation
    part: int

    @property
    def key(self) -> tuple[str, int]:
        """What a row is recognised by."""
        return self.record.uid, self.part

    @property
    def hidden(self) -> bool:
        """Whether the point is marked as hidden behind something."""
        return bool(self.record.visibility) and self.record.visibility[self.part] == HIDDEN


def point_names(class_name: str) -> tuple[str, ...]:
    """Return the names of a class's keypoints, none if it has no keypoints."""
    category = vocabulary().by_name.get(class_name)
    return category.points if category else ()


def rows_of(frame: int, record: Annotation) -> list[PointRow]:
    """Return the rows that show a record: one for each point that is not absent."""
    seen = record.visibility or (VISIBLE,) * len(record.points)
    return [PointRow(frame, record, i) for i, v in enumerate(seen) if v != ABSENT]


def vertices_of(rows: Sequence[PointRow], *, with_frame: bool) -> Vertices:
    """Return the napari coordinates of rows, one line each."""
    parts = [to_layer([r.record.points[r.part]], r.frame if with_frame else None) for r in rows]
    return np.concatenate(parts) if parts else np.empty((0, 3 if with_frame else 2))


def features_of(rows: Sequence[PointRow]) -> dict[str, npt.NDArray[np.object_]]:
    """Return the feature columns of rows as plain objects."""
    out = {name: np.empty(len(rows), dtype=object) for name in FEATURES}
    for i, row in enumerate(rows):
        record = row.record
        names = point_names(record.category)
        name = names[row.part] if row.part < len(names) else str(row.part + 1)
        values = (record.uid, row.part, row.part + 1, name, record.category)
        for key, value in zip(
            FEATURES, (*values, record.source, record.status, record.score), strict=True
        ):
            out[key][i] = value
    return out


def new_points(class_name: str, point: Point) -> dict[str, Any]:
    """Return points and visibility of a fresh record whose first keypoint has been set."""
    count = max(1, len(point_names(class_name)))
    return {
        "points": (point, *((0.0, 0.0),) * (count - 1)),
        "visibility": (VISIBLE, *(ABSENT,) * (count - 1)),
    }


def with_point(record: Annotation, part: int, point: Point | None) -> dict[str, Any]:
    """Return points and visibility after one keypoint was moved, set or (None) taken away."""
    points = list(record.points)
    seen = list(record.visibility or (VISIBLE,) * len(points))
    if point is None:
        points[part], seen[part] = (0.0, 0.0), ABSENT
    else:
        points[part] = point
        seen[part] = seen[part] or VISIBLE
    return {"points": tuple(points), "visibility": tuple(seen)}


def next_absent(record: Annotation) -> int | None:
    """Return the first keypoint that is still to be set."""
    return next((i for i, v in enumerate(record.visibility) if v == ABSENT), None)
