"""Two raters' project files become a third one: the history of both, and what they disagree on.

The log of each scan in the merged project reads: what the first rater did, that state set
aside, what the second rater did, and the merge. So either rater's state can be had again with
``restore``, and the merge itself is an edit like any other. What both files have in common
(one is a copy of the other, or both are copies of a third) is there once.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Generator, Iterator
from contextlib import closing, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

from napari_fada.errors import ProjectError
from napari_fada.records import merge_rows
from napari_fada.records.agreement import Agreement
from napari_fada.records.conflicts import (
    DECIDED,
    TAKEN,
    Conflict,
    decided_conflicts,
    dispute,
    open_conflicts,
    resolve,
    taken_without_asking,
)
from napari_fada.records.merge_scan import ScanMerge
from napari_fada.records.merge_state import BOXES, OUTLINES, Compared, Thresholds
from napari_fada.records.project import Project
from napari_fada.records.store import Store, publish

__all__ = [
    "DECIDED",
    "Conflict",
    "MergeCopying",
    "MergeFinished",
    "MergeProgress",
    "decided_conflicts",
    "dispute",
    "last_merge",
    "merge_projects",
    "open_conflicts",
    "resolve",
    "taken_without_asking",
]


_TELL = 200


class _Cancel(Protocol):
    def is_set(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class MergeCopying:
    """``done`` of ``total`` rows of both projects are taken over; the scans come after."""

    done: int
    total: int


@dataclass(frozen=True, slots=True)
class MergeProgress:
    """``done`` of ``total`` scans are merged."""

    done: int
    total: int


@dataclass(frozen=True, slots=True)
class MergeFinished:
    """The end of a merge.

    ``both`` scans were worked on by both raters; ``conflicts`` are open in the new project;
    of ``taken`` structures the first rater's shape was taken without asking;
    ``ungrouped`` scans lost the mark of whose they are (see :mod:`~.merge_rows`). Cancelled:
    no project was made.
    """

    scans: int
    both: int
    conflicts: tuple[Conflict, ...]
    agreement: Agreement | None
    ungrouped: int = 0
    cancelled: bool = False
    taken: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready dictionary."""
        return {
            "scans": self.scans,
            "both": self.both,
            "ungrouped": self.ungrouped,
            "cancelled": self.cancelled,
            "taken": self.taken,
            "conflicts": [
                {name: getattr(c, name) for name in Conflict.__slots__} for c in self.conflicts
            ],
            "agreement": self.agreement.to_dict() if self.agreement else None,
        }


def last_merge(project: Project) -> dict[str, Any] | None:
    """Return what a project was merged from: ``a``, ``b``, ``at``, ``agreement``, ``thresholds``.

    None if it is not the result of a merge.
    """
    with project._store.read() as c:
        row = c.execute("SELECT value FROM meta WHERE name = 'merge'").fetchone()
    return json.loads(row[0]) if row else None


def merge_projects(
    a: Path,
    b: Path,
    out: Path,
    *,
    rater: str = "",
    threshold: float = OUTLINES,
    box_threshold: float = BOXES,
    cancel: _Cancel | None = None,
) -> Iterator[MergeCopying | MergeProgress | MergeFinished]:
    """Merge two projects into a new file; neither of the two is changed.

    Parameters
    ----------
    a, b : Path
        Projects of two raters, of the same scans or not; a window may have them open. Where
        they agree, the first one's shape stands.
    out : Path
        The new project; there must be no such file.
    rater : str
        Who merges; written into the merge's edits.
    threshold : float
        Outlines of one class with an IoU of at least this agree.
    box_threshold : float
        Boxes that belong to no outline, likewise.
    cancel : optional
        When set, the work ends and no file is left.

    Yields
    ------
    MergeCopying, MergeProgress, MergeFinished

    Raises
    ------
    ProjectError
        If ``out`` exists, both projects are one file, or something cannot be read or written.
    """
    if out.exists():
        raise _exists(out)
    if a.resolve() == b.resolve():
        raise ProjectError(
            "A project cannot be merged with itself.", todo="Choose two project files."
        )
    thresholds = Thresholds(threshold, box_threshold)
    draft = out.with_name(f".{out.name}.{uuid.uuid4().hex[:8]}")
    try:
        with (
            Project.open(a, create=False) as first,
            Project.open(b, create=False) as second,
            closing(Store(draft)) as store,
        ):
            finished = yield from _fill(store, first, second, rater, thresholds, cancel)
        if not finished.cancelled and not publish(draft, out):
            raise _exists(out)
    finally:
        for name in ("", "-wal", "-shm"):
            with suppress(OSError):
                draft.with_name(draft.name + name).unlink()
    yield finished


def _fill(
    store: Store, a: Project, b: Project, rater: str, given: Thresholds, cancel: _Cancel | None
) -> Generator[MergeCopying | MergeProgress, None, MergeFinished]:
    with store.write() as c, a._store.read() as from_a, b._store.read() as from_b:
        total, there, told = merge_rows.count(from_a, from_b), 0, 0
        yield MergeCopying(0, total)
        steps = merge_rows.take_both(c, from_a, from_b)
        while True:
            if cancel is not None and cancel.is_set():
                return MergeFinished(0, 0, (), None, cancelled=True)
            try:
                there += next(steps)
            except StopIteration as end:
                taken: merge_rows.Taken = end.value
                break
            if there - told >= _TELL:
                told = there
                yield MergeCopying(there, total)
        scans = [row[0] for row in c.execute("SELECT sha256 FROM scans ORDER BY added, rowid")]
        names = (a.path.stem, b.path.stem)
        compared = Compared()
        conflicts: list[Conflict] = []
        for done, sha256 in enumerate(scans):
            if cancel is not None and cancel.is_set():
                return MergeFinished(0, 0, (), None, cancelled=True)
            merge = ScanMerge(c, sha256, names, rater, given)
            conflicts += merge.run(from_a, from_b, taken, compared)
            yield MergeProgress(done + 1, len(scans))
        merge_rows.derive(c)
        agreement = compared.agreement()
        merge_rows.remember(c, names, agreement, asdict(given))
        taken_alike = c.execute("SELECT count(*) FROM cells WHERE name GLOB ?", (f"{TAKEN}*",))
        alike = int(taken_alike.fetchone()[0])
    return MergeFinished(
        *(len(scans), compared.scans, tuple(conflicts), agreement, taken.ungrouped),
        taken=alike,
    )


def _exists(out: Path) -> ProjectError:
    return ProjectError(
        f"There is a file at {out} already.",
        kept="It was not touched, and no merge was made.",
        todo="Choose another name for the merged project.",
    )
