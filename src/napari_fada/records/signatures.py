"""Who did what was done before a name was given: the log is not rewritten, it is signed.

Every edit says which window made it. When a window gives a name, one row says that its edits
without one, up to here, are this rater's, and everything that is read from then on says so: the
views ``signed_edits`` and ``signed_records`` put the name where none stands. What other windows
did without a name, now or earlier, stays without one.
"""

from __future__ import annotations

import sqlite3

from napari_fada.records import summary, writing
from napari_fada.records.annotation import Annotation, now


def note_record(connection: sqlite3.Connection, record: Annotation) -> None:
    """Note in which window a structure was drawn or judged by someone without a name.

    What a model or another frame proposes is nobody's; labels that come in are of someone else.
    """
    window = writing.window(connection)
    proposed = record.status == "proposed" and record.source != "expert"
    came_in = record.source == "import" and record.parent is None
    if window and not (record.rater or proposed or came_in):
        connection.execute(
            "INSERT INTO unsigned_records SELECT ?, ?, coalesce(max(id), 0) FROM edits",
            (record.uid, window),
        )


def sign(connection: sqlite3.Connection, window: str, rater: str) -> dict[tuple[str, int], int]:
    """Sign what a window did without a name; return how many edits of which frames these are."""
    rows = connection.execute(
        "SELECT sha256, frame, count(*), max(id) FROM edits WHERE window = ?1 AND rater = '' "
        "AND id > (SELECT coalesce(max(upto), 0) FROM signatures WHERE window = ?1) "
        "GROUP BY sha256, frame",
        (window,),
    ).fetchall()
    if rows:
        upto = max(row[3] for row in rows)
        connection.execute(
            "INSERT INTO signatures VALUES (?, ?, ?, ?)", (window, upto, rater, now())
        )
        for sha256 in {row[0] for row in rows}:
            summary.derive(connection, sha256)
    connection.execute(
        "INSERT INTO looks (sha256, frame, rater, window, how, last) "
        "SELECT sha256, frame, ?, '', how, last FROM looks WHERE window = ? AND rater = '' "
        "ON CONFLICT (sha256, frame, rater, window) DO UPDATE SET last = max(last, excluded.last)",
        (rater, window),
    )
    connection.execute("DELETE FROM looks WHERE window = ? AND rater = ''", (window,))
    return {(sha256, frame): count for sha256, frame, count, _ in rows}
