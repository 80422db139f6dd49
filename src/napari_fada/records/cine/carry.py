"""Work over the frames of a clip, as generators of events: copy, interpolate, follow.

They run in a worker thread (or a script). Each frame is one transaction of the project; all
frames of one call are one step of undo. Cancelling takes effect before the next frame; what was
done until then stays, and is that step.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from napari_fada.errors import FadaError, ProjectError
from napari_fada.records.annotation import Annotation, Source, new_uid, now
from napari_fada.records.cine import track
from napari_fada.records.cine.interpolate import between
from napari_fada.records.cine.matching import pairs
from napari_fada.records.deriving import Derived, is_judged
from napari_fada.records.project import Project
from napari_fada.records.steps import Growing

Decode = Callable[[int], npt.NDArray[np.uint8]]


@dataclass(frozen=True, slots=True)
class Step:
    """One frame is done."""

    number: int
    total: int
    outcome: Derived


@dataclass(frozen=True, slots=True)
class Lost:
    """A structure could not be taken to a frame, and is not taken any further."""

    frame: int
    record: Annotation
    reason: str


@dataclass(frozen=True, slots=True)
class Finished:
    """The work has ended.

    ``verb`` says what was done (``copied``, …); ``problem`` why it ended early.
    """

    verb: str
    outcomes: tuple[Derived, ...]
    lost: tuple[Lost, ...] = ()
    cancelled: bool = False
    problem: str = ""

    @property
    def added(self) -> int:
        """How many structures were put on frames."""
        return sum(len(o.added) for o in self.outcomes)

    def text(self) -> str:
        """Return what was done, for the user."""
        frames = [o.frame for o in self.outcomes if o.added]
        where = "on" if self.verb == "interpolated" else "to"
        said = [f"{_count(self.added, 'structure')} {self.verb} {where} {_named(frames)}."]
        if not self.added:
            said = [f"Nothing was {self.verb}."]
        replaced = sum(len(o.replaced) for o in self.outcomes)
        if replaced:
            said.append(f"{_count(replaced, 'untouched proposal')} made room.")
        left = sum(len(o.left) for o in self.outcomes if not o.closed)
        if left:
            said.append(f"{_count(left, 'structure')} left out: an expert's word stands there.")
        for why, number in Counter(o.closed for o in self.outcomes if o.closed).items():
            said.append(f"{_count(number, f'{why} frame')} left alone.")
        for lost in self.lost[:3]:
            said.append(
                f"{lost.record.category} stops before frame {lost.frame + 1}: {lost.reason}."
            )
        if len(self.lost) > 3:
            said.append(f"{len(self.lost) - 3} more stop on the way.")
        if self.cancelled:
            said.append("Cancelled; what was done stays.")
        if self.problem:
            said.append(self.problem)
        if any(o.reopened for o in self.outcomes):
            said.append("The scan was finished; it is in review again.")
        if len(frames) > 1:
            said.append("One undo takes all of it back.")
        return " ".join(said)


Event = Step | Lost | Finished


def copy(
    project: Project,
    sha256: str,
    source: int,
    targets: Sequence[int],
    *,
    uids: Iterable[str] | None = None,
    cancel: threading.Event | None = None,
) -> Iterator[Event]:
    """Copy the structures of a frame to other frames.

    Parameters
    ----------
    project : Project
        Holds the records.
    sha256 : str
        Of the scan.
    source : int
        Frame to copy from.
    targets : sequence of int
        Frames to copy to, in this order.
    uids : iterable of str, optional
        Only these structures; all that stand on the frame by default.
    cancel : threading.Event, optional
        Ends the work before the next frame.

    Yields
    ------
    Step
        For each frame.
    Finished
        At the end.
    """
    records = _chosen(project, sha256, source, uids)
    label = f"copied from frame {source + 1}"

    def wishes(_frame: int) -> list[Annotation]:
        return [_proposal(r, "copy") for r in records]

    yield from _put(project, sha256, targets, wishes, "copied", label, cancel)


def interpolate(
    project: Project,
    sha256: str,
    gaps: Sequence[tuple[int, int]],
    *,
    cancel: threading.Event | None = None,
) -> Iterator[Event]:
    """Fill the frames between key frames; see :func:`gaps_around`.

    Parameters
    ----------
    project, sha256, cancel
        See :func:`copy`.
    gaps : sequence of (first, last)
        Key frames; the frames between each two are filled.

    Yields
    ------
    Lost
        For a structure that only one of two key frames has.
    Step
        For each frame.
    Finished
        At the end.
    """
    keys = key_frames(project.annotations_by_frame(sha256))
    ways: dict[int, tuple[float, list[tuple[Annotation, Annotation]]]] = {}
    lost: list[Lost] = []
    for first, last in gaps:
        matched = pairs(keys[first], keys[last])
        for frame in range(first + 1, last):
            ways[frame] = (frame - first) / (last - first), matched
        met = {r.uid for pair in matched for r in pair}
        for there, other in ((first, last), (last, first)):
            lost += [
                Lost(other, r, f"it has no partner among the expert's on frame {other + 1}")
                for r in keys[there]
                if r.uid not in met
            ]
    yield from lost
    label = "interpolated between frames " + ", ".join(f"{a + 1} and {b + 1}" for a, b in gaps)

    def wishes(frame: int) -> list[Annotation]:
        t, matched = ways[frame]
        return [_proposal(between(a, b, t), "interpolation") for a, b in matched]

    yield from _put(project, sha256, sorted(ways), wishes, "interpolated", label, cancel, lost)


def follow(
    project: Project,
    sha256: str,
    source: int,
    targets: Sequence[int],
    decode: Decode,
    *,
    uids: Iterable[str] | None = None,
    cancel: threading.Event | None = None,
) -> Iterator[Event]:
    """Carry the structures of a frame along by optical flow, frame after frame.

    A structure that an expert has set on one of the frames goes on from there. It stops, with
    a reason, where flow is not credible.

    Parameters
    ----------
    project, sha256, source, uids, cancel
        See :func:`copy`.
    targets : sequence of int
        The frames that follow ``source``, each next to the one before (forward or backward).
    decode : callable
        Gives a frame of the scan.

    Yields
    ------
    Lost
        For a structure that stops.
    Step
        For each frame.
    Finished
        At the end.
    """
    before = track.look(decode(source))
    going = [track.begin(r, before) for r in _chosen(project, sha256, source, uids)]
    lost: list[Lost] = []
    outcomes: list[Derived] = []
    act = Growing()
    cancelled, problem = False, ""
    for number, frame in enumerate(targets, start=1):
        if not going:
            break
        try:
            after = track.look(decode(frame))
            moved = track.motion(before, after)
            if cancel is not None and cancel.is_set():
                cancelled = True
                break
            steps = [(t, track.step(t, moved, after)) for t in going]
            stopped = [
                Lost(frame, t.annotation, s.reason) for t, s in steps if isinstance(s, track.Lost)
            ]
            going = [s for _, s in steps if isinstance(s, track.Track)]
            wishes = {id(t): _proposal(t.annotation, "flow") for t in going}
            label = f"followed from frame {source + 1}"
            outcome = project.derive(sha256, frame, wishes.values(), label=label, act=act)
        except FadaError as error:
            problem = str(error)
            break
        # From here on as the expert has it, where the expert has set it.
        theirs = {w.uid: a for w, a in pairs(tuple(wishes.values()), outcome.stands)}
        going = [
            track.begin(theirs[wishes[id(t)].uid], after) if wishes[id(t)].uid in theirs else t
            for t in going
        ]
        before = after
        lost += stopped
        yield from stopped
        outcomes.append(outcome)
        yield Step(number, len(targets), outcome)
    yield Finished("followed", tuple(outcomes), tuple(lost), cancelled, problem)


def key_frames(records: Mapping[int, Iterable[Annotation]]) -> dict[int, list[Annotation]]:
    """Return the frames that hold an expert's word, with the structures that are it."""
    judged = {f: [r for r in rs if is_judged(r)] for f, rs in records.items()}
    return {f: sorted(rs, key=lambda r: r.created) for f, rs in sorted(judged.items()) if rs}


def gaps_around(keys: Iterable[int], frame: int) -> list[tuple[int, int]]:
    """Return the stretches between key frames around a frame.

    On a frame between two, the one it lies in; on a key frame, the one before and the one
    after it. Stretches without a frame in between are left out.
    """
    keys = sorted(keys)
    before = max((k for k in keys if k < frame), default=None)
    after = min((k for k in keys if k > frame), default=None)
    ends = [before, frame, after] if frame in keys else [before, after]
    return [(a, b) for a, b in pairwise(ends) if a is not None and b is not None and b - a > 1]


def _chosen(
    project: Project, sha256: str, frame: int, uids: Iterable[str] | None
) -> list[Annotation]:
    records = project.annotations(sha256, frame)
    wanted = None if uids is None else set(uids)
    return [r for r in records if wanted is None or r.uid in wanted]


def _proposal(record: Annotation, source: Source) -> Annotation:
    return replace(
        record,
        uid=new_uid(),
        source=source,
        status="proposed",
        parent=None,
        score=None,
        rater="",
        created=now(),
    )


def _put(
    project: Project,
    sha256: str,
    targets: Sequence[int],
    wishes: Callable[[int], list[Annotation]],
    verb: str,
    label: str,
    cancel: threading.Event | None,
    lost: Sequence[Lost] = (),
) -> Iterator[Event]:
    outcomes: list[Derived] = []
    act = Growing()
    cancelled, problem = False, ""
    for number, frame in enumerate(targets, start=1):
        if cancel is not None and cancel.is_set():
            cancelled = True
            break
        try:
            outcomes.append(project.derive(sha256, frame, wishes(frame), label=label, act=act))
        except ProjectError as error:
            problem = str(error)
            break
        yield Step(number, len(targets), outcomes[-1])
    yield Finished(verb, tuple(outcomes), tuple(lost), cancelled, problem)


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'s' * (number != 1)}"


def _named(frames: Sequence[int]) -> str:
    if len(frames) == 1:
        return f"frame {frames[0] + 1}"
    return f"{len(frames)} frames ({min(frames) + 1}–{max(frames) + 1})" if frames else ""
