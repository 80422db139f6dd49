"""One structure in an answer: records ⇄ ``{"bbox_2d", "label", "mask" | "keypoints"}``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from napari_fada.records.annotation import Annotation, Point, Ring, new_uid
from napari_fada.records.geometry import (
    GridPoint,
    corner_rings,
    grid_to_pixels,
    is_round,
    outlines,
    pixels_to_grid,
    simplify,
)
from napari_fada.records.structures import NONE, boxes

AskTask = Literal["detect", "segment", "keypoints"]
GridRing = tuple[GridPoint, ...]
GridBox = tuple[int, int, int, int]

#: What an answer may hold at most: the engines' grammar knows no longer ones.
MAX_ITEMS, MAX_VERTICES = 50, 64

TOO_SMALL = "structures smaller than the 0–1000 grid can say"
TOO_MANY = f"structures beyond the {MAX_ITEMS} that an answer may hold"
HOLES = "holes in polygons (the form has none)"
PARTS = "structures in several parts (one object in detect, one for each part in segment)"
SIMPLIFIED = f"polygons reduced to {MAX_VERTICES} vertices"


@dataclass(slots=True)
class Tally:
    """What was written, what was left out, and what was not written as it stood, counted.

    ``written`` is by what it is ("conversations", "annotations"), the others by reason.
    """

    left_out: Counter[str] = field(default_factory=Counter)
    notes: Counter[str] = field(default_factory=Counter)
    written: Counter[str] = field(default_factory=Counter)

    def __iadd__(self, other: Tally) -> Tally:
        self.left_out.update(other.left_out)
        self.notes.update(other.notes)
        self.written.update(other.written)
        return self


@dataclass(frozen=True, slots=True)
class Item:
    """One object of an answer with the record it was made from.

    ``place`` is the rank of the record among those of the frame; ``derived`` marks a box that
    was worked out from a polygon and is no record of its own.
    """

    answer: dict[str, Any]
    record: Annotation
    place: int
    derived: bool = False

    def meta(self, place: int) -> dict[str, Any]:
        """Return what must be kept beside the answer to get the record back.

        ``place`` is its rank among the records that are written.
        """
        r = self.record
        return {
            "uid": r.uid,
            "place": place,
            "derived": self.derived,
            "status": r.status,
            "source": r.source,
            "rater": r.rater,
            "score": r.score,
        }


def build_items(
    task: AskTask,
    annotations: Sequence[Annotation],
    classes: Sequence[str],
    size: tuple[int, int],
    tally: Tally,
    *,
    outlined: Container[str] = (),
    unlinked: Mapping[str, str] = NONE,
) -> list[Item]:
    """Write the objects that answer one question.

    They stand in the order of the classes asked for, then from left to right, as the models
    are trained to answer.

    Parameters
    ----------
    task : {"detect", "segment", "keypoints"}
        ``detect`` takes boxes, and the boxes around polygons that have none.
    annotations : sequence of Annotation
        All records of the frame.
    classes : sequence of str
        What is asked for.
    size : (width, height)
        Of the image.
    tally : Tally
        Takes what could not be written.
    outlined : container of uid
        Polygons whose outline is written elsewhere: their boxes are marked as derived.
    unlinked : mapping of uid to uid
        Boxes that were set apart, each with its outline.
    """
    items: list[Item] = []
    for place, record in enumerate(annotations):
        if record.category in classes:
            items += _build(task, record, place, size, tally, record.uid in outlined)
    if task == "detect":
        items = _without_doubles(items, unlinked)
    items.sort(key=lambda i: (classes.index(i.record.category), i.answer["bbox_2d"][0], i.place))
    if len(items) > MAX_ITEMS:
        tally.left_out[TOO_MANY] += len(items) - MAX_ITEMS
    return items[:MAX_ITEMS]


def _build(
    task: AskTask,
    record: Annotation,
    place: int,
    size: tuple[int, int],
    tally: Tally,
    derived: bool,
) -> list[Item]:
    name = record.category
    if record.kind == "keypoints":
        if task == "keypoints" and record.points:
            return [_keypoints(record, place, size)]
        return []
    if record.kind == "polygon" and task == "segment":
        parts = _parts(record, size, tally)
        if len(parts) > 1:
            tally.notes[PARTS] += 1
        return [
            Item(
                {"bbox_2d": list(box), "label": name, "mask": [list(p) for p in ring]},
                record,
                place,
            )
            for ring, box in parts
        ]
    if task != "detect":
        return []
    if record.kind == "box":
        corners = list(pixels_to_grid(record.points, *size))
    else:  # what is odd about it is counted where its outline is written
        parts = _parts(record, size, Tally() if derived else tally)
        corners = [p for _, (x1, y1, x2, y2) in parts for p in ((x1, y1), (x2, y2))]
        if not corners:
            return []
    x1, y1, x2, y2 = _box(corners)
    if x1 == x2 or y1 == y2:
        tally.left_out[TOO_SMALL] += 1
        return []
    return [Item({"bbox_2d": [x1, y1, x2, y2], "label": name}, record, place, derived)]


def _keypoints(record: Annotation, place: int, size: tuple[int, int]) -> Item:
    points = pixels_to_grid(record.points, *size)
    visibility = record.seen
    seen = [p for p, v in zip(points, visibility, strict=True) if v] or list(points)
    answer = {
        "bbox_2d": list(_box(seen)),
        "label": record.category,
        "keypoints": [[x, y, v] for (x, y), v in zip(points, visibility, strict=True)],
    }
    return Item(answer, record, place)


def _parts(
    record: Annotation, size: tuple[int, int], tally: Tally
) -> list[tuple[GridRing, GridBox]]:
    """Return the outer rings of a polygon on the grid, with their boxes; holes are counted.

    A curve is given by its corners, as models answer; the box is that of the curve: where all
    corners are written, of the curve through them as written, so that whoever reads them finds
    the same box.
    """
    rings = []
    for points, line in zip(corner_rings(record), outlines(record), strict=True):
        ring = _on_grid(points, size, tally, record.category)
        if len(set(ring)) < 3 or _twice_area(ring) == 0:
            tally.left_out[TOO_SMALL] += 1
            continue
        if is_round(record.category) and len(points) <= MAX_VERTICES:
            written = Annotation(record.category, "polygon", grid_to_pixels(ring, *size))
            (line,) = outlines(written)
        rings.append((ring, _box(pixels_to_grid(line, *size))))
    outer = [
        (ring, box)
        for i, (ring, box) in enumerate(rings)
        if not any(_holds(other, ring, j < i) for j, (other, _) in enumerate(rings) if j != i)
    ]
    if len(outer) < len(rings):
        tally.left_out[HOLES] += len(rings) - len(outer)
    return outer


def _on_grid(points: Ring, size: tuple[int, int], tally: Tally, category: str) -> GridRing:
    ring = _without_repeats(pixels_to_grid(points, *size))
    if len(ring) <= MAX_VERTICES:
        return ring
    tally.notes[SIMPLIFIED] += 1
    if is_round(category):
        # In pixels, where the steps of a mask are known as such: a curve will run through these.
        fewer = simplify(Annotation(category, "polygon", points), 1.0)
        ring = _without_repeats(pixels_to_grid(fewer.points, *size))
    outline = Annotation("", "polygon", tuple((float(x), float(y)) for x, y in ring))
    found, tolerance = ring, 0.5
    while len(found) > MAX_VERTICES:
        reduced = pixels_to_grid(simplify(outline, tolerance).points, 1000, 1000)
        found = _with_ends(_without_repeats(reduced), ring)
        tolerance *= 1.25
        if tolerance > 1000:  # an outline that crosses itself at every vertex
            return found[:MAX_VERTICES]
    return found


def _with_ends(fewer: GridRing, ring: GridRing) -> GridRing:
    """Return a ring that was reduced with the vertices that its box touches: the box stays."""
    at, kept = 0, set()
    for point in fewer:
        if point not in ring[at:]:
            return fewer
        at = ring.index(point, at)
        kept.add(at)
    for axis in (0, 1):
        values = [p[axis] for p in ring]
        for end in (min(values), max(values)):
            if all(ring[i][axis] != end for i in kept):
                kept.add(values.index(end))
    return tuple(ring[i] for i in sorted(kept))


def _without_repeats(ring: GridRing) -> GridRing:
    return tuple(p for i, p in enumerate(ring) if p != ring[i - 1])


def _twice_area(ring: Sequence[GridPoint]) -> int:
    return abs(
        sum(
            x1 * y2 - x2 * y1 for (x1, y1), (x2, y2) in zip(ring, (*ring[1:], ring[0]), strict=True)
        )
    )


def _holds(outer: GridRing, inner: GridRing, first: bool) -> bool:
    """Tell whether one ring lies inside another; of two equal ones the first holds."""
    from shapely import Polygon, make_valid

    if outer == inner:
        return first
    a, b = make_valid(Polygon(outer)), make_valid(Polygon(inner))
    return bool(a.covers(b)) and (first or not b.covers(a))


def _box(points: Iterable[GridPoint]) -> GridBox:
    xs, ys = zip(*points, strict=True)
    return min(xs), min(ys), max(xs), max(ys)


def _without_doubles(items: Sequence[Item], unlinked: Mapping[str, str]) -> list[Item]:
    """Drop boxes worked out from polygons that have a box of their own.

    Which do is told on the grid, so that it is told alike of what is read back.
    """
    places = {id(i.record): i.answer["bbox_2d"] for i in items}

    def place(record: Annotation) -> tuple[Point, Point]:
        x1, y1, x2, y2 = map(float, places[id(record)])
        return (x1, y1), (x2, y2)

    boxed = boxes([i.record for i in items], unlinked, place)
    return [i for i in items if i.record.kind != "polygon" or i.record.uid not in boxed]


@dataclass(slots=True)
class Draft:
    """A record that is being put together again from one or several objects.

    ``named`` tells whether the file gives its uid; if not, the finished record has none.
    """

    annotation: Annotation
    place: int
    named: bool
    rings: list[Ring] = field(default_factory=list)

    def finished(self) -> Annotation:
        """Return the record with all its parts."""
        uid = self.annotation.uid if self.named else ""
        return replace(self.annotation, uid=uid, rings=tuple(self.rings))


def read_item(
    answer: Mapping[str, Any], meta: Mapping[str, Any], place: int, size: tuple[int, int]
) -> Draft:
    """Make a record from one object of an answer.

    Raises
    ------
    KeyError, ValueError, TypeError
        If the object is not of the form.
    """
    label = answer["label"]
    if not isinstance(label, str):
        raise TypeError("a label that is no text")
    common: dict[str, Any] = {
        "uid": meta.get("uid") or new_uid(),
        "status": meta.get("status", "accepted"),
        "source": meta.get("source", "import"),
        "rater": meta.get("rater", ""),
        "score": meta.get("score"),
    }
    if "keypoints" in answer:
        rows = answer["keypoints"]
        points = grid_to_pixels([(float(x), float(y)) for x, y, _ in rows], *size)
        common["visibility"] = tuple(int(v) for _, _, v in rows)
        made = Annotation(label, "keypoints", points, **common)
    elif "mask" in answer:
        points = grid_to_pixels([(float(x), float(y)) for x, y in answer["mask"]], *size)
        if len(points) < 3:
            raise ValueError("a mask with fewer than three vertices")
        made = Annotation(label, "polygon", points, **common)
    else:
        x1, y1, x2, y2 = (float(v) for v in answer.get("bbox_2d") or answer["box_2d"])
        made = Annotation(label, "box", grid_to_pixels([(x1, y1), (x2, y2)], *size), **common)
    return Draft(made, int(meta.get("place", place)), bool(meta.get("uid")))
