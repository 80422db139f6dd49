"""Lines that tell at a glance who said what: they show records and are never edited.

napari's Shapes have no line styles, so that the dashes of proposals are short vectors in a
layer of their own, over the faint line of the shape. Only the frame that is shown has them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from napari_fada.records.annotation import Annotation
from napari_fada.workstation import napari_private as private
from napari_fada.workstation.coordinates import to_layer
from napari_fada.workstation.dashes import outline
from napari_fada.workstation.desk import Desk, Records
from napari_fada.workstation.styles import Dashes, line_unit

Line = tuple[Annotation, Dashes]
Drawing = Callable[[int, tuple[Annotation, ...]], Iterable[Line]]


@dataclass(frozen=True, slots=True)
class _Shown:
    frame: int
    shape: tuple[int, int] = (0, 0)
    lines: tuple[Line, ...] = ()


class LinesBinding:
    """Keeps a Vectors layer in step with records, one way.

    Parameters
    ----------
    layer : napari Vectors layer
        Made by ``layers.make_layers``.
    desk : Desk
        Knows the frame that is shown.
    drawing : callable
        Gives the lines for the records of a frame.
    width : float
        Of the lines, in image pixels at a scan of 800 pixels.
    """

    def __init__(self, layer: Any, desk: Desk, drawing: Drawing, width: float) -> None:
        self.layer, self._desk, self._drawing, self._width = layer, desk, drawing, width
        self._records: Mapping[int, tuple[Annotation, ...]] = {}
        self._shown = _Shown(-1)

    def close(self) -> None:
        """Nothing is listened to."""

    def forget(self) -> None:
        """Let go of what is shown: the layer is to show another scan."""
        self._records = {}

    def show(self, records: Records, renamed: Mapping[str, str] | None = None) -> None:  # noqa: ARG002
        """Bring the lines in step with the records."""
        self._records = {frame: tuple(found) for frame, found in records.items()}
        self.show_frame()

    def show_frame(self) -> None:
        """Draw the lines of the frame that is shown, if they are others than those drawn."""
        frame = self._desk.frame
        lines = tuple(self._drawing(frame, self._records.get(frame, ())))
        wanted = _Shown(frame, self._desk.frame_shape, lines)
        if wanted == self._shown or (not wanted.lines and not self._shown.lines):
            return
        self._shown = wanted
        vectors, colours = self._vectors(wanted)
        layer = self.layer
        width = self._width * line_unit(*wanted.shape)
        if layer.edge_width != width:
            layer.edge_width = width
        with layer.events.data.blocker(), private.one_refresh(layer):
            layer.data = vectors
            if len(vectors):
                layer.edge_color = colours

    def _vectors(self, wanted: _Shown) -> tuple[Any, Any]:
        unit = line_unit(*self._desk.frame_shape)
        place = wanted.frame if self.layer.ndim == 3 else None
        vectors, colours = [np.empty((0, 2, self.layer.ndim))], [np.empty((0, 4), np.float32)]
        for record, style in wanted.lines:
            pieces, _ = outline([record], style.dash * unit, style.gap * unit)
            if not len(pieces):
                continue
            starts, ends = to_layer(pieces[:, 0], place), to_layer(pieces[:, 1], place)
            vectors.append(np.stack([starts, ends - starts], axis=1))
            colours.append(np.tile(style.colour(record), (len(pieces), 1)))
        return np.concatenate(vectors), np.concatenate(colours)

    def set_active_class(self, name: str) -> None:
        """Nothing is drawn by hand here."""

    def finish_drawing(self) -> None:
        """Nothing is drawn by hand here."""

    def selected_uids(self) -> list[str]:
        """Nothing can be selected here."""
        return []
