"""Labels that come in from elsewhere: what becomes of the frames that they are for.

They are put beside what is there, and no one has reviewed them here. If the one who brings them
in says that they are reviewed, they are the truth of their frames: accepted, signed, the review
closed. What a model proposed there and nobody has touched makes room (its reading is kept, to be
compared with), and where a person is at work the review stays as it is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace

from napari_fada.records import history, tables
from napari_fada.records.annotation import Annotation, now
from napari_fada.records.edits import FINISHED, RECORD, locked_uids
from napari_fada.records.project import Project
from napari_fada.records.rows import WHOLE, Act
from napari_fada.records.summary import state_of

AT_WORK = "someone is at work on them: the review stays open"
PUT_ASIDE = "they were rejected or skipped: that stays"


@dataclass(slots=True)
class Reviewed:
    """Which frames of which scans were closed, and which were left, by reason."""

    frames: dict[str, set[int]] = field(default_factory=dict)
    left: Counter[str] = field(default_factory=Counter)


def take_in(
    project: Project, sha256: str, act: Act, records: Iterable[Annotation], into: Reviewed | None
) -> list[Annotation]:
    """Put labels on a frame; return those that are new to the project.

    Parameters
    ----------
    act : Act
        The frame, and what is said beside the labels.
    records : iterable of Annotation
        The labels. What the project has had at any time is not put there again.
    into : Reviewed, optional
        Given if the labels are reviewed; takes what became of the frame.
    """
    records = list(records)
    new = [a for a in records if project.record(a.uid) is None]
    if into is None:
        project.act(sha256, replace(act, add=new, by_person=False))
        return new
    left = _left_alone(project, sha256, act.frame)
    if left:
        into.left[left] += 1
        project.act(sha256, replace(act, add=new, by_person=False))
        return new
    came = {a.uid for a in records}
    states = dict(act.states)
    if "review" not in project.state(sha256, act.frame):
        _make_room(project, sha256, act.frame, came, act.label)
        states["review"] = "accepted"
    here = [a for a in project.annotations(sha256, act.frame) if a.uid in came]
    project.act(
        sha256,
        replace(
            act,
            add=[_accepted(a, project.rater) for a in new],
            replace={a.uid: _accepted(a, project.rater) for a in here},
            states=states,
            by_person=False,
        ),
    )
    project.note_looks(sha256, [(act.frame, now())], how="told")
    into.frames.setdefault(sha256, set()).add(act.frame)
    return new


def takes_proposals(project: Project, sha256: str) -> bool:
    """Tell whether a model that reads many scans may propose anything on this one.

    Not where labels came in or the review is closed: there a reading is kept to be compared with,
    and what stands stays as it is. (One scan at a time a person may still ask for proposals.)
    """
    with project._store.read() as c:
        return state_of(c, sha256) in ("new", "proposed", "in_review")


def close_scans(project: Project, reviewed: Reviewed, label: str) -> None:
    """Close the review of each scan all frames of which are closed.

    Of a clip with labels on some frames only those are closed: nobody said anything of the rest.
    """
    for sha256, frames in reviewed.frames.items():
        row = project.scan(sha256)
        if row is None or project.state(sha256, WHOLE).get("review"):
            continue
        closed = {f for f, s in project.frame_states(sha256).items() if s.review in FINISHED[:2]}
        if len(closed | frames) >= row.n_frames:
            cells = {"review": "accepted"}
            act = Act(min(frames), scan_states=cells, label=label, by_person=False)
            project.act(sha256, act)


def _left_alone(project: Project, sha256: str, frame: int) -> str:
    """Return why the review of a frame is not to be closed; empty if it is."""
    reviews = {project.state(sha256, at).get("review") for at in (frame, WHOLE)}
    if reviews & {"rejected", "skipped"}:
        return PUT_ASIDE
    # A scan that was closed as a whole may have frames on which someone once began.
    return AT_WORK if "in_review" in reviews and not reviews & {*FINISHED} else ""


def _make_room(
    project: Project, sha256: str, frame: int, came: Collection[str], label: str
) -> None:
    """Take what a model proposed, and nobody touched, off a frame: no one has rejected it."""
    with project._store.write() as c:
        cells = history.cells(c, sha256, frame)
        kept = locked_uids(cells) | set(came)
        live = [a for _, a in tables.live_records(c, sha256, frame) if a.uid not in kept]
        gone = {RECORD + a.uid for a in live if a.status == "proposed" and a.source != "import"}
        # The model's words would count as reviewed, too.
        wanted: dict[str, str | None] = dict.fromkeys(gone | ({"reading"} & cells.keys()))
        if wanted:
            project._tell(history.do(c, sha256, frame, wanted, label=label, rater=project.rater))


def _accepted(record: Annotation, rater: str) -> Annotation:
    """Return a label as someone's accepted word; what was rejected elsewhere stays so."""
    status = "accepted" if record.status == "proposed" else record.status
    return replace(record, status=status, rater=record.rater or rater)
