"""Box and outline of a structure are one: the box is that around the outline.

Which box goes with which outline is told by class and overlap (``structures.pairs``). A person's
act on one of the two is one on both: the box follows the shape of its outline, and class,
judgement, removal and lock are common to them. A box that an expert drags is set apart: the cell
``unlinked/<uid of the box>`` then holds the uid of its outline, and the box has a place of its own
until it is put around the outline again.

A proposed box beside its outline, which nobody has judged, is read as the box around it; what the
model answered stays in the record. What was signed is changed by an edit only.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace

from napari_fada.records.annotation import Annotation, Point
from napari_fada.records.geometry import bounds
from napari_fada.records.rows import Act
from napari_fada.records.structures import MEETS, NONE, Pair, pairs

UNLINKED, LOCK = "unlinked/", "lock/"

Which = Callable[[Iterable[Annotation], Mapping[str, str]], list[Pair]]

#: Pixels from which on a box and its outline are told to differ: less cannot be seen.
APART = 1.0
#: Pixels that napari's single precision moves a corner by.
_NOISE = 0.05


def unlinked(cells: Mapping[str, str]) -> dict[str, str]:
    """Return the boxes that were set apart, each with its outline, from the cells of a frame."""
    return {n.removeprefix(UNLINKED): v for n, v in cells.items() if n.startswith(UNLINKED)}


def around(box: Annotation, outline: Annotation) -> Annotation:
    """Return a box as it is around an outline, all its rings."""
    return replace(box, category=outline.category, points=bounds(outline))


def distance(outline: Annotation, box: Annotation) -> float:
    """Return by how many pixels a box lies off its outline, where that is most."""
    return _off(bounds(outline), bounds(box))


def apart(records: Iterable[Annotation], free: Mapping[str, str] = NONE) -> list[Pair]:
    """Return the outlines of a frame whose boxes lie off them, though nobody set them apart."""
    standing = [a for a in records if a.status != "rejected"]
    return [pair for pair in pairs(standing, free) if distance(*pair) > APART]


def meeting(records: Iterable[Annotation], free: Mapping[str, str] = NONE) -> list[Pair]:
    """Return outlines and boxes of one class that meet, too little to be told as one structure.

    Small structures overlap by less than half where a box lies ten pixels off, so only a person
    can tell. What has its other half is not among them.
    """
    standing = [a for a in records if a.status != "rejected"]
    told = {a.uid for pair in pairs(standing, free) for a in pair}
    alone = [a for a in standing if a.uid not in told]
    return pairs(alone, free, least=MEETS)


def following(records: Iterable[Annotation], free: Mapping[str, str] = NONE) -> list[Annotation]:
    """Return records as they are read: a box that nobody has judged is that around its outline."""
    records = list(records)
    if not may_follow(records):
        return records
    placed = {box.uid: around(box, o) for o, box in pairs(records, free) if _is_open(box)}
    return [placed.get(a.uid, a) for a in records]


def may_follow(records: Iterable[Annotation]) -> bool:
    """Tell whether there is a box that may be read as that around an outline."""
    records = list(records)
    return any(map(_is_open, records)) and any(a.kind == "polygon" for a in records)


def as_one(records: Iterable[Annotation], free: Mapping[str, str] = NONE) -> list[Annotation]:
    """Return records as they leave the project: each linked box is that around its outline."""
    records = list(records)
    placed = {box.uid: around(box, outline) for outline, box in pairs(records, free)}
    return [placed.get(a.uid, a) for a in records]


def whole(
    act: Act,
    live: Mapping[str, Annotation],
    free: Mapping[str, str] = NONE,
    locked: Collection[str] = (),
) -> Act:
    """Return an act with what it means for the other half of each structure.

    Parameters
    ----------
    act : Act
        What is asked for. Added records have uids of their own.
    live : mapping of uid to Annotation
        What stands on the frame, rejections too, as it is read.
    free : mapping of uid to uid
        Boxes that are set apart, each with its outline.
    locked : collection of uid
        What is locked.
    """
    return _Whole(act, live, free, locked).act()


class _Whole:
    """One act while it is made whole."""

    def __init__(
        self,
        act: Act,
        live: Mapping[str, Annotation],
        free: Mapping[str, str],
        locked: Collection[str],
    ) -> None:
        self._given, self._live, self._locked = act, live, locked
        self._replace, self._remove = dict(act.replace), list(act.remove)
        self._add, self._states = list(act.add), dict(act.states)
        self._free = after(free, act.states)
        self._settled: set[str] = set()
        self._fit_again()
        for outline, box in pairs(live.values(), free):
            self._lock(outline.uid, box.uid)
            if box.uid not in self._free:
                self._settled |= {outline.uid, box.uid}
                self._both(outline, box)
        self._meet()

    def act(self) -> Act:
        """Return the whole act."""
        return replace(
            self._given,
            add=tuple(self._add),
            replace=self._replace,
            remove=tuple(self._remove),
            states=self._states,
        )

    def _fit_again(self) -> None:
        """Link a box that was set apart and is put around its outline now."""
        for box, outline in list(self._free.items()):
            wish = self._replace.get(box)
            if wish is None or outline not in self._live:
                continue
            fitted = around(wish, self._replace.get(outline, self._live[outline]))
            if _off(fitted.points, bounds(wish)) <= _NOISE and wish.category == fitted.category:
                self._replace[box] = fitted
                self._states[UNLINKED + box] = None
                self._settled |= {box, outline}
                del self._free[box]

    def _lock(self, outline: str, box: str) -> None:
        for one, other in ((outline, box), (box, outline)):
            if LOCK + one in self._states:
                self._states.setdefault(LOCK + other, self._states[LOCK + one])

    def _both(self, outline: Annotation, box: Annotation) -> None:
        mine, yours = self._replace.get(outline.uid), self._replace.get(box.uid)
        gone = [a for a in (outline, box) if a.uid in self._remove]
        if gone:
            if len(gone) == 1 and mine is None and yours is None:
                self._remove.append(box.uid if gone[0] is outline else outline.uid)
        elif yours is not None and self._is_dragged(outline, box):
            self._states[UNLINKED + box.uid] = self._free[box.uid] = outline.uid
        elif mine is not None and yours is not None:
            if _content(mine) != _content(outline) and mine.category == yours.category:
                self._replace[box.uid] = around(yours, mine)
            self._part(outline, mine)
        elif mine is not None:
            self._put(box, self._follower(outline, mine, box))
            self._part(outline, mine)
        elif yours is not None:
            self._put(outline, self._leader(outline, box, yours))
            if yours.category != box.category and outline.uid in self._replace:
                self._replace[box.uid] = around(yours, self._replace[outline.uid])

    def _is_dragged(self, outline: Annotation, box: Annotation) -> bool:
        """Tell whether the box is put elsewhere than around the outline."""
        wish = self._replace[box.uid]
        there = bounds(self._replace.get(outline.uid, outline))
        return (
            wish.kind == "box"
            and _off(bounds(wish), bounds(box)) > _NOISE
            and _off(bounds(wish), there) > _NOISE
        )

    def _put(self, record: Annotation, wish: Annotation | None) -> None:
        if wish is not None and wish != record:
            self._replace[record.uid] = wish

    def _follower(
        self, outline: Annotation, wish: Annotation, box: Annotation
    ) -> Annotation | None:
        """Return what becomes of the box when only the outline is named."""
        if wish.status == "rejected" or _content(wish) == _content(outline):
            return _judged_alike(box, outline, wish)
        placed = around(box, wish)
        judged = placed.points == box.points and placed.category == box.category
        return replace(placed, status="accepted") if judged and _is_open(box) else placed

    def _leader(self, outline: Annotation, box: Annotation, wish: Annotation) -> Annotation | None:
        """Return what becomes of the outline when only the box is named, and not dragged."""
        if wish.status != "rejected" and wish.category != box.category:
            return replace(outline, category=wish.category)
        return _judged_alike(outline, box, wish)

    def _part(self, outline: Annotation, wish: Annotation) -> None:
        """Give a box to each piece of an outline that had one."""
        if wish.status == "rejected":
            return
        for piece in self._given.add:
            if piece.kind == "polygon" and piece.parent == outline.uid:
                self._add.append(
                    Annotation(
                        *(piece.category, "box", bounds(piece)),
                        source=piece.source,
                        status=piece.status,
                        rater=piece.rater,
                    )
                )

    def _meet(self) -> None:
        """Let boxes follow outlines that they meet by this act: drawn, given a class, linked again.

        A box that nobody has judged needs this only for a person's act: it is read as that around
        its outline. One that is locked stays where it is, set apart.
        """
        given = self._given
        added = {a.uid: i for i, a in enumerate(self._add)}
        touched = set(added)
        touched |= {n.removeprefix(UNLINKED) for n in given.states if n.startswith(UNLINKED)}
        for uid, wish in given.replace.items():
            if _content(wish) != _content(self._live[uid]):
                touched.add(uid)
        gone = {*self._remove, *self._settled}
        present = [
            replace(self._replace.get(uid, a), uid=uid)
            for uid, a in self._live.items()
            if uid not in gone
        ]
        for outline, box in pairs([*present, *self._add], self._free) if touched else ():
            if not {outline.uid, box.uid} & touched:
                continue
            if box.uid in self._locked:
                self._states[UNLINKED + box.uid] = outline.uid
            elif distance(outline, box) <= _NOISE or (_is_open(box) and not given.by_person):
                continue
            elif box.uid in added:
                self._add[added[box.uid]] = around(box, outline)
            else:
                wish = self._replace.get(box.uid, self._live[box.uid])
                self._put(self._live[box.uid], around(wish, outline))


def after(free: Mapping[str, str], states: Mapping[str, str | None]) -> dict[str, str]:
    """Return the boxes that are set apart once these cells are set."""
    found = dict(free)
    for name, value in states.items():
        if name.startswith(UNLINKED):
            found.pop(name.removeprefix(UNLINKED), None)
            if value is not None:
                found[name.removeprefix(UNLINKED)] = value
    return found


def _judged_alike(record: Annotation, other: Annotation, wish: Annotation) -> Annotation | None:
    """Return a record judged as the other half of its structure is."""
    open_ = record.status in ("proposed", "rejected")
    if wish.status == other.status or not (open_ or wish.status == "rejected"):
        return None
    return replace(record, status=wish.status)


def _content(a: Annotation) -> tuple[object, ...]:
    return a.category, a.kind, a.points, a.rings


def _off(one: Iterable[Point], other: Iterable[Point]) -> float:
    pairs_ = zip(one, other, strict=True)
    return max(abs(p - q) for a, b in pairs_ for p, q in zip(a, b, strict=True))


def _is_open(a: Annotation) -> bool:
    return a.kind == "box" and a.status == "proposed"
