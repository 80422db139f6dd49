"""What a project takes and gives back: acts, scans, reports and the outcome of edits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from napari_fada.records.annotation import Annotation
from napari_fada.records.history import WHOLE, Entry
from napari_fada.records.reading import Mapping as ClassMapping
from napari_fada.records.reading import Reading

__all__ = [
    "WHOLE",
    "Act",
    "Edit",
    "IdentityLike",
    "Report",
    "ScanLike",
    "ScanRow",
    "SpacingLike",
    "Standing",
]


class SpacingLike(Protocol):
    """Size of a pixel in mm, as the ``scans`` room gives it."""

    @property
    def y(self) -> float: ...  # noqa: D102
    @property
    def x(self) -> float: ...  # noqa: D102
    @property
    def origin(self) -> str: ...  # noqa: D102


class IdentityLike(Protocol):
    """What groups scans of one person; only its salted hash is kept."""

    def hashed(self, salt: bytes) -> str: ...  # noqa: D102


class ScanLike(Protocol):
    """The part of a scan that a project remembers (``scans.Scan`` fits).

    The records room lies below the scans room, so it says here what it needs of it.
    """

    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def sha256(self) -> str: ...  # noqa: D102
    @property
    def width(self) -> int: ...  # noqa: D102
    @property
    def height(self) -> int: ...  # noqa: D102
    @property
    def n_frames(self) -> int: ...  # noqa: D102
    @property
    def path(self) -> Path | None: ...  # noqa: D102
    @property
    def frame_time(self) -> float | None: ...  # noqa: D102
    @property
    def spacing(self) -> SpacingLike | None: ...  # noqa: D102
    @property
    def identity(self) -> IdentityLike: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class ScanRow:
    """A scan as the project knows it.

    ``path`` is where it was last seen; ``subject`` the salted hash that groups scans of one
    person; ``spacing_mm`` is (y, x).
    """

    sha256: str
    name: str
    path: Path | None
    width: int
    height: int
    n_frames: int
    frame_time: float | None
    spacing_mm: tuple[float, float] | None
    spacing_origin: str | None
    subject: str
    added: str


@dataclass(frozen=True, slots=True)
class FrameState:
    """What is said about one frame of a clip, beside its structures.

    ``review`` is the state of its review, ``stale`` whether something upstream of a phase
    changed since it ran, ``failed`` whether a phase of its last reading failed. ``seen`` is
    whether it was on the screen as it stands, ``unseen`` whether it was accepted without that.
    """

    review: str = ""
    stale: bool = False
    failed: bool = False
    seen: bool = False
    unseen: bool = False


@dataclass(frozen=True, slots=True)
class Report:
    """The eight fields, the view and the classes of a frame: what counts, and who said it.

    ``fields``, ``view`` and ``mapping`` are what counts now: the expert's word where there is
    one, else the model's. ``reading`` is the id of the reading that the model's part comes from.
    """

    model_fields: Mapping[str, str] = field(default_factory=dict)
    model_view: str | None = None
    expert_fields: Mapping[str, str] = field(default_factory=dict)
    expert_view: str | None = None
    reading: str | None = None
    model_mapping: ClassMapping | None = None
    expert_mapping: ClassMapping | None = None

    @property
    def fields(self) -> dict[str, str]:
        """The fields that count now."""
        return {**self.model_fields, **self.expert_fields}

    @property
    def view(self) -> str | None:
        """The view that counts now."""
        return self.model_view if self.expert_view is None else self.expert_view

    @property
    def mapping(self) -> ClassMapping | None:
        """The classes to detect and to segment that count now."""
        return self.expert_mapping or self.model_mapping

    @property
    def has_expert_words(self) -> bool:
        """Whether the expert has said anything here."""
        return bool(self.expert_fields) or self.expert_view is not None or bool(self.expert_mapping)


@dataclass(frozen=True, slots=True)
class Standing:
    """All that stands on a frame, at one moment.

    ``annotations`` hold rejections too; ``state`` is that of the frame (review, comments, locks);
    ``reviewed`` whether the review of the frame or of its scan as a whole is closed; ``reading``
    the one that the frame shows, as the model gave it; ``seen`` whether what stands was on the
    screen before it was accepted, and at all.
    """

    annotations: tuple[Annotation, ...]
    report: Report
    state: Mapping[str, str]
    reviewed: bool
    reading: Reading | None
    seen: bool = False


@dataclass(frozen=True, slots=True)
class Act:
    """What is done to one frame: one step of undo. See ``Project.edit`` for the first three.

    ``states`` are further cells of the frame; ``lock/<uid>``, ``reason/<uid>`` and
    ``unlinked/<uid>`` follow the record that takes the place of ``uid``. ``scan_states`` are cells
    of the scan as a whole. ``by_person`` is False for what a program does (an import): it brings
    nothing into review.
    """

    frame: int
    add: Sequence[Annotation] = ()
    replace: Mapping[str, Annotation] = field(default_factory=dict)
    remove: Sequence[str] = ()
    states: Mapping[str, str | None] = field(default_factory=dict)
    scan_states: Mapping[str, str | None] = field(default_factory=dict)
    label: str = ""
    by_person: bool = True


@dataclass(frozen=True, slots=True)
class Edit:
    """What an edit wrote: the records as they are kept, uid and status included.

    ``entry`` is None if there was nothing to change. ``apart`` are boxes that no longer follow
    their outlines; ``fitted`` those of ``added`` that were put around an outline that was there;
    ``along`` what was removed with the other half of its structure.
    """

    entry: Entry | None
    added: tuple[Annotation, ...] = ()
    replaced: Mapping[str, Annotation] = field(default_factory=dict)
    rejected: Mapping[str, Annotation] = field(default_factory=dict)
    apart: tuple[Annotation, ...] = ()
    fitted: tuple[Annotation, ...] = ()
    along: tuple[Annotation, ...] = ()
