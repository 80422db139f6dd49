"""Which shapes of a frame are one structure: a box and an outline of the same thing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from napari_fada.records.annotation import Annotation, Kind
from napari_fada.records.cine.matching import box_iou

#: Overlap of the boxes around them from which on two shapes of one class are one structure.
SAME = 0.4
KINDS: tuple[Kind, ...] = ("polygon", "box", "keypoints")


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


def structures(records: Iterable[Annotation]) -> list[Structure]:
    """Put the shapes of a frame together to structures, in the order of their first shapes."""
    records = list(records)
    free = dict(enumerate(records))
    found: list[tuple[int, Structure]] = []
    for kind in KINDS:
        for i, a in enumerate(records):
            if i not in free or a.kind != kind:
                continue
            del free[i]
            group = {i: a}
            for other in KINDS[KINDS.index(kind) + 1 :]:
                near = [
                    (box_iou(a, b), -j)
                    for j, b in free.items()
                    if b.kind == other
                    and b.category == a.category
                    and (b.status == "rejected") == (a.status == "rejected")
                ]
                if near and max(near)[0] >= SAME:
                    j = -max(near)[1]
                    group[j] = free.pop(j)
            found.append((min(group), Structure(tuple(group.values()))))
    return [structure for _, structure in sorted(found, key=lambda pair: pair[0])]
