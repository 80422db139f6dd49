"""Edits that a project could not take (full, gone, read-only): kept until it or a copy can.

They are shown as if they were made, and every one of them is told to be waiting. When the
project can be written again, or a copy elsewhere, they are made there in their order.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from napari_fada.errors import NotWrittenError, ProjectError
from napari_fada.records.annotation import Annotation
from napari_fada.records.project import Project
from napari_fada.records.rows import Report


@dataclass(frozen=True, slots=True)
class WaitingEdit:
    """An edit of the records of a frame. See ``Project.edit``."""

    sha256: str
    frame: int
    add: tuple[Annotation, ...] = ()
    replace: Mapping[str, Annotation] = field(default_factory=dict)
    remove: tuple[str, ...] = ()
    label: str = ""


@dataclass(frozen=True, slots=True)
class WaitingReport:
    """What an expert wrote in a report. ``more`` are arguments of ``Project.set_report``."""

    sha256: str
    frame: int
    more: Mapping[str, Any]


class Pending:
    """Waiting edits in their order."""

    def __init__(self) -> None:
        self._waiting: list[WaitingEdit | WaitingReport] = []

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, waiting: WaitingEdit | WaitingReport) -> None:
        """Let an edit wait."""
        self._waiting.append(waiting)

    def drop_last(self) -> None:
        """Take the last waiting edit back."""
        self._waiting.pop()

    def clear(self) -> None:
        """Give all of them up."""
        self._waiting.clear()

    def over(self, sha256: str, frame: int, records: Iterable[Annotation]) -> list[Annotation]:
        """Return the records of a frame as they will be when the waiting edits are made."""
        found = list(records)
        for one in self._waiting:
            if isinstance(one, WaitingReport) or (one.sha256, one.frame) != (sha256, frame):
                continue
            found = [one.replace.get(a.uid, a) for a in found if a.uid not in one.remove]
            found += one.add
        return [a for a in found if a.status != "rejected"]

    def frames(self, sha256: str) -> set[int]:
        """Return the frames of a scan whose records will change."""
        return {
            one.frame
            for one in self._waiting
            if isinstance(one, WaitingEdit) and one.sha256 == sha256
        }

    def over_report(self, sha256: str, frame: int, report: Report) -> Report:
        """Return a report as it will be when the waiting edits are made."""
        for one in self._waiting:
            if isinstance(one, WaitingReport) and (one.sha256, one.frame) == (sha256, frame):
                fields = {**report.expert_fields, **(one.more.get("fields") or {})}
                kept = {key: text for key, text in fields.items() if text is not None}
                view = one.more.get("view", report.expert_view)
                view = view if isinstance(view, str) or view is None else report.expert_view
                report = replace(report, expert_fields=kept, expert_view=view)
        return report

    def make(self, project: Project) -> list[str]:
        """Make the waiting edits in a project; returns why some of them cannot be made at all.

        Raises
        ------
        NotWrittenError
            If the project still takes nothing; what was not made yet goes on waiting.
        """
        refused: list[str] = []
        now: dict[str, str] = {}
        while self._waiting:
            one = self._waiting[0]
            try:
                if isinstance(one, WaitingReport):
                    project.set_report(one.sha256, one.frame, **one.more)
                else:
                    self._edit(project, one, now)
            except NotWrittenError:
                self._waiting = [_renamed(w, now) for w in self._waiting]
                raise
            except ProjectError as error:
                refused.append(str(error))
            self._waiting.pop(0)
        return refused

    @staticmethod
    def _edit(project: Project, one: WaitingEdit, now: dict[str, str]) -> None:
        edit = _renamed(one, now)
        assert isinstance(edit, WaitingEdit)
        done = project.edit(
            *(edit.sha256, edit.frame),
            add=edit.add,
            replace=edit.replace,
            remove=edit.remove,
            label=edit.label,
        )
        # The project gives records uids of its own; later edits are about those.
        now |= {wish.uid: a.uid for wish, a in zip(edit.add, done.added, strict=True)}
        now |= {
            wish.uid: done.replaced[u].uid for u, wish in edit.replace.items() if u in done.replaced
        }


def _renamed(
    one: WaitingEdit | WaitingReport, now: Mapping[str, str]
) -> WaitingEdit | WaitingReport:
    if isinstance(one, WaitingReport):
        return one
    return replace(
        one,
        replace={now.get(uid, uid): a for uid, a in one.replace.items()},
        remove=tuple(now.get(uid, uid) for uid in one.remove),
    )
