"""The rules of editing: what a person's act on records becomes in the project.

Model output is never changed. A correction is a new record that points to what it corrects;
taking a proposal away writes a rejection; accepting one writes an accepted copy.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import replace

from napari_fada.errors import ProjectError
from napari_fada.records import history, tables
from napari_fada.records.annotation import Annotation, new_uid, now
from napari_fada.records.rows import Edit

RECORD = "record/"
_PRESENT = "1"


def edit(
    connection: sqlite3.Connection,
    sha256: str,
    frame: int,
    *,
    add: Iterable[Annotation],
    replacements: Mapping[str, Annotation],
    remove: Iterable[str],
    label: str,
    rater: str,
) -> Edit:
    """Carry out one edit of a frame's records. See ``Project.edit``."""
    tables.require_scan(connection, sha256)
    live = {a.uid: a for _, a in tables.live_records(connection, sha256, frame)}
    remove = list(dict.fromkeys(remove))
    lost = [uid for uid in (*replacements, *remove) if uid not in live]
    if lost:
        raise ProjectError(
            f"{len(lost)} of the structures to be changed are no longer there; another window "
            "may have changed them.",
            kept="What is in the project stands; this edit was not made.",
            todo="Look at the present state, then do it again.",
        )
    both = set(replacements) & set(remove)
    if both:
        raise ValueError(f"asked to replace and to remove {sorted(both)}")

    wanted: dict[str, str | None] = {}
    new: dict[str, Annotation] = {}
    rejected: dict[str, Annotation] = {}
    for uid, wish in replacements.items():
        found = _replacement(connection, live[uid], wish, rater)
        if found is not None:
            (rejected if found.status == "rejected" else new)[uid] = found
    for uid in remove:
        old = live[uid]
        if old.status == "rejected":
            continue
        wanted[RECORD + uid] = None
        if _root(connection, old).source != "expert":
            rejected[uid] = _judged(old, old, "rejected", rater)
    for uid, record in {**new, **rejected}.items():
        tables.put_record(connection, sha256, frame, record, place_of=uid)
        wanted |= {RECORD + uid: None, RECORD + record.uid: _PRESENT}

    added = []
    for wish in add:
        record = _addition(connection, wish, rater)
        tables.put_record(connection, sha256, frame, record)
        wanted[RECORD + record.uid] = _PRESENT
        added.append(record)
    entry = history.do(connection, sha256, frame, wanted, label=label, rater=rater)
    return Edit(entry, tuple(added), new, rejected)


def show_proposals(
    connection: sqlite3.Connection,
    sha256: str,
    frame: int,
    reading_id: str,
    *,
    drop_untouched: bool,
    drop_expert: bool = False,
    label: str,
    rater: str,
) -> history.Entry | None:
    """Make a reading the one that is shown. See ``Project.replace_proposals``."""
    reading = tables.get_reading(connection, reading_id)
    if (reading.scan.sha256, reading.scan.frame) != (sha256, frame):
        raise ValueError(f"reading {reading_id} is not of this frame")
    live = [a for _, a in tables.live_records(connection, sha256, frame)]
    current = history.cells(connection, sha256, frame)
    wanted: dict[str, str | None] = {"reading": reading_id}
    if drop_expert:
        wanted |= {n: None for n in current if n == "view" or n.startswith(("field/", RECORD))}
        live = []
    elif drop_untouched:
        wanted |= {RECORD + a.uid: None for a in live if a.status == "proposed"}
    # What an expert has judged is not proposed a second time.
    judged = {old.uid for a in live for old in tables.ancestors(connection, a)}
    wanted |= {RECORD + a.uid: _PRESENT for a in reading.annotations if a.uid not in judged}
    return history.do(connection, sha256, frame, wanted, label=label, rater=rater)


def _replacement(
    connection: sqlite3.Connection, old: Annotation, wish: Annotation, rater: str
) -> Annotation | None:
    """Return the record that takes the place of ``old``; None if nothing changes."""
    if _content(wish) == _content(old):
        if wish.status == old.status:
            return None
        return _judged(old, wish, wish.status, rater)
    if wish.status == "rejected":
        return _judged(old, old, "rejected", rater)
    drawn = _root(connection, old).source == "expert"
    record = _judged(old, wish, "accepted" if drawn else "corrected", rater)
    return replace(record, source="expert")


def _judged(old: Annotation, wish: Annotation, status: str, rater: str) -> Annotation:
    return replace(
        wish,
        uid=new_uid(),
        parent=old.uid,
        source=old.source,
        status=status,  # type: ignore[arg-type]
        rater=rater or wish.rater,
        created=now(),
    )


def _addition(connection: sqlite3.Connection, wish: Annotation, rater: str) -> Annotation:
    if tables.find_record(connection, wish.uid) is not None:
        wish = replace(wish, uid=new_uid())  # a pasted copy brings the uid of its original
    if wish.source == "expert":
        status = "accepted" if wish.status == "proposed" else wish.status
        wish = replace(wish, status=status, rater=wish.rater or rater)
    return wish


def _content(a: Annotation) -> tuple[object, ...]:
    return a.category, a.kind, a.points, a.rings, a.visibility


def _root(connection: sqlite3.Connection, annotation: Annotation) -> Annotation:
    return ([annotation, *tables.ancestors(connection, annotation)])[-1]
