"""What the worklist is asked for and what it answers: rows, filters and orders, and their SQL."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from napari_fada.records.summary import STATES, States, unpacked

Order = Literal["added", "name", "uncertainty", "state", "changed"]


@dataclass(frozen=True, slots=True)
class Item:
    """One row of the worklist: a file, and what the project says of its scan.

    Attributes
    ----------
    id : int
        Of the row; it stays when the file moves.
    path : Path or None
        Where the file was last seen; None if no file is known (pixels of a layer).
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
    """

    id: int
    path: Path | None
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
    """

    text: str = ""
    states: frozenset[States] = field(default=frozenset(STATES))
    view: str | None = None
    category: str | None = None
    rater: str | None = None
    max_score: float | None = None
    problems: bool | None = None


#: Lets every row through.
EVERYTHING = Filter()

STATE = "coalesce(s.state, 'new')"

FROM = (
    "FROM listed l LEFT JOIN summaries s ON s.sha256 = l.sha256 "
    "LEFT JOIN scans n ON n.sha256 = l.sha256"
)

ITEM = (
    f"SELECT l.id, l.path, l.name, l.sha256, {STATE}, s.view, coalesce(s.classes, ''), s.score, "
    "coalesce(s.rater, ''), coalesce(s.comment, ''), l.problem, coalesce(n.n_frames, 0), "
    "(SELECT min(id) FROM listed o WHERE o.sha256 = l.sha256), coalesce(s.open, 0)"
)

# A scan that was just reviewed has no open score any more. Where one goes on from it, it stands
# at the place that it had (:after), so that "next" means the next one and not the first.
_SCORE = "CASE WHEN l.id = :after THEN coalesce(s.score, s.worst) ELSE s.score END"
_RANK = " ".join(f"WHEN '{state}' THEN {rank}" for rank, state in enumerate(STATES))

ORDER_BY: dict[Order, str] = {
    "added": "l.id",
    "name": "l.name_key, l.name, l.id",
    "uncertainty": f"{_SCORE} IS NULL, {_SCORE}, coalesce(s.open, 0) = 0, l.id",
    "state": f"CASE {STATE} {_RANK} END, l.id",
    "changed": "coalesce(s.changed, 0) DESC, l.id",
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
    return " AND ".join(parts), values


def item_of(row: tuple[Any, ...]) -> Item:
    """Make an item of a row of :data:`ITEM`."""
    identifier, path, name, sha256, state, view, classes, *more, first, open_ = row
    where = Path(path) if path else None
    copy_of = first if first != identifier else None
    return Item(
        *(identifier, where, name, sha256, state, view, unpacked(classes), *more, copy_of, open_)
    )


def folded(text: str) -> str:
    """Make upper and lower case the same; SQLite alone knows only those of ASCII."""
    return text.casefold()
