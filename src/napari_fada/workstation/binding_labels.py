"""A Labels layer that shows polygon records as masks, and turns strokes into records.

The polygon is the record; the mask is drawn from it. When a stroke of the brush ends, the
outlines whose pixels changed change there; nothing is updated both ways while painting.
napari's own undo history is emptied each time, because every stroke is a step of the
project's history: Ctrl+Z on this layer undoes there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from napari_fada.records.annotation import Annotation
from napari_fada.records.strokes import drawn_outline, stroked_outline
from napari_fada.vocabulary import vocabulary
from napari_fada.workstation import napari_private as private
from napari_fada.workstation import raster
from napari_fada.workstation.brush import Brush
from napari_fada.workstation.desk import Busy, Desk, Edit, Records, corrected
from napari_fada.workstation.mask_controls import MaskControls
from napari_fada.workstation.mask_frames import MaskFrames
from napari_fada.workstation.strokes import Aim, Stroke
from napari_fada.workstation.styles import rgba_of

STROKES = ("paint", "erase", "fill")
"""Modes in which the mouse is a brush."""


class LabelsBinding:
    """Keeps one Labels layer and the polygon records in step, both ways.

    Parameters
    ----------
    layer : napari Labels layer
        Made by ``layers.make_layers``; (frame, row, column) on scans of several frames.
    desk : Desk
        Takes the edits and knows the frame that is shown.
    """

    kind = "polygon"

    def __init__(self, layer: Any, desk: Desk) -> None:
        self.layer, self._desk = layer, desk
        self._records: dict[int, tuple[Annotation, ...] | None] = {}  # None: another scan's
        self._values: dict[int, dict[str, int]] = {}
        self._coloured: set[int] = set()
        self._busy = Busy()
        self._waiting: tuple[Records, Mapping[str, str]] | None = None
        self.brush = Brush(desk.ancestors)
        self._path: list[tuple[float, float]] = []
        self._colour(raster.class_id(c.name) for c in vocabulary().categories)
        self._clip: MaskFrames | None = layer.data if layer.ndim == 3 else None
        if self._clip is not None:
            self._clip.draw = self._wanted
        self._controls = MaskControls(layer, desk.say)
        layer.events.paint.connect(self._on_paint)
        layer.events.data.connect(self._on_data)
        layer.mouse_drag_callbacks.append(self._trace)

    def close(self) -> None:
        """Stop listening."""
        self._controls.close()
        self.layer.events.paint.disconnect(self._on_paint)
        self.layer.events.data.disconnect(self._on_data)
        self.layer.mouse_drag_callbacks.remove(self._trace)

    # records → layer

    def forget(self) -> None:
        """Let go of what is shown: the layer is to show another scan, of any size."""
        self._waiting, self._values = None, {}
        self.brush.forget()
        shape = self._desk.frame_shape
        if self.layer.data.shape == shape:
            self._records = {0: None}
            return
        self._records = {}
        with self._busy():
            self.layer.data = np.zeros(shape, np.uint16)
        private.forget_label_history(self.layer)

    def show(self, records: Records, renamed: Mapping[str, str] | None = None) -> None:
        """Bring the masks in step with the polygon records of all frames.

        In the middle of a stroke this waits for its end.
        """
        if private.is_painting(self.layer) and not self._busy:
            self._waiting = (records, renamed or {})
            return
        self._waiting = None
        self.brush.follow(renamed or {})
        wanted = {f: tuple(r for r in rs if r.kind == "polygon") for f, rs in records.items()}
        changed = [
            frame
            for frame in wanted.keys() | self._records.keys()
            if wanted.get(frame, ()) != self._records.get(frame, ())
        ]
        for frame in changed:
            kept = self._values.get(frame, {})
            kept = {(renamed or {}).get(uid, uid): value for uid, value in kept.items()}
            self._records[frame] = wanted.get(frame, ())
            self._values[frame] = raster.assign_values(wanted.get(frame, ()), kept)
        self._draw(changed)

    def _draw(self, frames: list[int]) -> None:
        """Write the label image of frames, where it differs from what is there.

        Of a clip only the frame that is shown; the others are drawn when they are looked at.
        """
        self._colour(v for f in frames for v in self._values.get(f, {}).values())
        differs = False
        for frame in frames:
            if self._clip is not None and frame != self._desk.frame:
                self._clip.forget(frame)
                continue
            here = self._plane(frame)
            wanted = self._wanted(frame)
            if not np.array_equal(here, wanted):
                here[...] = wanted
                differs = True
            if self._clip is not None:
                self._clip.painted.discard(frame)
        if differs:
            with self._busy():
                self.layer.refresh()
        if frames:
            private.forget_label_history(self.layer)
            self.set_active_class(self._desk.active_class)

    def _wanted(self, frame: int) -> raster.Raster:
        records, values = self._records.get(frame) or (), self._values.get(frame, {})
        return raster.rasterise(records, values, self._desk.frame_shape)

    def _plane(self, frame: int) -> Any:
        return self.layer.data if self._clip is None else self._clip.plane(frame)

    def _colour(self, values: Any) -> None:
        """Give label values their colour and name, if they have none yet."""
        new = set(values) - self._coloured
        if not new:
            return
        from napari.utils.colormaps import DirectLabelColormap

        self._coloured |= new
        known = sorted(self._coloured)
        colours: dict[int | None, Any] = {v: rgba_of(raster.class_of(v) or "") for v in known}
        colours |= {None: (1.0, 1.0, 1.0, 1.0), 0: (0.0, 0.0, 0.0, 0.0)}
        with self._busy():
            self.layer.colormap = DirectLabelColormap(color_dict=colours)
            self.layer.features = {
                "index": np.array([0, *known]),
                "class": np.array(["", *(raster.class_of(v) or "?" for v in known)], object),
            }

    # What is painted

    def set_active_class(self, name: str) -> None:
        """Let the brush paint this class: its structure that is in the hand, else a new one.

        An eraser stays one.
        """
        if self.layer.selected_label != 0:
            self.take_label(name)

    def take_label(self, name: str) -> None:
        """Give the brush the label of what it paints of this class."""
        record = self.brush.structure(self._desk.frame, name, self.outlines())
        value = self.value_of(record, name)
        self._colour([value])
        with self._busy():
            self.layer.selected_label = value

    def outlines(self) -> tuple[Annotation, ...]:
        """Return the structures of the frame that is shown."""
        return self._records.get(self._desk.frame) or ()

    def painted(self) -> Annotation | None:
        """Return the structure that the brush paints; None: one that is still to come."""
        desk = self._desk
        return self.brush.structure(desk.frame, desk.active_class, self.outlines())

    def value_of(self, record: Annotation | None, name: str) -> int:
        """Return the label of a structure; of None the next free one of a class."""
        values = self._values.get(self._desk.frame, {})
        if record is not None:
            return values[record.uid]
        value = raster.class_id(name)
        while value in values.values():
            value += raster.STRIDE
        return value

    def structure_at(self, value: int) -> Annotation | None:
        """Return the structure of the frame that has a label."""
        values = self._values.get(self._desk.frame, {})
        return next((r for r in self.outlines() if values[r.uid] == value), None)

    @property
    def busy(self) -> bool:
        """Whether the layer is being written: what it tells then is no act of the user."""
        return bool(self._busy)

    def selected_uids(self) -> list[str]:
        """Return the uid of the structure that the brush paints, if there is one."""
        record = self.painted()
        return [record.uid] if record is not None else []

    # layer → records

    def finish_drawing(self) -> None:
        """End a stroke where it is; what was painted is kept."""
        if private.is_painting(self.layer):
            self.layer.mode = "pan_zoom"
            private.end_drag(self.layer)
            private.forget_label_history(self.layer)
            self._take()

    def _trace(self, layer: Any, event: Any) -> Iterator[None]:
        """Note where the middle of the brush goes."""
        if str(layer.mode) not in STROKES:
            return
        self._path = [tuple(layer.world_to_data(event.position)[-2:])]
        yield
        while event.type == "mouse_move":
            self._path.append(tuple(layer.world_to_data(event.position)[-2:]))
            yield

    def _on_data(self, _event: Any = None) -> None:
        """Put the masks back where their array was exchanged, by another tool or by napari."""
        if self._busy:
            return
        with self._busy():
            clip, shape = self._clip, self._desk.frame_shape
            self.layer.data = np.zeros(shape, np.uint16) if clip is None else clip
            self._draw(list(self._records))
            private.forget_label_history(self.layer)
        self._desk.say(
            "The masks are drawn from the outlines and were put back. To change them, paint.",
            "warning",
        )

    def _on_paint(self) -> None:
        if self._busy:
            return
        if private.is_painting(self.layer):
            self._take()
        else:
            # Outside of a stroke napari emits this before it writes the pixels.
            private.later(self._take)

    def _take(self) -> None:
        with self._busy():
            frames = {self._desk.frame, *(self._clip.painted if self._clip is not None else ())}
            waiting = self._waiting
            for frame in sorted(frames):  # what a program paints may reach over several
                edit, words = self._edit(frame)
                if edit and not self._desk.commit(edit):
                    break
                for word in words:
                    self._desk.say(word)
            self._path = []
            # Show what the records say: a refused or dropped stroke is put back, what lay
            # under an erased structure comes out, an outline is a little simpler than a stroke.
            self._draw(sorted(frames))
            if waiting is not None and self._waiting is waiting:
                self.show(*waiting)

    def _edit(self, frame: int) -> tuple[Edit, list[str]]:
        """Return what a stroke changed on a frame, and what has to be told of it."""
        records, values = self._records.get(frame) or (), self._values.get(frame, {})
        before = raster.rasterise(records, values, self._desk.frame_shape)
        after = np.array(self._plane(frame))
        filled = str(self.layer.mode) == "fill"
        stroke = Stroke(before, after, records, values, self._aim(), self._path, filled=filled)
        if refused := stroke.refused():
            return Edit(frame), [refused]
        masks = stroke.masks()
        words = [stroke.word(masks)]
        by_value = {values[r.uid]: r for r in records}
        if not stroke.erased and stroke.subject in by_value:
            self.brush.take(frame, by_value[stroke.subject])
        edit = Edit(frame)
        rater = self._desk.rater
        for value, mask in masks.items():
            record = by_value.get(value)
            name = record.category if record else raster.class_of(value) or self._desk.active_class
            outline, word = stroked_outline(record, mask) if record else drawn_outline(mask, name)
            words.append(word)
            if outline is None:
                if record is not None:
                    edit.remove.append(record.uid)
                    edit.label = f"{name} erased"
            elif record is not None:
                edit.replace[record.uid] = corrected(
                    record, rater, points=outline.points, rings=outline.rings
                )
                edit.label = f"{name} painted"
            else:
                edit.add.append(
                    Annotation(
                        *(name, "polygon", outline.points),
                        rings=outline.rings,
                        source="expert",
                        status="accepted",
                        rater=rater,
                    )
                )
                self.brush.take(frame, edit.add[-1])
                edit.label = f"{name} drawn with the brush"
        return edit, [word for word in words if word]

    def _aim(self) -> Aim:
        """Return what is in the hand."""
        desk, record = self._desk, self.painted()
        return Aim(
            self.value_of(record, desk.active_class),
            only=record is not None and record.uid in desk.chosen,
            taken=self.brush.was_taken(desk.frame, desk.active_class),
        )
