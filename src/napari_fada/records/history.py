"""The log of edits: what was done, undone and redone, by whom and when.

The state of a frame is a set of named cells (``record/<uid>``, ``field/<key>``, ``view``,
``review``, …). An edit is a list of changes to cells, each with the value before and after.
An undo is itself an edit, with the changes turned round, so nothing is ever erased and any
earlier state can be had again.

What is said about a scan as a whole lies in cells of the frame ``WHOLE``. An edit of one of its
frames may change them too: their names then begin with ``scan/``. So a person's act is one step
on the frame that is shown, whatever it says about the scan.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

from napari_fada.records import summary
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
    for sha256, of_frame, of_name, after in rows:
        frame, name = place_of(of_frame, of_name)
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
    changes = _settled(connection, sha256, frame, changes)
    return _append(connection, sha256, frame, kind, target, label, rater, changes)


def _settled(
    connection: sqlite3.Connection, sha256: str, frame: int, changes: tuple[Change, ...]
) -> tuple[Change, ...]:
    """Return what an undo or redo changes, as far as it is also about the scan.

    The cells of the frame are turned in their order. What was said about the scan stays if an
    edit of another frame has changed it since. The scan is in review as long as one of its
    frames is, and not finished if a frame no longer is.
    """
    if frame == WHOLE:
        return changes
    now_ = {SCAN + name: value for name, value in cells(connection, sha256, WHOLE).items()}
    turned = {
        c.name: c for c in changes if not c.name.startswith(SCAN) or now_.get(c.name) == c.before
    }
    if REVIEW in turned:
        others = connection.execute(
            "SELECT 1 FROM cells WHERE sha256 = ? AND name = ? AND frame >= 0 AND frame <> ?",
            (sha256, REVIEW, frame),
        ).fetchone()
        here, name = turned[REVIEW].after, SCAN + REVIEW
        stands = now_.get(name)
        found = turned[name].after if name in turned else stands
        if here is None and others is None and found == IN_REVIEW:
            found = None
        elif (found is None and (here or others)) or (
            here in (None, IN_REVIEW) and found in ("accepted", "corrected")
        ):
            found = IN_REVIEW
        turned[name] = Change(name, stands, found)
    return tuple(c for c in turned.values() if c.before != c.after)


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
    judged = not any(change.name == "reading" for change in changes)
    summary.refresh(connection, sha256, frame, edit=edit, rater=rater if judged else "")
    return Entry(edit, sha256, frame, kind, target, label, rater, at, changes)


def _changes(connection: sqlite3.Connection, edit: int) -> tuple[Change, ...]:
    rows = connection.execute(
        "SELECT name, before, after FROM changes WHERE edit = ? ORDER BY name", (edit,)
    )
    return tuple(Change(*row) for row in rows)
