"""What a worklist shows of each scan, kept beside the cells so that ten thousand are read at once.

Two tables are derived from the cells and the log: ``frames`` (a row for each frame that holds
anything) and ``summaries`` (a row for each scan that was ever edited). Every edit brings the
rows of its frame and its scan up to date in its own transaction; ``Project.check`` derives
them again and compares.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from typing import Literal, get_args

States = Literal[
    "new", "proposed", "imported", "in_review", "accepted", "corrected", "rejected", "skipped"
]

#: The states of a scan, in the order of the work.
STATES: tuple[States, ...] = get_args(States)

#: States in which a scan still waits for its expert.
UNREVIEWED: frozenset[States] = frozenset({"new", "proposed", "imported", "in_review"})

_WHOLE = -1
_FRAME_COLUMNS = "sha256, frame, shown, open, classes, score, worst, view"
_SCAN_COLUMNS = (
    "sha256, state, view, views, classes, open, score, worst, rater, raters, comment, changed"
)
Row = tuple[object, ...]


def refresh(
    connection: sqlite3.Connection, sha256: str, frame: int, *, edit: int, rater: str
) -> None:
    """Bring the rows of a frame and its scan up to date after an edit.

    ``rater`` is empty if the edit is none of a person (a reading was shown).
    """
    if frame != _WHOLE:
        connection.execute("DELETE FROM frames WHERE sha256 = ? AND frame = ?", (sha256, frame))
        _insert(connection, "frames", _FRAME_COLUMNS, _frame_row(connection, sha256, frame))
    found = connection.execute(
        "SELECT raters FROM summaries WHERE sha256 = ?", (sha256,)
    ).fetchone()
    raters = unpacked(found[0]) if found else ()
    if rater:
        raters = (*(r for r in raters if r != rater), rater)
    connection.execute("DELETE FROM summaries WHERE sha256 = ?", (sha256,))
    row = _scan_row(connection, sha256, raters, edit)
    _insert(connection, "summaries", _SCAN_COLUMNS, row)


def derive(connection: sqlite3.Connection, sha256: str) -> None:
    """Derive the row of one scan again, the raters from the whole of its log."""
    connection.execute("DELETE FROM summaries WHERE sha256 = ?", (sha256,))
    _insert(connection, "summaries", _SCAN_COLUMNS, _derived(connection, sha256))


def rebuild(connection: sqlite3.Connection) -> None:
    """Derive all rows again."""
    connection.execute("DELETE FROM frames")
    connection.execute("DELETE FROM summaries")
    keys = connection.execute(
        "SELECT DISTINCT sha256, frame FROM cells WHERE frame >= 0"
    ).fetchall()
    for sha256, frame in keys:
        _insert(connection, "frames", _FRAME_COLUMNS, _frame_row(connection, sha256, frame))
    for (sha256,) in connection.execute("SELECT DISTINCT sha256 FROM edits").fetchall():
        _insert(connection, "summaries", _SCAN_COLUMNS, _derived(connection, sha256))


def differing(connection: sqlite3.Connection) -> list[str]:
    """Return the scans whose rows are not what the cells say."""
    stored_frames = {
        (row[0], row[1]): row
        for row in connection.execute(f"SELECT {_FRAME_COLUMNS} FROM frames").fetchall()
    }
    keys = connection.execute(
        "SELECT DISTINCT sha256, frame FROM cells WHERE frame >= 0"
    ).fetchall()
    wrong = {
        sha256
        for sha256, frame in {*keys, *stored_frames}
        if stored_frames.get((sha256, frame)) != _frame_row(connection, sha256, frame)
    }
    stored = {
        row[0]: row
        for row in connection.execute(f"SELECT {_SCAN_COLUMNS} FROM summaries").fetchall()
    }
    scans = {row[0] for row in connection.execute("SELECT DISTINCT sha256 FROM edits")}
    wrong |= {s for s in scans | stored.keys() if stored.get(s) != _derived(connection, s)}
    return sorted(wrong)


def state_of(connection: sqlite3.Connection, sha256: str) -> States:
    """Return the state of review of a scan."""
    row = connection.execute("SELECT state FROM summaries WHERE sha256 = ?", (sha256,)).fetchone()
    return row[0] if row else "new"


def packed(names: Iterable[str]) -> str:
    """Write names for a column that is searched: each between line breaks."""
    lines = "\n".join(names)
    return f"\n{lines}\n" if lines else ""


def unpacked(text: str) -> tuple[str, ...]:
    """Read what :func:`packed` wrote."""
    return tuple(text.strip("\n").split("\n")) if text else ()


def _insert(connection: sqlite3.Connection, table: str, columns: str, values: Row | None) -> None:
    if values is not None:
        marks = ", ".join("?" * len(values))
        connection.execute(f"INSERT INTO {table} ({columns}) VALUES ({marks})", values)


def _frame_row(connection: sqlite3.Connection, sha256: str, frame: int) -> Row | None:
    key = (sha256, frame)
    records = connection.execute(
        "SELECT json_extract(r.body, '$.class'), json_extract(r.body, '$.status'), "
        "json_extract(r.body, '$.score') FROM cells c JOIN records r ON r.uid = substr(c.name, 8) "
        "WHERE c.sha256 = ? AND c.frame = ? AND c.name > 'record/' AND c.name < 'record0'",
        key,
    ).fetchall()
    words = dict(
        connection.execute(
            "SELECT name, value FROM cells WHERE sha256 = ? AND frame = ? AND name < 'record/' "
            "UNION ALL "
            "SELECT name, value FROM cells WHERE sha256 = ? AND frame = ? AND name > 'record0'",
            (*key, *key),
        ).fetchall()
    )
    view = words.get("view")
    if view is None and "reading" in words:
        view = connection.execute(
            "SELECT json_extract(body, '$.view') FROM readings WHERE id = ?", (words["reading"],)
        ).fetchone()[0]
    if not records and not words:
        return None
    open_ = [score for _, status, score in records if status == "proposed"]
    return (
        *(sha256, frame, 1, len(open_)),
        packed(sorted({name for name, status, _ in records if status != "rejected"})),
        min((s for s in open_ if s is not None), default=None),
        min((s for _, _, s in records if s is not None), default=None),
        view or None,
    )


def _scan_row(
    connection: sqlite3.Connection, sha256: str, raters: tuple[str, ...], changed: int
) -> Row:
    frames = connection.execute(
        "SELECT open, classes, score, worst, view FROM frames WHERE sha256 = ? ORDER BY frame",
        (sha256,),
    ).fetchall()
    words = dict(
        connection.execute(
            "SELECT name, value FROM cells WHERE sha256 = ? AND frame = ? "
            "AND name IN ('review', 'comment')",
            (sha256, _WHOLE),
        ).fetchall()
    )
    state = words.get("review")
    if state not in STATES:
        state = _untouched(connection, sha256, frames)
    views = list(dict.fromkeys(row[4] for row in frames if row[4]))
    return (
        *(sha256, state, views[0] if views else None, packed(views)),
        packed(sorted({name for row in frames for name in unpacked(row[1])})),
        sum(row[0] for row in frames),
        min((row[2] for row in frames if row[2] is not None), default=None),
        min((row[3] for row in frames if row[3] is not None), default=None),
        raters[-1] if raters else "",
        packed(raters),
        words.get("comment", ""),
        changed,
    )


def _untouched(connection: sqlite3.Connection, sha256: str, frames: Sequence[Row]) -> States:
    """Return the state of a scan that no person has edited here: who has said something of it.

    What was judged elsewhere came in with labels. It is nobody's proposal, even beside a reading
    that was shown and found nothing.
    """
    if not frames:
        return "new"
    stands, is_open = any(row[1] for row in frames), any(row[0] for row in frames)
    if is_open or not (stands or not _reading_shown(connection, sha256)):
        return "proposed"
    return "imported"


def _reading_shown(connection: sqlite3.Connection, sha256: str) -> bool:
    found = connection.execute(
        "SELECT 1 FROM cells WHERE sha256 = ? AND name = 'reading' LIMIT 1", (sha256,)
    )
    return found.fetchone() is not None


def _derived(connection: sqlite3.Connection, sha256: str) -> Row | None:
    changed = connection.execute(
        "SELECT max(id) FROM edits WHERE sha256 = ?", (sha256,)
    ).fetchone()[0]
    if changed is None:
        return None
    raters = connection.execute(
        "SELECT rater FROM signed_edits e WHERE sha256 = ? AND rater <> '' AND NOT EXISTS "
        "(SELECT 1 FROM changes WHERE edit = e.id AND name = 'reading') "
        "GROUP BY rater ORDER BY max(id)",
        (sha256,),
    )
    return _scan_row(connection, sha256, tuple(row[0] for row in raters), changed)
