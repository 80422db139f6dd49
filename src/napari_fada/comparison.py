"""How much two engines differ in what they say of the same scans.

Used after a conversion, where one is the original in full precision and the other what was made
of it. The second is asked for the classes that the first was asked for, so that a structure is
not missing because a report was worded otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.optimize import linear_sum_assignment
from shapely import LineString, MultiPoint, Point
from shapely.geometry.base import BaseGeometry

from napari_fada.engines.protocol import Cancel, Engine
from napari_fada.errors import EngineError
from napari_fada.pipeline import read_frame
from napari_fada.records.annotation import Annotation, Kind
from napari_fada.records.geometry import outlines
from napari_fada.records.reading import Reading
from napari_fada.scans import open_scan

Points = np.ndarray[tuple[int, int], np.dtype[np.float64]]


@dataclass(frozen=True, slots=True)
class ShapeDifference:
    """How far structures of one kind are apart.

    Parameters
    ----------
    matched : int
        Structures of one class that both have, paired so that the sum is least.
    unmatched : int
        Structures that only one of them has.
    mean : float or None
        Mean distance in thousandths of the image's width and height; None without pairs. Boxes:
        of the four coordinates. Outlines: from the vertices of each to the line of the other.
    """

    matched: int = 0
    unmatched: int = 0
    mean: float | None = None


@dataclass(frozen=True, slots=True)
class Difference:
    """What differs on one scan, or over all of them (``path`` None; counts add up)."""

    engine: str
    path: Path | None
    scans: int
    same_views: int
    fields: int
    same_fields: int
    boxes: ShapeDifference
    outlines: ShapeDifference

    def sentence(self) -> str:
        """Say it in a line."""
        parts = [f"view same on {self.same_views} of {self.scans}"]
        parts.append(f"report {self.same_fields} of {self.fields} fields same")
        for name, found in (("boxes", self.boxes), ("outlines", self.outlines)):
            if found.mean is not None:
                parts.append(f"{name} {found.mean:.1f}/1000 apart ({found.matched} pairs)")
            if found.unmatched:
                parts.append(f"{found.unmatched} {name} in one alone")
        return ", ".join(parts)


@dataclass(frozen=True, slots=True)
class BeingRead:
    """A scan is about to be read by an engine."""

    engine: str
    path: Path


def compare(
    reference: tuple[str, Callable[[], Engine]],
    others: Mapping[str, Callable[[], Engine]],
    scans: Iterable[Path],
    *,
    cancel: Cancel | None = None,
) -> Iterator[BeingRead | Difference]:
    """Read scans with several engines and tell how the others differ from the first.

    Only one engine is loaded at a time. After the differences on single scans comes one over all
    of them for each engine.

    Parameters
    ----------
    reference : (str, callable)
        Name of the engine to compare with, and what loads it.
    others : mapping of str to callable
        The same for the others.
    scans : iterable of Path
        Their first frames are read.
    cancel : Cancel, optional
        Ends it; what was told stands.

    Raises
    ------
    ScanError, ModelError, EngineError
        If a scan cannot be opened, an engine cannot be loaded, or it fails.
    """
    paths = list(scans)
    readings: list[Reading] = []
    name, load = reference
    with closing(load()) as engine:
        for path in paths:
            yield BeingRead(name, path)
            readings.append(_read(engine, path, cancel, None))
            if _is_set(cancel):
                return
    for name, load in others.items():
        found = []
        with closing(load()) as engine:
            for path, before in zip(paths, readings, strict=True):
                yield BeingRead(name, path)
                after = _read(engine, path, cancel, before)
                if _is_set(cancel):
                    return
                found.append(difference(before, after, engine=name, path=path))
                yield found[-1]
        if found:
            yield _sum(name, found)


def difference(
    before: Reading, after: Reading, *, engine: str = "", path: Path | None = None
) -> Difference:
    """Tell how a reading differs from another one of the same scan."""
    keys = {k for r in (before, after) for k, text in r.interpretation.items() if text}
    same = [k for k in keys if before.interpretation.get(k) == after.interpretation.get(k)]
    return Difference(
        engine,
        path,
        scans=1,
        same_views=int(before.view == after.view),
        fields=len(keys),
        same_fields=len(same),
        boxes=_shapes(before, after, "box"),
        outlines=_shapes(before, after, "polygon"),
    )


def _read(engine: Engine, path: Path, cancel: Cancel | None, before: Reading | None) -> Reading:
    scan = open_scan(path)
    classes = before.mapping if before is not None else None
    reading = read_frame(engine, scan, classes=classes, cancel=cancel)
    failed = [r for r in reading.phases.values() if r.state == "failed" and not r.raw]
    if failed and len(failed) == sum(r.state != "skipped" for r in reading.phases.values()) - 1:
        # All but the map phase, which needs no model: nothing was said at all.
        raise EngineError(
            f"{engine.info.model.pack} gave no answer about {path.name}: "
            f"{'; '.join(failed[0].problems)}"
        )
    return reading


def _is_set(cancel: Cancel | None) -> bool:
    return cancel is not None and cancel.is_set()


def _shapes(before: Reading, after: Reading, kind: Kind) -> ShapeDifference:
    size = (before.scan.width, before.scan.height)
    matched = unmatched = 0
    total = 0.0
    mine, theirs = _by_class(before, kind, size), _by_class(after, kind, size)
    for category in mine.keys() | theirs.keys():
        left, right = mine.get(category, []), theirs.get(category, [])
        costs = np.array([[_apart(a, b, kind) for b in right] for a in left])
        pairs = min(len(left), len(right))
        if pairs:
            rows, columns = linear_sum_assignment(costs)
            total += float(costs[rows, columns].sum())
        matched += pairs
        unmatched += len(left) + len(right) - 2 * pairs
    return ShapeDifference(matched, unmatched, total / matched if matched else None)


def _by_class(reading: Reading, kind: Kind, size: tuple[int, int]) -> dict[str, list[Points]]:
    found: dict[str, list[Points]] = {}
    for annotation in reading.annotations:
        if annotation.kind == kind:
            found.setdefault(annotation.category, []).append(_grid(annotation, size))
    return found


def _grid(annotation: Annotation, size: tuple[int, int]) -> Points:
    ring = outlines(annotation)[0] if annotation.kind == "polygon" else annotation.points
    points: Points = np.asarray(ring, dtype=np.float64) / np.asarray(size) * 1000
    return points


def _apart(one: Points, other: Points, kind: Kind) -> float:
    if kind == "box":
        return float(np.abs(one - other).mean())
    return (_to_line(one, other) + _to_line(other, one)) / 2


def _to_line(points: Points, outline: Points) -> float:
    ring: BaseGeometry = (
        LineString([*outline, outline[0]]) if len(outline) > 1 else MultiPoint(outline)
    )
    return float(np.mean([ring.distance(Point(p)) for p in points]))


def _sum(engine: str, found: list[Difference]) -> Difference:
    return Difference(
        engine,
        None,
        scans=len(found),
        same_views=sum(d.same_views for d in found),
        fields=sum(d.fields for d in found),
        same_fields=sum(d.same_fields for d in found),
        boxes=_mean([d.boxes for d in found]),
        outlines=_mean([d.outlines for d in found]),
    )


def _mean(found: list[ShapeDifference]) -> ShapeDifference:
    matched = sum(d.matched for d in found)
    total = sum(d.mean * d.matched for d in found if d.mean is not None)
    unmatched = sum(d.unmatched for d in found)
    return ShapeDifference(matched, unmatched, total / matched if matched else None)
