"""Which frames were on the screen, whose, and when last: what a signature may stand on.

A frame has been looked at as it stands if it was on the screen after the last of its open
proposals came, and the reading that it shows. What is closed without that is marked in the
frame's cell ``unseen``.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

from napari_fada.records import history, writing

UNSEEN = "unseen"

#: On the screen here; reviewed elsewhere, as the one who brought it in says; or taken from the
#: log of a project that is older than this table.
How = Literal["screen", "told", "earlier"]
Look = Sequence[Any]
"""A frame and the moment when it was on the screen; a list, where it came out of a file."""


def note(
    connection: sqlite3.Connection,
    sha256: str,
    looks: Iterable[Look],
    *,
    rater: str,
    how: How = "screen",
) -> None:
    """Keep that frames were on the screen of someone; the last moment of each counts."""
    window = "" if rater else writing.window(connection)
    connection.executemany(
        "INSERT INTO looks (sha256, frame, rater, window, how, last) VALUES (?, ?, ?, ?, ?, ?) "
        "ON CONFLICT (sha256, frame, rater, window) DO UPDATE SET "
        "how = CASE how WHEN 'screen' THEN how ELSE excluded.how END, "
        "last = max(last, excluded.last)",
        [(sha256, int(frame), rater, window, how, str(at)) for frame, at in looks],
    )


def by_frame(
    connection: sqlite3.Connection, sha256: str, frame: int | None = None
) -> dict[int, str]:
    """Return when each frame (or one) that ever was on a screen was there last."""
    rows = connection.execute(
        "SELECT frame, max(last) FROM looks WHERE sha256 = ?1 AND (?2 IS NULL OR frame = ?2) "
        "GROUP BY frame",
        (sha256, frame),
    )
    return dict(rows.fetchall())


def raters_of(connection: sqlite3.Connection, sha256: str, frame: int) -> list[str]:
    """Return who had a frame on the screen, the latest last."""
    rows = connection.execute(
        "SELECT rater FROM looks WHERE sha256 = ? AND frame = ? GROUP BY rater ORDER BY max(last)",
        (sha256, frame),
    )
    return [row[0] for row in rows]


def unseen(
    connection: sqlite3.Connection,
    sha256: str,
    *,
    frame: int | None = None,
    looks: Mapping[int, str] | None = None,
    also: Iterable[int] = (),
) -> set[int]:
    """Return the frames with something on them that nobody has looked at as it stands.

    Parameters
    ----------
    frame : int, optional
        The only one that is asked about.
    looks : mapping of frame to moment, optional
        What was on the screen and is not kept yet.
    also : iterable of int
        Frames that are asked about though nothing is on them.
    """
    seen = by_frame(connection, sha256, frame)
    for at, moment in (looks or {}).items():
        seen[at] = max(seen.get(at, ""), moment)
    came = _arrivals(connection, sha256, frame)
    asked = _held(connection, sha256, frame) | set(also)
    worked = _worked(connection, sha256, frame)
    return {
        at
        for at in asked
        if (seen.get(at, "") < came[at] if at in came else at not in seen and at not in worked)
    }


def seen(connection: sqlite3.Connection, sha256: str) -> set[int]:
    """Return the frames that were on the screen as they stand, or that someone has worked on."""
    asked = by_frame(connection, sha256).keys() | _held(connection, sha256, None)
    return asked - unseen(connection, sha256)


def is_seen(connection: sqlite3.Connection, sha256: str, frame: int) -> bool:
    """Tell whether a frame was on the screen as it stands, and not accepted without that."""
    cells = history.cells(connection, sha256, frame)
    there = unseen(connection, sha256, frame=frame, also=[frame])
    return UNSEEN not in cells and not there


def _arrivals(connection: sqlite3.Connection, sha256: str, frame: int | None) -> dict[int, str]:
    """Return from when on each frame is as it stands.

    That is when the last of its open proposals came (what undo brought back came before) or the
    reading that it shows, which may be no more than a text, or when it was accepted unseen.
    """
    rows = connection.execute(
        "SELECT frame, max(came) FROM (SELECT e.frame, min(e.at) AS came FROM edits e "
        "JOIN changes h ON h.edit = e.id "
        "JOIN cells c ON c.sha256 = e.sha256 AND c.frame = e.frame AND c.name = h.name "
        "LEFT JOIN records r ON r.uid = substr(h.name, 8) "
        "WHERE e.sha256 = ?1 AND (?2 IS NULL OR e.frame = ?2) AND h.after = c.value "
        "AND (h.name IN (?3, 'reading') OR (h.name > 'record/' AND h.name < 'record0' "
        "AND json_extract(r.body, '$.status') = 'proposed')) "
        "GROUP BY e.frame, h.name) GROUP BY frame",
        (sha256, frame, UNSEEN),
    )
    return dict(rows.fetchall())


def _held(connection: sqlite3.Connection, sha256: str, frame: int | None) -> set[int]:
    """Return the frames that hold anything."""
    rows = connection.execute(
        "SELECT DISTINCT frame FROM cells WHERE sha256 = ?1 AND frame >= 0 "
        "AND (?2 IS NULL OR frame = ?2)",
        (sha256, frame),
    )
    return {row[0] for row in rows}


def _worked(connection: sqlite3.Connection, sha256: str, frame: int | None) -> set[int]:
    """Return the frames that a person has edited: they were in review."""
    rows = connection.execute(
        "SELECT DISTINCT e.frame FROM edits e JOIN changes h ON h.edit = e.id "
        "WHERE e.sha256 = ?1 AND (?2 IS NULL OR e.frame = ?2) AND e.kind = 'do' "
        "AND h.name = ?3 AND h.after = ?4",
        (sha256, frame, history.REVIEW, history.IN_REVIEW),
    )
    return {row[0] for row in rows}
