"""What two raters disagree on: open until one side is chosen, or something third is put there.

A conflict is a cell of the frame that it is about (``conflict/<id>``). Deciding it takes the
cell away and sets what was chosen in the same edit, so undo and history cover the decision.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from napari_fada.errors import ProjectError, UndecidedError
from napari_fada.records import edits, history, tables
from napari_fada.records.annotation import Annotation, new_uid, now
from napari_fada.records.geometry import bounds
from napari_fada.records.history import Entry
from napari_fada.records.project import Project

#: Begins what the history says of a decision.
DECIDED = "Conflict decided: "
TAKEN = "taken/"
What = Literal["structure", "field", "view", "review"]


@dataclass(frozen=True, slots=True)
class Conflict:
    """One thing that two raters say differently.

    Attributes
    ----------
    scan, frame : str, int
        sha256 of the scan; frame -1 is the scan itself.
    what : {"structure", "field", "view", "review"}
        What it is about.
    name : str
        The class of the structure (the first rater's, if they differ); the key of the field;
        the name of the cell (``view``, ``review``, ``score/annotation``, …).
    a, b : str or None
        What each says: the uid of a record (``Project.record`` gives it; it may be a
        rejection), or the text. None: nothing.
    iou : float or None
        Likeness of two structures; None if there is only one, or none to compare.
    rater_a, rater_b : str
        Who says so.
    box_a, box_b : str or None
        The boxes that are one with the outlines ``a`` and ``b``: decided with them.
    """

    id: str
    scan: str
    frame: int
    what: What
    name: str
    a: str | None
    b: str | None
    iou: float | None = None
    rater_a: str = ""
    rater_b: str = ""
    box_a: str | None = None
    box_b: str | None = None

    @property
    def cell(self) -> str:
        """Name of the cell that keeps it."""
        return edits.CONFLICT + self.id

    def to_json(self) -> str:
        """Return what the cell holds."""
        names = ("what", "name", "a", "b", "iou", "rater_a", "rater_b", "box_a", "box_b")
        return json.dumps({name: getattr(self, name) for name in names}, ensure_ascii=False)

    @classmethod
    def from_cell(cls, scan: str, frame: int, name: str, value: str) -> Conflict:
        """Rebuild a conflict from its cell."""
        return cls(name.removeprefix(edits.CONFLICT), scan, frame, **json.loads(value))


def open_conflicts(project: Project, scan: str | None = None) -> list[Conflict]:
    """Return the conflicts that wait for a decision, by scan and frame."""
    with project._store.read() as c:
        rows = c.execute(
            "SELECT k.sha256, k.frame, k.name, k.value FROM cells k JOIN scans s USING (sha256) "
            "WHERE k.name > 'conflict/' AND k.name < 'conflict0' AND (?1 IS NULL OR sha256 = ?1) "
            "ORDER BY s.added, s.rowid, k.frame < 0, k.frame, k.name",  # the scan itself comes last
            (scan,),
        ).fetchall()
    return [Conflict.from_cell(*row) for row in rows]


def taken_without_asking(project: Project, scan: str | None = None) -> list[Conflict]:
    """Return where two raters differ and the first one's structure was taken, being alike enough.

    Only what still stands as it was taken: what was edited since is somebody's word.
    """
    with project._store.read() as c:
        rows = c.execute(
            "SELECT k.sha256, k.frame, substr(k.name, 7), k.value FROM cells k "
            "JOIN scans s USING (sha256) WHERE k.name > 'taken/' AND k.name < 'taken0' "
            "AND (?1 IS NULL OR sha256 = ?1) AND EXISTS (SELECT 1 FROM cells r "
            "WHERE r.sha256 = k.sha256 AND r.frame = k.frame "
            "AND r.name = 'record/' || json_extract(k.value, '$.a')) "
            "ORDER BY s.added, s.rowid, k.frame, k.name",
            (scan,),
        ).fetchall()
    return [Conflict.from_cell(*row) for row in rows]


def dispute(project: Project, taken: Conflict) -> Entry | None:
    """Make a conflict of what was taken without asking: neither stands until it is decided.

    Raises
    ------
    ProjectError
        If it has been edited or disputed in the meantime. Nothing is changed then.
    """
    with project._store.write() as c:
        cells = history.cells(c, taken.scan, taken.frame)
        if TAKEN + taken.id not in cells or f"{edits.RECORD}{taken.a}" not in cells:
            raise ProjectError(
                "This structure has been changed in the meantime.",
                kept="It stands as it is now.",
                todo="Look at it on its scan.",
            )
        gone = [edits.RECORD + uid for uid in (taken.a, taken.box_a) if uid is not None]
        entry = history.do(
            *(c, taken.scan, taken.frame),
            {
                TAKEN + taken.id: None,
                taken.cell: taken.to_json(),
                **dict.fromkeys(name for name in gone if name in cells),
                **edits.reviewing(taken.frame),
            },
            label=f"Disputed: {taken.name.replace('_', ' ')}",
            rater=project.rater,
        )
    project._tell(entry)
    return entry


def require_decided(project: Project, scan: str, frame: int | None = None) -> None:
    """Refuse to close a scan, or one frame of it, as long as a conflict is open there.

    Raises
    ------
    UndecidedError
        If so; it names them.
    """
    found = [c for c in open_conflicts(project, scan) if frame in (None, c.frame)]
    if found:
        raise UndecidedError(
            f"Two raters disagree here, and it is not decided: {named(found)}.",
            kept="Nothing is accepted.",
            todo="Decide it in FADA adjudicate first.",
        )


def named(conflicts: Iterable[Conflict]) -> str:
    """Name conflicts for a message: what they are about, and on which frame."""
    words = []
    for conflict in conflicts:
        where = f" on frame {conflict.frame + 1}" if conflict.frame > 0 else ""
        words.append(f"{conflict.name.replace('_', ' ')}{where}")
    words = list(dict.fromkeys(words))
    return ", ".join(words[:5]) + (f" and {len(words) - 5} more" if len(words) > 5 else "")


def decided_conflicts(project: Project, scan: str | None = None) -> list[tuple[Conflict, Entry]]:
    """Return the conflicts that were decided, each with the edit that did it, oldest first.

    One that went because an earlier state was brought back was not decided.
    """
    standing = {conflict.id for conflict in open_conflicts(project, scan)}
    found: dict[str, tuple[Conflict, Entry]] = {}
    for entry in _entries(project, scan):
        for change in entry.changes:
            if not change.name.startswith(edits.CONFLICT) or change.before is None:
                continue
            conflict = Conflict.from_cell(entry.sha256, entry.frame, change.name, change.before)
            found.pop(conflict.id, None)  # what came last counts
            if entry.kind != "undo" and entry.label.startswith(DECIDED):
                found[conflict.id] = conflict, entry
    return [pair for identifier, pair in found.items() if identifier not in standing]


def _entries(project: Project, scan: str | None) -> list[Entry]:
    """Return the edits by which conflicts came or went, oldest first."""
    with project._store.read() as c:
        rows = c.execute(
            "SELECT DISTINCT e.id, e.sha256 FROM changes k JOIN edits e ON e.id = k.edit "
            "WHERE k.name GLOB ?1 AND (?2 IS NULL OR e.sha256 = ?2) ORDER BY e.id",
            (f"{edits.CONFLICT}*", scan),
        ).fetchall()
        wanted = {row[0] for row in rows}
        scans = dict.fromkeys(row[1] for row in rows)
        found = [e for sha256 in scans for e in history.entries(c, sha256) if e.id in wanted]
    return sorted(found, key=lambda entry: entry.id)


def resolve(
    project: Project,
    conflict: Conflict,
    choose: Literal["a", "b"] | Annotation | None = None,
    *,
    value: str | None = None,
) -> Entry | None:
    """Decide a conflict, as one edit that can be undone.

    Parameters
    ----------
    project : Project
        The merged project; its ``rater`` is who decides.
    conflict : Conflict
        One of :func:`open_conflicts`.
    choose : {"a", "b"} or Annotation
        Whose word counts (also where that is: nothing is there), or the structure as it was
        drawn anew.
    value : str, optional
        Instead of ``choose``, for a field, a view or a review state: another text.

    Raises
    ------
    ProjectError
        If it was decided in the meantime, or nothing can be written. Nothing is changed then.
    UndecidedError
        If the scan would be accepted while something else about it is not decided.
    ValueError
        If neither or both of ``choose`` and ``value`` are given, or one that does not fit.
    """
    if (choose is None) == (value is None):
        raise ValueError("say either whose word counts or what stands instead")
    if isinstance(choose, Annotation) != (
        conflict.what == "structure" and choose not in ("a", "b")
    ):
        raise ValueError(f"a {conflict.what} cannot be decided like this")
    with project._store.write() as c:
        if conflict.cell not in history.cells(c, conflict.scan, conflict.frame):
            raise ProjectError(
                "This conflict has been decided in the meantime.",
                kept="The decision that was made stands.",
                todo="Look at it; undo it if it was wrong.",
            )
        if conflict.what == "structure":
            assert choose is not None
            wanted = _structure(c, conflict, choose, project.rater)
        else:
            text = value if value is not None else getattr(conflict, str(choose))
            if conflict.name == history.REVIEW and text in edits.CLOSED:
                _require_no_other(project, conflict)
            wanted = _word(c, conflict, text)
        entry = history.do(
            *(c, conflict.scan, conflict.frame, {conflict.cell: None, **wanted}),
            label=_label(conflict, choose),
            rater=project.rater,
        )
    project._tell(entry)
    return entry


def _require_no_other(project: Project, conflict: Conflict) -> None:
    others = [c for c in open_conflicts(project, conflict.scan) if c.id != conflict.id]
    if others:
        raise UndecidedError(
            f"The scan cannot be accepted yet: {named(others)} is not decided.",
            kept="The conflict stays open.",
            todo="Decide the rest of this scan first.",
        )


def _label(conflict: Conflict, choose: object) -> str:
    name = conflict.name.replace("_", " ")
    if choose == "a":
        return f"{DECIDED}{name} as {conflict.rater_a or 'the first rater'} has it"
    if choose == "b":
        return f"{DECIDED}{name} as {conflict.rater_b or 'the second rater'} has it"
    return f"{DECIDED}{name} made anew"


def _structure(
    connection: sqlite3.Connection,
    conflict: Conflict,
    choose: Literal["a", "b"] | Annotation,
    rater: str,
) -> Mapping[str, str | None]:
    at = (connection, conflict.scan, conflict.frame)
    if isinstance(choose, Annotation):
        made = _anew(connection, choose, conflict.a or conflict.b, rater)
        records = {made: conflict.a or conflict.b}
        box = conflict.box_a or conflict.box_b
        if box is not None and made.kind == "polygon":
            wish = Annotation(made.category, "box", bounds(made))
            records[_anew(connection, wish, box, rater)] = box
        for record, parent in records.items():
            tables.put_record(*at, record, place_of=parent)
        return {edits.RECORD + record.uid: "1" for record in records}
    sides = ((conflict.a, conflict.box_a), (conflict.b, conflict.box_b))
    chosen, others = sides if choose == "a" else sides[::-1]
    if chosen[0] is not None:
        return {edits.RECORD + uid: "1" for uid in chosen if uid is not None}
    # Nothing is to be there: what a model proposed must not be proposed again.
    wanted: dict[str, str | None] = {}
    for uid in others:
        gone = tables.find_record(connection, uid or "")
        if gone is not None and edits.root(connection, gone).source != "expert":
            rejection = edits.judged(gone, gone, "rejected", rater)
            tables.put_record(*at, rejection, place_of=gone.uid)
            wanted[edits.RECORD + rejection.uid] = "1"
    return wanted


def _anew(
    connection: sqlite3.Connection, wish: Annotation, parent: str | None, rater: str
) -> Annotation:
    """Return the record of what was drawn in the place of another."""
    old = tables.find_record(connection, parent or "")
    drawn = old is None or edits.root(connection, old).source == "expert"
    return replace(
        wish,
        uid=new_uid(),
        parent=old.uid if old else None,
        source="expert",
        status="accepted" if drawn else "corrected",
        rater=rater,
        created=now(),
    )


def _word(
    connection: sqlite3.Connection, conflict: Conflict, text: str | None
) -> Mapping[str, str | None]:
    if conflict.what == "review":
        return {conflict.name: text}
    cells = history.cells(connection, conflict.scan, conflict.frame)
    reading = tables.get_reading(connection, cells["reading"]) if "reading" in cells else None
    if conflict.what == "view":
        return {"view": None if reading and reading.view == text else text}
    said: Any = reading.interpretation.get(conflict.name) if reading else None
    return {f"field/{conflict.name}": None if said == text else text}
