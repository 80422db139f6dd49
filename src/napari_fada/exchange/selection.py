"""Which of a project's records may be taught: what was judged, and what was asked for.

An answer that leaves a structure out says that it is not there, and so does an image without
structures. Only a frame whose review is closed can say that. There a class is asked for where
someone has decided about it: it stands, it was rejected, or the model was asked for it. As long
as the review is open, only what stands is asked for. A class with a proposal that no one has
judged is not asked for at all.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence

from napari_fada.exchange.conversations import ASK_TASKS
from napari_fada.exchange.frames import Answered, FrameRecords
from napari_fada.exchange.items import AskTask, Tally
from napari_fada.exchange.request import Selection
from napari_fada.records import linking
from napari_fada.records.annotation import Annotation
from napari_fada.records.project import Project
from napari_fada.records.reading import Reading
from napari_fada.records.rows import ScanRow
from napari_fada.vocabulary import vocabulary

PENDING = "proposals that no one has judged yet"
REJECTED = "rejected proposals"
UNSEEN_REPORT = "reports that no one has edited or accepted"
UNSEEN_VIEW = "views that no one has edited or accepted"
UNKNOWN = "structures of a class that is not in the vocabulary"
OTHER_RATER = "structures of other raters"
OTHER_CLASS = "structures of other classes"
OTHER_VIEW = "frames of other views"
NOT_REVIEWED = "frames whose review is open"
NEVER_SEEN = "frames that were never on the screen as they stand"
NEGATIVE = "frames without structures"
NO_NEGATIVE = "frames without structures whose review is open"
OTHERS_STAND = "frames on which only what was left out stands"
UNJUDGED = "frames on which no one has judged anything"
FITTED = "boxes that lay off their outlines, written as the boxes around them"
PARTLY = "frames with open proposals: what they are about is not known to be absent there"

_KIND: Mapping[AskTask, tuple[str, ...]] = {
    "detect": ("box", "polygon"),
    "segment": ("polygon",),
    "keypoints": ("keypoints",),
}


def select(
    project: Project, scan: ScanRow, frame: int, tally: Tally, wish: Selection
) -> FrameRecords | None:
    """Return what may be taught about a frame; ``image`` is left empty.

    Parameters
    ----------
    project : Project
        Where the records are.
    scan : ScanRow
        The scan.
    frame : int
        Index of the frame.
    tally : Tally
        Takes what is left out.
    wish : Selection
        What is asked for. Rejected proposals are never taken.

    Returns
    -------
    FrameRecords or None
        None if the frame as a whole is not asked for, or nobody has judged anything on it.
    """
    now = project.standing(scan.sha256, frame)
    report, state, reviewed, reading = now.report, now.state, now.reviewed, now.reading
    if wish.views and report.view not in wish.views:
        tally.left_out[OTHER_VIEW] += 1
        return None
    if wish.reviewed and not reviewed:
        tally.left_out[NOT_REVIEWED] += 1
        return None
    if wish.seen and not now.seen:
        tally.left_out[NEVER_SEEN] += 1
        return None
    free = linking.unlinked(state)
    standing = now.annotations
    rejected = [a for a in standing if a.status == "rejected"]
    known = vocabulary().by_name
    apart: dict[str, list[Annotation]] = {
        REJECTED: rejected,
        PENDING: [a for a in standing if a.status == "proposed" and not wish.proposals],
        UNKNOWN: [a for a in standing if a.category not in known],
        OTHER_RATER: [a for a in standing if wish.raters and a.rater not in wish.raters],
        OTHER_CLASS: [a for a in standing if wish.categories and a.category not in wish.categories],
    }
    gone: set[str] = set()
    for reason, found in apart.items():  # each is counted under the first reason that fits
        new = [a for a in found if a.uid not in gone]
        tally.left_out[reason] += len(new)
        gone |= {a.uid for a in new}
    kept = [a for a in standing if a.uid not in gone]
    tally.notes[FITTED] += len(linking.apart(kept, free))
    kept = linking.as_one(kept, free)
    open_ = apart[PENDING]

    said = report.fields if wish.proposals or reviewed or report.expert_fields else {}
    view = report.view if wish.proposals or reviewed or report.expert_view else None
    tally.left_out[UNSEEN_REPORT] += bool(any(report.fields.values()) and not said)
    tally.left_out[UNSEEN_VIEW] += bool(report.view and not view)
    if not (kept or rejected or said or view or reviewed or (wish.proposals and reading)):
        tally.left_out[UNJUDGED] += 1
        return None
    if not kept and not wish.negatives:
        tally.left_out[NEGATIVE] += 1
        return None
    # Of another rater, unknown or not judged yet: nobody says that nothing is there.
    others = {a.uid for a in (*apart[OTHER_RATER], *apart[UNKNOWN], *open_)}
    others -= {a.uid for a in (*rejected, *apart[OTHER_CLASS])}
    empty = not kept and reviewed and not others
    if not (kept or said or view or empty):
        tally.left_out[OTHERS_STAND if others else NO_NEGATIVE] += 1
        return None
    if open_:
        tally.notes[PARTLY] += 1

    undecided = {a.category for a in standing if a.uid in gone and a not in rejected}
    asked: dict[AskTask, tuple[tuple[str, ...], ...]] = {}
    for task in ASK_TASKS:
        judged = (*kept, *rejected) if reviewed else kept
        decided = {a.category for a in judged if a.kind in _KIND[task]}
        looked = _looked_for(task, reading) if reviewed else ()
        wanted = {c for c in (*decided, *looked) if not wish.categories or c in wish.categories}
        lists = _lists(state.get(f"asked/{task}", "[]"), wanted, undecided)
        if lists:
            asked[task] = lists
    spacing, origin = project.spacing(scan)
    return FrameRecords(
        *("", scan.width, scan.height),
        annotations=tuple(kept),
        fields=said,
        view=view,
        asked=asked,
        subject=scan.subject,
        rater=_rater(project, scan, frame) if said or view else "",
        sha256=scan.sha256,
        frame=frame,
        spacing_mm=spacing,
        spacing_origin=origin,
        answers=reading.annotations if reading else (),
        answered=_answered(reading),
        source=scan.path,
        seen=now.seen,
        empty=empty,
        unlinked={box: outline for box, outline in free.items() if box in {a.uid for a in kept}},
    )


def _answered(reading: Reading | None) -> Answered | None:
    """Return what the model said in words, where it said it."""
    if reading is None:
        return None
    return Answered(
        reading.model.pack,
        reading.model.sha256,
        reading.model.prompt_set,
        dict(reading.interpretation),
        reading.view,
        {task: tuple(_looked_for(task, reading)) for task in ("detect", "segment")},
    )


def _lists(imported: str, classes: set[str], undecided: set[str]) -> tuple[tuple[str, ...], ...]:
    """Return which classes to ask for together: as they were imported, the rest by group."""
    lists = [tuple(c for c in names if c not in undecided) for names in json.loads(imported)]
    lists = [names for names in lists if names]
    return (*lists, *_by_group(classes - undecided - {c for names in lists for c in names}))


def _looked_for(task: AskTask, reading: Reading | None) -> Sequence[str]:
    """Return the classes that the model was asked for and gave a usable answer about."""
    if reading is None or reading.mapping is None or task == "keypoints":
        return ()
    result = reading.phases.get(task)
    if result is None or result.state not in ("done", "empty"):
        return ()
    return reading.mapping.detect if task == "detect" else reading.mapping.segment


def _by_group(classes: Iterable[str]) -> tuple[tuple[str, ...], ...]:
    """Split classes into lists that are asked for together, in the order of the vocabulary."""
    groups: dict[str, list[str]] = {}
    for name in set(classes):
        if name in vocabulary().by_name:
            groups.setdefault(_home(name), []).append(name)
    found = []
    for name, group in vocabulary().groups.items():
        if name not in groups:
            continue
        order = (*group.detect, *group.keypoints)
        members = groups[name]
        listed = [c for c in order if c in members]
        listed += [c.name for c in vocabulary().categories if c.name in set(members) - set(order)]
        found.append(tuple(listed))
    return tuple(found)


def _home(name: str) -> str:
    category = vocabulary().by_name.get(name)
    return category.group[0] if category else ""


def _rater(project: Project, scan: ScanRow, frame: int) -> str:
    """Return who last touched report, view or review state of a frame."""
    for entry in reversed(project.history(scan.sha256, frame)):
        names = {change.name.partition("/")[0] for change in entry.changes}
        if names & {"field", "view", "review"}:
            return entry.rater
    return ""
