"""The shape tools.

Each is one edit, works on the selection or on what the cursor points at, and says what it did.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial

import numpy as np

from napari_fada.errors import ShapeError
from napari_fada.records import shaping
from napari_fada.records.annotation import Annotation, Ring
from napari_fada.records.ellipse import Ellipse, ellipse_around
from napari_fada.records.geometry import (
    area,
    corner_rings,
    iou,
    outlines,
    simplify,
    to_shapely,
)
from napari_fada.records.smoothing import resample, smooth
from napari_fada.records.snap import RIMS
from napari_fada.records.structures import pairs, structures
from napari_fada.workstation import shape_targets as targets
from napari_fada.workstation.desk import Edit, corrected
from napari_fada.workstation.eraser import Eraser
from napari_fada.workstation.pen import Pen
from napari_fada.workstation.point_tools import PointTools
from napari_fada.workstation.session import Session
from napari_fada.workstation.snapping import Snapping

TOLERANCES = (1.0, 2.0, 4.0, 8.0)
"""Pixels that simplifying may move an outline; the next one if the last changes nothing."""
Changed = tuple[Annotation, str]


class ShapeTools:
    """What the keys and buttons for shapes do.

    Parameters
    ----------
    session : Session
        Whose structures are shaped.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self.pen = Pen(session)
        self.eraser = Eraser(session)
        self.snapping = Snapping(session)
        self.points = PointTools(session)

    def actions(self) -> Mapping[str, Callable[[], object]]:
        """Return what each action of the key table does."""
        return {
            "split": self.split,
            "merge": self.merge,
            "part": partial(self.draw_part, "part"),
            "cut": partial(self.draw_part, "cut"),
            "erase_corners": self.erase,
            "simplify": partial(self._each, "simplified", _simplified),
            "smooth": partial(self._each, "smoothed", _smoothed),
            "ellipse": partial(self._each, "made an ellipse", _fitted),
            "snap": self.snap,
            "to_box": self.to_box,
            "to_polygon": self.to_polygon,
            "visibility": self.points.cycle_visibility,
            "earlier": self.points.earlier,
        }

    # At once

    def _each(self, label: str, does: Callable[[Annotation], Changed]) -> None:
        """Change each structure that is meant; one edit."""
        session = self._session
        edit, words = Edit(session.frame), []
        for record in targets.chosen(session, "polygon"):
            try:
                new, word = does(record)
            except ShapeError as error:
                session.say(str(error), "warning")
                continue
            words.append(word)
            if new != record:
                edit.replace[record.uid] = _corrected(session, record, new)
                edit.label = f"{record.category} {label}"
        if len(edit.replace) > 1:
            edit.label = f"{len(edit.replace)} structures {label}"
        self._commit(edit, " ".join(words))

    def merge(self) -> None:
        """Make one of the selected structures; without a selection, of those of a class."""
        session = self._session
        found = targets.selected(session, "polygon", "box")
        chosen = set(session.reviewing.selected)
        if chosen.issuperset(r.uid for r in found):  # a structure may have a shape in two layers
            found = [r for r in targets.here(session, "polygon", "box") if r.uid in chosen]
        if not found:
            mine = targets.here(session, "polygon")
            found = [r for r in mine if r.category == session.active_class]
        if any(r.kind == "polygon" for r in found):  # a box goes with its outline
            linked = {box.uid for _, box in pairs(found)}
            found = [r for r in found if r.uid not in linked]
        if len(targets.unlocked(session, found)) < len(found):
            return
        found.sort(key=area, reverse=True)
        try:
            shaped = shaping.merge(found)
        except ShapeError as error:
            session.say(str(error), "warning")
            return
        first, boxes = found[0], all(r.kind == "box" for r in found)
        new = shaping.box_of(shaped.record) if boxes else shaped.record
        gone = [r.uid for r in found[1:]]
        shown = session.reviewing.frame_review()
        gone += [
            box.uid for outline, box in pairs(shown.records, shown.unlinked) if outline.uid in gone
        ]
        edit = Edit(
            *(session.frame, f"{len(found)} of {first.category} merged"),
            replace={first.uid: _corrected(session, first, new)},
            remove=gone,
        )
        parts = f", in {1 + len(new.rings)} rings" if new.rings else ""
        word = f"{len(found)} of {first.category} became one{parts}. {shaped.word}"
        self._commit(edit, word)

    def to_box(self) -> None:
        """Put the box of a structure around its outline, which it follows then; or add one."""
        session = self._session
        shown = session.reviewing.frame_review()
        found = structures(shown.records, shown.unlinked)
        whole = [s.records for s in found if s.kinds[:2] == ("polygon", "box")]
        boxes = {outline.uid: box for outline, box, *_ in whole}
        lone = [r for r in targets.here(session, "box") if r not in boxes.values()]
        picked = {r.uid for r in targets.selected(session, "box")}
        meant = [o for o, box, *_ in whole if box.uid in picked]
        edit, words = Edit(session.frame), []
        for record in targets.unlocked(session, meant) or targets.chosen(session, "polygon"):
            new = shaping.box_of(record)
            old = boxes.get(record.uid) or _match(new, lone)
            edit.label = f"{record.category}: box around the outline"
            if old is None:
                edit.add.append(_drawn(session, new))
                words.append(f"{record.category}: a box was added.")
            elif targets.unlocked(session, [old]):
                edit.replace[old.uid] = _corrected(session, old, new)
                words.append(f"{record.category}: its box is around the outline and follows it.")
        self._commit(edit, " ".join(words))

    def to_polygon(self) -> None:
        """Begin an outline from a box: an ellipse for what is measured as one, else its corners."""
        session = self._session
        edit, words = Edit(session.frame), []
        for record in targets.chosen(session, "box"):
            new = shaping.polygon_of(record)
            if record.category in RIMS:
                new = replace(new, points=_inscribed(record))
            edit.add.append(_drawn(session, new))
            edit.label = f"{record.category}: outline from its box"
            words.append(f"{record.category}: an outline was made from the box.")
        self._commit(edit, " ".join(words))

    def snap(self) -> None:
        """Move outlines to the edge nearby; pressed again meanwhile it lets go."""
        if self.snapping.running:
            self.snapping.cancel()
            return
        self.snapping.start(targets.chosen(self._session, "polygon"))

    # By drawing

    def erase(self) -> None:
        """Take the corner eraser, or put it down."""
        self.pen.cancel()
        self.eraser.toggle()

    def split(self) -> None:
        """Let the user draw the line to split along."""
        self.eraser.put_down()
        meant = targets.selected(self._session, "polygon")
        hint = "Press on one side of the structure, drag across it, let go."
        self.pen.begin("split", "add_line", hint, partial(self._split, meant))

    def draw_part(self, tool: str) -> None:
        """Let the user draw a ring: a hole, a part or more of it; or what is to be cut away."""
        self.eraser.put_down()
        meant = targets.selected(self._session, "polygon")
        hint = {
            "part": "Draw a ring: inside it becomes a hole, beside it a part. Double-click ends.",
            "cut": "Draw a ring around what is to be cut away. Double-click ends.",
        }
        does = self._add if tool == "part" else self._cut
        self.pen.begin(tool, "add_polygon", hint[tool], partial(does, meant))

    def _split(self, meant: list[Annotation], line: Ring) -> None:
        from shapely import LineString

        record = self._met(meant, lambda r: to_shapely(r).intersection(LineString(line)).length)
        if record is None:
            return
        session = self._session
        try:
            first, *others = shaping.split(record, line)
        except ShapeError as error:
            session.say(str(error), "warning")
            return
        edit = Edit(session.frame, f"{record.category} split")
        edit.replace[record.uid] = _corrected(session, record, first)
        edit.add += [_drawn(session, other, parent=record.uid) for other in others]
        self._commit(edit, f"{record.category} was split in {1 + len(others)}.")

    def _add(self, meant: list[Annotation], ring: Ring) -> None:
        record = self._ringed(meant, ring)
        if record is not None:
            words = {"hole": "got a hole", "part": "got another part", "more": "was enlarged"}
            try:
                shaped, what = shaping.add_ring(record, self._inside(ring))
            except ShapeError as error:
                self._session.say(str(error), "warning")
                return
            self._replace(record, shaped, words[what])

    def _cut(self, meant: list[Annotation], ring: Ring) -> None:
        record = self._ringed(meant, ring)
        if record is not None:
            try:
                shaped = shaping.cut_away(record, self._inside(ring))
            except ShapeError as error:
                self._session.say(str(error), "warning")
                return
            self._replace(record, shaped, "was cut")

    def _replace(self, record: Annotation, shaped: shaping.Shaped, what: str) -> None:
        session = self._session
        edit = Edit(session.frame, f"{record.category} {what}")
        edit.replace[record.uid] = _corrected(session, record, shaped.record)
        self._commit(edit, f"{record.category} {what}. {shaped.word}")

    def _ringed(self, meant: list[Annotation], ring: Ring) -> Annotation | None:
        """Return the structure that a drawn ring belongs to."""
        from shapely import Polygon, make_valid

        drawn = make_valid(Polygon(ring)) if len(ring) > 2 else Polygon()
        # The smallest that holds the ring; else the one that it overlaps most.
        around = [r for r in targets.here(self._session, "polygon") if to_shapely(r).covers(drawn)]
        if not meant and around:
            meant = [min(around, key=area)]
        return self._met(meant, lambda r: to_shapely(r).intersection(drawn).area)

    def _met(
        self, meant: list[Annotation], measure: Callable[[Annotation], float]
    ) -> Annotation | None:
        """Return the one structure that was meant: of the selection, else of all, the best."""
        session = self._session
        here = targets.here(session, "polygon")
        uids = {r.uid for r in meant}
        among = [r for r in here if r.uid in uids] or here
        best = max(among, key=measure, default=None)
        if best is not None and not measure(best) and len(among) > 1:
            mine = [r for r in among if r.category == session.active_class]
            best = mine[0] if len(mine) == 1 else None
        if best is None:
            session.say("That meets no structure. Select the one that is meant first.")
            return None
        return next(iter(targets.unlocked(session, [best])), None)

    def _inside(self, ring: Ring) -> Ring:
        height, width = self._session.frame_shape
        return tuple(
            (min(max(x, 0.0), float(width)), min(max(y, 0.0), float(height))) for x, y in ring
        )

    def _commit(self, edit: Edit, word: str) -> None:
        if (not edit or self._session.commit(edit)) and word.strip():
            self._session.say(" ".join(word.split()))


def _simplified(record: Annotation) -> Changed:
    before = sum(map(len, corner_rings(record)))
    for tolerance in TOLERANCES:
        new = simplify(record, tolerance)
        after = sum(map(len, corner_rings(new)))
        if after < before:
            word = f"{before} corners became {after}, within {tolerance:g} px."
            return new, f"{record.category}: {word}"
    return record, f"{record.category}: its {before} corners are all needed."


def _smoothed(record: Annotation) -> Changed:
    found = smooth(record)
    word = f"area {100 * found.area_change:+.1f} %, moved by {found.moved:.1f} px at most."
    return found.record, f"{record.category} smoothed: {word}"


def _fitted(record: Annotation) -> Changed:
    ring = outlines(record)[0]
    found = ellipse_around(ring)
    off = float(np.abs(found.distances(resample(ring, 360))).mean())
    gone = f" Its {len(record.rings)} further rings are gone." if record.rings else ""
    word = f"axes {2 * found.a:.0f} × {2 * found.b:.0f} px, the outline was {off:.1f} px off."
    new = replace(record, points=found.polygon(), rings=())
    return new, f"{record.category} is an ellipse now: {word}{gone}"


def _inscribed(box: Annotation) -> Ring:
    """Return the upright ellipse that touches the sides of a box."""
    (x1, y1), (x2, y2) = box.points
    a, b, angle = (x2 - x1) / 2, (y2 - y1) / 2, 0.0
    if b > a:
        a, b, angle = b, a, math.pi / 2
    return Ellipse((x1 + x2) / 2, (y1 + y2) / 2, a, b, angle).polygon()


def _match(box: Annotation, boxes: list[Annotation]) -> Annotation | None:
    """Return the box of the same class that lies where a box is to be."""
    mine = [b for b in boxes if b.category == box.category and iou(b, box) > 0]
    return max(mine, key=lambda b: iou(b, box), default=None)


def _corrected(session: Session, record: Annotation, new: Annotation) -> Annotation:
    return corrected(record, session.rater, kind=new.kind, points=new.points, rings=new.rings)


def _drawn(session: Session, new: Annotation, parent: str | None = None) -> Annotation:
    return Annotation(
        *(new.category, new.kind, new.points),
        rings=new.rings,
        source="expert",
        status="accepted",
        parent=parent,
        rater=session.rater,
    )
