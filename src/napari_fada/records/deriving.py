"""The rules for proposals that are made from other frames (copied, interpolated, followed).

They never touch what an expert said: a structure that an expert drew, accepted, corrected or
rejected on the frame stays and is not proposed a second time, a locked one stays, and a frame
that was reviewed or locked is left alone. Untouched proposals of the same structures make room,
without being rejected: nobody judged them, and one undo brings them back.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from napari_fada.records import history, tables
from napari_fada.records.annotation import DERIVED, Annotation, new_uid
from napari_fada.records.cine.matching import box_iou, pairs
from napari_fada.records.edits import FINISHED, RECORD, SCAN_REVIEW, locked_uids
from napari_fada.records.linking import UNLINKED
from napari_fada.records.structures import NONE, boxes

#: Overlap from which on a derived structure is the one that an expert rejected here.
SAME = 0.5


@dataclass(frozen=True, slots=True)
class Derived:
    """What became of proposals made for a frame.

    Attributes
    ----------
    added : tuple of Annotation
        As they were written.
    replaced : tuple of Annotation
        Untouched proposals that made room.
    left : tuple of Annotation
        What was not put there, because an expert has said something about it.
    stands : tuple of Annotation
        For each of ``left`` that an expert drew or judged otherwise: the expert's record.
    closed : {"", "reviewed", "locked"}
        Why the frame was left alone as a whole.
    reopened : bool
        Whether the scan was finished, and is in review again.
    """

    frame: int
    entry: history.Entry | None = None
    added: tuple[Annotation, ...] = ()
    replaced: tuple[Annotation, ...] = ()
    left: tuple[Annotation, ...] = ()
    stands: tuple[Annotation, ...] = ()
    closed: str = ""
    reopened: bool = False


def derive(
    connection: sqlite3.Connection,
    sha256: str,
    frame: int,
    wishes: Iterable[Annotation],
    *,
    label: str,
    rater: str,
    unlinked: Mapping[str, str] = NONE,
) -> Derived:
    """Put derived proposals on a frame as one edit. See ``Project.derive``."""
    tables.require_scan(connection, sha256)
    wishes = tuple(wishes)
    if wrong := [w for w in wishes if w.source not in DERIVED or w.status != "proposed"]:
        raise ValueError(f"no derived proposals: {[w.uid for w in wrong]}")
    cells = history.cells_seen(connection, sha256, frame)
    live = [a for _, a in tables.live_records(connection, sha256, frame)]
    closed = closed_by(cells)
    if closed:
        stands = tuple(a for a in live if is_judged(a) and a.status != "rejected")
        return Derived(frame, left=wishes, stands=stands, closed=closed)

    locked = locked_uids(cells)
    kept = [a for a in live if is_judged(a) or a.uid in locked]
    standing = [a for a in kept if a.status != "rejected"]
    taken = {w.uid: a for w, a in pairs(wishes, standing)}
    refused = [a for a in kept if a.status == "rejected"]
    out = {w.uid for w in wishes if w.uid in taken or _is_among(w, refused)}
    # A box goes with its outline: it does not come to one that an expert has drawn.
    out |= {box.uid for of, box in boxes(wishes, unlinked).items() if of in out}
    left = tuple(w for w in wishes if w.uid in out)
    coming = [w for w in wishes if w not in left]
    open_ones = [a for a in live if a not in kept]
    replaced = tuple(a for _, a in pairs(coming, open_ones))
    fresh: dict[str, Annotation] = {}
    wanted: dict[str, str | None] = {RECORD + a.uid: None for a in replaced}
    for wish in coming:
        known = tables.find_record(connection, wish.uid) is not None
        record = replace(wish, uid=new_uid()) if known else wish
        tables.put_record(connection, sha256, frame, record)
        wanted[RECORD + record.uid] = "1"
        fresh[wish.uid] = record
    for box, outline in unlinked.items():
        if box in fresh and outline in fresh:
            wanted[UNLINKED + fresh[box].uid] = fresh[outline].uid
    reopened = bool(fresh) and cells.get(SCAN_REVIEW) in FINISHED[:2]
    if reopened:
        wanted[SCAN_REVIEW] = history.IN_REVIEW  # something is open again on what was finished
    entry = history.do(connection, sha256, frame, wanted, label=label, rater=rater)
    stands = tuple(taken.values())
    return Derived(frame, entry, tuple(fresh.values()), replaced, left, stands, reopened=reopened)


def is_judged(record: Annotation) -> bool:
    """Tell whether a record is the word of an expert (a rejection is one, too)."""
    return record.source == "expert" or record.status != "proposed"


def closed_by(cells: history.Cells) -> str:
    """Say why a frame with these cells is to be left alone; empty if it is not."""
    if cells.get("lock") == "1":
        return "locked"
    return "reviewed" if cells.get(history.REVIEW) in FINISHED else ""


def _is_among(wish: Annotation, refused: list[Annotation]) -> bool:
    return any(
        (a.category, a.kind) == (wish.category, wish.kind) and box_iou(a, wish) > SAME
        for a in refused
    )
