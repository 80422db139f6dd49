"""The log of edits: what was done, undone and redone, by whom and when.

The state of a frame is a set of named cells (``record/<uid>``, ``field/<key>``, ``view``,
``review``, …). An edit is a list of changes to cells, each with the value before and after.
An undo (see :mod:`~napari_fada.records.steps`) is itself an edit, with the changes turned
round, so nothing is ever erased and any earlier state can be had again.

What is said about a scan as a whole lies in cells of the frame ``WHOLE``. An edit of one of its
frames may change them too: their names then begin with ``scan/``. So a person's act is one step
on the frame that is shown, whatever it says about the scan.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import Literal, NamedTuple

from napari_fada.records import summary, writing
from napari_fada.records.annotation import now

#: Stands for the scan as a whole where a frame is asked for (comments, review state, scores).
WHOLE = -1
#: Begins the names of cells of the whole scan in an edit of one of its frames.
SCAN = "scan/"
REVIEW, IN_REVIEW = "review", "in_review"

Action = Literal["do", "undo", "redo"]
Cells = dict[str, str]


class Change(NamedTuple):
    """One cell before and after an edit; None means that it is not there."""

    name: str
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the history.

    ``target`` is the edit that an undo or redo turned round; ``label`` is then that edit's.
    ``window`` is the one in which it was made, ``made_by`` the part of the program that made it
    (see :mod:`~napari_fada.records.writing`).
    """

    id: int
    sha256: str
    frame: int
    kind: Action
    target: int | None
    label: str
    rater: str
    at: str
    changes: tuple[Change, ...]
    window: str = ""
    made_by: str = ""


def cells(connection: sqlite3.Connection, sha256: str, frame: int) -> Cells:
    """Return the current state of a frame."""
    rows = connection.execute(
        "SELECT name, value FROM cells WHERE sha256 = ? AND frame = ?", (sha256, frame)
    )
    return dict(rows.fetchall())


def cells_seen(connection: sqlite3.Connection, sha256: str, frame: int) -> Cells:
    """Return the state of a frame, and that of its scan under names that begin with ``scan/``."""
    here = cells(connection, sha256, frame)
    if frame == WHOLE:
        return here
    whole = cells(connection, sha256, WHOLE)
    return here | {SCAN + name: value for name, value in whole.items()}


def place_of(frame: int, name: str) -> tuple[int, str]:
    """Return the frame and the name under which an edit of a frame keeps a cell."""
    if name.startswith(SCAN):
        return WHOLE, name.removeprefix(SCAN)
    return frame, name


def do(
    connection: sqlite3.Connection,
    sha256: str,
    frame: int,
    wanted: Mapping[str, str | None],
    *,
    label: str,
    rater: str,
) -> Entry | None:
    """Bring cells to wanted values as one edit; None if they all have them already."""
    current = cells_seen(connection, sha256, frame)
    changes = tuple(
        Change(name, current.get(name), after)
        for name, after in sorted(wanted.items())
        if current.get(name) != after
    )
    if not changes:
        return None
    return append(connection, sha256, frame, "do", None, label, rater, changes)


def cells_at(connection: sqlite3.Connection, sha256: str, frame: int, edit: int) -> Cells:
    """Return the state of a frame as it was just after an edit (of this frame or another)."""
    past = cells(connection, sha256, frame)
    rows = connection.execute(
        "SELECT e.frame, c.name, c.before FROM edits e JOIN changes c ON c.edit = e.id "
        "WHERE e.sha256 = ?1 AND e.id > ?3 AND (e.frame = ?2 OR (?2 = ?4 AND c.name GLOB ?5)) "
        "ORDER BY e.id DESC",
        (sha256, frame, edit, WHOLE, f"{SCAN}*"),
    )
    for of_frame, of_name, before in rows:
        at_frame, name = place_of(of_frame, of_name)
        if at_frame != frame:
            continue
        if before is None:
            past.pop(name, None)
        else:
            past[name] = before
    return past


def entries(
    connection: sqlite3.Connection,
    sha256: str | None = None,
    frame: int | None = None,
    *,
    after: int = 0,
) -> list[Entry]:
    """Return the history, oldest first, of a frame, of a scan or of all."""
    where = "id > ?"
    arguments: list[object] = [after]
    if sha256 is not None:
        where += " AND sha256 = ?"
        arguments.append(sha256)
    if frame is not None:
        where += " AND frame = ?"
        arguments.append(frame)
    rows = connection.execute(
        "SELECT id, sha256, frame, kind, target, label, rater, at, window, made_by, "
        "name, before, after FROM signed_edits "
        f"LEFT JOIN changes ON edit = id WHERE {where} ORDER BY id, name",
        arguments,
    )
    found: list[Entry] = []
    for head, group in groupby(rows, key=itemgetter(*range(10))):
        changes = tuple(Change(*row[10:]) for row in group if row[10] is not None)
        edit, sha, of_frame, kind, target, label, rater, at, window, made_by = head
        one = (edit, sha, of_frame, kind, target, label, rater, at, changes, window, made_by)
        found.append(Entry(*one))
    return found


def replay(connection: sqlite3.Connection) -> dict[tuple[str, int], Cells]:
    """Derive the state of every frame from the log alone."""
    state: dict[tuple[str, int], Cells] = {}
    rows = connection.execute(
        "SELECT e.sha256, e.frame, c.name, c.after FROM edits e JOIN changes c ON c.edit = e.id "
        "ORDER BY e.id"
    )
    for sha256, of_frame, of_name, after in rows:
        frame, name = place_of(of_frame, of_name)
        frame_cells = state.setdefault((sha256, frame), {})
        if after is None:
            frame_cells.pop(name, None)
        else:
            frame_cells[name] = after
    return {key: found for key, found in state.items() if found}


def take_over(
    connection: sqlite3.Connection, entry: Entry, kind: Action, target: int | None
) -> int:
    """Write a line of another file's history into this one's, with its own time and maker.

    The state before it must be the one that it was made on. The summaries are not brought up
    to date: that is done once, after the last line.
    """
    label = entry.label
    if kind != entry.kind:
        label = f"{'Undone' if entry.kind == 'undo' else 'Redone'}: {label}"
    who = (entry.sha256, entry.frame, kind, target, label, entry.rater, entry.at)
    return _write(connection, *who, entry.changes, entry.window, entry.made_by)


def append(
    connection: sqlite3.Connection,
    sha256: str,
    frame: int,
    kind: Action,
    target: int | None,
    label: str,
    rater: str,
    changes: tuple[Change, ...],
) -> Entry:
    """Write an edit to the log, and bring the cells to what it says."""
    at = now()
    made = (writing.window(connection), writing.made_by(connection))
    edit = _write(connection, sha256, frame, kind, target, label, rater, at, changes, *made)
    judged = not any(change.name == "reading" for change in changes)
    summary.refresh(connection, sha256, frame, edit=edit, rater=rater if judged else "")
    return Entry(edit, sha256, frame, kind, target, label, rater, at, changes, *made)


def _write(
    connection: sqlite3.Connection,
    sha256: str,
    frame: int,
    kind: Action,
    target: int | None,
    label: str,
    rater: str,
    at: str,
    changes: tuple[Change, ...],
    window: str,
    made_by: str,
) -> int:
    cursor = connection.execute(
        "INSERT INTO edits (sha256, frame, kind, target, label, rater, at, window, made_by) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (sha256, frame, kind, target, label, rater, at, window, made_by),
    )
    edit = int(cursor.lastrowid or 0)
    for name, before, after in changes:
        connection.execute("INSERT INTO changes VALUES (?, ?, ?, ?)", (edit, name, before, after))
        at_frame, cell = place_of(frame, name)
        if after is None:
            connection.execute(
                "DELETE FROM cells WHERE sha256 = ? AND frame = ? AND name = ?",
                (sha256, at_frame, cell),
            )
        else:
            connection.execute(
                "INSERT OR REPLACE INTO cells VALUES (?, ?, ?, ?)", (sha256, at_frame, cell, after)
            )
    return edit


def changes_of(connection: sqlite3.Connection, edit: int) -> tuple[Change, ...]:
    """Return what one edit changed."""
    rows = connection.execute(
        "SELECT name, before, after FROM changes WHERE edit = ? ORDER BY name", (edit,)
    )
    return tuple(Change(*row) for row in rows)
