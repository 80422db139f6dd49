"""What stands after a merge: where two raters agree, and what they are asked about.

Works on the states of one frame as either rater left it; nothing is read or written here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from napari_fada.records.agreement import Agreement, Opinion, assign, compare, match
from napari_fada.records.annotation import Annotation, Kind, new_uid
from napari_fada.records.conflicts import TAKEN, Conflict, What
from napari_fada.records.edits import RECORD
from napari_fada.records.linking import unlinked
from napari_fada.records.reading import INTERPRETATION_KEYS
from napari_fada.records.rows import WHOLE, Report
from napari_fada.records.structures import boxes

#: Review states in which the scan counts as good for use: no conflict between them.
_USABLE = frozenset({"accepted", "corrected"})
_FINAL = frozenset({*_USABLE, "rejected", "skipped"})


#: IoU from which two raters' outlines, or their boxes, count as agreeing if nothing else is said.
OUTLINES, BOXES = 0.8, 0.7


@dataclass(frozen=True, slots=True)
class Thresholds:
    """How alike two structures of a class have to be to count as agreeing, by their kind.

    IoU of outlines and of boxes, which a shift of a few pixels costs more; of keypoints how near
    they are (:func:`~.agreement.similarity`). The first rater's shape is taken then.
    """

    outlines: float = OUTLINES
    boxes: float = BOXES
    keypoints: float = 0.5

    def of(self, kind: Kind) -> float:
        """Return that of a kind."""
        by_kind = {"polygon": self.outlines, "box": self.boxes, "keypoints": self.keypoints}
        return by_kind[kind]


#: Likeness from which on two structures lie in one place, whatever they are called.
SAME_PLACE = 0.5


@dataclass(frozen=True, slots=True)
class Side:
    """A frame as one rater left it.

    ``records`` are those that stand, rejections too; ``roots`` leads from the uid of each to
    the uid that it goes back to. ``judged`` says whether this rater has worked on the frame.
    """

    rater: str = ""
    judged: bool = False
    cells: Mapping[str, str] = field(default_factory=dict)
    records: tuple[Annotation, ...] = ()
    roots: Mapping[str, str] = field(default_factory=dict)
    report: Report = field(default_factory=Report)

    @property
    def boxes(self) -> dict[str, Annotation]:
        """The boxes that are judged as their outlines are, by the uid of the outline."""
        found = boxes(self.records, unlinked(self.cells))
        judged = {r.uid for r in self.records if r.status != "proposed"}
        return {uid: box for uid, box in found.items() if uid in judged or box.status == "proposed"}

    @property
    def outer(self) -> list[Annotation]:
        """The records but those boxes."""
        along = {box.uid for box in self.boxes.values()}
        return [r for r in self.records if r.uid not in along]

    def opinion(self, spacing_mm: tuple[float, float] | None = None) -> Opinion:
        """Return what the rater says, without proposals that were not judged."""
        judged = [a for a in self.records if a.status in ("accepted", "corrected")]
        return Opinion(tuple(judged), self.report.fields, self.report.view, spacing_mm)


@dataclass(slots=True)
class Merged:
    """The cells that stand after the merge, and the conflicts that are open."""

    cells: dict[str, str] = field(default_factory=dict)
    conflicts: list[Conflict] = field(default_factory=list)


class FrameMerge:
    """The merge of one frame; ``result`` holds it.

    Parameters
    ----------
    key : (sha256, frame)
        Of the frame.
    a, b : Side
        As either rater left it.
    size : (width, height)
        Of the image.
    thresholds : Thresholds
        Structures of one class that are at least so alike agree: the first rater's stands, and
        that it was taken without asking is kept (``taken/<id>``).
    """

    def __init__(
        self, key: tuple[str, int], a: Side, b: Side, size: tuple[int, int], thresholds: Thresholds
    ) -> None:
        self._key, self._a, self._b = key, a, b
        self._size, self._thresholds = size, thresholds
        self.result = Merged()
        self._boxes: dict[str, Annotation] = {}
        if not (a.judged and b.judged):
            self._take_one(a if a.judged or (a.cells and not b.judged) else b)
        else:
            self._take_both()

    def _take_one(self, side: Side) -> None:
        self.result.cells.update(side.cells)

    def _take_both(self) -> None:
        a, b = self._a, self._b
        cells = self.result.cells
        # Names that have no rule below (locks, reasons, questions asked): both are kept.
        rest = {**b.cells, **a.cells}
        ruled = ("record/", "field/", "view", "review", "score/", "comment", "reading")
        cells |= {name: value for name, value in rest.items() if not name.startswith(ruled)}
        reading = a.cells.get("reading") or b.cells.get("reading")
        if reading is not None:
            cells["reading"] = reading
        if self._key[1] != WHOLE:
            self._structures()
            self._words()
        self._comments()
        self._reviews()
        standing = {name.removeprefix(RECORD) for name in cells if name.startswith(RECORD)}
        for name in list(cells):
            what, _, uid = name.partition("/")
            apart = what == "unlinked" and cells[name] not in standing
            if what in ("lock", "reason", "unlinked") and (uid not in standing or apart):
                del cells[name]

    # Structures

    def _structures(self) -> None:
        a, b = self._a, self._b
        # A box goes with its outline: it is compared and decided with it.
        for side in (b, a):
            self._boxes |= side.boxes
        shared = {r.uid for r in a.records} & {r.uid for r in b.records}
        mine = [r for r in a.outer if r.uid not in shared]
        yours = [r for r in b.outer if r.uid not in shared]
        for uid in shared & a.boxes.keys() & b.boxes.keys():
            one, two = a.boxes[uid], b.boxes[uid]
            if one.status == "proposed":
                self._boxes[uid] = two  # the first rater has not touched it
            elif one.uid != two.uid and two.status != "proposed":
                del self._boxes[uid]  # set apart by one of them at least
                mine.append(one)
                yours.append(two)
        self._stand(*(r for r in a.outer if r.uid in shared))
        lone_a, lone_b = self._match(_kept(mine), _kept(yours))
        self._across_classes(lone_a, lone_b)
        self._against_rejections(lone_a, yours, "a")
        self._against_rejections(lone_b, mine, "b")
        for one in lone_a:
            self._ask("structure", one.category, one.uid, None)
        for one in lone_b:
            self._ask("structure", one.category, None, one.uid)
        self._open_and_rejected(mine, yours)

    def _match(
        self, mine: list[Annotation], yours: list[Annotation]
    ) -> tuple[list[Annotation], list[Annotation]]:
        """Settle what is of one class; return what has no partner."""
        lone_a, lone_b = [], []
        for one, two, alike in match(mine, yours, self._size):
            if one is not None and two is not None:
                if alike >= self._thresholds.of(one.kind):
                    self._stand(one)
                    self._note_taken(one, two, alike)
                else:
                    self._ask("structure", one.category, one.uid, two.uid, alike)
            elif one is not None:
                lone_a.append(one)
            elif two is not None:
                lone_b.append(two)
        return lone_a, lone_b

    def _across_classes(self, lone_a: list[Annotation], lone_b: list[Annotation]) -> None:
        """Find structures that lie in one place and got two names; they leave the lists."""
        for one, two, alike in assign(lone_a, lone_b, self._size):
            if one is not None and two is not None and alike >= SAME_PLACE:
                self._ask("structure", one.category, one.uid, two.uid, alike)
                lone_a.remove(one)
                lone_b.remove(two)

    def _against_rejections(
        self, lone: list[Annotation], others: list[Annotation], side: Literal["a", "b"]
    ) -> None:
        """Set a structure against the other's rejection of the same proposal, or its silence."""
        rejected = [r for r in others if r.status == "rejected"]
        waiting = {self._root(r) for r in others if r.status == "proposed"}
        for one in list(lone):
            no = next((r for r in rejected if self._root(r) == self._root(one)), None)
            if no is None:
                alike = match(
                    [one], [r for r in rejected if r.category == one.category], self._size
                )
                no = next((two for o, two, s in alike if o and two and s >= SAME_PLACE), None)
            if no is not None:
                pair = (one.uid, no.uid) if side == "a" else (no.uid, one.uid)
                self._ask("structure", one.category, *pair)
                lone.remove(one)
            elif self._root(one) in waiting:  # the other has not judged it
                self._stand(one)
                lone.remove(one)

    def _open_and_rejected(self, mine: list[Annotation], yours: list[Annotation]) -> None:
        """Keep rejections that no one objects to, and the open proposals of the reading kept."""
        asked = {uid for c in self.result.conflicts for uid in (c.a, c.b)}
        judged = {
            self._root(r) for r in (*mine, *yours) if r.status != "proposed" or r.uid in asked
        }
        seen: set[str] = set()
        for record in (*mine, *yours):
            root = self._root(record)
            if record.status == "rejected" and record.uid not in asked and root not in seen:
                seen.add(root)
                self._stand(record)
        proposing = mine if self._a.cells.get("reading") else yours
        self._stand(
            *(r for r in proposing if r.status == "proposed" and self._root(r) not in judged)
        )

    def _root(self, record: Annotation) -> str:
        return self._a.roots.get(record.uid) or self._b.roots.get(record.uid) or record.uid

    def _stand(self, *records: Annotation) -> None:
        self.result.cells |= {RECORD + r.uid: "1" for r in records}
        along = (self._boxes.get(r.uid) for r in records)
        self.result.cells |= {RECORD + box.uid: "1" for box in along if box is not None}

    # Words

    def _words(self) -> None:
        mine, yours = self._a.report, self._b.report
        for key in INTERPRETATION_KEYS:
            touched = key in mine.expert_fields or key in yours.expert_fields
            self._word("field", key, f"field/{key}", mine.fields, yours.fields, touched)
        touched = mine.expert_view is not None or yours.expert_view is not None
        one, two = ({"view": r.view} if r.view else {} for r in (mine, yours))
        self._word("view", "view", "view", one, two, touched)

    def _word(
        self,
        what: What,
        key: str,
        cell: str,
        mine: Mapping[str, str],
        yours: Mapping[str, str],
        touched: bool,
    ) -> None:
        one, two = mine.get(key), yours.get(key)
        if (one or "").split() != (two or "").split():
            if touched:
                self._ask(what, key, one, two)
            return
        kept = self._a.report if "reading" in self._a.cells else self._b.report
        model = kept.model_view if what == "view" else kept.model_fields.get(key)
        expert = self._a.cells.get(cell, self._b.cells.get(cell))
        if expert is not None and expert != model:
            self.result.cells[cell] = expert

    def _comments(self) -> None:
        one, two = (side.cells.get("comment", "") for side in (self._a, self._b))
        if one and two and one != two:
            one = f"{self._a.rater or 'A'}: {one}\n{self._b.rater or 'B'}: {two}"
        if one or two:
            self.result.cells["comment"] = one or two

    def _reviews(self) -> None:
        cells = self.result.cells
        names = {n for n in (*self._a.cells, *self._b.cells) if n.startswith("score/")}
        for name in sorted(names):
            one, two = self._a.cells.get(name), self._b.cells.get(name)
            if one == two or one is None or two is None:
                cells[name] = one or two or ""
            else:
                self._ask("review", name, one, two)
        one, two = (side.cells.get("review") for side in (self._a, self._b))
        if self._key[1] != WHOLE:  # whether a frame is through follows from what is in it
            if one or two:
                through = one == two and not self.result.conflicts
                cells["review"] = (one if through else None) or "in_review"
        elif one in _FINAL and two in _FINAL and not (one == two or {one, two} <= _USABLE):
            self._ask("review", "review", one, two)
        elif one == two and one is not None:
            cells["review"] = one
        elif {one, two} <= _USABLE:
            cells["review"] = "corrected"
        elif one in _FINAL or two in _FINAL or "in_review" in (one, two):
            cells["review"] = "in_review"

    def _ask(
        self, what: What, name: str, a: str | None, b: str | None, alike: float | None = None
    ) -> None:
        along = [self._boxes.get(uid or "") for uid in (a, b)]
        conflict = Conflict(
            *(new_uid(), *self._key, what, name, a, b, alike, self._a.rater, self._b.rater),
            *(box.uid if box is not None else None for box in along),
        )
        self.result.conflicts.append(conflict)
        self.result.cells[conflict.cell] = conflict.to_json()

    def _note_taken(self, one: Annotation, two: Annotation, alike: float) -> None:
        """Keep that the first rater's shape stands, where the second's is another."""
        if (one.points, one.rings) == (two.points, two.rings):
            return
        boxes = (self._boxes.get(one.uid), self._boxes.get(two.uid))
        taken = Conflict(
            *(new_uid(), *self._key, "structure", one.category, one.uid, two.uid, alike),
            *(self._a.rater, self._b.rater),
            *(box.uid if box is not None else None for box in boxes),
        )
        self.result.cells[TAKEN + taken.id] = taken.to_json()


def _kept(records: list[Annotation]) -> list[Annotation]:
    return [r for r in records if r.status in ("accepted", "corrected")]


class Compared:
    """What both raters have said of the same frames and scans, gathered for the figures."""

    def __init__(self) -> None:
        self._frames: list[tuple[Opinion, Opinion]] = []
        self._reviews: list[tuple[str, str]] = []
        self.scans = 0

    def add(
        self,
        a: Mapping[int, Side],
        b: Mapping[int, Side],
        spacing_mm: tuple[float, float] | None = None,
    ) -> None:
        """Take in one scan: its frames, and the scan itself, as either has left them."""
        both = [frame for frame in a if a[frame].judged and b[frame].judged]
        self.scans += bool(both)
        self._frames += [
            (a[frame].opinion(spacing_mm), b[frame].opinion(spacing_mm))
            for frame in both
            if frame != WHOLE
        ]
        if WHOLE in both:
            one, two = (side[WHOLE].cells.get("review", "") for side in (a, b))
            if one in _FINAL and two in _FINAL:
                self._reviews.append((one, two))

    def agreement(self) -> Agreement:
        """Work out the figures."""
        return compare(self._frames, self._reviews)
