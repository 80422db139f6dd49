"""The log of edits: what was done, undone and redone, by whom and when.

The state of a frame is a set of named cells (``record/<uid>``, ``field/<key>``, ``view``,
``review``, …). An edit is a list of changes to cells, each with the value before and after.
An undo is itself an edit, with the changes turned round, so nothing is ever erased and any
earlier state can be had again.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

from napari_fada.records.annotation import now

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


class Stacks(NamedTuple):
    """Edits that can be undone and redone; the next one is the last of each."""

    undo: list[int]
    redo: list[int]


def cells(connection: sqlite3.Connection, sha256: str, frame: int) -> Cells:
    """Return the current state of a frame."""
    rows = connection.execute(
        "SELECT name, value FROM cells WHERE sha256 = ? AND frame = ?", (sha256, frame)
    )
    return dict(rows.fetchall())


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
    current = cells(connection, sha256, frame)
    changes = tuple(
        Change(name, current.get(name), after)
        for name, after in sorted(wanted.items())
        if current.get(name) != after
    )
    if not changes:
        return None
    return _append(connection, sha256, frame, "do", None, label, rater, changes)


def undo(connection: sqlite3.Connection, sha256: str, frame: int, *, rater: str) -> Entry | None:
    """Turn the last standing edit round; None if there is none."""
    ready = stacks(connection, sha256, frame).undo
    return _turn(connection, "undo", ready[-1], rater) if ready else None


def redo(connection: sqlite3.Connection, sha256: str, frame: int, *, rater: str) -> Entry | None:
    """Do the last undone edit again; None if there is none."""
    ready = stacks(connection, sha256, frame).redo
    return _turn(connection, "redo", ready[-1], rater) if ready else None


def restore(
    connection: sqlite3.Connection, sha256: str, frame: int, edit: int, *, rater: str
) -> Entry | None:
    """Bring a frame back to what it was just after an edit, as a new edit.

    ``edit`` 0 stands for the time before the first one.
    """
    wanted: dict[str, str | None] = {}
    for entry in entries(connection, sha256, frame, after=edit):
        for change in entry.changes:
            wanted.setdefault(change.name, change.before)
    return do(connection, sha256, frame, wanted, label=f"Back to step {edit}", rater=rater)


def stacks(connection: sqlite3.Connection, sha256: str, frame: int) -> Stacks:
    """Work out from the log what can be undone and redone now."""
    rows = connection.execute(
        "SELECT id, kind FROM edits WHERE sha256 = ? AND frame = ? ORDER BY id", (sha256, frame)
    )
    found = Stacks([], [])
    for edit, kind in rows:
        if kind == "do":
            found.undo.append(edit)
            found.redo.clear()
        elif kind == "undo":
            found.redo.append(found.undo.pop())
        else:
            found.undo.append(found.redo.pop())
    return found


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
        "SELECT id, sha256, frame, kind, target, label, rater, at FROM edits "
        f"WHERE {where} ORDER BY id",
        arguments,
    ).fetchall()
    return [
        Entry(edit, sha, of_frame, kind, target, label, rater, at, _changes(connection, edit))
        for edit, sha, of_frame, kind, target, label, rater, at in rows
    ]


def replay(connection: sqlite3.Connection) -> dict[tuple[str, int], Cells]:
    """Derive the state of every frame from the log alone."""
    state: dict[tuple[str, int], Cells] = {}
    rows = connection.execute(
        "SELECT e.sha256, e.frame, c.name, c.after FROM edits e JOIN changes c ON c.edit = e.id "
        "ORDER BY e.id"
    )
    for sha256, frame, name, after in rows:
        frame_cells = state.setdefault((sha256, frame), {})
        if after is None:
            frame_cells.pop(name, None)
        else:
            frame_cells[name] = after
    return {key: found for key, found in state.items() if found}


def _turn(connection: sqlite3.Connection, kind: Action, target: int, rater: str) -> Entry:
    sha256, frame, label = connection.execute(
        "SELECT sha256, frame, label FROM edits WHERE id = ?", (target,)
    ).fetchone()
    changes = _changes(connection, target)
    if kind == "undo":
        changes = tuple(Change(c.name, c.after, c.before) for c in changes)
    return _append(connection, sha256, frame, kind, target, label, rater, changes)


def _append(
    connection: sqlite3.Connection,
    sha256: str,
    frame: int,
    kind: Action,
    target: int | None,
    label: str,
    rater: str,
    changes: tuple[Change, ...],
) -> Entry:
    at = now()
    cursor = connection.execute(
        "INSERT INTO edits (sha256, frame, kind, target, label, rater, at) "
        "VALUES (?, ?, ?, ?, ?, ?, ?)",
        (sha256, frame, kind, target, label, rater, at),
    )
    edit = int(cursor.lastrowid or 0)
    for name, before, after in changes:
        connection.execute("INSERT INTO changes VALUES (?, ?, ?, ?)", (edit, name, before, after))
        if after is None:
            connection.execute(
                "DELETE FROM cells WHERE sha256 = ? AND frame = ? AND name = ?",
                (sha256, frame, name),
            )
        else:
            connection.execute(
                "INSERT OR REPLACE INTO cells VALUES (?, ?, ?, ?)", (sha256, frame, name, after)
            )
    return Entry(edit, sha256, frame, kind, target, label, rater, at, changes)


def _changes(connection: sqlite3.Connection, edit: int) -> tuple[Change, ...]:
    rows = connection.execute(
        "SELECT name, before, after FROM changes WHERE edit = ? ORDER BY name", (edit,)
    )
    return tuple(Change(*row) for row in rows)
