"""What can still be read of a damaged project, saved into a new one.

The damaged file is never written to. Rows are read one after another from both ends of each
table, around what cannot be read; what points to a row that is lost is left out. Where the log
has holes, the state that is stored counts, and one edit more in the log says what was lost.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
import tempfile
from collections.abc import Generator, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from napari_fada.errors import ProjectError
from napari_fada.records import history, summary
from napari_fada.records.annotation import Annotation
from napari_fada.records.project import Project

_TABLES = (
    *("scans", "readings", "records", "edits", "acts", "parts", "changes", "cells", "listed"),
    *("unsigned_records", "signatures", "looks"),
)
_STEP = 256
LABEL = "Saved from a damaged file"


class _Cancel(Protocol):
    def is_set(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class SalvageProgress:
    """``rows`` of ``table`` are read, or written into the new file."""

    doing: str
    table: str
    rows: int


class _CancelledError(Exception):
    pass


@dataclass(frozen=True, slots=True)
class Salvaged:
    """How many rows of each table were saved, and whether some were lost.

    Cancelled: there is no new file.
    """

    path: Path
    rows: dict[str, int] = field(default_factory=dict)
    holes: tuple[str, ...] = ()
    cancelled: bool = False

    @property
    def text(self) -> str:
        """What was saved, for the user."""
        named = (("scans", "scans"), ("records", "structures"), ("edits", "edits"))
        counts = ", ".join(f"{self.rows.get(table, 0)} {name}" for table, name in named)
        lost = "All of it could be read." if not self.holes else "A part could not be read."
        return f"{counts} were saved into {self.path.name}. {lost}"


def salvage(
    damaged: Path, target: Path, *, rater: str = "", cancel: _Cancel | None = None
) -> Iterator[SalvageProgress | Salvaged]:
    """Save what can be read of a damaged project into a new file.

    Yields
    ------
    SalvageProgress, Salvaged
        When ``cancel`` is set, the work ends and no file is left.

    Raises
    ------
    ProjectError
        If nothing can be read, or the new file exists or cannot be written.
    """
    if target.exists():
        raise ProjectError(f"{target} exists already.", todo="Choose a new name.")
    done = Salvaged(target, cancelled=True)
    with suppress(_CancelledError):
        done = yield from _steps(damaged, target, rater, cancel)
    yield done


def _steps(
    damaged: Path, target: Path, rater: str, cancel: _Cancel | None
) -> Generator[SalvageProgress, None, Salvaged]:
    with tempfile.TemporaryDirectory(prefix="napari-fada-") as folder:
        copy = Path(folder) / "damaged.fada"
        for suffix in ("", "-wal"):
            source = damaged.with_name(damaged.name + suffix)
            if source.exists():
                shutil.copyfile(source, copy.with_name(copy.name + suffix))
        found, holes = yield from _read(copy, cancel)
    _add_scans_of_readings(found)
    if not found.get("scans"):
        raise ProjectError(
            f"Nothing could be read of {damaged}.",
            kept="It was not changed.",
            todo="Restore a backup, or start a new project.",
        )
    try:
        with Project.open(target, rater=rater) as project, project._store.write() as c:
            rows = yield from _write(c, found, cancel)
            _settle(c, found.get("cells", []), rater, whole="cells" not in holes)
            c.execute("DELETE FROM frames")
            c.execute("DELETE FROM summaries")
            summary.rebuild(c)
            _look(cancel)
    except BaseException:
        for suffix in ("", "-wal", "-shm"):
            target.with_name(target.name + suffix).unlink(missing_ok=True)
        raise
    return Salvaged(target, rows, tuple(holes))


def _look(cancel: _Cancel | None) -> None:
    if cancel is not None and cancel.is_set():
        raise _CancelledError


def _add_scans_of_readings(found: dict[str, list[dict[str, Any]]]) -> None:
    """Make rows of scans that are lost from what readings say of them."""
    scans = found.setdefault("scans", [])
    known = {row["sha256"] for row in scans}
    for reading in found.get("readings", []):
        with suppress(ValueError, KeyError, TypeError):
            ref = json.loads(reading["body"])["scan"]
            if ref["sha256"] in known:
                continue
            known.add(ref["sha256"])
            scans.append(
                {
                    **{"sha256": ref["sha256"], "name": ref["file"], "n_frames": ref["frame"] + 1},
                    **{"width": ref["width"], "height": ref["height"]},
                    "added": reading["created"],
                }
            )


def _read(
    copy: Path, cancel: _Cancel | None
) -> Generator[SalvageProgress, None, tuple[dict[str, list[dict[str, Any]]], list[str]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    holes: list[str] = []
    for table in _TABLES:
        # A connection of its own for each: after an error SQLite may refuse the rest.
        with closing(sqlite3.connect(copy)) as connection:
            connection.row_factory = sqlite3.Row
            try:
                rows = found[table] = []
                yield SalvageProgress("Reading", table, 0)
                for row in _rows(connection, table, holes):
                    rows.append(dict(row))
                    if len(rows) % _STEP == 0:
                        _look(cancel)
                        yield SalvageProgress("Reading", table, len(rows))
                _look(cancel)
            except sqlite3.DatabaseError:
                holes.append(table)
    return found, holes


def _rows(connection: sqlite3.Connection, table: str, holes: list[str]) -> Iterator[sqlite3.Row]:
    columns = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
    if not columns:
        return
    keyed = table not in ("changes", "cells")
    order = "rowid" if keyed else "edit, name" if table == "changes" else "sha256, frame, name"
    seen: set[tuple[Any, ...]] = set()
    for direction in ("ASC", "DESC"):
        keys = ", ".join(f"{part} {direction}" for part in order.split(", "))
        try:
            for row in connection.execute(f"SELECT * FROM {table} ORDER BY {keys}"):
                if tuple(row) not in seen:
                    seen.add(tuple(row))
                    yield row
            return
        except sqlite3.DatabaseError:
            holes.append(table)
    if keyed:
        yield from _between(connection, table, seen)


def _between(
    connection: sqlite3.Connection, table: str, seen: set[tuple[Any, ...]]
) -> Iterator[sqlite3.Row]:
    """Read single rows by their number, between the two ends that could be read in one go."""
    last = _STEP
    with suppress(sqlite3.DatabaseError):
        last = connection.execute(f"SELECT max(rowid) FROM {table}").fetchone()[0] or _STEP
    for number in range(1, last + 1):
        with suppress(sqlite3.DatabaseError):
            row = connection.execute(f"SELECT * FROM {table} WHERE rowid = ?", (number,)).fetchone()
            if row is not None and tuple(row) not in seen:
                yield row


def _write(
    c: sqlite3.Connection, found: dict[str, list[dict[str, Any]]], cancel: _Cancel | None
) -> Generator[SalvageProgress, None, dict[str, int]]:
    """Put rows into the new file, but those that point to what is lost or are broken."""
    counts: dict[str, int] = {}
    c.execute("DELETE FROM listed")
    for table in _TABLES:
        if table == "cells":
            continue  # written with the log
        known = {row[1] for row in c.execute(f"PRAGMA table_info({table})")}
        for number, row in enumerate(found.get(table, [])):
            if number % _STEP == 0:
                _look(cancel)
                yield SalvageProgress("Writing", table, number)
            if not _is_whole(table, row):
                continue
            row = {name: value for name, value in row.items() if name in known}
            if table == "records" and not _is_there(c, "readings", "id", row["reading"]):
                row["reading"] = None
            if (
                table == "edits"
                and row["kind"] != "do"
                and not _is_there(c, "edits", "id", row["target"])
            ):
                row |= {"kind": "do", "target": None}
            names = ", ".join(row)
            marks = ", ".join("?" * len(row))
            with suppress(sqlite3.IntegrityError):
                c.execute("SAVEPOINT row")
                c.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", tuple(row.values()))
                counts[table] = counts.get(table, 0) + 1
            c.execute("RELEASE row")
    return counts


def _is_there(c: sqlite3.Connection, table: str, column: str, value: Any) -> bool:
    found = c.execute(f"SELECT 1 FROM {table} WHERE {column} = ?", (value,)).fetchone()
    return value is None or found is not None


def _is_whole(table: str, row: dict[str, Any]) -> bool:
    if table in ("readings", "records"):
        try:
            body = json.loads(row["body"])
            if table == "records":
                Annotation.from_dict(body)
        except (ValueError, KeyError, TypeError):
            return False
    return True


def _settle(c: sqlite3.Connection, cells: list[dict[str, Any]], rater: str, *, whole: bool) -> None:
    """Bring the state to what the damaged file kept of it, as far as its records are there.

    ``whole`` says that all of the stored state could be read: what it lacks is not there.
    """
    derived = history.replay(c)
    for (sha256, frame), state in derived.items():
        c.executemany(
            "INSERT OR REPLACE INTO cells VALUES (?, ?, ?, ?)",
            [(sha256, frame, name, value) for name, value in state.items()],
        )
    kept: dict[tuple[str, int], dict[str, str]] = {}
    for row in cells:
        kept.setdefault((row["sha256"], row["frame"]), {})[row["name"]] = row["value"]
    for sha256, frame in derived.keys() | kept.keys():
        state = kept.get((sha256, frame), {} if whole else derived.get((sha256, frame), {}))
        if not _is_there(c, "scans", "sha256", sha256):
            continue
        gone = derived.get((sha256, frame), {}) if whole else {}
        wanted: dict[str, str | None] = {**dict.fromkeys(gone), **state}
        for name in state:
            kind, _, key = name.partition("/")
            lost = (kind == "record" and not _is_there(c, "records", "uid", key)) or (
                name == "reading" and not _is_there(c, "readings", "id", state[name])
            )
            if lost:
                wanted[name] = None
        history.do(c, sha256, frame, wanted, label=LABEL, rater=rater)
