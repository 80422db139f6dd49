"""Two raters' structures on the canvas, each in a colour of its own with the rater's name.

They are pictures, not records: a disputed structure does not stand until it is decided. What is
drawn anew lies in a third layer until it is taken.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from napari_fada.records.annotation import Annotation, Ring
from napari_fada.records.geometry import is_round
from napari_fada.workstation import napari_private as private
from napari_fada.workstation import shape_codec as codec
from napari_fada.workstation.coordinates import from_layer, to_layer
from napari_fada.workstation.layers import MARK
from napari_fada.workstation.placing import put_on
from napari_fada.workstation.session import Session
from napari_fada.workstation.styles import line_unit

POINT_SIZE = 5.0


@dataclass(frozen=True, slots=True)
class SideStyle:
    """How one side is drawn."""

    name: str
    colour: str
    anchor: str
    width: float = 2.6


SIDES = {
    "a": SideStyle("FADA rater A", "#ffb000", "upper_left"),
    "b": SideStyle("FADA rater B", "#4cc9ff", "lower_left"),
    "drawn": SideStyle("FADA drawn anew", "#ffffff", "upper_right", 3.4),
}
"""Colours that the usual kinds of colour blindness tell apart, light on a dark scan."""


class ConflictLayers:
    """Makes, fills and removes the layers of a conflict.

    Parameters
    ----------
    session : Session
        Its scan lies beneath.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self.layers: dict[str, Any] = {}
        self._draft: Annotation | None = None
        self._rows: list[codec.Row] = []

    @property
    def drawing(self) -> bool:
        """Whether a structure is being drawn anew."""
        return self._draft is not None

    def show(self, side: str, record: Annotation | None, frame: int, text: str) -> None:
        """Show what one rater has there; None: nothing."""
        if record is None:
            self._drop(side)
            return
        style = SIDES[side]
        shapes, kinds = _shapes(record, frame if self._ndim == 3 else None, self._unit)
        if record.status == "rejected":
            text = f"{text}: rejected"
        layer = self._layer(side)
        private.clear_shapes(layer)
        layer.add(
            shapes,
            shape_type=kinds,
            edge_color=style.colour,
            face_color="transparent",
            edge_width=style.width * self._unit,
        )
        if record.kind == "polygon" and is_round(record.category):
            private.draw_along(layer, dict.fromkeys(range(len(shapes)), codec.curve_of))
        layer.features = {"text": np.array([text, *[""] * (len(shapes) - 1)], object)}
        layer.editable = side == "drawn"

    def begin_drawing(self, draft: Annotation, frame: int) -> None:
        """Lay a copy over the two, ready for its corners to be moved."""
        self._draft = draft
        # Of keypoints every ring is a shape by itself; of others a shape is a part of the record.
        self._rows = [] if draft.kind == "keypoints" else codec.rows_of(frame, draft)
        self.show("drawn", draft, frame, "drawn anew")
        layer = self.layers["drawn"]
        self._session.viewer.layers.selection.active = layer
        layer.mode = "direct" if draft.kind == "polygon" else "select"
        layer.selected_data = set() if draft.kind == "keypoints" else {0}

    def drawn(self) -> Annotation | None:
        """Return what was drawn: the copy as it was changed, or a shape that was added last."""
        layer = self.layers.get("drawn")
        if self._draft is None or layer is None or not layer.data:
            return None
        shape = self._session.frame_shape
        if self._draft.kind == "keypoints":
            return self._moved_points(layer, shape)
        data, kinds = layer.data, layer.shape_type
        if len(data) > len(self._rows):  # another one was drawn: it counts
            data, kinds, rows = data[-1:], kinds[-1:], self._rows[:1]
        else:
            rows = self._rows[: len(data)]
        rings = [
            codec.clamp(self._ring(vertices, kind, row), shape)
            for vertices, kind, row in zip(data, kinds, rows, strict=True)
        ]
        poor = codec.is_degenerate_ring
        if self._draft.kind != "box" and any(poor(r) for r in rings):
            return None
        return replace(self._draft, points=rings[0], rings=tuple(rings[1:]))

    def _moved_points(self, layer: Any, shape: tuple[int, int]) -> Annotation | None:
        """Return the keypoints where their rings lie now; None if a ring is gone or too many."""
        assert self._draft is not None
        seen = [i for i, v in enumerate(self._draft.seen) if v]
        if len(layer.data) != len(seen):
            return None
        points = list(self._draft.points)
        for i, vertices in zip(seen, layer.data, strict=True):
            middle = np.mean(np.asarray(vertices, dtype=float), axis=0, keepdims=True)
            (points[i],) = codec.clamp(from_layer(middle), shape)
        return replace(self._draft, points=tuple(points))

    def _ring(self, vertices: Any, kind: str, row: codec.Row) -> Ring:
        if row.record.kind == "box":
            return codec.box_from_shape(np.asarray(vertices))
        return codec.ring_from_shape(np.asarray(vertices), kind)

    def end_drawing(self) -> None:
        """Put the drawing away."""
        self._draft = None
        self._drop("drawn")

    def clear(self) -> None:
        """Take all layers of the conflict away."""
        self._draft = None
        for side in tuple(self.layers):
            self._drop(side)

    @property
    def _ndim(self) -> int:
        image = self._session.image
        return int(image.ndim) if image is not None else 2

    @property
    def _unit(self) -> float:
        return line_unit(*self._session.frame_shape)

    def _layer(self, side: str) -> Any:
        from napari.layers import Shapes

        viewer, image = self._session.viewer, self._session.image
        layer = self.layers.get(side)
        if layer is not None and (layer not in viewer.layers or layer.ndim != self._ndim):
            self._drop(side)
            layer = None
        if layer is None:
            style = SIDES[side]
            layer = Shapes(
                ndim=self._ndim,
                name=style.name,
                opacity=1.0,
                features={"text": np.empty(0, object)},
                text={
                    "string": "{text}",
                    "color": style.colour,
                    "size": 13,
                    "anchor": style.anchor,
                },
                metadata={MARK: {"token": "conflict"}},
            )
            self.layers[side] = layer
            with self._keep_selection(viewer):
                viewer.layers.append(layer)
        put_on(image, layer)
        return layer

    @staticmethod
    @contextmanager
    def _keep_selection(viewer: Any) -> Iterator[None]:
        active = viewer.layers.selection.active
        yield
        viewer.layers.selection.active = active

    def _drop(self, side: str) -> None:
        layer = self.layers.pop(side, None)
        if layer is not None:
            with suppress(ValueError):
                self._session.viewer.layers.remove(layer)


def _shapes(record: Annotation, frame: int | None, unit: float) -> tuple[list[Any], list[str]]:
    """Return the vertices and kinds of shapes that show a record; keypoints are small rings."""
    if record.kind == "keypoints":
        r = POINT_SIZE * unit
        return [
            to_layer(((x - r, y - r), (x + r, y - r), (x + r, y + r), (x - r, y + r)), frame)
            for (x, y), seen in zip(record.points, record.seen, strict=True)
            if seen
        ], ["ellipse"] * sum(bool(v) for v in record.seen)
    rows = codec.rows_of(frame or 0, record)
    kind = "rectangle" if record.kind == "box" else "polygon"
    return [codec.vertices_of(r, with_frame=frame is not None) for r in rows], [kind] * len(rows)
