"""Which structures a stroke on the masks is about.

A brush is about one structure. An eraser, too: it takes pixels from the one that is chosen, else
from the one on top where its middle went. What lies beneath comes out and stays whole.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from napari_fada.records.annotation import Annotation
from napari_fada.workstation import raster

Path = Sequence[tuple[float, float]]
"""Row and column of where the middle of the brush was, one after the other."""

LEAK = 0.25
"""Share of the free edge of a frame from which on a fill has run out over the background."""


@dataclass(frozen=True, slots=True)
class Aim:
    """The structure in the hand when a stroke was made.

    ``value`` is its label. ``only`` says that the user chose it, so that an eraser is about no
    other; ``taken``, that it was chosen, painted or begun, and is not just the latest of a class.
    """

    value: int
    only: bool = False
    taken: bool = False


class Stroke:
    """One stroke: the label image of a frame before and after.

    Parameters
    ----------
    before, after : array
        Label images.
    records : sequence of Annotation
        Outlines of the frame, as they were.
    values : mapping of uid to int
        Their labels.
    aim : Aim
        What was in the hand.
    path : sequence of (row, column), optional
        Where the middle of the brush went, if that is known.
    filled : bool
        Whether it was no brush, but the fill bucket.
    """

    def __init__(
        self,
        before: raster.Raster,
        after: raster.Raster,
        records: Sequence[Annotation],
        values: Mapping[str, int],
        aim: Aim,
        path: Path = (),
        *,
        filled: bool = False,
    ) -> None:
        self.before, self.after, self.records, self.values = before, after, records, values
        self._aim, self._path = aim, path
        shape = (before.shape[0], before.shape[1])
        ordered = raster.drawing_order(records, shape)
        self._names = {values[r.uid]: r.category for r in records}
        self._rank = {values[r.uid]: i for i, r in enumerate(ordered)}
        changed = before != after
        self.erased = bool((after[changed] == 0).any())
        self._filled = changed if filled and not self.erased else None
        self._under = [int(v) for v in np.unique(before[changed]) if v]
        painted = [int(v) for v in np.unique(after[changed]) if v]
        self.subject = self._erased_from() if self.erased else (painted or [0])[0]
        """Label of the structure that the stroke is about; 0 if it is about none."""

    def _erased_from(self) -> int:
        aim = self._aim
        if aim.only or (aim.taken and aim.value in self._under):
            return aim.value
        met = [v for v in self._met() if v in self._under] or self._under
        return max(met, key=lambda v: self._rank.get(v, -1), default=0)

    def _met(self) -> list[int]:
        """Return the labels that the middle of the brush went over."""
        if not self._path:
            return []
        corners = np.asarray(self._path, float)
        steps = [corners[:1]]
        for a, b in pairwise(corners):
            count = int(np.ceil(np.abs(b - a).max())) + 1
            steps.append(np.linspace(a, b, count))
        at = np.round(np.concatenate(steps)).astype(int)
        at = at[((at >= 0) & (at < self.before.shape)).all(axis=1)]
        return [int(v) for v in np.unique(self.before[at[:, 0], at[:, 1]]) if v]

    def refused(self) -> str:
        """Return why the fill bucket may not do this, empty if it may.

        It is there for what is enclosed: a hole, the inside of a line. Without an end it would run
        over the background; on another structure it would take the place of all that is seen of it.
        """
        filled = self._filled
        if filled is None:
            return ""
        edge = np.zeros(filled.shape, bool)
        edge[[0, -1]] = edge[:, [0, -1]] = True
        free = edge & (self.before == 0)
        if (filled & free).sum() > LEAK * free.sum() > 0:
            return (
                "The fill would have run out over the background: nothing was filled. It closes "
                "what is enclosed; with contiguous off it takes the background everywhere."
            )
        for value in self._under:
            if filled[self.before == value].all():
                name = self._names.get(value, "")
                return (
                    f"The fill would have put another structure in the place of {name}: nothing "
                    "was filled. K gives it another class, Alt-E merges structures of a class."
                )
        return ""

    def masks(self) -> dict[int, raster.Mask]:
        """Return the new mask of each structure that the stroke changes, by its label."""
        return raster.painted_masks(
            *(self.before, self.after, self.records, self.values),
            erased=self.subject if self.erased else None,
        )

    def word(self, masks: Mapping[int, raster.Mask]) -> str:
        """Return what has to be told: what was spared, and what another structure lost."""
        name = self._names.get(self.subject, "")
        if not self.erased:
            lost = [v for v in masks if v != self.subject and v in self._names]
            told = [
                f"{self._names[v]} {'lost pixels' if masks[v].any() else 'is gone'}" for v in lost
            ]
            painter = raster.class_of(self.subject) or name
            return f"{', '.join(told)}: {painter} was painted over it. Undo: Ctrl+Z." * bool(told)
        spared = dict.fromkeys(self._names[v] for v in self._under if v != self.subject)
        spared = {n: None for n in spared if n}
        if not spared:
            return ""
        others = ", ".join(spared)
        if self.subject not in masks:
            chosen = f"{name}, which is chosen," if name else "the structure that is chosen"
            return (
                f"Nothing of {chosen} lies there: nothing was erased. "
                f"To erase {others}, choose it in the list or pick it (L)."
            )
        return f"Only {name} was erased; {others} stays whole. To erase it, choose it first."
