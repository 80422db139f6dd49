"""Undo and redo: which step is next, and what belongs to one.

The rule: undo takes back the latest act that can be seen. That is one on the frame that is
shown, or one about the scan as a whole (review state, comment, scores), wherever it was made.
Other acts on other frames are left alone, unless one act changed several frames at once: then it
goes back in one piece. Where a frame was changed again since, that frame's part of the act
stays, and the step says so.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import Literal, NamedTuple

from napari_fada.errors import LockedError
from napari_fada.records import history
from napari_fada.records.history import IN_REVIEW, REVIEW, SCAN, WHOLE, Change, Entry

Turn = Literal["undo", "redo"]


class Stacks(NamedTuple):
    """Edits that can be undone and redone; the next one is the last of each."""

    undo: list[int]
    redo: list[int]


class Act(NamedTuple):
    """Edits ``first`` to ``last``, done as one by a person."""

    first: int
    last: int
    label: str


class Step(NamedTuple):
    """What an undo or redo did; the label says which frames it had to leave alone."""

    entries: tuple[Entry, ...]
    label: str


def put_act(connection: sqlite3.Connection, first: int, label: str) -> None:
    """Make one act of all edits from ``first`` on, if there are several.

    Without a label of its own it has that of the first of them.
    """
    last = connection.execute("SELECT coalesce(max(id), 0) FROM edits").fetchone()[0]
    if last > first:
        connection.execute(
            "INSERT OR IGNORE INTO acts SELECT ?1, ?2, "
            "coalesce(nullif(?3, ''), (SELECT label FROM edits WHERE id = ?1), '')",
            (first, last, label),
        )


def join_typing(
    connection: sqlite3.Connection, sha256: str, frame: int, name: str, count: int
) -> bool:
    """Make one act of the last edits of all, if each only wrote a cell of a frame."""
    rows = connection.execute(
        "SELECT id, sha256, frame, kind, label FROM edits ORDER BY id DESC LIMIT ?", (count,)
    ).fetchall()
    for edit, of_scan, of_frame, kind, _ in rows:
        names = {c.name for c in history.changes_of(connection, edit)}
        if (of_scan, of_frame, kind) != (sha256, frame, "do") or name not in names:
            return False
        if any(n.startswith("record/") or (n.startswith("field/") and n != name) for n in names):
            return False
    if len(rows) > 1:
        put_act(connection, rows[-1][0], rows[0][4])
    return len(rows) > 1


def act_of(connection: sqlite3.Connection, edit: int) -> Act:
    """Return the act that an edit belongs to; most are an act of their own."""
    row = connection.execute(
        "SELECT first, last, label FROM acts WHERE first <= ? ORDER BY first DESC LIMIT 1", (edit,)
    ).fetchone()
    if row is not None and row[1] >= edit:
        return Act(*row)
    label = connection.execute("SELECT label FROM edits WHERE id = ?", (edit,)).fetchone()[0]
    return Act(edit, edit, label)


def stacks(connection: sqlite3.Connection, sha256: str, frame: int) -> Stacks:
    """Work out from the log what can be undone and redone now, as it is seen on a frame."""
    rows = connection.execute(
        "SELECT id, frame, kind, target FROM edits WHERE sha256 = ? ORDER BY id", (sha256,)
    ).fetchall()
    if len({row[1] for row in rows} - {frame, WHOLE}):
        about_scan = _about_the_scan(connection, sha256)
        rows = [row for row in rows if row[1] in (frame, WHOLE) or {row[0], row[3]} & about_scan]
    return _stacks((edit, kind, target) for edit, _, kind, target in rows)


def stacks_of(connection: sqlite3.Connection, sha256: str, frame: int) -> Stacks:
    """Return what was done to one frame and nothing else."""
    return _stacks(
        connection.execute(
            "SELECT id, kind, target FROM edits WHERE sha256 = ? AND frame = ? ORDER BY id",
            (sha256, frame),
        )
    )


def _stacks(rows: Iterable[tuple[int, str, int]]) -> Stacks:
    # Dictionaries keep the order, and a turn need not be of the last one.
    undo: dict[int, None] = {}
    redo: dict[int, None] = {}
    for edit, kind, target in rows:
        if kind == "do":
            undo[edit] = None
            redo.clear()
        elif kind == "undo":
            undo.pop(target, None)
            redo[target] = None
        else:
            redo.pop(target, None)
            undo[target] = None
    return Stacks(list(undo), list(redo))


def _about_the_scan(connection: sqlite3.Connection, sha256: str) -> set[int]:
    """Return the edits of frames that say something about the scan and nothing else.

    That they bring their frame into review is no more than a mark on it.
    """
    rows = connection.execute(
        "SELECT e.id FROM edits e JOIN changes c ON c.edit = e.id "
        "WHERE e.sha256 = ? AND e.frame <> ? AND e.kind = 'do' GROUP BY e.id "
        "HAVING max(c.name GLOB ?3) AND min(c.name GLOB ?3 OR c.name = ?4) "
        "AND max(c.name GLOB ?3 AND c.name <> ?5)",
        (sha256, WHOLE, f"{SCAN}*", REVIEW, SCAN + REVIEW),
    )
    return {row[0] for row in rows}


def turn(
    connection: sqlite3.Connection, kind: Turn, sha256: str, frame: int, *, rater: str
) -> Step | None:
    """Undo or redo the next step on a frame and on the scan as a whole; None if there is none."""
    ready = stacks(connection, sha256, frame)
    for target in reversed(ready.undo if kind == "undo" else ready.redo):
        step = _turn_act(connection, kind, act_of(connection, target), sha256, frame, rater)
        if step is not None:
            return step
    return None


def _turn_act(
    connection: sqlite3.Connection, kind: Turn, act: Act, sha256: str, here: int, rater: str
) -> Step | None:
    members = connection.execute(
        "SELECT id, frame FROM edits WHERE id BETWEEN ? AND ? AND sha256 = ? AND kind = 'do' "
        "ORDER BY id",
        (act.first, act.last, sha256),
    ).fetchall()
    if kind == "undo":
        members.reverse()
    done: list[Entry] = []
    left: set[int] = set()
    for edit, frame in members:
        known = stacks_of(connection, sha256, frame)
        if edit not in (known.undo if kind == "undo" else known.redo):
            if kind == "redo" and edit not in known.undo:
                left.add(frame)  # an act of its own came after the undo
            continue
        changes = _turned(history.changes_of(connection, edit), kind)
        cells = history.cells(connection, sha256, frame)
        if any(cells.get(c.name) != c.before for c in changes if not c.name.startswith(SCAN)):
            left.add(frame)
            continue
        if kind == "undo" and edit != known.undo[-1]:
            changes = tuple(c for c in changes if c.name != REVIEW)  # later work is on it
        changes = _settled(connection, sha256, frame, changes)
        entry = history.append(connection, sha256, frame, kind, edit, act.label, rater, changes)
        done.append(entry)
    if not done:
        return None
    put_act(connection, done[0].id, act.label)
    label = act.label
    if left - {here}:
        names = ", ".join(str(f + 1) for f in sorted(left - {here, WHOLE}))
        label += f" (not on {f'frame {names}' if names else 'the scan'}: changed since)"
    return Step(tuple(done), label)


def restore(
    connection: sqlite3.Connection, sha256: str, frame: int, edit: int, *, rater: str
) -> Entry | None:
    """Bring a frame back to what it was just after an edit, as a new edit.

    ``edit`` 0 stands for the time before the first one.

    Raises
    ------
    LockedError
        If a structure that is locked now would go.
    """
    present = history.cells(connection, sha256, frame)
    past = history.cells_at(connection, sha256, frame, edit)
    locks = {name: value for name, value in present.items() if name.startswith("lock/")}
    past = {n: v for n, v in past.items() if not n.startswith("lock/")} | locks
    # What two raters disagree on is decided, and not left behind by going back.
    past |= {name: value for name, value in present.items() if name.startswith("conflict/")}
    if past == present:
        return None
    if {name.replace("lock/", "record/", 1) for name in locks} - past.keys():
        raise LockedError(
            "A structure is locked that was another one, or not there, at that time.",
            kept="Nothing was changed.",
            todo="Unlock it first, then restore again.",
        )
    wanted: dict[str, str | None] = {**dict.fromkeys(present), **past}
    if frame != WHOLE:
        scan = history.cells(connection, sha256, WHOLE).get(REVIEW)
        if scan in ("accepted", "corrected"):
            wanted[SCAN + REVIEW] = IN_REVIEW
    row = connection.execute("SELECT label FROM edits WHERE id = ?", (edit,)).fetchone()
    label = f"Restored: as after “{row[0]}”" if row else "Restored: as at the beginning"
    return history.do(connection, sha256, frame, wanted, label=label, rater=rater)


def _turned(changes: Iterable[Change], kind: Turn) -> tuple[Change, ...]:
    if kind == "redo":
        return tuple(changes)
    return tuple(Change(c.name, c.after, c.before) for c in changes)


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
    stand = {SCAN + name: value for name, value in history.cells(connection, sha256, WHOLE).items()}
    turned = {
        c.name: c for c in changes if not c.name.startswith(SCAN) or stand.get(c.name) == c.before
    }
    if REVIEW in turned:
        others = connection.execute(
            "SELECT 1 FROM cells WHERE sha256 = ? AND name = ? AND frame >= 0 AND frame <> ?",
            (sha256, REVIEW, frame),
        ).fetchone()
        here, name = turned[REVIEW].after, SCAN + REVIEW
        stands = stand.get(name)
        found = turned[name].after if name in turned else stands
        if here is None and others is None and found == IN_REVIEW:
            found = None
        elif (found is None and (here or others)) or (
            here in (None, IN_REVIEW) and found in ("accepted", "corrected")
        ):
            found = IN_REVIEW
        turned[name] = Change(name, stands, found)
    return tuple(c for c in turned.values() if c.before != c.after)
