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
from napari_fada.records.cine.identity import Unsure, doubts, identities
from napari_fada.records.cine.interpolate import between
from napari_fada.records.cine.matching import pairs
from napari_fada.records.deriving import Derived, is_judged
from napari_fada.records.linking import UNLINKED, around, unlinked
from napari_fada.records.project import Project
from napari_fada.records.steps import Growing
from napari_fada.records.structures import boxes, structures
from napari_fada.records.structures import pairs as structure_pairs

Decode = Callable[[int], npt.NDArray[np.uint8]]
Wishes = tuple[list[Annotation], dict[str, str]]
"""Proposals for a frame, and which boxes among them are set apart from which outlines."""


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

    ``verb`` says what was done (``copied``, …); ``problem`` why it ended early; ``unsure`` what
    was paired by place alone.
    """

    verb: str
    outcomes: tuple[Derived, ...]
    lost: tuple[Lost, ...] = ()
    cancelled: bool = False
    problem: str = ""
    unsure: tuple[Unsure, ...] = ()

    @property
    def added(self) -> int:
        """How many structures were put on frames; box and outline of a thing are one."""
        return sum(len(structures(o.added)) for o in self.outcomes)

    def text(self, swap: str = "Swap") -> str:
        """Return what was done, for the user; ``swap`` is the key that says which is which."""
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
        said += [one.text(swap) for one in self.unsure if self.added]
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
    load = _Load.of(*_chosen(project, sha256, source, uids))
    label = f"copied from frame {source + 1}"

    def wishes(_frame: int) -> Wishes:
        return load.wishes({r.uid: r for r in load.records}, "copy")

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
    standing = project.annotations_by_frame(sha256)
    apart = project.cells_named(sha256, UNLINKED)
    keys = {f: _Load.of(records, apart) for f, records in key_frames(standing).items()}
    ways: dict[int, tuple[float, list[tuple[Annotation, Annotation]], _Load]] = {}
    lost: list[Lost] = []
    guessed: list[Unsure] = []
    for first, last in gaps:
        one, other = keys[first], keys[last]
        same = {**one.same, **other.same}
        matched = pairs(one.records, other.records, same)
        load = one.joined(other, {b.uid: a.uid for a, b in matched})
        drawn = {f: [a for a in standing[f] if a in keys[f].records] for f in (first, last)}
        guessed += doubts((first, drawn[first]), (last, drawn[last]), same)
        for frame in range(first + 1, last):
            ways[frame] = (frame - first) / (last - first), matched, load
        met = {r.uid for pair in matched for r in pair}
        for there, where in ((one, last), (other, first)):
            lost += [
                Lost(where, r, f"it has no partner among the expert's on frame {where + 1}")
                for r in there.records
                if r.uid not in met
            ]
    yield from lost
    label = "interpolated between frames " + ", ".join(f"{a + 1} and {b + 1}" for a, b in gaps)

    def wishes(frame: int) -> Wishes:
        t, matched, load = ways[frame]
        return load.wishes({a.uid: between(a, b, t) for a, b in matched}, "interpolation")

    for event in _put(project, sha256, sorted(ways), wishes, "interpolated", label, cancel, lost):
        yield replace(event, unsure=tuple(guessed)) if isinstance(event, Finished) else event


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
    load = _Load.of(*_chosen(project, sha256, source, uids))
    going = {r.uid: track.begin(r, before) for r in load.records}
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
            steps = {uid: track.step(t, moved, after) for uid, t in going.items()}
            stopped = [
                Lost(frame, going[uid].annotation, s.reason)
                for uid, s in steps.items()
                if isinstance(s, track.Lost)
            ]
            going = {uid: s for uid, s in steps.items() if isinstance(s, track.Track)}
            places = {uid: t.annotation for uid, t in going.items()}
            made, unlinked = load.wishes(places, "flow")
            label = f"followed from frame {source + 1}"
            outcome = project.derive(sha256, frame, made, label=label, act=act, unlinked=unlinked)
        except FadaError as error:
            problem = str(error)
            break
        # From here on as the expert has it, where the expert has set it.
        theirs = {w.uid: a for w, a in pairs(made, outcome.stands)}
        for uid, wish in zip(going, made, strict=False):  # boxes of outlines stand behind them
            if wish.uid in theirs:
                going[uid] = track.begin(theirs[wish.uid], after)
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
) -> tuple[list[Annotation], dict[str, str]]:
    """Return the records that are meant, each with the other half of its structure."""
    records, apart = project.annotations(sha256, frame), unlinked(project.state(sha256, frame))
    if uids is None:
        return records, apart
    wanted = set(uids)
    for outline, box in boxes(records, apart).items():
        if wanted & {outline, box.uid}:
            wanted |= {outline, box.uid}
    return [r for r in records if r.uid in wanted], apart


@dataclass(frozen=True, slots=True)
class _Load:
    """What is taken to other frames: records, the boxes that go with outlines, and those apart.

    ``boxes`` are by the uid of the outline; ``apart`` leads from a box to its outline; ``same``
    says which structure each is.
    """

    records: list[Annotation]
    boxes: Mapping[str, Annotation]
    apart: Mapping[str, str]
    same: Mapping[str, str]

    @classmethod
    def of(cls, records: Sequence[Annotation], apart: Mapping[str, str]) -> _Load:
        """Make it of all that is taken along."""
        found = {outline.uid: box for outline, box in structure_pairs(records, apart)}
        own = {box.uid for box in found.values()}
        same = identities(records, apart)
        return cls([r for r in records if r.uid not in own], found, apart, same)

    def joined(self, other: _Load, names: Mapping[str, str]) -> _Load:
        """Return it with what the other end of a stretch knows; ``names`` leads to ours."""
        more = {names[of]: box for of, box in other.boxes.items() if of in names}
        apart = {names.get(b, b): names.get(o, o) for b, o in other.apart.items()}
        return _Load(self.records, {**more, **self.boxes}, {**apart, **self.apart}, self.same)

    def wishes(self, places: Mapping[str, Annotation], source: Source) -> Wishes:
        """Return proposals of records as they are elsewhere, and boxes around the outlines."""
        made = {uid: _proposal(r, source, self.same[uid]) for uid, r in places.items()}
        around_them = [
            around(_proposal(self.boxes[uid], source, wish.identity), wish)
            for uid, wish in made.items()
            if uid in self.boxes
        ]
        kept = {made[b].uid: made[o].uid for b, o in self.apart.items() if b in made and o in made}
        return [*made.values(), *around_them], kept


def _proposal(record: Annotation, source: Source, identity: str) -> Annotation:
    return replace(
        record,
        uid=new_uid(),
        source=source,
        status="proposed",
        parent=None,
        score=None,
        rater="",
        created=now(),
        track=identity,
    )


def _put(
    project: Project,
    sha256: str,
    targets: Sequence[int],
    wishes: Callable[[int], Wishes],
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
            made, kept = wishes(frame)
            outcomes.append(
                project.derive(sha256, frame, made, label=label, act=act, unlinked=kept)
            )
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
