"""Undo and redo: which step is next, and what belongs to one.

The rule: undo takes back one's own latest act that can be seen. That is one on the frame that is
shown, one about the scan as a whole (review state, comment, scores), wherever it was made, or one
that changed several frames: that goes back in one piece. Other acts on other frames are left
alone. Where a frame was changed again since, that frame's part of the act stays, and the step
says so.

One's own is what was done in this window, or under the same name before this window opened the
project. What others did is taken back only by its number, so that they have been named before.
What a part of the program did (a model's run, an import) is no step, and a merge of two raters'
files is where the steps begin.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable, Iterator
from typing import Any, Literal, NamedTuple

from napari_fada.errors import LockedError
from napari_fada.records import history
from napari_fada.records.edits import CLOSED
from napari_fada.records.history import IN_REVIEW, REVIEW, SCAN, WHOLE, Change, Entry

Turn = Literal["undo", "redo"]


class Hand(NamedTuple):
    """Who undoes: the rater, the window, and the last edit before it opened the project."""

    rater: str
    window: str
    since: int


class Stacks(NamedTuple):
    """Edits that can be undone and redone; the next one is the last of each."""

    undo: list[int]
    redo: list[int]


class Act(NamedTuple):
    """Edits that were done as one by a person, in their order."""

    edits: tuple[int, ...]
    label: str

    @property
    def first(self) -> int:
        """The number of an act: its first edit."""
        return self.edits[0]


class Growing:
    """An act that takes long: edit after edit in transactions of their own, all of them one step.

    What came before it was broken off, by a kill too, is one step as well.
    """

    def __init__(self) -> None:
        self._first = 0

    def grow(self, connection: sqlite3.Connection, edit: int) -> None:
        """Make an edit that was just written a part of it."""
        if not self._first:
            self._first = edit
        connection.execute("INSERT INTO parts VALUES (?, ?)", (edit, self._first))


class Doer(NamedTuple):
    """An act that can be undone, and who did it when."""

    act: int
    label: str
    rater: str
    at: str


class Step(NamedTuple):
    """What an undo or redo did; the label says which frames it had to leave alone."""

    entries: tuple[Entry, ...]
    label: str

    @property
    def frames(self) -> tuple[int, ...]:
        """The frames that were changed."""
        return tuple(sorted({e.frame for e in self.entries} - {WHOLE}))


def put_act(connection: sqlite3.Connection, first: int, label: str) -> None:
    """Make one act of all edits from ``first`` on, if there are several.

    Without a label of its own it has that of the first of them.
    """
    rows = connection.execute("SELECT id FROM edits WHERE id >= ?", (first,)).fetchall()
    if len(rows) > 1:
        name_act(connection, [row[0] for row in rows], label)


def name_act(connection: sqlite3.Connection, edits: Iterable[int], label: str = "") -> None:
    """Make one act of edits, in their order; what is a part of another act stays there."""
    first, *_ = edits = tuple(edits)
    connection.executemany(
        "INSERT OR IGNORE INTO parts VALUES (?, ?)", ((edit, first) for edit in edits)
    )
    if label:
        connection.execute("INSERT OR IGNORE INTO acts VALUES (?, ?)", (first, label))


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
    rows = connection.execute(
        "SELECT edit FROM parts WHERE act = (SELECT act FROM parts WHERE edit = ?) ORDER BY edit",
        (edit,),
    ).fetchall()
    edits = tuple(row[0] for row in rows) or (edit,)
    label = connection.execute(
        "SELECT coalesce(a.label, e.label) FROM edits e LEFT JOIN acts a ON a.first = e.id "
        "WHERE e.id = ?",
        edits[:1],
    ).fetchone()[0]
    return Act(edits, label)


def stacks(connection: sqlite3.Connection, sha256: str, frame: int | None) -> Stacks:
    """Work out from the log what can be undone and redone now, as it is seen on a frame.

    Without a frame: on any of them.
    """
    rows = connection.execute(
        "SELECT e.id, e.frame, e.kind, e.target, e.made_by, p.act FROM edits e "
        "LEFT JOIN parts p ON p.edit = e.id WHERE e.sha256 = ? ORDER BY e.id",
        (sha256,),
    ).fetchall()
    if frame is not None and len({row[1] for row in rows} - {frame, WHOLE}):
        wide = _about_the_scan(connection, sha256) | _over_frames(rows)
        rows = [row for row in rows if row[1] in (frame, WHOLE) or {row[0], row[3]} & wide]
    return _stacks((edit, kind, target, made) for edit, _, kind, target, made, _ in rows)


def stacks_of(connection: sqlite3.Connection, sha256: str, frame: int) -> Stacks:
    """Return what was done to one frame and nothing else."""
    return _stacks(
        connection.execute(
            "SELECT id, kind, target, made_by FROM edits WHERE sha256 = ? AND frame = ? "
            "ORDER BY id",
            (sha256, frame),
        )
    )


def _stacks(rows: Iterable[tuple[int, str, int, str]]) -> Stacks:
    # Dictionaries keep the order, and a turn need not be of the last one.
    undo: dict[int, None] = {}
    redo: dict[int, None] = {}
    no_steps: set[int] = set()
    for edit, kind, target, made_by in rows:
        if made_by == "merge":  # what both raters did lies behind it
            no_steps |= {*undo, *redo}
            undo.clear()
            redo.clear()
        elif made_by:
            no_steps.add(edit)
        elif kind == "do":
            undo[edit] = None
            redo.clear()
        elif kind == "undo":
            undo.pop(target, None)
            redo[target] = None
        else:
            redo.pop(target, None)
            if target not in no_steps:
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


def _over_frames(rows: Iterable[tuple[Any, ...]]) -> set[int]:
    """Return the edits whose act changed several frames: what one key made is seen on all."""
    frames: dict[int, set[int]] = {}
    members: dict[int, list[int]] = {}
    for edit, frame, kind, _, _, act in rows:
        if act is not None and kind == "do":
            frames.setdefault(act, set()).add(frame)
            members.setdefault(act, []).append(edit)
    wide = (act for act, where in frames.items() if len(where) > 1)
    return {edit for act in wide for edit in members[act]}


def turn(
    connection: sqlite3.Connection,
    kind: Turn,
    sha256: str,
    frame: int,
    hand: Hand,
    *,
    act: int | None = None,
) -> Step | None:
    """Undo or redo one's own next step on a frame and on the scan as a whole.

    None if there is none, or if something that others did stands in its way. With the number of
    an act that one is turned, whoever did it.
    """
    if act is not None:
        return _turn_act(connection, kind, act_of(connection, act), sha256, hand.rater)
    ready = stacks(connection, sha256, frame)
    others = False
    for target in reversed(ready.undo if kind == "undo" else ready.redo):
        # What can be redone is the step of who undid it.
        if not _is_own(connection, target, hand, turned=kind == "redo"):
            others = True
            continue
        step = _turn_act(connection, kind, act_of(connection, target), sha256, hand.rater)
        if step is not None or others:
            return step
    return None


def latest(
    connection: sqlite3.Connection,
    sha256: str,
    frame: int | None,
    hand: Hand,
    *,
    own: bool,
) -> Doer | None:
    """Return the latest act that stands, of one's own or of others, as it is seen on a frame."""
    for edit in reversed(stacks(connection, sha256, frame).undo):
        if _is_own(connection, edit, hand) == own:
            found = act_of(connection, edit)
            who = connection.execute(
                "SELECT rater, at FROM signed_edits WHERE id = ?", (edit,)
            ).fetchone()
            return Doer(found.first, found.label, *who)
    return None


def is_standing(connection: sqlite3.Connection, act: int) -> bool:
    """Tell whether an act has not been undone."""
    row = connection.execute(
        "SELECT kind FROM edits WHERE target = ? ORDER BY id DESC LIMIT 1", (act,)
    ).fetchone()
    return row is None or row[0] != "undo"


def _is_own(connection: sqlite3.Connection, edit: int, hand: Hand, *, turned: bool = False) -> bool:
    """Tell whether an edit (or the latest turn of it) is the work of this hand."""
    column = "target" if turned else "id"
    number, rater, window = connection.execute(
        f"SELECT id, rater, window FROM signed_edits WHERE {column} = ? ORDER BY id DESC LIMIT 1",
        (edit,),
    ).fetchone()
    if window and window == hand.window:
        return rater in ("", hand.rater)  # a name may be given after the first edits
    return bool(number <= hand.since and rater == hand.rater)


def _turn_act(
    connection: sqlite3.Connection, kind: Turn, act: Act, sha256: str, rater: str
) -> Step | None:
    done: list[Entry] = []
    left: set[int] = set()
    for edit, frame in _members(connection, act, sha256, turned=kind == "undo"):
        known = stacks_of(connection, sha256, frame)
        if edit not in (known.undo if kind == "undo" else known.redo):
            if kind == "redo" and edit not in known.undo:
                left.add(frame)  # an act of its own came after the undo
            continue
        cells = history.cells(connection, sha256, frame)
        changes = _turned(history.changes_of(connection, edit), kind)
        # Work of others has brought the frame into review already.
        changes = tuple(c for c in changes if c.name != REVIEW or cells.get(REVIEW) != c.after)
        later = known.undo[known.undo.index(edit) + 1 :] if kind == "undo" else []
        signed = cells.get(REVIEW) in CLOSED and _is_signed_since(connection, later, changes)
        if signed or _is_changed_since(cells, changes):
            left.add(frame)
            continue
        if later:
            changes = _kept_in_review(changes)
        changes = _settled(connection, sha256, frame, changes)
        entry = history.append(connection, sha256, frame, kind, edit, act.label, rater, changes)
        done.append(entry)
    if not done:
        return None
    if len(done) > 1:
        name_act(connection, [entry.id for entry in done], act.label)
    label = act.label
    if left:
        names = ", ".join(str(f + 1) for f in sorted(left - {WHOLE}))
        label += f" (not on {f'frame {names}' if names else 'the scan'}: changed since)"
    return Step(tuple(done), label)


def _members(
    connection: sqlite3.Connection, act: Act, sha256: str, *, turned: bool
) -> Iterator[tuple[int, int]]:
    """Yield the edits of an act on a scan with their frames, the last one first if turned."""
    for edit in reversed(act.edits) if turned else act.edits:
        row = connection.execute(
            "SELECT frame FROM edits WHERE id = ? AND sha256 = ? AND kind = 'do'", (edit, sha256)
        ).fetchone()
        if row is not None:
            yield edit, row[0]


def _is_changed_since(cells: history.Cells, changes: Collection[Change]) -> bool:
    """Tell whether cells are no longer what a change begins with, or hold what was locked since."""
    released = {c.name for c in changes if c.after is None}  # a lock that goes with its record
    for name, before, after in changes:
        if not name.startswith(SCAN) and cells.get(name) != before:
            return True
        what, _, uid = name.partition("/")
        lock = f"lock/{uid}"
        if what == "record" and after is None and lock in cells and lock not in released:
            return True
    return False


def _is_signed_since(
    connection: sqlite3.Connection, since: Iterable[int], changes: Iterable[Change]
) -> bool:
    """Tell whether one of these later edits closed the frame with what is to be undone."""
    if all(c.name.startswith(SCAN) and c.name != SCAN + REVIEW for c in changes):
        return False  # a comment, a score
    found = (c for edit in since for c in history.changes_of(connection, edit))
    return any(c.name == REVIEW and c.after in CLOSED for c in found)


def _kept_in_review(changes: Iterable[Change]) -> tuple[Change, ...]:
    """Return changes that leave a frame and its scan in review, where they would end that."""
    kept = (
        Change(c.name, c.before, IN_REVIEW)
        if c.name in (REVIEW, SCAN + REVIEW) and c.after is None
        else c
        for c in changes
    )
    return tuple(c for c in kept if c.before != c.after)


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
