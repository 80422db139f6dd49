"""The rules of review: what an expert's judgement of structures and scans becomes.

Functions over a project, each one transaction and one step of undo on the frame that is shown
(and on every other frame whose proposals it accepts). What they write are records, and cells of
the frame and of the scan: ``review``, ``unseen`` (closed though never on the screen),
``lock/<uid>``, ``reason/<uid>``, ``comment``, ``score/…``.

A scan that nobody has touched is ``new`` or ``proposed``; the first edit of a person brings it
``in_review``; finishing it makes it ``accepted``, or ``corrected`` if anything in it is not as
the model said.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, get_args

from napari_fada.records import linking
from napari_fada.records.annotation import Annotation, Status
from napari_fada.records.conflicts import require_decided
from napari_fada.records.edits import CLOSED, FINISHED, LOCK, REASON, locked_uids
from napari_fada.records.looks import UNSEEN, Look
from napari_fada.records.project import Project
from napari_fada.records.rows import WHOLE, Act, Edit
from napari_fada.records.summary import States, state_of

ScoreOf = Literal["annotation", "interpretation"]
SCORES: Mapping[int, str] = {1: "good as it is", 2: "usable after changes", 3: "not usable"}


@dataclass(frozen=True, slots=True)
class ScanReview:
    """How far the review of a scan is, and what was said about the scan as a whole."""

    state: States = "new"
    comment: str = ""
    reason: str = ""
    scores: Mapping[str, int] = field(default_factory=dict)

    @property
    def finished(self) -> bool:
        """Whether nothing is left to do."""
        return self.state in FINISHED


@dataclass(frozen=True, slots=True)
class FrameReview:
    """All structures of a frame, rejected ones too, with what was said about them.

    ``unlinked`` are boxes that were set apart, each with its outline.
    """

    records: tuple[Annotation, ...] = ()
    locked: frozenset[str] = frozenset()
    reasons: Mapping[str, str] = field(default_factory=dict)
    state: str = ""
    unlinked: Mapping[str, str] = field(default_factory=dict)


# Looking


def scan_review(project: Project, sha256: str) -> ScanReview:
    """Return the state of review of a scan, its comment and its scores."""
    cells = project.state(sha256, WHOLE)
    scores = {
        name.removeprefix("score/"): int(value)
        for name, value in cells.items()
        if name.startswith("score/")
    }
    with project._store.read() as c:
        state = state_of(c, sha256)
    return ScanReview(
        state,
        cells.get("comment", ""),
        cells.get("reason", ""),
        scores,
    )


def frame_review(project: Project, sha256: str, frame: int) -> FrameReview:
    """Return the structures of a frame with their locks and reasons of rejection."""
    cells = project.state(sha256, frame)
    return FrameReview(
        tuple(project.annotations(sha256, frame, include_rejected=True)),
        frozenset(locked_uids(cells)),
        {n.removeprefix(REASON): v for n, v in cells.items() if n.startswith(REASON)},
        cells.get("review", ""),
        linking.unlinked(cells),
    )


# Structures


def accept(project: Project, sha256: str, frame: int, uids: Iterable[str]) -> Edit:
    """Accept structures as they are. What the expert drew or corrected needs no accepting."""
    chosen = _chosen(project, sha256, frame, uids)
    wanted = [a for a in chosen if a.status in ("proposed", "rejected")]
    label = f"{_named(wanted)} accepted"
    return _judge(project, sha256, frame, wanted, "accepted", label)


def reject(
    project: Project, sha256: str, frame: int, uids: Iterable[str], reason: str = ""
) -> Edit:
    """Reject structures, for a reason; on what is rejected already the reason is changed."""
    chosen = _chosen(project, sha256, frame, uids)
    why = {REASON + a.uid: reason.strip() or None for a in chosen}
    label = f"{_named(chosen)} rejected" + (f": {reason.strip()}" if reason.strip() else "")
    return _judge(project, sha256, frame, chosen, "rejected", label, states=why)


def bring_back(project: Project, sha256: str, frame: int, uids: Iterable[str]) -> Edit:
    """Take rejections back: the structures are again what they were before."""
    chosen = [a for a in _chosen(project, sha256, frame, uids) if a.status == "rejected"]
    before = {a.uid: project.record(a.parent) if a.parent else None for a in chosen}
    wishes = {}
    for a in chosen:
        was = before[a.uid]
        status: Status = was.status if was and was.status != "rejected" else "proposed"
        wishes[a.uid] = replace(a, status=status)
    act = Act(frame, replace=wishes, label=f"{_named(chosen)} no longer rejected")
    return project.act(sha256, act)[0]


def set_locked(
    project: Project, sha256: str, frame: int, uids: Iterable[str], locked: bool
) -> Edit:
    """Lock structures, so that neither an edit, a tool nor a run changes them, or unlock them."""
    chosen = _chosen(project, sha256, frame, uids)
    act = Act(
        frame,
        states={LOCK + a.uid: "1" if locked else None for a in chosen},
        label=f"{_named(chosen)} {'locked' if locked else 'unlocked'}",
    )
    return project.act(sha256, act)[0]


def fit_boxes(
    project: Project, sha256: str, frames: Iterable[int], which: linking.Which = linking.apart
) -> list[Edit]:
    """Put the boxes that lie off their outlines around them; one step of undo.

    Only those that nobody set apart (``linking.apart``, or ``linking.meeting``).
    """
    acts = []
    for frame in frames:
        found = frame_review(project, sha256, frame)
        off = which(found.records, found.unlinked)
        if off:
            names = _named([box for _, box in off])
            fitted = {box.uid: linking.around(box, outline) for outline, box in off}
            acts.append(Act(frame, replace=fitted, label=f"{names}: box around the outline"))
    return project.act(sha256, *acts) if acts else []


# Frames and scans


def accept_rest(project: Project, sha256: str, frame: int, looks: Iterable[Look] = ()) -> Edit:
    """Accept all open proposals of a frame; the frame is then reviewed.

    Parameters
    ----------
    project : Project
        Holds the scan.
    sha256, frame : str, int
        The frame.
    looks : iterable of (frame, moment)
        What was on the screen and is not in the project yet. A frame that never was is marked so.

    Raises
    ------
    UndecidedError
        If two raters disagree about the frame.
    """
    with project.together(""):
        require_decided(project, sha256, frame)
        project.note_looks(sha256, looks)
        unseen = project.unseen(sha256, also=[frame])
        return project.act(sha256, _finished(project, sha256, frame, frame in unseen))[0]


def finish(project: Project, sha256: str, frame: int, looks: Iterable[Look] = ()) -> States:
    """Accept all open proposals of all frames and finish the review of a scan.

    Parameters
    ----------
    project : Project
        Holds the scan.
    sha256 : str
        Of the scan.
    frame : int
        The frame that is shown: on it this is one step of undo.
    looks : iterable of (frame, moment)
        What was on the screen and is not in the project yet. The frames that nobody has looked
        at (``Project.unseen``) are accepted, too, and marked as such.

    Returns
    -------
    str
        ``accepted``, or ``corrected`` if any record was corrected, drawn or rejected, or any
        report field or the view was changed by the expert.

    Raises
    ------
    UndecidedError
        If two raters disagree about anything in the scan.
    """
    with project.together(""):
        require_decided(project, sha256)
        project.note_looks(sha256, looks)
        unseen = project.unseen(sha256, also=[frame])
        frames = [frame, *(f for f in project.frames(sha256) if f != frame)]
        acts = [_finished(project, sha256, f, f in unseen) for f in frames]
        corrected = any(act.states["review"] == "corrected" for act in acts)
        state: States = "corrected" if corrected else "accepted"
        label = f"Scan finished: {state}"
        if unseen:
            label += f" ({len(unseen)} of {len(frames)} frames never on the screen)"
        acts = [replace(a, scan_states={"review": state}, label=label) for a in acts]
        project.act(sha256, *acts)
    return state


def accept_seen(project: Project, sha256: str, frame: int, looks: Iterable[Look] = ()) -> None:
    """Accept the open proposals of the frames that were looked at; those are then reviewed.

    The rest stays open, and so does the scan. Parameters and errors are those of :func:`finish`.
    """
    with project.together(""):
        require_decided(project, sha256)
        project.note_looks(sha256, looks)
        unseen = project.unseen(sha256, also=[frame])
        frames = [frame, *(f for f in project.frames(sha256) if f != frame)]
        acts = [_finished(project, sha256, f, False) for f in frames if f not in unseen]
        label = f"What was looked at accepted ({len(acts)} frame{'s' * (len(acts) != 1)})"
        project.act(sha256, *(replace(act, label=label) for act in acts))


def reject_scan(project: Project, sha256: str, frame: int, reason: str = "") -> None:
    """Say that a scan cannot be used; its structures stay as they are."""
    cells = {"review": "rejected", "reason": reason.strip() or None}
    label = "Scan rejected" + (f": {reason.strip()}" if reason.strip() else "")
    project.act(sha256, Act(frame, scan_states=cells, label=label))


def skip_scan(project: Project, sha256: str, frame: int) -> None:
    """Leave a scan for another time or another person."""
    project.act(sha256, Act(frame, scan_states={"review": "skipped"}, label="Scan skipped"))


def reopen(project: Project, sha256: str, frame: int) -> None:
    """Bring a finished scan back into review, with the frames of it that were closed."""
    cells = {"review": "in_review", "reason": None}
    label = "Scan reviewed again"
    states = project.frame_states(sha256)
    closed = [f for f, state in states.items() if state.review in CLOSED]
    again: dict[str, str | None] = {"review": "in_review"}
    acts = [Act(f, states=again, label=label) for f in closed if f != frame]
    here = again if frame in closed else {}
    project.act(sha256, Act(frame, states=here, scan_states=cells, label=label), *acts)


def set_comment(project: Project, sha256: str, frame: int, text: str) -> None:
    """Keep a comment on a scan; an empty one takes it away."""
    cells = {"comment": text.strip() or None}
    project.act(sha256, Act(frame, scan_states=cells))


def set_score(project: Project, sha256: str, frame: int, of: ScoreOf, value: int | None) -> None:
    """Keep a sonographer's score of the annotation or of the interpretation.

    Raises
    ------
    ValueError
        If it is none of 1 (best), 2, 3 (worst), or there is no such score.
    """
    if of not in get_args(ScoreOf) or value not in (None, *SCORES):
        raise ValueError(f"{of} {value}: scores are 1, 2 or 3 for annotation or interpretation")
    cells = {f"score/{of}": None if value is None else str(value)}
    label = f"Score of the {of}: {value or 'taken back'}"
    project.act(sha256, Act(frame, scan_states=cells, label=label))


#: Every rule by its name, for one that is asked for now and carried out later.
RULES: Mapping[str, Callable[..., object]] = {
    rule.__name__: rule
    for rule in (
        *(accept, reject, bring_back, set_locked, accept_rest, accept_seen, finish),
        *(reject_scan, skip_scan, reopen, set_comment, set_score),
    )
}


# Parts


def _chosen(project: Project, sha256: str, frame: int, uids: Iterable[str]) -> list[Annotation]:
    """Return the records of a frame that have these uids; a uid that is gone stays out."""
    wanted = set(uids)
    found = project.annotations(sha256, frame, include_rejected=True)
    return [a for a in found if a.uid in wanted]


def _judge(
    project: Project,
    sha256: str,
    frame: int,
    chosen: Iterable[Annotation],
    status: Status,
    label: str,
    states: Mapping[str, str | None] | None = None,
) -> Edit:
    wishes = {a.uid: replace(a, status=status) for a in chosen}
    return project.act(sha256, Act(frame, replace=wishes, states=states or {}, label=label))[0]


def _finished(project: Project, sha256: str, frame: int, unseen: bool) -> Act:
    """Return the act that accepts what is open on a frame and marks it as reviewed."""
    records = project.annotations(sha256, frame, include_rejected=True)
    still_open = [a for a in records if a.status == "proposed"]
    report = project.report(sha256, frame)
    changed = (
        any(a.source == "expert" or a.status in ("corrected", "rejected") for a in records)
        or bool(report.expert_fields)
        or report.expert_view is not None
    )
    return Act(
        frame,
        replace={a.uid: replace(a, status="accepted") for a in still_open},
        states={
            "review": "corrected" if changed else "accepted",
            UNSEEN: "1" if unseen else None,
        },
        label=f"The rest accepted ({len(still_open)}){', never on the screen' if unseen else ''}",
    )


def _named(records: Iterable[Annotation]) -> str:
    names = list(dict.fromkeys(a.category for a in records))
    return ", ".join(names[:3]) + (" …" if len(names) > 3 else "") or "nothing"
