"""A Points layer that shows keypoint records, and turns edits of it into records.

Points of one record share its uid; ``part`` is the number of the keypoint in the vocabulary.
A new point fills the next free keypoint of the active class on its frame, or begins a new
record; a deleted one becomes absent, and a record without points is removed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from napari_fada.records.annotation import Annotation, Point, Ring
from napari_fada.vocabulary import vocabulary
from napari_fada.workstation import napari_private as private
from napari_fada.workstation import point_codec as codec
from napari_fada.workstation.coordinates import frame_of, from_layer
from napari_fada.workstation.desk import Busy, Desk, Edit, Records, corrected
from napari_fada.workstation.shape_codec import clamp
from napari_fada.workstation.styles import KEYPOINTS, colours_of, line_unit

DONE = frozenset({"added", "removed", "changed"})
_Known = dict[str, tuple[int, Annotation]]
"""Records and their frames, by uid."""


class PointsBinding:
    """Keeps one Points layer and the keypoint records in step, both ways.

    Parameters
    ----------
    layer : napari Points layer
        Made by ``layers.make_layers``.
    desk : Desk
        Takes the edits.
    """

    kind = "keypoints"

    def __init__(self, layer: Any, desk: Desk) -> None:
        self.layer, self._desk = layer, desk
        self._rows: list[codec.PointRow] = []
        self._data = np.empty((0, layer.ndim))
        self._records: _Known = {}
        self._busy = Busy()
        self._waiting: tuple[list[codec.PointRow], _Known] | None = None
        self._renamed: dict[str, str] = {}  # since the layer was written
        self._stale = False
        layer.events.data.connect(self._on_data)
        layer.mouse_drag_callbacks.append(self._await_release)

    def close(self) -> None:
        """Stop listening."""
        self.layer.events.data.disconnect(self._on_data)
        self.layer.mouse_drag_callbacks.remove(self._await_release)

    def _await_release(self, _layer: Any, event: Any) -> Iterator[None]:
        """Show what waited for the end of a drag, also if nothing was moved."""
        yield
        while event.type == "mouse_move":
            yield
        private.later(self._catch_up)

    def _catch_up(self) -> None:
        if self._waiting is not None and not private.is_drawing(self.layer):
            self._write(*self._waiting)

    def forget(self) -> None:
        """Let go of what is shown: the layer is to show another scan."""
        self._waiting, self._stale, self._rows, self._records = None, False, [], {}
        self.layer.selected_data = set()

    def show(self, records: Records, renamed: Mapping[str, str] | None = None) -> None:
        """Bring the layer in step with the keypoint records of all frames."""
        found = [(f, r) for f, rs in records.items() for r in rs if r.kind == "keypoints"]
        rows = [row for f, r in found for row in codec.rows_of(f, r)]
        at = {}
        for i, row in enumerate(self._rows):
            uid, part = row.key
            at[(renamed or {}).get(uid, uid), part] = i
        rows.sort(key=lambda row: at.get(row.key, len(at)))
        self._renamed.update(renamed or {})
        known = {r.uid: (f, r) for f, r in found}
        if private.is_drawing(self.layer) and not self._busy:
            self._waiting = (rows, known)
        else:
            self._write(rows, known)

    def _write(self, rows: list[codec.PointRow], known: _Known, *, anyway: bool = False) -> None:
        self._records = known
        self._waiting, self._stale = None, False
        layer = self.layer
        data = codec.vertices_of(rows, with_frame=layer.ndim == 3)
        same = layer.data.shape == data.shape and np.array_equal(layer.data, data)
        if same and not anyway and rows == self._rows and len(layer.features) == len(rows):
            return
        with self._busy(), layer.events.data.blocker(), private.one_refresh(layer):
            if layer.data.shape != data.shape or not np.array_equal(layer.data, data):
                private.end_drag(layer)
                selected = self._still_selected(rows)
                layer.selected_data = set()
                layer.data = data
                layer.selected_data = selected
            layer.features = codec.features_of(rows)
            self.set_active_class(self._desk.active_class)
            if rows:
                names = [r.record.category for r in rows]
                faces = colours_of(names)
                faces[[r.hidden for r in rows], 3] = 0.15  # hidden points are rings
                layer.face_color = faces
                layer.border_color = "white"
                layer.size = KEYPOINTS.size * line_unit(*self._desk.frame_shape)
        self._rows, self._data = rows, np.array(layer.data)
        self._renamed = {}

    def _still_selected(self, rows: list[codec.PointRow]) -> set[int]:
        """Return where what is selected lies in other rows; what is gone is not."""
        chosen = set(self.layer.selected_data)
        keys = set()
        for i in chosen:
            if i < len(self._rows):
                uid, part = self._rows[i].key
                keys.add((self._renamed.get(uid, uid), part))
        placed = {i for i in chosen if len(self._rows) <= i < len(rows)}
        return {i for i, row in enumerate(rows) if row.key in keys} | placed

    def set_active_class(self, name: str) -> None:
        """Give the next point this class and its colour."""
        layer = self.layer
        with self._busy(), layer.block_update_properties():
            layer.feature_defaults = {
                "uid": "",
                "part": -1,
                "number": "",
                "point": "",
                "class": name,
                "source": "expert",
                "status": "accepted",
                "score": None,
            }
            layer.current_face_color = colours_of([name])[0]
            layer.current_border_color = "white"
            layer.current_size = KEYPOINTS.size * line_unit(*self._desk.frame_shape)

    @property
    def busy(self) -> bool:
        """Whether the layer is being written: what it tells then is no act of the user."""
        return bool(self._busy)

    def select_records(self, uids: set[str]) -> bool:
        """Select the points of records, and no others; False if there are none."""
        wanted = {i for i, row in enumerate(self._rows) if row.record.uid in uids}
        if wanted != set(self.layer.selected_data):
            self.layer.selected_data = wanted
        return bool(wanted)

    def selected_uids(self) -> list[str]:
        """Return the uids of the records whose points are selected."""
        rows = [self._rows[i] for i in sorted(self.layer.selected_data) if i < len(self._rows)]
        return list(dict.fromkeys(r.record.uid for r in rows))

    def selected_points(self) -> list[tuple[int, Annotation, int]]:
        """Return the selected points: frame, record, and number of the point."""
        rows = [self._rows[i] for i in sorted(self.layer.selected_data) if i < len(self._rows)]
        return [(r.frame, r.record, r.part) for r in rows]

    def select(self, points: Ring, part: int) -> None:
        """Select one point of the record that has these points."""
        self.layer.selected_data = {
            i for i, r in enumerate(self._rows) if r.part == part and r.record.points == points
        }

    def finish_drawing(self) -> None:
        """End a drag where it is; a point is placed by one click, nothing can be half drawn."""
        if private.is_drawing(self.layer):
            self.layer.mode = "pan_zoom"
            private.end_drag(self.layer)
            self._take()

    def paste(self) -> None:
        """Paste what napari copied; it emits no event for points."""
        private.paste(self.layer)
        self._take()

    def _on_data(self, event: Any) -> None:
        action = str(getattr(event.action, "value", event.action))
        if not self._busy and action in DONE:
            self._take()

    def _take(self) -> None:
        with self._busy():
            waiting = self._waiting
            self._stale = True
            for edit in self._edits():
                self._desk.commit(edit)
            if self._stale:
                self._write(*(waiting or (self._rows, self._records)), anyway=True)

    def _edits(self) -> list[Edit]:
        layer = self.layer
        known = {row.key: i for i, row in enumerate(self._rows)}
        uids, parts = layer.features["uid"].tolist(), layer.features["part"].tolist()
        classes = layer.features["class"].tolist()
        seen: set[tuple[str, int]] = set()
        drafts: dict[str, Annotation] = {}
        edits: dict[int, Edit] = {}

        def change(uid: str, part: int, point: Point | None) -> None:
            frame, record = self._records[uid]
            now = drafts.get(uid) or corrected(record, self._desk.rater)
            drafts[uid] = replace(now, **codec.with_point(now, part, point))
            edits.setdefault(frame, Edit(frame))

        fresh: list[int] = []
        for i, row in enumerate(np.asarray(layer.data)):
            key = (str(uids[i]), int(parts[i]))
            if key not in known or key in seen:
                fresh.append(i)
                continue
            seen.add(key)
            if not np.array_equal(row, self._data[known[key]]):
                change(*key, self._point(row))
        for uid, part in known.keys() - seen:
            change(uid, part, None)
        for i in fresh:
            self._place(np.asarray(layer.data[i]), str(classes[i]), drafts, edits)
        for uid, record in drafts.items():
            frame = self._records[uid][0]
            edit = edits.setdefault(frame, Edit(frame))
            if any(record.visibility):
                edit.replace[uid] = record
            else:
                edit.remove.append(uid)
        return [e for e in edits.values() if e]

    def _place(
        self, row: Any, name: str, drafts: dict[str, Annotation], edits: dict[int, Edit]
    ) -> None:
        """Give a fresh point to the record that waits for it, or begin a record."""
        if name not in vocabulary().by_name:
            name = self._desk.active_class
        if not codec.point_names(name):
            self._desk.say(
                f"{name} has no keypoints: choose a class that has, then click.", "warning"
            )
            return
        frame, point = frame_of(row), self._point(row)
        edit = edits.setdefault(frame, Edit(frame))
        for uid, (at, record) in self._records.items():
            now = drafts.get(uid, record)
            part = codec.next_absent(now)
            if at == frame and record.category == name and part is not None:
                if uid not in drafts:
                    now = corrected(record, self._desk.rater)
                drafts[uid] = replace(now, **codec.with_point(now, part, point))
                return
        edit.add.append(
            Annotation(
                name,
                "keypoints",
                source="expert",
                status="accepted",
                rater=self._desk.rater,
                **codec.new_points(name, point),
            )
        )

    def _point(self, row: Any) -> Point:
        return clamp(from_layer(np.atleast_2d(row)), self._desk.frame_shape)[0]
