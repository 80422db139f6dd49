"""The history as it is read by people: one line for each act, the newest first, page by page.

A line is an act: an edit, or several that were made as one. What lies far back is read only when
it is asked for, so that thousands of lines cost no more than a screen of them.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, field

from napari_fada.records import history, linking, standing, steps, tables
from napari_fada.records.annotation import Annotation
from napari_fada.records.history import SCAN, WHOLE, Action
from napari_fada.records.rows import Report

PAGE = 200

_TURNED = "SELECT kind FROM edits t WHERE t.target = e.id ORDER BY t.id DESC LIMIT 1"
_MATCHING = (
    "e.sha256 = :scan AND (:frame IS NULL OR e.frame IN (:frame, :whole)) "
    "AND (:rater IS NULL OR e.rater = :rater)"
)


@dataclass(frozen=True, slots=True)
class Line:
    """What one act did.

    ``first`` and ``last`` are the ends of its edits, between which there may be others';
    ``undone`` says that it does not count now.
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
        So many edits are read at a time; an act is never cut in two.
    """
    wanted = {"scan": sha256, "frame": frame, "whole": WHOLE, "rater": rater}
    found: list[Line] = []
    begins: dict[int, int] = {}
    while not found:
        rows = connection.execute(
            f"SELECT p.act, e.id, e.frame, e.kind, e.label, e.rater, e.at, ({_TURNED}) "
            "FROM signed_edits e LEFT JOIN parts p ON p.edit = e.id "
            f"WHERE {_MATCHING} AND (:before IS NULL OR e.id < :before) "
            "ORDER BY e.id DESC LIMIT :limit",
            {**wanted, "before": before, "limit": limit},
        ).fetchall()
        if not rows:
            break
        for act, edit, of_frame, kind, label, of_rater, at, turned in rows:
            if act is None:
                undone = turned == "undo"
                found.append(Line(edit, edit, kind, (of_frame,), label, of_rater, at, undone))
                continue
            # An act stands where it began: others may have been at work in between.
            if act not in begins:
                begins[act] = connection.execute(
                    "SELECT min(e.id) FROM parts p JOIN signed_edits e ON e.id = p.edit "
                    f"WHERE p.act = :act AND {_MATCHING}",
                    {**wanted, "act": act},
                ).fetchone()[0]
            if begins[act] == edit:
                found.append(_line(connection, sha256, edit))
        before = rows[-1][1]
    return found


def raters(connection: sqlite3.Connection, sha256: str) -> list[str]:
    """Return who edited a scan, in the order of the alphabet."""
    rows = connection.execute(
        "SELECT DISTINCT rater FROM signed_edits WHERE sha256 = ? ORDER BY rater", (sha256,)
    )
    return [row[0] for row in rows]


def at(connection: sqlite3.Connection, sha256: str, frame: int, edit: int) -> Past:
    """Return a frame as it was just after an edit (0: before the first)."""
    cells = history.cells_at(connection, sha256, frame, edit)
    uids = [name.removeprefix("record/") for name in cells if name.startswith("record/")]
    found = linking.following(tables.records_in_place(connection, uids), linking.unlinked(cells))
    shown = tuple(a for a in found if a.status != "rejected")
    return Past(frame, edit, shown, standing.report(connection, cells))


def is_about_scan(connection: sqlite3.Connection, edit: int) -> bool:
    """Tell whether an edit's act says something about the whole scan, beyond its review state."""
    return any(
        connection.execute(
            "SELECT 1 FROM edits e JOIN changes c ON c.edit = e.id WHERE e.id = ? AND "
            "(e.frame = ? OR (c.name GLOB ? AND c.name <> ?)) LIMIT 1",
            (part, WHOLE, f"{SCAN}*", SCAN + history.REVIEW),
        ).fetchone()
        for part in steps.act_of(connection, edit).edits
    )


def _line(connection: sqlite3.Connection, sha256: str, edit: int) -> Line:
    act = steps.act_of(connection, edit)
    rows = connection.execute(
        "SELECT id, frame FROM edits WHERE sha256 = ?1 AND (id = ?2 OR id IN "
        "(SELECT edit FROM parts WHERE act = (SELECT act FROM parts WHERE edit = ?2))) ORDER BY id",
        (sha256, edit),
    ).fetchall()
    kind, rater, at = connection.execute(
        "SELECT kind, rater, at FROM signed_edits WHERE id = ?", (edit,)
    ).fetchone()
    undone = not any(steps.is_standing(connection, part) for part, _ in rows)
    frames = tuple(sorted({frame for _, frame in rows}))
    return Line(edit, rows[-1][0], kind, frames, act.label, rater, at, undone)
