"""Which structure the brush paints: one for each class on each frame.

It is known by its record, through all that takes that record's place: strokes, undo, a refresh
from another window, a look at another frame. A stroke never lands on another one of the class.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from napari_fada.records.annotation import Annotation


@dataclass(slots=True)
class _Line:
    """The uids that a structure has had since it was taken, and those from before.

    None at all: a structure that is still to come.
    """

    since: set[str] = field(default_factory=set)
    before: set[str] = field(default_factory=set)


class Brush:
    """Remembers what is painted.

    Parameters
    ----------
    ancestors : callable
        Gives the uids that a record goes back to.
    """

    def __init__(self, ancestors: Callable[[Annotation], Iterable[str]]) -> None:
        self._ancestors = ancestors
        self._lines: dict[tuple[int, str], _Line] = {}  # of frame and class

    def forget(self) -> None:
        """Let go of everything: another scan is shown."""
        self._lines.clear()

    def take(self, frame: int, record: Annotation) -> None:
        """Paint this structure from now on."""
        self._lines[frame, record.category] = _Line({record.uid}, set(self._ancestors(record)))

    def begin(self, frame: int, category: str) -> None:
        """Paint a structure that is still to come."""
        self._lines[frame, category] = _Line()

    def follow(self, renamed: Mapping[str, str]) -> None:
        """Note which records took the place of which."""
        for line in self._lines.values():
            line.since |= {renamed[uid] for uid in line.since & renamed.keys()}

    def was_taken(self, frame: int, category: str) -> bool:
        """Tell whether a structure of the class was chosen, painted or begun on a frame."""
        return (frame, category) in self._lines

    def structure(
        self, frame: int, category: str, records: Sequence[Annotation]
    ) -> Annotation | None:
        """Return the structure of a class that is painted; None: one that is still to come.

        Where none was taken this is the latest one.

        Parameters
        ----------
        frame : int
            The frame.
        category : str
            The class.
        records : sequence of Annotation
            Outlines of the frame.
        """
        mine = [r for r in records if r.category == category]
        line = self._lines.get((frame, category))
        if line is None:
            return mine[-1] if mine else None
        if not line.since:
            return None
        for uids in (line.since, line.before):  # undo may bring back what was before
            for record in mine:
                if record.uid in uids:
                    return record
        for record in mine:  # another window corrected it
            if line.since.intersection(self._ancestors(record)):
                line.since.add(record.uid)
                return record
        return None
