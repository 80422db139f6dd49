"""The rows of a merge: scans, readings, records and listed files of two projects in one.

Readings with the same id, or with the same content (one model, one frame, the same answers),
are there once, and so are their proposals: what both raters did to a proposal can be compared.

Whose a scan is stands in a project as a hash with the project's own salt. The merged project
takes the first one's salt; a hash of the second one is translated where a scan of that person
is in both, and left empty elsewhere, to be worked out again when the file is opened.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from napari_fada.records import listed, looks, summary, tables
from napari_fada.records.agreement import Agreement
from napari_fada.records.annotation import Annotation, now
from napari_fada.records.history import Change, Entry
from napari_fada.records.steps import Act, act_of

_SCAN = (
    "sha256, name, path, width, height, n_frames, frame_time, spacing_y, spacing_x, "
    "spacing_origin, subject, added"
)
_READING = "id, sha256, frame, model_sha256, prompt_hash, created, body"
_LISTED = "path, name, name_key, size, mtime_ns, sha256, problem, added"
_STEP = 500
_NAMED = ("record", "lock", "reason", "unlinked")  # cells whose name ends with the uid of a record


@dataclass(slots=True)
class Taken:
    """What of the second project got the identity of something in the first; acts by edit."""

    uids: dict[str, str] = field(default_factory=dict)
    readings: dict[str, str] = field(default_factory=dict)
    acts_a: dict[int, Act] = field(default_factory=dict)
    acts_b: dict[int, Act] = field(default_factory=dict)
    ungrouped: int = 0

    def entry(self, entry: Entry) -> Entry:
        """Return a line of the second project's history with the names that count now."""
        return replace(entry, changes=tuple(sorted(map(self._change, entry.changes))))

    def _change(self, change: Change) -> Change:
        name, before, after = change
        what, _, uid = name.rpartition("/")
        if what in _NAMED and uid in self.uids:
            name = f"{what}/{self.uids[uid]}"
        # What these hold is a name, too: of a reading, of the outline that a box is apart from.
        names = {"reading": self.readings, "unlinked": self.uids}.get(what or name, {})
        before, after = (names.get(v, v) if v else v for v in (before, after))
        return Change(name, before, after)


def count(*projects: sqlite3.Connection) -> int:
    """Return how many rows :func:`take_both` takes."""
    tables = ("scans", "readings", "records", "listed")
    return sum(
        c.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
        for c in projects
        for table in tables
    )


def take_both(
    c: sqlite3.Connection, a: sqlite3.Connection, b: sqlite3.Connection
) -> Generator[int, None, Taken]:
    """Bring the rows of both projects into an empty third one; yields how many more are there."""
    salt = a.execute("SELECT value FROM meta WHERE name = 'salt'").fetchone()[0]
    c.execute("UPDATE meta SET value = ? WHERE name = 'salt'", (salt,))
    for table, columns in (("scans", _SCAN), ("readings", f"seq, {_READING}")):
        rows = a.execute(f"SELECT {columns} FROM {table} ORDER BY rowid")
        yield from _copy(c, table, columns, rows)
    records = a.execute("SELECT * FROM signed_records ORDER BY seq")
    columns = "seq, uid, sha256, frame, reading, parent, place, body"
    yield from _copy(c, "records", columns, records)
    rows = a.execute(f"SELECT {_LISTED} FROM listed ORDER BY id")
    yield from _copy(c, "listed", _LISTED, rows)
    taken = Taken()
    taken.ungrouped = _take_scans(c, b, salt)
    yield from _take_readings(c, b, taken)
    yield from _take_records(c, b, taken)
    _take_listed(c, b)
    for project in (a, b):
        _take_looks(c, project)
    taken.acts_a, taken.acts_b = _acts(a), _acts(b)
    return taken


def _acts(connection: sqlite3.Connection) -> dict[int, Act]:
    firsts = connection.execute("SELECT DISTINCT act FROM parts").fetchall()
    acts = [act_of(connection, row[0]) for row in firsts]
    return {edit: act for act in acts for edit in act.edits}


def derive(c: sqlite3.Connection) -> None:
    """Work out the summaries of everything."""
    summary.rebuild(c)


def remember(
    c: sqlite3.Connection,
    names: tuple[str, str],
    agreement: Agreement,
    thresholds: Mapping[str, float],
) -> None:
    """Write into the project what it was merged from, how, and how far the two agreed."""
    note = {
        **{"a": names[0], "b": names[1], "at": now()},
        **{"agreement": agreement.to_dict(), "thresholds": dict(thresholds)},
    }
    c.execute("INSERT OR REPLACE INTO meta VALUES ('merge', ?)", (json.dumps(note),))


def _take_scans(c: sqlite3.Connection, b: sqlite3.Connection, salt: bytes) -> int:
    """Take the scans of the second project; return how many lost the mark of whose they are."""
    rows = b.execute(f"SELECT {_SCAN} FROM scans ORDER BY rowid").fetchall()
    known = dict(c.execute("SELECT sha256, subject FROM scans").fetchall())
    same_salt = b.execute("SELECT value FROM meta WHERE name = 'salt'").fetchone()[0] == salt
    place = _SCAN.split(", ").index("subject")
    translated = {row[place]: known[row[0]] for row in rows if row[0] in known and row[place]}
    lost = 0
    for row in rows:
        if row[0] not in known:
            subject = row[place] if same_salt else translated.get(row[place], "")
            lost += bool(row[place]) and not subject
            _insert(c, "scans", _SCAN, [(*row[:place], subject, *row[place + 1 :])])
    return lost


def _take_readings(c: sqlite3.Connection, b: sqlite3.Connection, taken: Taken) -> Iterator[int]:
    known = {row[0] for row in c.execute("SELECT id FROM readings")}
    contents = {
        _content(*row[1:]): (row[0], row[3])
        for row in c.execute("SELECT id, sha256, frame, body FROM readings ORDER BY seq DESC")
    }
    for row in b.execute(f"SELECT {_READING} FROM readings ORDER BY seq").fetchall():
        yield 1
        identifier, sha256, frame, *_, body = row
        if identifier in known:
            continue
        same = contents.get(_content(sha256, frame, body))
        if same is None:
            _insert(c, "readings", _READING, [row])
            continue
        taken.readings[identifier] = same[0]
        ours, theirs = (json.loads(text)["annotations"] for text in (same[1], body))
        for one, two in zip(ours, theirs, strict=True):
            if one["uid"] != two["uid"]:
                taken.uids[two["uid"]] = one["uid"]


def _content(sha256: str, frame: int, body: str) -> str:
    """Return what a reading says, without what differs when the same is said twice."""
    reading: dict[str, Any] = json.loads(body)
    for phase in reading["phases"].values():
        phase.pop("seconds", None)
    for annotation in reading["annotations"]:
        for name in ("uid", "created", "parent"):
            annotation.pop(name, None)
    for name in ("file", "spacing_mm", "spacing_origin"):
        reading["scan"].pop(name, None)
    return json.dumps([sha256, frame, reading], sort_keys=True)


def _take_records(c: sqlite3.Connection, b: sqlite3.Connection, taken: Taken) -> Iterator[int]:
    known = {row[0] for row in c.execute("SELECT uid FROM records")}
    query = "SELECT uid, sha256, frame, reading, parent, body FROM signed_records ORDER BY seq"
    for uid, sha256, frame, reading, parent, body in b.execute(query).fetchall():
        yield 1
        if uid in known or uid in taken.uids:
            continue
        parent = taken.uids.get(parent, parent)
        record = replace(Annotation.from_dict(json.loads(body)), parent=parent)
        tables.put_record(
            *(c, sha256, frame, record),
            reading=taken.readings.get(reading, reading),
            place_of=parent,
        )


def _take_looks(c: sqlite3.Connection, project: sqlite3.Connection) -> None:
    """Take which frames a rater has looked at."""
    rows = project.execute("SELECT sha256, frame, last, rater, how FROM looks").fetchall()
    for sha256, frame, last, rater, how in rows:
        looks.note(c, sha256, [(frame, last)], rater=rater, how=how)


def _take_listed(c: sqlite3.Connection, b: sqlite3.Connection) -> None:
    """List the second project's files; a scan that is listed is not listed again."""
    paths = dict(c.execute("SELECT sha256, path FROM listed WHERE sha256 IS NOT NULL").fetchall())
    for row in b.execute(f"SELECT {_LISTED} FROM listed ORDER BY id").fetchall():
        path, name, _, size, mtime_ns, sha256, *_ = row
        if sha256 is None:
            c.execute(f"INSERT OR IGNORE INTO listed ({_LISTED}) VALUES (?,?,?,?,?,?,?,?)", row)
        elif sha256 not in paths:
            if c.execute("SELECT 1 FROM listed WHERE path = ?", (path,)).fetchone():
                row = (None, *row[1:])
            _insert(c, "listed", _LISTED, [row])
        elif path and not listed.is_there(paths[sha256]) and listed.is_there(path):
            stamp = None if size is None else listed.Stamp(size, mtime_ns)
            listed.place(c, sha256, name, Path(path), stamp)


def _copy(c: sqlite3.Connection, table: str, columns: str, rows: sqlite3.Cursor) -> Iterator[int]:
    while some := rows.fetchmany(_STEP):
        _insert(c, table, columns, some)
        yield len(some)


def _insert(c: sqlite3.Connection, table: str, columns: str, rows: list[tuple[Any, ...]]) -> None:
    marks = ", ".join("?" * len(columns.split(",")))
    c.executemany(f"INSERT INTO {table} ({columns}) VALUES ({marks})", rows)
