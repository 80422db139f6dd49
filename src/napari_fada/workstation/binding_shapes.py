"""A Shapes layer that shows records of one kind, and turns edits of it into records.

napari's events say too little (before-values change afterwards, indices are -1), so the
binding keeps a copy of what it showed and compares at each event. Every difference goes to
the desk as one transaction; then the layer is brought in step with the records again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from napari_fada.records.annotation import Kind
from napari_fada.records.geometry import is_round
from napari_fada.workstation import napari_private as private
from napari_fada.workstation import shape_codec as codec
from napari_fada.workstation.desk import Busy, Desk, Records
from napari_fada.workstation.shape_diff import Difference, Drawn, Shown, difference
from napari_fada.workstation.shape_edits import collect_edits
from napari_fada.workstation.styles import (
    PROPOSED_ALPHA,
    ShapesStyle,
    colours_of,
    is_proposal,
    line_unit,
    text_colours_of,
)

DONE = frozenset({"added", "removed", "changed"})


class ShapesBinding:
    """Keeps one Shapes layer and the records of one kind in step, both ways.

    Parameters
    ----------
    layer : napari Shapes layer
        Made by ``layers.make_layers``; ndim 3 on scans of several frames.
    kind : {"box", "polygon"}
        Of the records shown here.
    style : ShapesStyle
        How they look.
    desk : Desk
        Takes the edits.
    """

    def __init__(self, layer: Any, kind: Kind, style: ShapesStyle, desk: Desk) -> None:
        self.layer, self.kind, self._style, self._desk = layer, kind, style, desk
        self._shown: list[Shown] = []
        self._busy = Busy()
        self._waiting: list[codec.Row] | None = None
        self._renamed: dict[str, str] = {}  # since the layer was written
        self._pen: tuple[object, ...] = ()
        self._stale = False  # an event was taken that the layer does not show yet
        self.taker: Callable[[Drawn], None] | None = None
        """A tool that gets what is drawn next; it becomes no record then."""
        layer.events.data.connect(self._on_data)
        layer.events.features.connect(self._on_features)

    def close(self) -> None:
        """Stop listening."""
        self.layer.events.data.disconnect(self._on_data)
        self.layer.events.features.disconnect(self._on_features)

    # records → layer

    def forget(self) -> None:
        """Let go of what is shown: the layer is to show another scan."""
        self._waiting, self._stale, self._shown = None, False, []
        self.layer.selected_data = set()

    def show(self, records: Records, renamed: Mapping[str, str] | None = None) -> None:
        """Bring the layer in step with the records of all frames.

        While the user draws or drags, this waits until they have finished.

        Parameters
        ----------
        records : mapping of frame to records
            Records of other kinds are passed over.
        renamed : mapping of uid to uid, optional
            Which record took the place of which, so that rows stay where they are.
        """
        rows = [
            row
            for frame, found in records.items()
            for record in found
            if record.kind == self.kind
            for row in codec.rows_of(frame, record)
        ]
        rows = self._in_place(rows, renamed or {})
        self._renamed.update(renamed or {})
        if private.is_drawing(self.layer) and not self._busy:
            self._waiting = rows
        else:
            self._write(rows)

    def _in_place(self, rows: list[codec.Row], renamed: Mapping[str, str]) -> list[codec.Row]:
        """Sort rows as the layer has them; napari goes on using indices after an event."""
        at: dict[tuple[str, int], int] = {}
        for i, s in enumerate(self._shown):
            uid, part = s.row.key
            at[renamed.get(uid, uid), part] = i
        return sorted(rows, key=lambda row: at.get(row.key, len(at)))

    def _write(self, rows: list[codec.Row], *, anyway: bool = False) -> None:
        """Make the layer show rows; if it does already, only do so ``anyway``."""
        self._waiting, self._stale = None, False
        layer = self.layer
        data = [codec.vertices_of(r, with_frame=layer.ndim == 3).astype(np.float32) for r in rows]
        same_shapes = self._is_already(data)
        if same_shapes and not anyway and rows == [s.row for s in self._shown]:
            return
        with self._busy(), layer.events.data.blocker(), private.one_refresh(layer):
            if same_shapes:
                self._paint(rows)
            else:
                self._rebuild(rows, data)
            self._bend(rows)
            layer.features = codec.features_of(rows)
            if rows:
                names = [r.record.category for r in rows]
                layer.text.color = {"array": text_colours_of(names), "default": "white"}
        self.set_active_class(self._desk.active_class)
        self._renamed = {}
        self._shown = [
            Shown(row, np.array(vertices)) for row, vertices in zip(rows, layer.data, strict=True)
        ]

    def _is_already(self, data: list[np.ndarray]) -> bool:
        layer = self.layer
        return (
            len(layer.data) == len(data) == len(layer.features)
            and all(kind == self._style.shape_type for kind in layer.shape_type)
            and all(np.array_equal(a, b) for a, b in zip(layer.data, data, strict=True))
        )

    def _rebuild(self, rows: list[codec.Row], data: list[np.ndarray]) -> None:
        """Throw all shapes away and make them anew; what was selected stays so."""
        layer = self.layer
        private.end_drag(layer)
        selected = self._still_selected(rows)
        private.drawing_is_over(layer)
        with private.same_drag(layer):
            private.clear_shapes(layer)
            if data:
                look = zip(
                    ("edge_color", "face_color", "edge_width"), self._look(rows), strict=True
                )
                layer.add(data, shape_type=self._style.shape_type, **dict(look))
        layer.selected_data = selected

    def _still_selected(self, rows: list[codec.Row]) -> set[int]:
        """Return where what is selected lies in other rows; what is gone is not."""
        chosen = set(self.layer.selected_data)
        keys = set()
        for i in chosen:
            if i < len(self._shown):
                uid, part = self._shown[i].row.key
                keys.add((self._renamed.get(uid, uid), part))
        drawn = {i for i in chosen if len(self._shown) <= i < len(rows)}
        return {i for i, row in enumerate(rows) if row.key in keys} | drawn

    def _bend(self, rows: list[codec.Row]) -> None:
        """Draw outlines of round structures as the curves that they are."""
        if self.kind == "polygon":
            lines = (codec.curve_of if is_round(r.record.category) else None for r in rows)
            private.draw_along(self.layer, dict(enumerate(lines)))

    def repaint(self) -> None:
        """Give all shapes the look of their classes again."""
        with self._busy():
            self._paint([s.row for s in self._shown])

    def _paint(self, rows: list[codec.Row]) -> None:
        """Set colours and widths, one row for each shape."""
        if rows:
            layer = self.layer
            layer.edge_color, layer.face_color, layer.edge_width = self._look(rows)

    def _look(self, rows: list[codec.Row]) -> tuple[Any, Any, Any]:
        names = [r.record.category for r in rows]
        unit = line_unit(*self._desk.frame_shape)
        edges = colours_of(names)
        edges[[is_proposal(r.record) for r in rows], 3] = PROPOSED_ALPHA
        return (
            edges,
            colours_of(names, self._style.face_alpha),
            self._style.widths((r.record for r in rows), unit),
        )

    def set_active_class(self, name: str) -> None:
        """Give the next shape this class and its colour."""
        layer = self.layer
        with self._busy():
            layer.feature_defaults = {
                "uid": "",
                "part": 0,
                "class": name,
                "label": name,
                "source": "expert",
                "status": "accepted",
                "score": None,
            }
            unit = line_unit(*self._desk.frame_shape)
            if self._pen == (name, unit, *self._pen_now()):
                return
            # Without the block the selected shapes would be changed with the pen.
            with layer.block_update_properties():
                layer.current_edge_color = colours_of([name])[0]
                layer.current_face_color = colours_of([name], self._style.face_alpha)[0]
                layer.current_edge_width = self._style.expert_width * unit
            self._pen = (name, unit, *self._pen_now())

    def _pen_now(self) -> tuple[object, ...]:
        layer = self.layer
        return layer.current_edge_color, layer.current_face_color, layer.current_edge_width

    @property
    def busy(self) -> bool:
        """Whether the layer is being written: what it tells then is no act of the user."""
        return bool(self._busy)

    def select_records(self, uids: set[str]) -> bool:
        """Select the shapes of records, and no others; False if there are none."""
        wanted = {i for i, s in enumerate(self._shown) if s.row.record.uid in uids}
        if wanted != set(self.layer.selected_data):
            self.layer.selected_data = wanted
        return bool(wanted)

    def selected_uids(self) -> list[str]:
        """Return the uids of the selected shapes."""
        indices = (i for i in self.layer.selected_data if i < len(self._shown))
        return list(dict.fromkeys(self._shown[i].row.record.uid for i in sorted(indices)))

    # layer → records

    def finish_drawing(self) -> None:
        """End what is being drawn: kept if it is a shape by now, dropped if it is not.

        What is being dragged stays where it is now.
        """
        moved = private.is_drawing(self.layer)
        if moved:
            self.layer.mode = "pan_zoom"
        private.end_drag(self.layer)
        private.drawing_is_over(self.layer)
        if moved and not self._busy and (found := self._compare()):
            with self._busy():
                self._take(found)

    def _on_data(self, event: Any) -> None:
        action = str(getattr(event.action, "value", event.action))
        if not self._busy and action in DONE:
            with self._busy():
                self._take(self._compare())

    def _on_features(self) -> None:
        # A class written into the feature table by hand or by another plugin, or a pasted
        # shape, for which napari emits no data event.
        if self._busy or private.is_drawing(self.layer):
            return
        found = self._compare()
        if found and not found.out_of_step:
            with self._busy():
                self._take(found)

    def _compare(self) -> Difference:
        layer = self.layer
        columns = {name: layer.features[name].tolist() for name in layer.features.columns}
        return difference(
            self._shown, layer.data, layer.shape_type, columns, self._style.shape_type
        )

    def _take(self, found: Difference) -> None:
        """Commit a difference, then bring the layer back in step with the records."""
        click = private.click_square(self.layer)
        drawn: list[Drawn] = []
        if self.taker is not None:
            drawn, found.drawn = found.drawn, drawn
        edits = collect_edits(found, self.kind, self._desk, click)
        waiting = self._waiting
        self._stale = True
        for edit in edits:
            self._desk.commit(edit)  # on success the session shows the records anew
        if drawn and self.taker is not None:
            self.taker(drawn[-1])
        if self._stale:
            rows = waiting if waiting is not None else [s.row for s in self._shown]
            self._write(rows, anyway=True)
