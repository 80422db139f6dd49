"""Which shapes of a frame are one structure: a box and an outline of the same thing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from napari_fada.records.annotation import Annotation, Kind
from napari_fada.records.cine.matching import Box, box_iou, overlap
from napari_fada.records.geometry import bounds

#: Overlap of the boxes around them from which on two shapes of one class are one structure.
SAME = 0.4
#: Overlap from which on what has no other half meets: whether it is one structure is asked.
MEETS = 0.05
#: So much overlap less counts a box that was judged for an outline that was not, and vice versa.
OTHER_WORD = 0.3
KINDS: tuple[Kind, ...] = ("polygon", "box", "keypoints")
NONE: Mapping[str, str] = MappingProxyType({})
Pair = tuple[Annotation, Annotation]
Place = Callable[[Annotation], Box]


@dataclass(frozen=True, slots=True)
class Structure:
    """Shapes of one class that show the same thing, at most one of each kind.

    A rejected shape is never one with a shape that stands.
    """

    records: tuple[Annotation, ...]

    @property
    def uids(self) -> tuple[str, ...]:
        """Of all shapes."""
        return tuple(a.uid for a in self.records)

    @property
    def category(self) -> str:
        """The class."""
        return self.records[0].category

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """Of the shapes, outline first."""
        return tuple(a.kind for a in self.records)

    @property
    def rejected(self) -> bool:
        """Whether it was rejected."""
        return self.records[0].status == "rejected"

    @property
    def score(self) -> float | None:
        """The lowest score of its shapes; None for what a person drew."""
        scores = [a.score for a in self.records if a.score is not None]
        return min(scores, default=None)

    @property
    def state(self) -> str:
        """What is left to do first: proposed before corrected before accepted."""
        states = {a.status for a in self.records}
        return next(s for s in ("proposed", "corrected", "accepted", "rejected") if s in states)


def structures(
    records: Iterable[Annotation], unlinked: Mapping[str, str] = NONE
) -> list[Structure]:
    """Put the shapes of a frame together to structures, in the order of their first shapes.

    Parameters
    ----------
    records : iterable of Annotation
        All of the frame.
    unlinked : mapping of uid to uid
        Boxes that an expert set apart, each with its outline: still one structure with it.
    """
    records = list(records)
    box_of = boxes(records, unlinked)
    taken = {box.uid for box in box_of.values()}
    free = dict(enumerate(records))
    groups: list[tuple[int, Structure]] = []
    for kind in KINDS:
        for i, a in enumerate(records):
            if i not in free or a.kind != kind or (kind == "box" and a.uid in taken):
                continue
            del free[i]
            group = {i: a}
            if a.uid in box_of:
                j = next(j for j, b in free.items() if b is box_of[a.uid])
                group[j] = free.pop(j)
            points = [
                (box_iou(a, b), -j)
                for j, b in free.items()
                if b.kind == "keypoints" and _alike(a, b)
            ]
            if kind != "keypoints" and points and max(points)[0] >= SAME:
                j = -max(points)[1]
                group[j] = free.pop(j)
            groups.append((min(group), Structure(tuple(group.values()))))
    return [structure for _, structure in sorted(groups, key=lambda pair: pair[0])]


def boxes(
    records: Iterable[Annotation],
    unlinked: Mapping[str, str] = NONE,
    place: Place = bounds,
) -> dict[str, Annotation]:
    """Return the boxes of outlines, also those that were set apart, by the uid of the outline."""
    records = list(records)
    found = {outline.uid: box for outline, box in pairs(records, unlinked, place)}
    at = {a.uid: a for a in records}
    for uid, of in unlinked.items():
        if uid in at and of in at and _alike(at[of], at[uid]):
            found[of] = at[uid]
    return found


def pairs(
    records: Iterable[Annotation],
    unlinked: Mapping[str, str] = NONE,
    place: Place = bounds,
    least: float = SAME,
) -> list[Pair]:
    """Return the outlines that have a box which is one with them: the most alike first.

    They are of one class and lie on each other; each outline has one box, each box one outline.
    Of several, what was judged goes with what was judged, and a proposal with a proposal.

    Parameters
    ----------
    records : iterable of Annotation
        All of a frame.
    unlinked : mapping of uid to uid
        Boxes that an expert set apart, each with its outline; neither is paired here.
    place : callable
        Gives where a record lies, as two corners.
    least : float
        Overlap from which on they are one.
    """
    records = list(records)
    standing = {a.uid for a in records if a.status != "rejected"}
    apart = {uid for box, outline in unlinked.items() if box in standing for uid in (box, outline)}
    outlines = [a for a in records if a.kind == "polygon" and a.uid not in apart]
    boxes = [a for a in records if a.kind == "box" and a.uid not in apart] if outlines else []
    if not boxes:
        return []
    lines, frames = [place(a) for a in outlines], [place(a) for a in boxes]
    near = [
        (_unlike(outline, box) - shared, i, j)
        for i, outline in enumerate(outlines)
        for j, box in enumerate(boxes)
        if _alike(outline, box) and (shared := overlap(lines[i], frames[j])) >= least
    ]
    found: dict[int, int] = {}
    for _, i, j in sorted(near):
        if i not in found and j not in found.values():
            found[i] = j
    return [(outlines[i], boxes[j]) for i, j in found.items()]


def _unlike(a: Annotation, b: Annotation) -> float:
    return OTHER_WORD if (a.status == "proposed") != (b.status == "proposed") else 0.0


def _alike(a: Annotation, b: Annotation) -> bool:
    return a.category == b.category and (a.status == "rejected") == (b.status == "rejected")
