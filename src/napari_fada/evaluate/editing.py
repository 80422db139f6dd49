"""How much work the experts had: what they kept, moved, rejected and drew, and how long it took."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from statistics import median

import numpy as np

from napari_fada.evaluate.bootstrap import Draws, Figure
from napari_fada.records.annotation import Annotation
from napari_fada.records.project import Project

#: A longer pause between two edits is no work on the scan, so it counts as this much.
PAUSE = 120.0
#: A vertex has moved if it lies farther than this from every vertex of before.
STILL = 0.5


@dataclass(frozen=True, slots=True)
class Editing:
    """What became of the model's proposals on reviewed frames.

    Parameters
    ----------
    proposals : int
        Structures that the model proposed on frames that were reviewed.
    untouched, corrected, rejected : Figure
        Shares of them, with intervals over examinations; the rest is still open.
    added : int
        Structures that experts drew themselves.
    vertices : float or None
        Median number of vertices moved in a corrected outline.
    moved_px : float or None
        Median distance of the moved vertices from the outline of before.
    seconds : float or None
        Median time of work on a scan: the time between its edits, where pauses of more than
        two minutes count as two minutes. Looking before the first edit is not in it.
    scans : int
        How many scans the time is from.
    """

    proposals: int
    untouched: Figure
    corrected: Figure
    rejected: Figure
    added: int
    vertices: float | None
    moved_px: float | None
    seconds: float | None
    scans: int


def editing(project: Project, times: int = 1000, seed: int = 0) -> Editing:
    """Work it out for a project.

    Parameters
    ----------
    times, seed : int
        Of the draws of examinations; see :class:`~napari_fada.evaluate.bootstrap.Draws`.
    """
    groups: list[str] = []  # of each scan
    judged: list[tuple[int, str]] = []  # each proposal: its scan, and what became of it
    added = 0
    vertices: list[int] = []
    far: list[float] = []
    seconds: list[float] = []
    for place, row in enumerate(project.scans()):
        groups.append(row.subject or row.sha256)
        touched = False
        for frame in project.frames(row.sha256):
            now = project.standing(row.sha256, frame)
            if not now.reviewed:
                continue
            touched = True
            for record in now.annotations:
                root = [record, *project.ancestors(record)][-1]
                if root.source != "model":
                    added += root.source == "expert" and record.status != "rejected"
                    continue
                judged.append((place, record.status))
                if record.status == "corrected" and record.kind == root.kind == "polygon":
                    moved = _moved(root, record)
                    vertices.append(len(moved))
                    far += moved
        if touched:
            moments = [e.at for e in project.history(row.sha256) if e.rater]
            if len(moments) > 1:
                seconds.append(_work(moments))
    draws, at = Draws(groups, times, seed), [place for place, _ in judged]
    untouched, corrected, rejected = (
        draws.mean([float(status == wanted) for _, status in judged], at)
        for wanted in ("accepted", "corrected", "rejected")
    )
    return Editing(
        *(len(judged), untouched, corrected, rejected, added),
        float(median(vertices)) if vertices else None,
        float(median(far)) if far else None,
        float(median(seconds)) if seconds else None,
        len(seconds),
    )


def _moved(before: Annotation, after: Annotation) -> list[float]:
    """Return how far vertices lie from the nearest of before, of those that moved."""
    old, new = np.asarray(before.points), np.asarray(after.points)
    apart = np.hypot(*(new[:, None] - old[None]).transpose(2, 0, 1)).min(axis=1)
    return [float(d) for d in apart[apart > STILL]]


def _work(times: Sequence[str]) -> float:
    moments = sorted(datetime.fromisoformat(t) for t in times)
    gaps = [(b - a).total_seconds() for a, b in pairwise(moments)]
    return sum(min(gap, PAUSE) for gap in gaps)
