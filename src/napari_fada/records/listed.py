"""The rows of the worklist's files: listing, opening, moving, and what went wrong.

A row is a file. It gets the sha256 of its scan when the file is opened; from then on a moved
or renamed file is recognised, and two files with the same bytes are told.
"""

from __future__ import annotations

import os
import re
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from napari_fada.errors import ScanError
from napari_fada.listing import readable, refuse_no_text
from napari_fada.records.annotation import now


class Stamp(NamedTuple):
    """Size and time of a file: while both stand, it is not read again."""

    size: int
    mtime_ns: int

    @classmethod
    def of(cls, path: Path) -> Stamp | None:
        """Return the stamp of a file, None if it cannot be reached."""
        try:
            found = path.stat()
        except OSError:
            return None
        return cls(found.st_size, found.st_mtime_ns)


class Placed(NamedTuple):
    """Where an opened file stands in the list.

    ``moved_from`` is where the scan was before; ``gone`` the row that was joined with ``id``;
    ``copy_of`` the row of the first file with the same bytes.
    """

    id: int
    moved_from: Path | None = None
    gone: int | None = None
    copy_of: int | None = None


def name_key(name: str) -> str:
    """Return a text that sorts names as people do: frame2 before frame10."""
    return re.sub(r"[0-9]+", lambda digits: digits.group().zfill(20), name.casefold())


def fill_name_keys(connection: sqlite3.Connection) -> None:
    """Give rows that were made by a migration their key."""
    rows = connection.execute("SELECT name, id FROM listed WHERE name_key = ''").fetchall()
    connection.executemany(
        "UPDATE listed SET name_key = ? WHERE id = ?", [(name_key(n), i) for n, i in rows]
    )


def absolute(path: Path) -> str:
    """Return how a path is written in the list (links are kept as they are)."""
    return os.path.abspath(path)  # noqa: PTH100 (Path.absolute() keeps "..")


def _rows(found: Sequence[tuple[Path, str]]) -> Iterator[tuple[str, str, str, str, str]]:
    at = now()
    for path, problem in found:
        place, name = absolute(path), path.name
        try:
            refuse_no_text(Path(place))
        except ScanError as error:
            place, name, problem = readable(place), readable(name), str(error)
        yield place, name, name_key(name), problem, at


def is_there(path: str | None) -> bool:
    """Tell whether a file can be reached; no is also the answer where one may not look."""
    return path is not None and os.path.exists(path)  # noqa: PTH110 (Path.exists() may raise)


def list_files(connection: sqlite3.Connection, found: Sequence[tuple[Path, str]]) -> int:
    """List files that are not listed yet, each with its problem or ''; return how many are new."""
    before = _count(connection)
    connection.executemany(
        "INSERT INTO listed (path, name, name_key, problem, added) VALUES (?, ?, ?, ?, ?) "
        "ON CONFLICT (path) DO UPDATE SET problem = excluded.problem "
        "WHERE sha256 IS NULL AND excluded.problem <> ''",
        _rows(found),
    )
    new = _count(connection) - before
    # Folders that could not be walked have a row that says so; now they can.
    walked = {path.parent for path, wrong in found if not wrong}
    folders = walked.union(*(folder.parents for folder in walked))
    connection.executemany(
        "DELETE FROM listed WHERE path = ? AND sha256 IS NULL AND problem <> ''",
        ((readable(absolute(folder)),) for folder in folders),
    )
    return new


def place(
    connection: sqlite3.Connection,
    sha256: str,
    name: str,
    path: Path | None,
    stamp: Stamp | None = None,
    *,
    problem: str = "",
) -> Placed:
    """Give an opened scan its row in the list.

    A scan that is known and whose file is no longer where it was has moved: its row gets the
    new path. If the file is still there, this one is a copy, with a row of its own.
    """
    where = None if path is None else absolute(path)
    here = connection.execute("SELECT id, sha256 FROM listed WHERE path = ?", (where,)).fetchone()
    if here is not None and here[1] not in (None, sha256):
        here = _let_go(connection, *here)
    known = connection.execute(
        "SELECT id, path FROM listed WHERE sha256 = ? ORDER BY id", (sha256,)
    ).fetchall()
    values = (where, name, name_key(name), *(stamp or (None, None)), problem)
    if here is not None and here[1] == sha256:
        _update(connection, here[0], sha256, values)
        return Placed(here[0], copy_of=known[0][0] if known[0][0] != here[0] else None)
    if known and where is None:
        return Placed(known[0][0])
    lost = next((row for row in known if not is_there(row[1])), None)
    if lost is not None:
        if here is not None:
            connection.execute("DELETE FROM listed WHERE id = ?", (here[0],))
        _update(connection, lost[0], sha256, values)
        return Placed(
            lost[0],
            moved_from=Path(lost[1]) if lost[1] else None,
            gone=here[0] if here else None,
        )
    copy_of = known[0][0] if known else None
    if here is not None:
        _update(connection, here[0], sha256, values)
        return Placed(here[0], copy_of=copy_of)
    cursor = connection.execute(
        "INSERT INTO listed (path, name, name_key, size, mtime_ns, problem, sha256, added) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (*values, sha256, now()),
    )
    return Placed(int(cursor.lastrowid or 0), copy_of=copy_of)


def tell_problem(connection: sqlite3.Connection, identifier: int, path: Path, problem: str) -> bool:
    """Keep why a file cannot be opened; what the project knows of its scan stays.

    Returns
    -------
    bool
        False if the row has got another file in the meantime: the scan had moved.
    """
    cursor = connection.execute(
        "UPDATE listed SET problem = ? WHERE id = ? AND path = ?",
        (problem, identifier, absolute(path)),
    )
    return cursor.rowcount > 0


def _let_go(
    connection: sqlite3.Connection, identifier: int, sha256: str
) -> tuple[int, None] | None:
    """Part a row from its scan, because its file holds another picture now.

    A scan that people or models have worked on keeps the row; an untouched one gives it up.
    """
    worked_on = connection.execute(
        "SELECT 1 FROM edits WHERE sha256 = ? UNION ALL SELECT 1 FROM readings WHERE sha256 = ?",
        (sha256, sha256),
    ).fetchone()
    if not worked_on:
        connection.execute("UPDATE listed SET sha256 = NULL WHERE id = ?", (identifier,))
        return identifier, None
    connection.execute(
        "UPDATE listed SET path = NULL, size = NULL, mtime_ns = NULL, problem = ? WHERE id = ?",
        (
            "Its file holds another picture now. The records of the earlier one are kept. "
            "Add the folder where the earlier file lies.",
            identifier,
        ),
    )
    return None


def _update(
    connection: sqlite3.Connection, identifier: int, sha256: str, values: tuple[object, ...]
) -> None:
    connection.execute(
        "UPDATE listed SET path = ?, name = ?, name_key = ?, size = ?, mtime_ns = ?, "
        "problem = ?, sha256 = ? WHERE id = ?",
        (*values, sha256, identifier),
    )


def _count(connection: sqlite3.Connection) -> int:
    return int(connection.execute("SELECT count(*) FROM listed").fetchone()[0])
