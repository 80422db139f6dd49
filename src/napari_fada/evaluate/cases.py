"""What is compared: frames with the truth on one side and an answer on the other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from napari_fada.exchange.frames import FrameRecords
from napari_fada.records.annotation import Annotation
from napari_fada.records.project import Project
from napari_fada.records.reading import PHASES, Reading


@dataclass(frozen=True, slots=True)
class Side:
    """What one side says of a frame: structures, report, view."""

    annotations: tuple[Annotation, ...] = ()
    fields: Mapping[str, str] = field(default_factory=dict)
    view: str | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """A frame with truth and answer.

    Parameters
    ----------
    key : str
        Tells it from all others.
    name : str
        For people.
    size : (width, height)
        In pixels.
    group : str
        Examination, if it is known; figures are resampled by examinations.
    spacing_mm : (y, x) or None
        Without a scale there are no millimetres.
    spacing_origin : str
        Where the scale comes from.
    phases : mapping of phase to state
        How the answer came to be; empty where it was not a model that ran. A failed phase is
        no answer: what it should have found counts as missed, and is counted apart.
    path, frame : Path or None, int
        Where its pixels are.
    """

    key: str
    name: str
    size: tuple[int, int]
    truth: Side
    answer: Side
    group: str = ""
    spacing_mm: tuple[float, float] | None = None
    spacing_origin: str = ""
    phases: Mapping[str, str] = field(default_factory=dict)
    path: Path | None = None
    frame: int = 0

    @property
    def examination(self) -> str:
        """What is drawn for intervals: where no examination is known, the scan."""
        return self.group or self.key.rpartition("/")[0]

    @property
    def failed(self) -> tuple[str, ...]:
        """The phases that failed."""
        return tuple(name for name, state in self.phases.items() if state == "failed")


@dataclass(slots=True)
class Unpaired:
    """Frames that stand on one side only, and others that cannot be compared, by reason."""

    reasons: dict[str, int] = field(default_factory=dict)

    def count(self, reason: str, n: int = 1) -> None:
        """Take note."""
        if n:
            self.reasons[reason] = self.reasons.get(reason, 0) + n


NOT_REVIEWED = "frames whose review is not closed (no truth)"
NOT_READ = "frames that no model has read (no answer)"
ONLY_TRUTH = "frames that only the truth has"
ONLY_ANSWER = "frames that only the answer has"
TWICE = "frames whose file name stands twice on a side, and nothing else tells them apart"
OTHER_SIZE = "frames of another size on the other side"

#: What can be done about it where it leaves nothing to compare.
WAYS_OUT: Mapping[str, str] = {
    NOT_REVIEWED: "Close reviews: N in the window; for many scans, as labels that came in, Accept "
    "in the worklist's menu, or napari-fada project accept.",
    NOT_READ: "Let a model read them: Run on … without a reading in the worklist, or "
    "napari-fada run --project.",
    ONLY_TRUTH: "Answers must be of the same images.",
    ONLY_ANSWER: "Answers must be of the same images.",
    OTHER_SIZE: "Answers must be of the same images.",
    TWICE: "Give the images names that stand once.",
}


def cases_of_project(project: Project, left: Unpaired) -> Iterator[Case]:
    """Yield the reviewed frames of a project: what experts made of it against what the model said.

    The model's side is the reading that the frame shows, as the model gave it; where labels came in
    and none is shown, the last one that was kept to be compared with.
    """
    for row in project.scans():
        spacing, origin = project.spacing(row)
        for frame in project.frames(row.sha256):
            now = project.standing(row.sha256, frame)
            if not now.reviewed:
                left.count(NOT_REVIEWED)
                continue
            reading = now.reading or _kept(project, row.sha256, frame)
            if reading is None:
                left.count(NOT_READ)
                continue
            judged = ("accepted", "corrected")
            standing = tuple(a for a in now.annotations if a.status in judged)
            report = now.report
            yield Case(
                *(f"{row.sha256}/{frame}", row.name, (row.width, row.height)),
                Side(standing, report.fields, report.view),
                side_of(reading),
                group=row.subject,
                spacing_mm=spacing,
                spacing_origin=origin,
                phases=phases_of(reading),
                path=row.path,
                frame=frame,
            )


def _kept(project: Project, sha256: str, frame: int) -> Reading | None:
    """Return the last reading of a frame that shows none: labels came in, a model only read it."""
    return next(reversed(project.readings(sha256, frame)), None)


def side_of(reading: Reading) -> Side:
    """Return what a model said."""
    return Side(reading.annotations, dict(reading.interpretation), reading.view)


def phases_of(reading: Reading) -> dict[str, str]:
    """Return the states of the phases."""
    return {p: reading.phases[p].state for p in PHASES if p in reading.phases}


def cases_of_frames(
    truth: Sequence[FrameRecords], answer: Sequence[FrameRecords], left: Unpaired
) -> Iterator[Case]:
    """Yield the frames that two data sets have both.

    They are told by scan and frame, or by file name where one side does not know the scan. A name
    that stands twice tells nothing; such frames are counted.
    """
    scans = {_key(f): f for f in answer if f.sha256}
    names = [Counter(_name(f) for f in side) for side in (truth, answer)]
    by_name = {_name(f): f for f in answer}
    used: set[int] = set()
    for mine in truth:
        name = _name(mine)
        yours = scans.get(_key(mine)) if mine.sha256 else None
        if yours is None and name in by_name and not (mine.sha256 and by_name[name].sha256):
            if max(side[name] for side in names) > 1:
                left.count(TWICE)
                used.update(id(f) for f in answer if _name(f) == name)
                continue
            yours = by_name[name]
        if yours is not None:
            used.add(id(yours))
        if yours is None:
            left.count(ONLY_TRUTH)
        elif (mine.width, mine.height) != (yours.width, yours.height):
            left.count(OTHER_SIZE)
        else:
            yield case_of(mine, Side(yours.annotations, yours.fields, yours.view))
    left.count(ONLY_ANSWER, sum(id(f) not in used for f in answer))


def case_of(truth: FrameRecords, answer: Side, phases: Mapping[str, str] | None = None) -> Case:
    """Return a case of a frame of a data set and what was said of it."""
    return Case(
        *(_key(truth), Path(truth.image).name, (truth.width, truth.height)),
        Side(truth.annotations, truth.fields, truth.view),
        answer,
        group=truth.group or truth.subject,
        spacing_mm=truth.spacing_mm,
        spacing_origin=truth.spacing_origin,
        phases=phases or {},
        path=truth.source,
        frame=truth.frame,
    )


def frames_of_project(
    project: Project, *, proposals: bool, left: Unpaired | None = None
) -> Iterator[FrameRecords]:
    """Yield what stands in a project, as frames of a data set.

    Parameters
    ----------
    proposals : bool
        True: all that stands, on every frame; False: what was judged, on reviewed frames.
    left : Unpaired, optional
        Counts the frames that are not reviewed.
    """
    for row in project.scans():
        spacing, origin = project.spacing(row)
        for frame in project.frames(row.sha256):
            now = project.standing(row.sha256, frame)
            if not (proposals or now.reviewed):
                if left is not None:
                    left.count(NOT_REVIEWED)
                continue
            report = now.report
            records = [a for a in now.annotations if a.status != "rejected"]
            yield FrameRecords(
                *(row.name, row.width, row.height),
                tuple(a for a in records if proposals or a.status != "proposed"),
                fields=report.fields,
                view=report.view,
                sha256=row.sha256,
                frame=frame,
                group=row.subject,
                spacing_mm=spacing,
                spacing_origin=origin,
                source=row.path,
            )


def _key(frame: FrameRecords) -> str:
    return f"{frame.sha256 or frame.image}/{frame.frame}"


def _name(frame: FrameRecords) -> str:
    return f"{Path(frame.image).stem}/{frame.frame}"
