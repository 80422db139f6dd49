"""The rules of editing: what a person's act on records becomes in the project.

Model output is never changed. A correction is a new record that points to what it corrects;
taking a proposal away writes a rejection; accepting one writes an accepted copy. What is locked
is not changed at all. The first edit of a person brings the frame and its scan into review.
What is done to an outline is done to the box that is one with it (``linking``).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace

from napari_fada.errors import EditConflictError, LockedError
from napari_fada.records import history, linking, tables, wording
from napari_fada.records.annotation import DERIVED, Annotation, new_uid, now
from napari_fada.records.rows import Act, Edit

RECORD, LOCK, REASON = "record/", linking.LOCK, "reason/"
SCAN_REVIEW = history.SCAN + history.REVIEW
FINISHED = ("accepted", "corrected", "rejected", "skipped")
CLOSED = FINISHED[:2]
CONFLICT = "conflict/"
_PRESENT = "1"


def edit(connection: sqlite3.Connection, sha256: str, act: Act, *, rater: str) -> Edit:
    """Carry out one act on a frame. See ``Project.edit``."""
    tables.require_scan(connection, sha256)
    frame = act.frame
    live = {a.uid: a for _, a in tables.live_records(connection, sha256, frame)}
    current = history.cells(connection, sha256, frame)
    free, locked = linking.unlinked(current), locked_uids(current)
    given = replace(
        act,
        add=tuple(_additions(connection, act.add, live.values(), rater)),
        remove=tuple(dict.fromkeys(act.remove)),
    )
    _refuse(given, given.remove, live, locked)
    act = linking.whole(given, live, free, locked)
    _refuse(act, act.remove, live, locked)
    remove = act.remove

    wanted: dict[str, str | None] = {}
    new: dict[str, Annotation] = {}
    rejected: dict[str, Annotation] = {}
    for uid, wish in act.replace.items():
        found = _replacement(connection, live[uid], wish, rater)
        if found is not None:
            (rejected if found.status == "rejected" else new)[uid] = found
    for uid in remove:
        old = live[uid]
        if old.status == "rejected":
            continue
        wanted[RECORD + uid] = None
        if removal_rejects(root(connection, old).source):
            rejected[uid] = judged(old, old, "rejected", rater)
    states = dict(act.states)
    for name in [name for name in states if name.startswith(linking.UNLINKED)]:
        del states[name]
    for uid, record in {**new, **rejected}.items():
        tables.put_record(connection, sha256, frame, record, place_of=uid)
        wanted |= {RECORD + uid: None, RECORD + record.uid: _PRESENT}
        wanted |= _carried(current, states, uid, record.uid)
    renamed = {uid: record.uid for uid, record in {**new, **rejected}.items()}
    gone = {uid for uid in remove if uid not in rejected}
    wanted |= _set_apart(free, linking.after(free, act.states), renamed, gone)
    for record in act.add:
        tables.put_record(connection, sha256, frame, record)
        wanted[RECORD + record.uid] = _PRESENT
    if act.by_person and wanted:
        wanted |= reviewing(frame)
    elif act.by_person and (states or act.scan_states):  # a comment, a score, a lock
        seen = history.cells_seen(connection, sha256, frame)
        wanted |= {n: value for n, value in reviewing(frame).items() if n not in seen}
    begin = "" if frame == history.WHOLE else history.SCAN
    wanted |= states | {begin + name: value for name, value in act.scan_states.items()}
    label = act.label
    if not label:
        # What the other half of a structure does goes without saying.
        named = {*given.replace, *given.remove}
        pairs: list[wording.Pair] = [
            (live[u], a) for u, a in {**new, **rejected}.items() if u in named
        ]
        pairs += [(live[u], None) for u in given.remove if u not in rejected]
        pairs += [(None, a) for a in given.add]
        classes = {uid: a.category for uid, a in live.items()}
        said = [wording.of_records(pairs), wording.of_state(given.states, frame, classes)]
        said.append(wording.of_state(act.scan_states, history.WHOLE, classes))
        label = "; ".join(filter(None, said))
    entry = history.do(connection, sha256, frame, wanted, label=label, rater=rater)
    apart = [u for u in linking.after({}, act.states) if u not in free]
    return Edit(
        *(entry, tuple(act.add), new, rejected),
        apart=tuple(new.get(u, live[u]) for u in apart if u in live),
        fitted=tuple(a for a, b in zip(act.add, given.add, strict=False) if a is not b),
        along=tuple(live[u] for u in remove if u not in given.remove),
    )


def _set_apart(
    free: Mapping[str, str],
    wanted: Mapping[str, str],
    renamed: Mapping[str, str],
    gone: Collection[str],
) -> dict[str, str | None]:
    """Return the cells of boxes that are set apart, under the uids that count now."""
    found = {
        renamed.get(box, box): renamed.get(outline, outline)
        for box, outline in wanted.items()
        if box not in gone and outline not in gone
    }
    cells: dict[str, str | None] = {linking.UNLINKED + b: None for b in free if b not in found}
    return cells | {linking.UNLINKED + b: o for b, o in found.items() if free.get(b) != o}


def removal_rejects(source: str) -> bool:
    """Tell whether taking a structure away says that it is not there, by who said it first.

    What an expert drew is just gone. What was carried over from other frames is a guess: taken
    away, it is no judgement, and it may be carried over again.
    """
    return source not in ("expert", *DERIVED)


def locked_uids(cells: Iterable[str]) -> set[str]:
    """Return the records that are locked, from the names of a frame's cells."""
    return {name.removeprefix(LOCK) for name in cells if name.startswith(LOCK)}


def is_closed(cells: Mapping[str, str], whole: Mapping[str, str]) -> bool:
    """Tell from the cells of a frame and of its scan whether the frame's review is closed.

    It is where the frame or the scan as a whole was accepted. It is not where the scan was
    rejected, or where two raters disagree and nobody has decided.
    """
    reviews = (cells.get(history.REVIEW), whole.get(history.REVIEW))
    if "rejected" in reviews or not set(reviews) & set(CLOSED):
        return False
    return not any(name.startswith(CONFLICT) for name in (*cells, *whole))


def reviewing(frame: int) -> dict[str, str | None]:
    """Return the cells that a person's edit of a frame sets: frame and scan are in review."""
    names = [history.REVIEW] if frame == history.WHOLE else [history.REVIEW, SCAN_REVIEW]
    return dict.fromkeys(names, history.IN_REVIEW)


def shown_proposals(
    connection: sqlite3.Connection,
    sha256: str,
    frame: int,
    coming: Iterable[Annotation],
    *,
    drop_untouched: bool,
    drop_expert: bool = False,
) -> dict[str, str | None]:
    """Return the cells that show a reading's annotations. See ``Project.replace_proposals``."""
    live = [a for _, a in tables.live_records(connection, sha256, frame)]
    current = history.cells_seen(connection, sha256, frame)
    locked = locked_uids(current)
    wanted: dict[str, str | None] = {}
    if drop_expert:
        dropped = {RECORD + a.uid for a in live if a.uid not in locked}
        dropped |= {n for n in current if n in ("view", "mapping") or n.startswith("field/")}
        wanted |= dict.fromkeys(dropped)
        live = [a for a in live if a.uid in locked]
    elif drop_untouched:
        untouched = (a.uid for a in live if a.status == "proposed" and a.uid not in locked)
        wanted |= {RECORD + uid: None for uid in untouched}
    # What an expert has judged is not proposed a second time.
    judged = {old.uid for a in live for old in tables.ancestors(connection, a)}
    shown = {RECORD + a.uid: _PRESENT for a in coming if a.uid not in judged}
    if shown.keys() - current.keys():
        # Something is open again on what was finished.
        names = (history.REVIEW, SCAN_REVIEW)
        wanted |= {n: history.IN_REVIEW for n in names if current.get(n) in FINISHED[:2]}
    return wanted | shown


def _refuse(
    act: Act, remove: Collection[str], live: dict[str, Annotation], locked: set[str]
) -> None:
    """Raise if an act is about what is not there, what is locked, or the same thing twice."""
    lost = [uid for uid in (*act.replace, *remove) if uid not in live]
    if lost:
        raise EditConflictError(
            f"{len(lost)} of the structures to be changed are no longer there; another window "
            "may have changed them.",
            kept="What is in the project stands; this edit was not made.",
            todo="Look at the present state, then do it again.",
        )
    both = set(act.replace) & set(remove)
    if both:
        raise ValueError(f"asked to replace and to remove {sorted(both)}")
    kept = [
        live[uid].category
        for uid in (*act.replace, *remove)
        if uid in locked and not (uid in act.replace and _only_accepts(live[uid], act.replace[uid]))
    ]
    if kept:
        names = ", ".join(dict.fromkeys(kept))
        raise LockedError(
            f"{names} {'is' if len(kept) == 1 else 'are'} locked.",
            kept="Nothing was changed.",
            todo="Unlock it first, then do it again.",
        )


def _only_accepts(old: Annotation, wish: Annotation) -> bool:
    return _content(wish) == _content(old) and wish.status in ("accepted", old.status)


def _carried(
    current: dict[str, str], states: dict[str, str | None], old: str, new: str
) -> dict[str, str | None]:
    """Let the cells about a record follow it to its new uid; takes those that are asked for."""
    wanted: dict[str, str | None] = {}
    for first in (LOCK, REASON):
        if first + old in current:
            wanted[first + old] = None
            if first == LOCK:  # a reason belongs to one rejection
                wanted[first + new] = current[first + old]
        if first + old in states:
            wanted[first + new] = states.pop(first + old)
    return wanted


def _replacement(
    connection: sqlite3.Connection, old: Annotation, wish: Annotation, rater: str
) -> Annotation | None:
    """Return the record that takes the place of ``old``; None if nothing changes."""
    if _content(wish) == _content(old):
        signed = wish.rater and not old.rater  # as it is, by someone who says who they are
        if wish.status == old.status and not signed:
            if wish.track in ("", old.identity):
                return None
            # The same, but another one of its class: nobody has judged it by that.
            return replace(old, uid=new_uid(), parent=old.uid, track=wish.track)
        return judged(old, wish, wish.status, rater)
    if wish.status == "rejected":
        return judged(old, old, "rejected", rater)
    drawn = root(connection, old).source == "expert"
    record = judged(old, wish, "accepted" if drawn else "corrected", rater)
    return replace(record, source="expert")


def judged(old: Annotation, wish: Annotation, status: str, rater: str) -> Annotation:
    """Return the record that follows ``old`` when someone has judged it."""
    return replace(
        wish,
        uid=new_uid(),
        parent=old.uid,
        source=old.source,
        status=status,  # type: ignore[arg-type]
        rater=rater or wish.rater,
        created=now(),
        track=wish.track or old.identity,
    )


def _additions(
    connection: sqlite3.Connection,
    wishes: Iterable[Annotation],
    live: Iterable[Annotation],
    rater: str,
) -> Iterator[Annotation]:
    seen: set[str] = set()
    here = {_one(a) for a in live}
    for wish in wishes:
        record = wish
        if wish.uid in seen or tables.find_record(connection, wish.uid) is not None:
            # A pasted copy brings the uid of its original: on another frame it is the same one.
            record = replace(wish, uid=new_uid(), track=wish.identity)
        if record.track and _one(record) in here:
            record = replace(record, track="")
        seen.add(record.uid)
        here.add(_one(record))
        if wish.source == "expert":
            status = "accepted" if wish.status == "proposed" else wish.status
            record = replace(record, status=status, rater=wish.rater or rater)
        yield record


def _one(a: Annotation) -> tuple[str, str, str]:
    """Return what there is one of on a frame."""
    return a.category, a.kind, a.identity


def _content(a: Annotation) -> tuple[object, ...]:
    return a.category, a.kind, a.points, a.rings, a.visibility


def root(connection: sqlite3.Connection, annotation: Annotation) -> Annotation:
    """Return what a record goes back to: a proposal, an import, or the first drawing."""
    return ([annotation, *tables.ancestors(connection, annotation)])[-1]
