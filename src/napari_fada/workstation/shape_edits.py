"""From what changed in a Shapes layer to edits of records.

Degenerate shapes are dropped or put back here, always with a word to the user.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from napari_fada.errors import ShapeError
from napari_fada.records import repair
from napari_fada.records.annotation import Annotation, Kind, Ring
from napari_fada.vocabulary import vocabulary
from napari_fada.workstation import shape_codec as codec
from napari_fada.workstation.coordinates import Vertices, frame_of
from napari_fada.workstation.desk import Desk, Edit, corrected
from napari_fada.workstation.shape_diff import Difference, Drawn, Moved, Shown


@dataclass(slots=True)
class _Draft:
    """Changes to one record; ``rings`` holds those that changed, None for a removed one."""

    frame: int
    record: Annotation
    rings: dict[int, Ring | None] = field(default_factory=dict)
    category: str = ""

    def build(self, rater: str) -> tuple[Annotation, str]:
        """Return the new record, and a word where its outline had to be put right."""
        record, word = self.record, ""
        changes: dict[str, Any] = {"category": self.category or record.category}
        if self.rings and record.kind == "box":
            changes["points"] = self.rings[0]
        elif self.rings:
            shaped = repair.change_rings(record, self.rings)
            changes |= {"points": shaped.record.points, "rings": shaped.record.rings}
            word = shaped.word
        return corrected(record, rater, **changes), word


class ShapeEdits:
    """Collects the edits of one event.

    Parameters
    ----------
    kind : {"box", "polygon"}
        Of the records in the layer.
    desk : Desk
        Asked for the active class and the frame's size, told what was dropped.
    click : float
        Side in pixels of what one click leaves behind.
    """

    def __init__(self, kind: Kind, desk: Desk, click: float) -> None:
        self._kind, self._desk, self._click = kind, desk, click
        self._edits: dict[int, Edit] = {}
        self._drafts: dict[str, _Draft] = {}

    def collect(self, found: Difference) -> list[Edit]:
        """Return one edit for each frame that changed."""
        if found.out_of_step and not found.gone:
            self._desk.say("A polygon needs three corners: the stray click was dropped.")
        if found.out_of_step and found.gone:
            self._desk.say("Too few corners were left, so the shape was removed. Undo: Ctrl+Z.")
        for shown in found.gone:
            self._gone(shown)
        for moved in found.moved:
            self._moved(moved)
        for shown, name in found.renamed:
            self._renamed(shown, name)
        for uid, draft in self._drafts.items():
            edit = self._edit(draft.frame)
            try:
                edit.replace[uid], word = draft.build(self._desk.rater)
            except ShapeError:  # none of its rings is left
                edit.remove.append(uid)
            else:
                self._tell(word)
        for drawn in found.drawn:
            self._drawn(drawn)
        return [edit for edit in self._edits.values() if edit]

    def _edit(self, frame: int) -> Edit:
        return self._edits.setdefault(frame, Edit(frame))

    def _draft(self, shown: Shown) -> _Draft:
        row = shown.row
        return self._drafts.setdefault(row.record.uid, _Draft(row.frame, row.record))

    def _gone(self, shown: Shown) -> None:
        # Its holes go with a ring, its other parts stay.
        if shown.row.record.kind == "box":
            self._edit(shown.row.frame).remove.append(shown.row.record.uid)
        else:
            self._draft(shown).rings[shown.row.part] = None

    def _moved(self, moved: Moved) -> None:
        row = moved.shown.row
        ring = self._ring(moved.vertices, moved.shape_type, moved.shown)
        if ring is None:
            self._desk.say(
                f"{row.record.category}: that left no area, so it was put back. "
                "To remove it, select it and press Delete.",
                "warning",
            )
        elif ring != codec.ring_of(row.record, row.part):
            self._draft(moved.shown).rings[row.part] = ring

    def _renamed(self, shown: Shown, name: str) -> None:
        old = shown.row.record.category
        if name not in vocabulary().by_name:
            self._desk.say(f"There is no class “{name}”: it stays {old}.", "warning")
            return
        self._draft(shown).category = name

    def _drawn(self, drawn: Drawn) -> None:
        desk = self._desk
        known = drawn.class_name in vocabulary().by_name
        name = drawn.class_name if known else desk.active_class
        ring = self._ring(drawn.vertices, drawn.shape_type)
        if ring is None:
            desk.say("A shape without an area (a click, or outside the scan) was dropped.")
            return
        new = Annotation(
            name, self._kind, ring, source="expert", status="accepted", rater=desk.rater
        )
        try:
            shaped = repair.repaired(new)
        except ShapeError as error:
            self._tell(str(error))
            return
        self._tell(shaped.word)
        self._edit(frame_of(drawn.vertices)).add.append(shaped.record)

    def _tell(self, word: str) -> None:
        if word:
            self._desk.say(word, "warning")

    def _ring(self, vertices: Vertices, shape_type: str, shown: Shown | None = None) -> Ring | None:
        """Return what a shape stands for inside the frame, None if it has no area."""
        before = shown.vertices if shown else None
        if self._kind == "box":
            ring = codec.clamp(codec.box_from_shape(vertices, before), self._desk.frame_shape)
            smallest = 0.0 if shown else self._click * 1.01
            return None if codec.is_degenerate_box(ring, smallest) else ring
        old = codec.ring_of(shown.row.record, shown.row.part) if shown else ()
        ring = codec.ring_from_shape(vertices, shape_type, before, old)
        ring = codec.clamp(ring, self._desk.frame_shape)
        return None if codec.is_degenerate_ring(ring) else ring


def collect_edits(found: Difference, kind: Kind, desk: Desk, click: float) -> Sequence[Edit]:
    """Return the edits that a difference stands for."""
    return ShapeEdits(kind, desk, click).collect(found)
