"""What the worklist is asked for and what it answers: rows, filters and orders, and their SQL."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple

from napari_fada.records.summary import STATES, States, unpacked

Order = Literal["added", "name", "uncertainty", "state", "changed", "plausibility"]


@dataclass(frozen=True, slots=True)
class Item:
    """One row of the worklist: a file, and what the project says of its scan.

    Attributes
    ----------
    id : int
        Of the row; it stays when the file moves.
    file : str or None
        Where the file was last seen (``path`` is the same as a Path); None if no file is known
        (pixels of a layer).
    sha256 : str or None
        None until the file has been opened.
    view : str or None
        Of the first frame that has one.
    classes : tuple of str
        Of the structures that stand, in alphabetical order.
    score : float or None
        The lowest score among the open proposals: the uncertainty to sort by.
    rater : str
        Who worked on it last; running a model is no work.
    problem : str
        Why the file cannot be opened; empty if it can or has not been tried.
    n_frames : int
        0 until the file has been opened.
    copy_of : int or None
        The row of the first file with the same bytes. State and records are shared.
    open : int
        How many proposals no one has judged yet.
    severity : float
        How far what fits least is off; 0 if all fits or nothing was measured, else above 1.
    odd : str
        What does not fit, in words; each finding a line.
    """

    id: int
    file: str | None
    name: str
    sha256: str | None
    state: States
    view: str | None
    classes: tuple[str, ...]
    score: float | None
    rater: str
    comment: str
    problem: str
    n_frames: int
    copy_of: int | None = None
    open: int = 0
    severity: float = 0.0
    odd: str = ""

    @property
    def path(self) -> Path | None:
        """Where the file was last seen; made when it is asked for, ten thousand take a while."""
        return None if self.file is None else Path(self.file)


@dataclass(frozen=True, slots=True)
class Filter:
    """Which rows are wanted; what is left alone lets everything through.

    Attributes
    ----------
    text : str
        Words that must all stand in the name, the folder or the comment; case does not matter.
    states : frozenset of str
        States that are let through.
    view : str, optional
        Some frame has this view.
    category : str, optional
        A structure of this class stands.
    rater : str, optional
        This person has worked on it.
    max_score : float, optional
        The lowest open score is not higher.
    problems : bool, optional
        True: only files that cannot be opened; False: only the others.
    unread : bool, optional
        True: only scans that no model has read; False: only the others.
    """

    text: str = ""
    states: frozenset[States] = field(default=frozenset(STATES))
    view: str | None = None
    category: str | None = None
    rater: str | None = None
    max_score: float | None = None
    problems: bool | None = None
    unread: bool | None = None


#: Lets every row through.
EVERYTHING = Filter()

STATE = "coalesce(s.state, 'new')"

FROM = (
    "FROM listed l LEFT JOIN summaries s ON s.sha256 = l.sha256 "
    "LEFT JOIN plausibility p ON p.sha256 = l.sha256"
)

ITEM = (
    f"SELECT l.id, l.path, l.name, l.sha256, {STATE}, s.view, coalesce(s.classes, ''), s.score, "
    "coalesce(s.rater, ''), coalesce(s.comment, ''), l.problem, coalesce(s.open, 0), "
    "coalesce(p.severity, 0.0), coalesce(p.words, '')"
)

#: Frames of the scans, and the first row of a scan with several files: for one scan, and for
#: all that are not as usual. A subquery for each of ten thousand rows would take as long as all
#: else.
FRAMES = "SELECT sha256, n_frames FROM scans WHERE sha256 = ?"
UNUSUAL_FRAMES = "SELECT sha256, n_frames FROM scans WHERE n_frames <> 1"
FIRST = "SELECT sha256, min(id) AS first FROM listed WHERE sha256 = ?"
FIRST_OF_COPIES = (
    "SELECT sha256, min(id) AS first FROM listed WHERE sha256 IS NOT NULL "
    "GROUP BY sha256 HAVING count(*) > 1"
)
NO_COPY = (
    f"l.id NOT IN (SELECT o.id FROM ({FIRST_OF_COPIES}) d "
    "JOIN listed o ON o.sha256 = d.sha256 AND o.id <> d.first)"
)

# A scan that was just reviewed has no open score any more. Where one goes on from it, it stands
# at the place that it had (:after), so that "next" means the next one and not the first.
_SCORE = "CASE WHEN l.id = :after THEN coalesce(s.score, s.worst) ELSE s.score END"
_SEVERITY = "CASE WHEN l.id = :after THEN p.worst ELSE p.severity END"
_RANK = " ".join(f"WHEN '{state}' THEN {rank}" for rank, state in enumerate(STATES))

ORDER_BY: dict[Order, str] = {
    "added": "l.id",
    "name": "l.name_key, l.name, l.id",
    "uncertainty": f"{_SCORE} IS NULL, {_SCORE}, coalesce(s.open, 0) = 0, l.id",
    "state": f"CASE {STATE} {_RANK} END, l.id",
    "changed": "coalesce(s.changed, 0) DESC, l.id",
    "plausibility": f"coalesce({_SEVERITY}, 0) DESC, l.id",
}

#: What a worklist may be ordered by.
ORDERS: tuple[Order, ...] = tuple(ORDER_BY)


def condition(where: Filter) -> tuple[str, dict[str, Any]]:
    """Write a filter as a condition of SQL, with its values."""
    parts, values = ["1"], dict[str, Any]()
    if where.states != frozenset(STATES):
        chosen = [state for state in STATES if state in where.states]
        parts.append(f"{STATE} IN ({', '.join(repr(state) for state in chosen)})")
    for k, word in enumerate(where.text.casefold().split()):
        parts.append(
            f"instr(folded(coalesce(l.path, l.name) || ' ' || coalesce(s.comment, '')), :word{k})"
        )
        values[f"word{k}"] = word
    for column, name in (
        ("views", where.view),
        ("classes", where.category),
        ("raters", where.rater),
    ):
        if name is not None:
            parts.append(f"instr(s.{column}, char(10) || :{column} || char(10))")
            values[column] = name
    if where.max_score is not None:
        parts.append("s.score <= :score")
        values["score"] = where.max_score
    if where.problems is not None:
        parts.append("l.problem <> ''" if where.problems else "l.problem = ''")
    if where.unread is not None:
        read = "EXISTS (SELECT 1 FROM readings r WHERE r.sha256 = l.sha256)"
        parts.append(f"NOT {read}" if where.unread else read)
    return " AND ".join(parts), values


class Rows(NamedTuple):
    """Rows of :data:`ITEM` as they were read, and what was looked up for them."""

    rows: list[tuple[Any, ...]]
    frames: Mapping[str, int]
    firsts: Mapping[str, int]

    def items(self) -> list[Item]:
        """Make items of them; that takes as long as reading, and needs no connection."""
        return [self._item(row) for row in self.rows]

    def _item(self, row: tuple[Any, ...]) -> Item:
        identifier, sha256 = row[0], row[3]
        n_frames = 0 if sha256 is None else self.frames.get(sha256, 1)
        first = self.firsts.get(sha256, identifier)
        copy_of = None if first == identifier else first
        values = (*row[:6], unpacked(row[6]), *row[7:11], n_frames, copy_of, *row[11:])
        return Item(*values)


def read_rows(connection: sqlite3.Connection, rest: str, values: Mapping[str, Any]) -> Rows:
    """Read the rows of a query; ``rest`` is its condition and order."""
    rows = connection.execute(f"{ITEM} {FROM} {rest}", values).fetchall()
    one = len(rows) == 1
    queries = (FRAMES, FIRST) if one else (UNUSUAL_FRAMES, FIRST_OF_COPIES)
    key = (rows[0][3],) if one else ()
    frames, firsts = (dict(connection.execute(query, key).fetchall()) for query in queries)
    return Rows(rows, frames, firsts)


def folded(text: str) -> str:
    """Make upper and lower case the same; SQLite alone knows only those of ASCII."""
    return text.casefold()
