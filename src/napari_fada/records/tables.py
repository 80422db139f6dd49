"""Reading and adding rows: scans, readings and annotation records."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from napari_fada.errors import ProjectError
from napari_fada.records import linking, listed, looks, signatures
from napari_fada.records.annotation import Annotation, new_uid, now
from napari_fada.records.reading import Reading
from napari_fada.records.rows import FrameState, ScanLike, ScanRow

_SCAN_COLUMNS = (
    "sha256, name, path, width, height, n_frames, frame_time, spacing_y, spacing_x, "
    "spacing_origin, subject, added"
)


def put_scan(
    connection: sqlite3.Connection,
    scan: ScanLike,
    salt: bytes,
    *,
    stamp: listed.Stamp | None = None,
    problem: str = "",
) -> listed.Placed:
    """Remember a scan and list it; one that is known gets its new name, place and spacing."""
    spacing = scan.spacing
    connection.execute(
        f"INSERT INTO scans ({_SCAN_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "
        "ON CONFLICT (sha256) DO UPDATE SET name = excluded.name, "
        "path = coalesce(excluded.path, path), n_frames = excluded.n_frames, "
        "frame_time = excluded.frame_time, spacing_y = excluded.spacing_y, "
        "spacing_x = excluded.spacing_x, spacing_origin = excluded.spacing_origin, "
        "subject = CASE subject WHEN '' THEN excluded.subject ELSE subject END",
        (
            scan.sha256,
            scan.name,
            str(scan.path.absolute()) if scan.path else None,
            scan.width,
            scan.height,
            scan.n_frames,
            scan.frame_time,
            spacing.y if spacing else None,
            spacing.x if spacing else None,
            spacing.origin if spacing else None,
            scan.identity.hashed(salt),
            now(),
        ),
    )
    return listed.place(connection, scan.sha256, scan.name, scan.path, stamp, problem=problem)


def scan_rows(connection: sqlite3.Connection, sha256: str | None = None) -> list[ScanRow]:
    """Return the scans in the order they were added, or the one that is asked for."""
    where, values = ("WHERE sha256 = ?", (sha256,)) if sha256 is not None else ("", ())
    rows = connection.execute(
        f"SELECT {_SCAN_COLUMNS} FROM scans {where} ORDER BY added, rowid", values
    )
    return [_scan_row(row) for row in rows]


def _scan_row(row: tuple[Any, ...]) -> ScanRow:
    sha256, name, path, width, height, n_frames, frame_time, y, x, origin, subject, added = row
    return ScanRow(
        *(sha256, name, Path(path) if path else None, width, height, n_frames, frame_time),
        spacing_mm=None if y is None else (y, x),
        spacing_origin=origin,
        subject=subject,
        added=added,
    )


def require_scan(connection: sqlite3.Connection, sha256: str) -> None:
    """Refuse work on a scan that the project does not know."""
    if not connection.execute("SELECT 1 FROM scans WHERE sha256 = ?", (sha256,)).fetchone():
        raise ProjectError(
            f"The project does not know the scan {sha256[:12]}….", todo="Add the scan first."
        )


def put_reading(connection: sqlite3.Connection, reading: Reading) -> tuple[str, Reading]:
    """Keep a reading whole, and its annotations as records; return its id and what was kept.

    A reading may carry annotations over from an earlier one (a single phase that was run
    again): they keep their uid. A uid that stands for something else already gets a new one.
    """
    ref = reading.scan
    connection.execute(
        "INSERT OR IGNORE INTO scans (sha256, name, width, height, n_frames, spacing_y, "
        "spacing_x, spacing_origin, added) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            *(ref.sha256, ref.file, ref.width, ref.height, ref.frame + 1),
            *(ref.spacing_mm or (None, None)),
            ref.spacing_origin,
            now(),
        ),
    )
    listed.place(connection, ref.sha256, ref.file, None)
    kept: list[Annotation] = []
    fresh: list[Annotation] = []
    for annotation in reading.annotations:
        known = find_record(connection, annotation.uid)
        if known is None and annotation.uid not in {a.uid for a in kept}:
            fresh.append(annotation)
        elif known != annotation:
            annotation = replace(annotation, uid=new_uid(), parent=annotation.uid)
            fresh.append(annotation)
        kept.append(annotation)
    reading = replace(reading, annotations=tuple(kept))
    identifier = new_uid()
    connection.execute(
        "INSERT INTO readings (id, sha256, frame, model_sha256, prompt_hash, created, body) "
        "VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            *(identifier, ref.sha256, ref.frame, reading.model.sha256),
            *(reading.model.prompt_hash, now(), _json(reading.to_dict())),
        ),
    )
    for annotation in fresh:
        put_record(connection, ref.sha256, ref.frame, annotation, reading=identifier)
    return identifier, reading


def get_reading(connection: sqlite3.Connection, identifier: str) -> Reading:
    """Return one reading."""
    row = connection.execute("SELECT body FROM readings WHERE id = ?", (identifier,)).fetchone()
    if row is None:
        raise ProjectError(f"The project has no reading {identifier}.")
    return Reading.from_dict(json.loads(row[0]))


def reading_rows(
    connection: sqlite3.Connection, sha256: str, frame: int | None
) -> list[tuple[str, Reading]]:
    """Return the readings of a frame or of a scan, oldest first, each with its id."""
    rows = connection.execute(
        "SELECT id, body FROM readings WHERE sha256 = ? AND (? IS NULL OR frame = ?) ORDER BY seq",
        (sha256, frame, frame),
    )
    return [(identifier, Reading.from_dict(json.loads(body))) for identifier, body in rows]


def frame_states(connection: sqlite3.Connection, sha256: str) -> dict[int, FrameState]:
    """Return review, looks and trouble of the frames of a scan that have any."""
    found: dict[int, FrameState] = {}
    cells = connection.execute(
        "SELECT frame, name, value FROM cells WHERE sha256 = ? AND frame >= 0 "
        "AND (name IN ('review', 'unseen') OR name LIKE 'stale/%')",
        (sha256,),
    )
    for frame, name, value in cells:
        state = found.get(frame, FrameState())
        if name == "review":
            state = replace(state, review=value)
        elif name == looks.UNSEEN:
            state = replace(state, unseen=True)
        else:
            state = replace(state, stale=value == "1" or state.stale)
        found[frame] = state
    for frame in looks.seen(connection, sha256):
        found[frame] = replace(found.get(frame, FrameState()), seen=True)
    # Text inside JSON has its quotes escaped, so only a phase's own state looks like this.
    failed = connection.execute(
        "SELECT frame FROM readings WHERE seq IN "
        "(SELECT max(seq) FROM readings WHERE sha256 = ? GROUP BY frame) "
        'AND body LIKE \'%"state":"failed"%\'',
        (sha256,),
    )
    for (frame,) in failed:
        found[frame] = replace(found.get(frame, FrameState()), failed=True)
    return found


def put_record(
    connection: sqlite3.Connection,
    sha256: str,
    frame: int,
    annotation: Annotation,
    *,
    reading: str | None = None,
    place_of: str | None = None,
) -> None:
    """Add a record; with ``place_of`` it stands where that record stood."""
    place = connection.execute(
        "SELECT coalesce((SELECT place FROM records WHERE uid = ?), "
        "(SELECT coalesce(max(seq), 0) + 1 FROM records))",
        (place_of,),
    ).fetchone()[0]
    connection.execute(
        "INSERT INTO records (uid, sha256, frame, reading, parent, place, body) "
        "VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            *(annotation.uid, sha256, frame, reading, annotation.parent, place),
            _json(annotation.to_dict()),
        ),
    )
    signatures.note_record(connection, annotation)


def find_record(connection: sqlite3.Connection, uid: str) -> Annotation | None:
    """Return a record of any frame, shown now or not."""
    row = connection.execute("SELECT body FROM signed_records WHERE uid = ?", (uid,)).fetchone()
    return Annotation.from_dict(json.loads(row[0])) if row else None


def records_in_place(connection: sqlite3.Connection, uids: Iterable[str]) -> list[Annotation]:
    """Return records by their uids, in the order in which they are shown."""
    found = []
    for uid in uids:
        found += connection.execute(
            "SELECT place, seq, body FROM signed_records WHERE uid = ?", (uid,)
        ).fetchall()
    return [Annotation.from_dict(json.loads(body)) for _, _, body in sorted(found)]


def live_records(
    connection: sqlite3.Connection, sha256: str, frame: int | None
) -> list[tuple[int, Annotation]]:
    """Return the records that stand now, rejections too, each with its frame, in place order.

    A box that nobody has judged is that around its outline (``linking.following``).
    """
    rows = connection.execute(
        "SELECT r.frame, r.body FROM signed_records r JOIN cells c ON c.sha256 = r.sha256 "
        "AND c.frame = r.frame AND c.name = 'record/' || r.uid "
        "WHERE r.sha256 = ? AND (? IS NULL OR r.frame = ?) ORDER BY r.frame, r.place, r.seq",
        (sha256, frame, frame),
    )
    found = [(at, Annotation.from_dict(json.loads(body))) for at, body in rows]
    if not linking.may_follow(a for _, a in found):
        return found
    apart: dict[int, dict[str, str]] = {}
    cells = connection.execute(
        "SELECT frame, name, value FROM cells WHERE sha256 = ? AND (? IS NULL OR frame = ?) "
        "AND name >= 'unlinked/' AND name < 'unlinked0'",
        (sha256, frame, frame),
    )
    for at, name, outline in cells:
        apart.setdefault(at, {})[name.removeprefix(linking.UNLINKED)] = outline
    by_frame: dict[int, list[Annotation]] = {}
    for at, record in found:
        by_frame.setdefault(at, []).append(record)
    return [
        (at, record)
        for at, records in by_frame.items()
        for record in linking.following(records, apart.get(at, {}))
    ]


def ancestors(connection: sqlite3.Connection, annotation: Annotation) -> Iterable[Annotation]:
    """Yield what a record corrects, and what that corrects, up to the first."""
    seen = {annotation.uid}
    parent = annotation.parent
    while parent is not None and parent not in seen:
        seen.add(parent)
        found = find_record(connection, parent)
        if found is None:
            return
        yield found
        parent = found.parent


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
