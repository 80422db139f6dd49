"""What a layer binding asks of the session: a place to put edits and to say things."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Literal, Protocol

from napari_fada.records.annotation import Annotation, new_uid, now

Level = Literal["info", "warning", "error"]


@dataclass(slots=True)
class Edit:
    """Changes to one frame that belong together: one transaction, one step of undo."""

    frame: int
    label: str = ""
    add: list[Annotation] = field(default_factory=list)
    replace: dict[str, Annotation] = field(default_factory=dict)
    remove: list[str] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.add or self.replace or self.remove)


class Desk(Protocol):
    """The session, as far as a binding knows it."""

    active_class: str
    rater: str

    @property
    def frame(self) -> int:
        """The frame that is shown."""
        ...

    @property
    def frame_shape(self) -> tuple[int, int]:
        """(height, width) of a frame."""
        ...

    @property
    def locked(self) -> frozenset[str]:
        """Records that are locked."""
        ...

    @property
    def chosen(self) -> tuple[str, ...]:
        """Records that are chosen, in the list or on the canvas."""
        ...

    def ancestors(self, record: Annotation) -> list[str]:
        """Return the uids that a record goes back to, the latest first."""
        ...

    def originals(self, frame: int) -> list[Annotation]:
        """Return what the model proposed where an expert has corrected it."""
        ...

    def rejected(self, frame: int) -> list[Annotation]:
        """Return the structures of a frame that were rejected."""
        ...

    def commit(self, edit: Edit) -> bool:
        """Write an edit; False (and a message) if the project refused it."""
        ...

    def say(self, text: str, level: Level = "info") -> None:
        """Show a line to the user."""
        ...


def corrected(record: Annotation, rater: str, **changes: object) -> Annotation:
    """Return the record that replaces another after an expert changed it."""
    return replace(
        record,
        uid=new_uid(),
        parent=record.uid,
        status="corrected",
        source="expert",
        rater=rater,
        created=now(),
        **changes,  # type: ignore[arg-type]
    )


class Busy:
    """A flag against re-entrancy: True inside ``with flag():``, nesting allowed."""

    def __init__(self) -> None:
        self._depth = 0

    def __bool__(self) -> bool:
        return self._depth > 0

    @contextmanager
    def __call__(self) -> Iterator[None]:
        """Hold the flag for a block."""
        self._depth += 1
        try:
            yield
        finally:
            self._depth -= 1


Records = Mapping[int, Iterable[Annotation]]
"""Records of a scan by frame."""
