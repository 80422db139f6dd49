"""The history as it is read by people: one line for each act, the newest first, page by page.

A line is an act: an edit, or several that were made as one. What lies far back is read only when
it is asked for, so that thousands of lines cost no more than a screen of them.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, field
from itertools import groupby
from operator import itemgetter
from typing import Any

from napari_fada.records import history, linking, standing, tables
from napari_fada.records.annotation import Annotation
from napari_fada.records.history import SCAN, WHOLE, Action
from napari_fada.records.rows import Report

PAGE = 200

_TURNED = "SELECT kind FROM edits t WHERE t.target = e.id ORDER BY t.id DESC LIMIT 1"
_ACT = "SELECT first FROM acts WHERE first <= e.id AND last >= e.id ORDER BY first DESC LIMIT 1"


@dataclass(frozen=True, slots=True)
class Line:
    """What one act did.

    ``first`` and ``last`` are its edits; ``undone`` says that it does not count now.
    """

    first: int
    last: int
    kind: Action
    frames: tuple[int, ...]
    label: str
    rater: str
    at: str
    undone: bool

    @property
    def text(self) -> str:
        """What was done, in plain words."""
        words = {"do": "", "undo": "Undone: ", "redo": "Done again: "}
        return words[self.kind] + self.label


@dataclass(frozen=True, slots=True)
class Past:
    """A frame as it was just after an edit."""

    frame: int
    edit: int
    records: tuple[Annotation, ...] = ()
    report: Report = field(default_factory=Report)


def lines(
    connection: sqlite3.Connection,
    sha256: str,
    *,
    frame: int | None = None,
    rater: str | None = None,
    before: int | None = None,
    limit: int = PAGE,
) -> list[Line]:
    """Return acts on a scan, the newest first.

    Parameters
    ----------
    connection : sqlite3.Connection
        Of an open project.
    sha256 : str
        Of the scan.
    frame : int, optional
        Only acts on this frame and on the scan as a whole.
    rater : str, optional
        Only what this person did.
    before : int, optional
        ``first`` of the last line that is known already.
    limit : int
        So many edits are read at most; an act is never cut in two.
    """
    rows = connection.execute(
        f"SELECT coalesce(({_ACT}), e.id), e.id, e.frame, e.kind, e.label, e.rater, e.at, "
        f"({_TURNED}) FROM edits e WHERE e.sha256 = :scan AND (:before IS NULL OR e.id < :before) "
        "AND (:frame IS NULL OR e.frame IN (:frame, :whole)) AND (:rater IS NULL OR "
        "e.rater = :rater) ORDER BY e.id DESC LIMIT :limit",
        {
            **{"scan": sha256, "frame": frame, "whole": WHOLE},
            **{"rater": rater, "before": before, "limit": limit},
        },
    ).fetchall()
    return [
        _line(connection, sha256, first, list(group))
        for first, group in groupby(rows, key=itemgetter(0))
    ]


def raters(connection: sqlite3.Connection, sha256: str) -> list[str]:
    """Return who edited a scan, in the order of the alphabet."""
    rows = connection.execute(
        "SELECT DISTINCT rater FROM edits WHERE sha256 = ? ORDER BY rater", (sha256,)
    )
    return [row[0] for row in rows]


def at(connection: sqlite3.Connection, sha256: str, frame: int, edit: int) -> Past:
    """Return a frame as it was just after an edit (0: before the first)."""
    cells = history.cells_at(connection, sha256, frame, edit)
    uids = [name.removeprefix("record/") for name in cells if name.startswith("record/")]
    found = linking.following(tables.records_in_place(connection, uids), linking.unlinked(cells))
    shown = tuple(a for a in found if a.status != "rejected")
    return Past(frame, edit, shown, standing.report(connection, cells))


def is_about_scan(connection: sqlite3.Connection, first: int, last: int) -> bool:
    """Tell whether an act says something about the scan as a whole, beyond its state of review."""
    row = connection.execute(
        "SELECT 1 FROM edits e JOIN changes c ON c.edit = e.id WHERE e.id BETWEEN ? AND ? AND "
        "(e.frame = ? OR (c.name GLOB ? AND c.name <> ?)) LIMIT 1",
        (first, last, WHOLE, f"{SCAN}*", SCAN + history.REVIEW),
    ).fetchone()
    return row is not None


def _line(
    connection: sqlite3.Connection, sha256: str, first: int, rows: list[tuple[Any, ...]]
) -> Line:
    _, _, _, kind, label, rater, at, _ = rows[-1]
    last, frames = rows[0][1], [row[2] for row in rows]
    undone = all(row[7] == "undo" for row in rows)
    act = connection.execute("SELECT last, label FROM acts WHERE first = ?", (first,)).fetchone()
    if act is not None:
        last, label = act
        frames = [
            row[0]
            for row in connection.execute(
                "SELECT DISTINCT frame FROM edits WHERE id BETWEEN ? AND ? AND sha256 = ?",
                (first, last, sha256),
            )
        ]
    return Line(first, last, kind, tuple(sorted(frames)), label, rater, at, undone)
