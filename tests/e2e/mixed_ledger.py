"""What was meant: the records of a project before and after an act, and whether they agree with it.

The ledger never asks the window. It reads the project file, and knows from the script where the
mouse was, in pixels of the scan that a person saw.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from shapely import LinearRing, LineString, MultiLineString, Point

from napari_fada.records import geometry, review
from napari_fada.records.annotation import Annotation
from napari_fada.records.project import Project

Records = dict[str, Annotation]


@dataclass(frozen=True)
class Snapshot:
    """Every record of every scan (rejected ones, too) and the state of its review."""

    records: dict[str, Records]
    states: dict[str, str]

    def of(self, sha: str) -> Records:
        return self.records.get(sha, {})

    def same(self, other: Snapshot) -> bool:
        return self.records == other.records and self.states == other.states

    def changed(self, other: Snapshot) -> set[str]:
        """Return the scans that differ."""
        shas = {*self.records, *other.records}
        return {
            s
            for s in shas
            if self.of(s) != other.of(s) or self.states.get(s, "new") != other.states.get(s, "new")
        }


def snapshot(project: Project, shas: Iterable[str]) -> Snapshot:
    records, states = {}, {}
    for sha in shas:
        found = project.annotations_by_frame(sha, include_rejected=True)
        records[sha] = {a.uid: a for annotations in found.values() for a in annotations}
        states[sha] = review.scan_review(project, sha).state
    return Snapshot(records, states)


@dataclass
class Meant:
    """One act as the script means it.

    Attributes
    ----------
    sha : str
        The only scan that it may change; empty: none.
    check : callable
        Says what is wrong with the records of that scan before and after; empty if nothing is.
    also : mapping of sha to callable
        What is meant for another scan besides.
    silent : bool
        Whether having changed nothing needs no word.
    """

    name: str
    sha: str = ""
    check: Callable[[Records, Records], str] = field(default=lambda _b, _a: "changed something")
    also: dict[str, Callable[[Records, Records], str]] = field(default_factory=dict)
    silent: bool = False


def nothing(name: str) -> Meant:
    """Return an act that must not change any record."""
    return Meant(name, silent=True)


def judge(meant: Meant, before: Snapshot, after: Snapshot, said: Sequence[str]) -> tuple[str, bool]:
    """Return what is wrong (empty: nothing), and whether the act was done."""
    changed = {
        s for s in before.changed(after) if s == meant.sha or not prefetched(s, before, after)
    }
    for sha in changed & meant.also.keys():
        if problem := meant.also[sha](before.of(sha), after.of(sha)):
            return f"another scan: {problem}", True
    changed -= meant.also.keys()
    if changed - {meant.sha}:
        return f"changed another scan: {sorted(s[:8] for s in changed - {meant.sha})}", True
    if not changed:
        return ("" if said or meant.silent else "was not done, and nothing was said"), False
    return meant.check(before.of(meant.sha), after.of(meant.sha)), True


def by_people(records: Records) -> Records:
    """Return what Anna drew or judged: what the model proposes and Ben drew is no step of hers."""
    mine = {u: a for u, a in records.items() if a.rater != "Ben"}
    return {u: a for u, a in mine.items() if a.source != "model" or a.status != "proposed"}


def prefetched(sha: str, before: Snapshot, after: Snapshot) -> bool:
    """Tell whether all that happened to a scan is that the model read it ahead."""
    new = after.of(sha).values()
    model = all((a.source, a.status) == ("model", "proposed") for a in new)
    return not before.of(sha) and model and after.states.get(sha) in ("new", "proposed")


# What an act may do


def split(before: Records, after: Records) -> tuple[list[Annotation], list[Annotation]]:
    """Return the records that went and those that came, without boxes that follow an outline."""
    gone = [a for uid, a in before.items() if uid not in after]
    came = [a for uid, a in after.items() if uid not in before]
    moved = {a.category for a in came if a.kind == "polygon"}
    moved |= {a.category for a in gone if a.kind == "polygon"}
    for box in [a for a in came if a.kind == "box" and a.category in moved]:
        lines = [a for a in after.values() if a.kind == "polygon" and a.category == box.category]
        lines = [a for a in lines if _box_off(box, a) < 0.6]
        old = next((a for a in gone if a.uid == box.parent), None)
        if lines and old is not None:
            came.remove(box)
            gone.remove(old)
    return gone, came


def _box_off(box: Annotation, outline: Annotation) -> float:
    return float(np.abs(np.subtract(geometry.bounds(box), geometry.bounds(outline))).max())


def off(points: Sequence[Any], wanted: Sequence[Any]) -> float:
    """Return how far the worst of some corners lies from where it was meant."""
    a, b = np.asarray(points, float), np.asarray(wanted, float)
    if not len(a) or not len(b):
        return float("inf")
    away = np.linalg.norm(a[:, None] - b[None], axis=-1)
    return float(max(away.min(axis=0).max(), away.min(axis=1).max()))


def drawn(category: str, kind: str, corners: Sequence[Any], near: float) -> Callable[..., str]:
    """Mean one new record, its corners where the mouse was."""

    def check(before: Records, after: Records) -> str:
        gone, came = split(before, after)
        if gone or len(came) != 1:
            return f"{len(gone)} records went, {len(came)} came"
        (new,) = came
        if (new.category, new.kind, new.status) != (category, kind, "accepted"):
            return f"became {new.category} {new.kind} {new.status}"
        wrong = off(new.points, corners)
        return f"lies {wrong:.1f} px from where it was drawn" if wrong > near else ""

    return check


def replaced(uid: str, look: Callable[[Annotation, Annotation], str]) -> Callable[..., str]:
    """Mean that one record makes room for another that ``look`` agrees with."""

    def check(before: Records, after: Records) -> str:
        gone, came = split(before, after)
        if [a.uid for a in gone] != [uid] or len(came) != 1:
            names = [a.category for a in gone], [a.category for a in came]
            return f"changed {names[0]} into {names[1]}"
        if came[0].parent != uid:
            return "the new record does not point to the old one"
        return look(gone[0], came[0])

    return check


def corner_moved(corner: Any, to: Any, near: float) -> Callable[[Annotation, Annotation], str]:
    """Mean that one corner of an outline went somewhere and all others stayed."""

    def look(old: Annotation, new: Annotation) -> str:
        wanted = [to if p == tuple(corner) else p for p in old.points]
        if (old.category, len(old.points)) != (new.category, len(new.points)):
            return f"became {new.category} with {len(new.points)} corners"
        away = [
            float(np.hypot(*np.subtract(p, q))) for p, q in zip(new.points, wanted, strict=True)
        ]
        if max(away) > near:
            return f"a corner is {max(away):.1f} px from where it was meant"
        stayed = [d for d, p in zip(away, old.points, strict=True) if p != tuple(corner)]
        return "" if max(stayed) < 0.01 else f"another corner moved by {max(stayed):.2f} px"

    return look


def stroke(
    path: Sequence[Any], reach: float, shape: tuple[int, int], *, erase: bool
) -> Callable[[Annotation, Annotation], str]:
    """Mean that an outline took in (or lost) what a brush went over, and nothing else."""
    ys, xs = np.mgrid[: shape[0], : shape[1]] + 0.5
    (x1, y1), (x2, y2) = path
    d = np.array([x2 - x1, y2 - y1])
    t = np.clip(((xs - x1) * d[0] + (ys - y1) * d[1]) / max(float(d @ d), 1e-9), 0, 1)
    away = np.hypot(xs - x1 - t * d[0], ys - y1 - t * d[1])

    def look(old: Annotation, new: Annotation) -> str:
        if old.category != new.category or new.kind != "polygon":
            return f"became {new.category} {new.kind}"
        way = LineString(path)
        was = MultiLineString([LinearRing(ring) for ring in geometry.outlines(old)])
        far = [Point(p) for ring in geometry.outlines(new) for p in ring]
        moved = max((p.distance(was) for p in far if p.distance(way) > reach + 3), default=0)
        if moved > 0.1:
            return f"the outline moved by {moved:.2f} px away from the stroke"
        lost = [p for p in old.points if Point(p).distance(way) > reach + 3]
        if set(lost) - {p for ring in (new.points, *new.rings) for p in ring}:
            return "corners away from the stroke are gone"
        now = geometry.rasterise(new, shape)
        inside = now[away < max(reach - 3, 1)]
        if inside.size and (inside.mean() > 0.1 if erase else inside.mean() < 0.85):
            return f"the stroke covers {inside.mean():.0%} of its way"
        return ""

    return look


def status(wanted: str, **same: Any) -> Callable[[Annotation, Annotation], str]:
    """Mean a judgement: the shape stays, the status becomes another one."""

    def look(old: Annotation, new: Annotation) -> str:
        if new.status != wanted:
            return f"is {new.status}"
        if (old.points, old.rings) != (new.points, new.rings):
            return "its shape changed"
        category = same.get("category", old.category)
        return "" if new.category == category else f"became {new.category}"

    return look
