"""What the strip of a clip shows of each frame: who said something, how far the review is.

Pure functions on plain arrays; the strip paints them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from napari_fada.records.annotation import DERIVED, Annotation
from napari_fada.records.deriving import is_judged
from napari_fada.records.edits import FINISHED
from napari_fada.records.rows import FrameState

NOTHING, PROPOSED, CARRIED, EXPERT = range(4)
OPEN, IN_REVIEW, REVIEWED = range(3)
SOUND, STALE, FAILED = range(3)
SEEN, NEVER_SEEN, SIGNED_UNSEEN = range(3)

Codes = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False)
class Marks:
    """One code for each frame.

    ``who``: nothing, proposed by a model, carried over from other frames, an expert's (a key
    frame). ``review``: open, in review, reviewed. ``trouble``: sound, stale, failed. ``looks``:
    on the screen as it stands, never, accepted without that.
    """

    who: Codes
    review: Codes
    trouble: Codes
    looks: Codes

    @classmethod
    def empty(cls, n_frames: int) -> Marks:
        """Return the marks of a clip on which nothing was done."""
        who, review, trouble = (np.zeros(n_frames, np.uint8) for _ in range(3))
        return cls(who, review, trouble, looks=np.full(n_frames, NEVER_SEEN, np.uint8))

    @property
    def annotated(self) -> list[int]:
        """Frames that hold structures."""
        return [int(f) for f in np.flatnonzero(self.who)]


def marks_of(
    n_frames: int,
    records: Mapping[int, Sequence[Annotation]],
    states: Mapping[int, FrameState],
) -> Marks:
    """Return what the strip shows.

    Parameters
    ----------
    n_frames : int
        Of the clip.
    records : mapping of frame to structures
        That stand now; an expert's word counts more than a proposal.
    states : mapping of frame to FrameState
        From ``Project.frame_states``.
    """
    marks = Marks.empty(n_frames)
    for frame, found in records.items():
        if 0 <= frame < n_frames and found:
            marks.who[frame] = max(map(_who, found))
    for frame, state in states.items():
        if 0 <= frame < n_frames:
            marks.review[frame] = _review(state.review)
            marks.trouble[frame] = FAILED if state.failed else STALE if state.stale else SOUND
            marks.looks[frame] = _looks(state)
    return marks


def _looks(state: FrameState) -> int:
    if state.unseen:
        return SIGNED_UNSEEN
    return SEEN if state.seen else NEVER_SEEN


def columns_of(codes: Codes, width: int) -> Codes:
    """Return one code for each column of pixels: the highest of the frames that fall into it."""
    if width < 1 or not len(codes):
        return np.zeros(max(width, 0), np.uint8)
    starts = np.arange(width) * len(codes) // width
    highest: Codes = np.maximum.reduceat(codes, starts)
    return highest


def frame_at(x: float, width: int, n_frames: int) -> int:
    """Return the frame at a place of a strip of a width."""
    return min(max(int(x * n_frames / max(width, 1)), 0), n_frames - 1)


def next_of(frames: Sequence[int], here: int, step: int) -> int | None:
    """Return the nearest of some frames after (or, with a negative step, before) a frame."""
    if step > 0:
        return min((f for f in frames if f > here), default=None)
    return max((f for f in frames if f < here), default=None)


def describe(
    frame: int,
    n_frames: int,
    frame_time: float | None,
    records: Sequence[Annotation],
    state: FrameState | None,
) -> str:
    """Return what is to be said about a frame in a line."""
    at = f" · {frame * frame_time:.2f} s" if frame_time else ""
    expert = sum(map(is_judged, records))
    carried = sum(_who(r) == CARRIED for r in records)
    model = len(records) - expert - carried
    counts = ((expert, "by an expert"), (model, "proposed"), (carried, "from other frames"))
    said = [f"{n} {what}" for n, what in counts if n] or ["nothing"]
    state = state or FrameState()
    if _review(state.review):
        said.append("reviewed" if _review(state.review) == REVIEWED else "in review")
    if state.unseen:
        said.append("accepted without being on the screen")
    elif records and not state.seen:
        said.append("not looked at yet")
    if state.failed:
        said.append("a phase failed")
    if state.stale:
        said.append("a phase is out of date")
    return f"Frame {frame + 1} of {n_frames}{at} — {', '.join(said)}"


def _who(record: Annotation) -> int:
    if is_judged(record):
        return EXPERT
    return CARRIED if record.source in DERIVED else PROPOSED


def _review(text: str) -> int:
    return REVIEWED if text in FINISHED else IN_REVIEW if text else OPEN
