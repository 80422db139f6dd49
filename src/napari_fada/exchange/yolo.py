"""YOLO (Ultralytics' layout): a text file for each image, boxes, outlines or keypoints.

``images/<split>`` and ``labels/<split>`` lie beside ``data.yaml``. Classes are numbered from 0 in
the order of the vocabulary, all of them, so that a number means the same in every data set of
ours. Pose has the classes with keypoints only, and as many keypoints for each as the class with
the most has; the missing ones are absent (0 0 0).

The form has one ring for an outline: a polygon of several parts becomes several rows, and holes
are left out; both are counted. What it has no place for (identifiers, states, raters, the view)
stands in ``records.jsonl``, which trainers leave aside; with it an import gives the same records
back. Precision: eight decimals of the image's size, so better than a thousandth of a pixel.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import yaml

from napari_fada.exchange.corners import polygon_rings, said_of_ring
from napari_fada.exchange.extras import about_frame, about_record
from napari_fada.exchange.frames import FrameRecords
from napari_fada.exchange.items import HOLES, Tally
from napari_fada.exchange.writers import Format, WriteOptions
from napari_fada.exchange.yolo_read import DATA, RECORDS, TASKS, count, read
from napari_fada.records.annotation import Annotation, Point
from napari_fada.records.geometry import bounds, outlines
from napari_fada.vocabulary import vocabulary

PARTS = "polygons in several parts (written as several rows)"
NO_OUTLINE = "structures without an outline (the task is segment)"
NO_POINTS = "structures without keypoints (the task is pose)"
POINTS = "keypoints (the task has none)"


def class_names(task: str) -> list[str]:
    """Return the classes in the order of their YOLO numbers."""
    return [c.name for c in vocabulary().categories if task != "pose" or c.points]


def most_points() -> int:
    """Return how many keypoints a row of pose has."""
    return max(len(c.points) for c in vocabulary().categories)


def box_row(record: Annotation, size: tuple[int, int]) -> tuple[float, ...]:
    """Return centre, width and height of the box around a record, in parts of the image."""
    (x1, y1), (x2, y2) = bounds(record)
    width, height = size
    centre = (x1 + x2) / 2 / width, (y1 + y2) / 2 / height
    return *centre, (x2 - x1) / width, (y2 - y1) / height


def outer_rings(record: Annotation) -> list[int]:
    """Return which rings of a polygon are parts and no holes."""
    from shapely import Polygon, make_valid

    rings = outlines(record)
    shapes = [make_valid(Polygon(ring)) for ring in rings]
    return [
        i
        for i in range(len(rings))
        if not any(
            j != i and o.area > shapes[i].area and o.covers(shapes[i]) for j, o in enumerate(shapes)
        )
    ]


@dataclass(frozen=True, slots=True)
class _Row:
    """A line of a label file; ``part`` counts the rows of one record, ``ring`` is its outline."""

    record: Annotation
    values: tuple[float, ...]
    part: int = 0
    ring: int | None = None

    @property
    def about(self) -> dict[str, Any]:
        """What is said of it beside the label file."""
        more = {} if self.ring is None else said_of_ring(self.record, self.ring)
        about = about_record(self.record)
        return {"part": self.part, "kind": self.record.kind, **about, **more}


def rows(frame: FrameRecords, task: str, tally: Tally) -> list[_Row]:
    """Return the lines of a frame, without the class numbers."""
    size = (frame.width, frame.height)
    found: list[_Row] = []
    boxed, doubles = frame.boxes, frame.doubles
    for record in frame.annotations:
        if task == "detect":
            if record.kind == "keypoints":
                tally.left_out[POINTS] += 1
            elif record.uid not in boxed:  # else it is one object with its box
                found.append(_Row(record, box_row(record, size)))
        elif task == "segment":
            if record.kind != "polygon":
                tally.left_out[NO_OUTLINE] += record.uid not in doubles
                continue
            rings, outer = polygon_rings(record, size), outer_rings(record)
            tally.left_out[HOLES] += len(rings) - len(outer)
            tally.notes[PARTS] += len(outer) > 1
            found += [
                _Row(record, tuple(_scaled(rings[i], size)), n, i) for n, i in enumerate(outer)
            ]
        elif record.kind == "keypoints":
            found.append(_Row(record, (*box_row(record, size), *_points(record, size))))
        else:
            tally.left_out[NO_POINTS] += 1
    return found


def _scaled(ring: Iterable[Point], size: tuple[int, int]) -> Iterable[float]:
    for x, y in ring:
        yield x / size[0]
        yield y / size[1]


def _points(record: Annotation, size: tuple[int, int]) -> Iterable[float]:
    seen = record.seen
    for (x, y), v in zip(record.points, seen, strict=True):
        yield from (x / size[0], y / size[1], v) if v else (0.0, 0.0, 0)
    yield from (0.0,) * (3 * (most_points() - len(record.points)))


class YoloWriter:
    """Writes label files and ``data.yaml`` (see ``writers.Writer``)."""

    def __init__(self, root: Path, options: WriteOptions) -> None:
        self._root, self._options = root, options
        self._task = options.choices.get("task", TASKS[0])
        self._numbers = {name: i for i, name in enumerate(class_names(self._task))}
        self._splits: dict[str, None] = {}
        self._records: IO[str] = (root / RECORDS).open("w", encoding="utf-8")

    def add(self, frame: FrameRecords, tally: Tally) -> None:
        """Write the label file of an image; one without structures is empty."""
        found = rows(frame, self._task, tally)
        split = frame.split or "train"
        self._splits[split] = None
        path = self._root / "labels" / split / f"{Path(frame.image).stem}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = (
            f"{self._numbers[r.record.category]} {' '.join(map(_text, r.values))}\n" for r in found
        )
        path.write_text("".join(lines), "utf-8")
        about: dict[str, Any] = {
            "image": frame.image,
            **about_frame(frame),
            "rows": [r.about for r in found],
        }
        self._records.write(json.dumps(about, ensure_ascii=False, separators=(",", ":")) + "\n")
        tally.written["rows"] += len(found)

    def finish(self, tally: Tally) -> None:
        """Write ``data.yaml``."""
        self._records.close()
        # No "path": trainers then take the folder of this file, wherever it is moved. They want
        # train and val; a data set that is not split names one folder twice.
        data: dict[str, Any] = {"dataset": self._options.dataset} if self._options.dataset else {}
        for key in ("train", "val"):
            data[key] = f"images/{key if key in self._splits else 'train'}"
        if "test" in self._splits:
            data["test"] = "images/test"
        if self._task == "pose":
            data["kpt_shape"] = [most_points(), 3]
        data["names"] = {i: name for name, i in self._numbers.items()}
        with (self._root / DATA).open("w", encoding="utf-8") as file:
            yaml.safe_dump(data, file, sort_keys=False, allow_unicode=True)
        tally.written["classes"] += len(self._numbers)


def _text(value: float) -> str:
    return f"{value:.8f}".rstrip("0").rstrip(".") or "0"


FORMAT = Format(
    name="yolo",
    title="YOLO",
    image=lambda stem, split: f"images/{split or 'train'}/{stem}.png",
    writer=YoloWriter,
    reader=read,
    count=count,
    choices={"task": TASKS},
)
