"""Measurements drawn on the scan: calipers, ellipses and tangents, to be looked at.

They are no records and cannot be edited: what is measured follows the structures.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from napari_fada.measure import Measurement
from napari_fada.workstation.coordinates import to_layer
from napari_fada.workstation.layers import MARK
from napari_fada.workstation.session import Session

NAME = "FADA measurements"
COLOUR = "#ffe14d"
_WIDTH = 1.5


class MeasureLayer:
    """One layer, made when there is something to draw and taken away when not.

    Parameters
    ----------
    session : Session
        Whose scan is measured.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self.layer: Any = None

    def show(self, measured: Sequence[Measurement]) -> None:
        """Draw the lines of measurements; nothing where there are none."""
        session = self._session
        image = session.layers.image if session.layers is not None else None
        lines = [
            to_layer(
                (*shape.points, shape.points[0]) if shape.kind == "ellipse" else shape.points,
                session.frame if image is not None and image.ndim == 3 and not image.rgb else None,
            )
            for m in measured
            for shape in m.shapes
            if len(shape.points) > 1
        ]
        self.hide()
        if not lines or image is None:
            return
        from napari.layers import Shapes

        viewer = session.viewer
        active = viewer.layers.selection.active
        self.layer = Shapes(
            lines,
            shape_type="path",
            edge_color=COLOUR,
            edge_width=_WIDTH,
            face_color="transparent",
            name=NAME,
            metadata={MARK: {"token": "measurements"}},
        )
        for name in ("scale", "translate"):
            setattr(self.layer, name, getattr(image, name)[-self.layer.ndim :])
        viewer.layers.append(self.layer)
        self.layer.editable = False  # napari makes a layer editable when it enters the viewer
        viewer.layers.selection.active = active

    def hide(self) -> None:
        """Take the layer away."""
        layer, self.layer = self.layer, None
        if layer is not None:
            with suppress(ValueError):
                self._session.viewer.layers.remove(layer)
