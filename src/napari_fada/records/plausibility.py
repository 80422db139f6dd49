"""What does not fit on each scan, kept beside the worklist so that it can be shown and sorted by.

It is derived (:mod:`napari_fada.checking`), may lag behind the records by a moment, and is made
anew wherever the scan was edited since, or the rules are others.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import NamedTuple


class Checked(NamedTuple):
    """What was found on a scan, as it stood after an edit.

    ``severity`` is 0 where all fits, and above 1 the higher the worse; ``words`` has a line for
    each finding.
    """

    sha256: str
    edit: int
    severity: float
    words: str


def stale(connection: sqlite3.Connection, rules: str) -> list[tuple[str, int]]:
    """Return the scans to be looked at (again), each with its last edit, the latest first."""
    return connection.execute(
        "SELECT s.sha256, s.changed FROM summaries s LEFT JOIN plausibility p "
        "ON p.sha256 = s.sha256 AND p.edit = s.changed AND p.rules = ? "
        "WHERE p.sha256 IS NULL ORDER BY s.changed DESC",
        (rules,),
    ).fetchall()


def keep(connection: sqlite3.Connection, rules: str, checked: Iterable[Checked]) -> None:
    """Keep what was found."""
    connection.executemany(
        "INSERT INTO plausibility (sha256, edit, rules, severity, worst, words) "
        "VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (sha256) DO UPDATE SET edit = excluded.edit, "
        "rules = excluded.rules, severity = excluded.severity, "
        "worst = max(worst, excluded.severity), words = excluded.words",
        [(c.sha256, c.edit, rules, c.severity, c.severity, c.words) for c in checked],
    )
