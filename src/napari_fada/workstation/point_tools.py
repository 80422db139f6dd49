"""Keypoints by key or click: visible, hidden or absent, and their order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from napari_fada.records.annotation import Annotation
from napari_fada.workstation import napari_private as private
from napari_fada.workstation import point_codec as codec
from napari_fada.workstation import shape_targets as targets
from napari_fada.workstation.binding_points import PointsBinding
from napari_fada.workstation.desk import Edit, corrected
from napari_fada.workstation.session import Session

NONE = "Select a keypoint first (or point at it): its layer, select tool."
AFTER = {codec.VISIBLE: codec.HIDDEN, codec.HIDDEN: codec.ABSENT, codec.ABSENT: codec.VISIBLE}
WORD = {codec.VISIBLE: "visible", codec.HIDDEN: "hidden", codec.ABSENT: "absent"}
NEAR = 10.0
"""Pixels of the screen within which the cursor points at a keypoint."""


class PointTools:
    """What is done to keypoints besides placing and dragging.

    Parameters
    ----------
    session : Session
        Whose keypoints are changed.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._listening: Any = None

    def listen(self) -> None:
        """Let Alt-click on a keypoint of the present layers do what the key does."""
        layers = self._session.layers
        layer = layers.bindings["keypoints"].layer if layers else None
        if layer is not self._listening and layer is not None:
            layer.mouse_drag_callbacks.append(self._on_click)
        self._listening = layer

    def _on_click(self, layer: Any, event: Any) -> Iterator[None]:
        yield  # on release, when napari has done with the press
        if "Alt" in event.modifiers and event.type != "mouse_move" and layer.mode != "add":
            self.cycle_visibility()

    def cycle_visibility(self) -> None:
        """Visible becomes hidden, hidden absent; an absent one is placed again with a click."""
        for record, part in self._points()[:1]:
            seen = list(record.visibility or (codec.VISIBLE,) * len(record.points))
            now = AFTER[seen[part]]
            changes: dict[str, Any] = {}
            if now == codec.ABSENT:
                changes = codec.with_point(record, part, None)
            else:
                seen[part] = now
                changes = {"visibility": tuple(seen)}
            name = _name(record, part)
            edit = Edit(self._session.frame, f"{name} is {WORD[now]}")
            if now == codec.ABSENT and not any(changes["visibility"]):
                edit.remove.append(record.uid)
            else:
                edit.replace[record.uid] = corrected(record, self._session.rater, **changes)
            if self._session.commit(edit):
                again = " Place it with a click." if now == codec.ABSENT else ""
                self._session.say(f"{name} is {WORD[now]}.{again}")

    def earlier(self) -> None:
        """Let the selected keypoint change places with the one before it (the first: the last)."""
        session = self._session
        for record, part in self._points()[:1]:
            other = (part - 1) % len(record.points)
            if other == part:
                session.say(f"{record.category} has one point only.")
                return
            order = list(range(len(record.points)))
            order[part], order[other] = order[other], order[part]
            seen = record.visibility or (codec.VISIBLE,) * len(record.points)
            new = replace(
                corrected(record, session.rater),
                points=tuple(record.points[i] for i in order),
                visibility=tuple(seen[i] for i in order),
            )
            label = f"{record.category}: points {other + 1} and {part + 1} changed places"
            if session.commit(Edit(session.frame, label, replace={record.uid: new})):
                self._binding().select(new.points, other)
                session.say(f"{label}.")

    def _binding(self) -> PointsBinding:
        assert self._session.layers is not None
        binding = self._session.layers.bindings["keypoints"]
        assert isinstance(binding, PointsBinding)
        return binding

    def _points(self) -> list[tuple[Annotation, int]]:
        """Return the keypoints that are meant, as records with the number of the point."""
        session = self._session
        if session.layers is None:
            session.say("Choose a scan first.")
            return []
        found = [p for p in self._binding().selected_points() if p[0] == session.frame]
        if not found:
            at = targets.cursor(session)
            reach = NEAR / private.zoom(session.viewer)
            near = [
                (float((x - at[0]) ** 2 + (y - at[1]) ** 2), record, part)
                for record in targets.here(session, "keypoints")
                for part, (x, y) in enumerate(record.points)
                if at is not None and (not record.visibility or record.visibility[part])
            ]
            near = [n for n in near if n[0] <= reach**2]
            found = [(session.frame, r, p) for _, r, p in sorted(near, key=lambda n: n[0])]
        if not found:
            session.say(NONE)
            return []
        free = targets.unlocked(session, [found[0][1]])
        return [(record, part) for _, record, part in found if record in free]


def _name(record: Annotation, part: int) -> str:
    names = codec.point_names(record.category)
    return f"{record.category} {part + 1}" + (f" ({names[part]})" if part < len(names) else "")
