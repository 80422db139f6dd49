"""Edits that a project could not take (full, gone, read-only): kept until it or a copy can.

They are shown as if they were made, and every one of them is told to be waiting. When the
project can be written again, or a copy elsewhere, they are made there in their order.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from napari_fada.errors import NotWrittenError, ProjectError
from napari_fada.records import waiting as kinds
from napari_fada.records.annotation import Annotation, new_uid
from napari_fada.records.journal import Journal, Kept
from napari_fada.records.project import Project
from napari_fada.records.review import FrameReview, ScanReview
from napari_fada.records.rows import Report
from napari_fada.records.structures import NONE
from napari_fada.records.waiting import Waiting, WaitingEdit, WaitingReport, WaitingRule

__all__ = ["Pending", "Waiting", "WaitingEdit", "WaitingReport", "WaitingRule"]

_MARK = "waited/"


class Pending:
    """Waiting edits in their order.

    Parameters
    ----------
    journal : Journal, optional
        The file that holds them as long as they wait.
    kept : list of (key, waiting edit)
        What is in that file already.
    """

    def __init__(self, journal: Journal | None = None, kept: Iterable[Kept] = ()) -> None:
        self.journal = journal
        self._kept: list[Kept] = list(kept)

    def __len__(self) -> int:
        return len(self._kept)

    @property
    def waiting(self) -> list[Waiting]:
        """What waits, in its order."""
        return [one for _, one in self._kept]

    def add(self, waiting: Waiting) -> None:
        """Let an edit wait; it is in the journal when this returns, if that can be written."""
        self._kept.append((new_uid(), waiting))
        self.keep()

    def drop_last(self) -> None:
        """Take the last waiting edit back."""
        self._kept.pop()
        self.keep()

    def clear(self) -> None:
        """Give all of them up."""
        self._kept.clear()
        self.keep()

    def keep(self) -> None:
        """Bring the journal in line; its file belongs to this window from then on."""
        if self.journal is not None:
            self.journal.write(self._kept)

    # As they are shown

    def over(
        self,
        sha256: str,
        frame: int,
        records: Iterable[Annotation],
        unlinked: Mapping[str, str] = NONE,
    ) -> list[Annotation]:
        """Return the records of a frame as they will be when the waiting edits are made."""
        found = kinds.over_records(self.waiting, sha256, frame, records, unlinked)
        return [a for a in found if a.status != "rejected"]

    def frames(self, sha256: str) -> set[int]:
        """Return the frames of a scan whose records will change."""
        return {
            one.frame
            for one in self.waiting
            if not isinstance(one, WaitingReport) and one.sha256 == sha256
        }

    def over_report(self, sha256: str, frame: int, report: Report) -> Report:
        """Return a report as it will be when the waiting edits are made."""
        return kinds.over_report(self.waiting, sha256, frame, report)

    def over_scan(self, sha256: str, found: ScanReview) -> ScanReview:
        """Return what is said about a scan as it will be."""
        return kinds.over_scan(self.waiting, sha256, found)

    def over_frame(self, sha256: str, frame: int, found: FrameReview) -> FrameReview:
        """Return the structures of a frame and what is said about them as they will be."""
        return kinds.over_frame(self.waiting, sha256, frame, found)

    def over_locked(self, sha256: str, locked: frozenset[str]) -> frozenset[str]:
        """Return which structures of a scan will be locked."""
        return kinds.over_locked(self.waiting, sha256, locked)

    # Making them

    def forget_made(self, project: Project) -> None:
        """Forget what is in the project already: the program ended just after making it."""
        last = project.mark(self._mark)
        keys = [key for key, _ in self._kept]
        if last in keys:
            del self._kept[: keys.index(last) + 1]
            self.keep()

    def make(self, project: Project) -> list[str]:
        """Make the waiting edits in a project; returns why some of them cannot be made at all.

        Raises
        ------
        NotWrittenError
            If the project still takes nothing; what was not made yet goes on waiting.
        """
        refused: list[str] = []
        now: dict[str, str] = {}
        try:
            while self._kept:
                key, one = self._kept[0]
                try:
                    with project.together(""):
                        made = one.renamed(now).make(project)
                        project.set_mark(self._mark, key)
                    now |= made
                except NotWrittenError:
                    raise
                except ProjectError as error:
                    refused.append(str(error))
                self._kept.pop(0)
        finally:
            self._kept = [(key, one.renamed(now)) for key, one in self._kept]
            self.keep()
        return refused

    @property
    def _mark(self) -> str:
        return _MARK + (self.journal.name if self.journal is not None else "")
