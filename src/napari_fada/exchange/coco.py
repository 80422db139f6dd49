"""COCO: one JSON file for each side of a split, images beside it.

The segmentation of an outline is the RLE of its raster, which is the truth of every tool that
counts pixels; the outline itself stands beside it under ``polygon``, and the corners of a curve
under ``corners``. Categories have the frozen
numbers of the vocabulary. What COCO has no place for stands under ``attributes`` of annotations
and ``fada`` of images. Where there
is a scale, ``attributes`` of an annotation hold what was measured on it.

Precision: coordinates are written to a thousandth of a pixel; masks are exact.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np

from napari_fada.exchange.coco_read import read
from napari_fada.exchange.corners import polygon_rings, said
from napari_fada.exchange.extras import about_frame, about_record
from napari_fada.exchange.frames import FrameRecords
from napari_fada.exchange.items import Tally
from napari_fada.exchange.measured import by_record
from napari_fada.exchange.writers import Format, WriteOptions
from napari_fada.records.annotation import Annotation, Ring
from napari_fada.records.geometry import bounds, raster_window
from napari_fada.vocabulary import vocabulary

ANNOTATIONS = "annotations"
EMPTY = "outlines that cover no pixel (written without a mask)"


def category_objects() -> list[dict[str, Any]]:
    """Return the categories of the vocabulary as COCO has them."""
    found = []
    for c in vocabulary().categories:
        category: dict[str, Any] = {"id": c.id, "name": c.name, "supercategory": c.group[0]}
        if c.points:
            category["keypoints"] = list(c.points)
            category["skeleton"] = [[i, i + 1] for i in range(1, len(c.points))]
        found.append(category)
    return found


def rle(annotation: Annotation, size: tuple[int, int]) -> tuple[dict[str, Any], int]:
    """Return the compressed RLE of an annotation's raster, and how many pixels it covers.

    Parameters
    ----------
    annotation : Annotation
        A box or a polygon.
    size : (width, height)
        Of the image.
    """
    from pycocotools import mask as masks

    width, height = size
    top, left, part = raster_window(annotation, (height, width))
    # Column by column: where runs begin and end, as places in the whole image.
    columns = np.zeros((part.shape[1], part.shape[0] + 2), np.int8)
    columns[:, 1:-1] = part.T
    turns = np.diff(columns, axis=1)
    starts, ends = (
        (left + column) * height + top + row
        for column, row in (np.nonzero(turns == 1), np.nonzero(turns == -1))
    )
    # A run to the bottom goes on at the top of the next column.
    joined = starts[1:] == ends[:-1]
    starts = starts[np.append(True, ~joined)] if len(starts) else starts
    ends = ends[np.append(~joined, True)] if len(ends) else ends
    edges = np.column_stack([starts, ends]).ravel()
    counts = np.diff(np.concatenate([[0], edges, [width * height]])).tolist()
    if not len(edges):
        counts = [width * height]
    found = masks.frPyObjects({"size": [height, width], "counts": counts}, height, width)
    text = {"size": [height, width], "counts": found["counts"].decode("ascii")}
    return text, int((ends - starts).sum())


def annotation_object(
    record: Annotation, size: tuple[int, int], *, polygons: bool = False
) -> dict[str, Any]:
    """Return a record as COCO has it, without ``id`` and ``image_id``.

    Parameters
    ----------
    record : Annotation
        In pixels, corner convention, which is COCO's.
    size : (width, height)
        Of the image.
    polygons : bool
        Write the segmentation as a polygon where it has one part.
    """
    (x1, y1), (x2, y2) = bounds(record)
    found: dict[str, Any] = {
        "category_id": vocabulary().by_name[record.category].id,
        "bbox": _rounded((x1, y1, x2 - x1, y2 - y1)),
        "area": round((x2 - x1) * (y2 - y1), 3),
        "iscrowd": 0,
    }
    if record.kind == "polygon":
        segmentation, found["area"] = rle(record, size)
        outline = [_flat(ring) for ring in polygon_rings(record, size)]
        found["polygon"] = outline
        found |= said(record)
        found["segmentation"] = outline if polygons and len(outline) == 1 else segmentation
    if record.kind == "keypoints":
        seen = record.seen
        points = zip(record.points, seen, strict=True)
        found["keypoints"] = [n for (x, y), v in points for n in (*_rounded((x, y)), v)]
        found["num_keypoints"] = sum(v > 0 for v in seen)
    found["attributes"] = {"kind": record.kind, **about_record(record)}
    return found


def _flat(ring: Ring) -> list[float]:
    found: list[float] = np.round(np.asarray(ring, float).ravel(), 3).tolist()
    return found


def _rounded(values: Sequence[float]) -> list[float]:
    return [round(v, 3) for v in values]


class CocoWriter:
    """Writes COCO files; what belongs to one file is gathered on disk (see ``writers.Writer``)."""

    def __init__(self, root: Path, options: WriteOptions) -> None:
        self._root, self._options = root, options
        self._polygons = options.choices.get("segmentation") == "polygon"
        self._sides: dict[str, _Side] = {}
        self._images = self._annotations = 0

    def add(self, frame: FrameRecords, tally: Tally) -> None:
        """Write an image and its annotations."""
        side = self._sides.get(frame.split)
        if side is None:
            side = self._sides[frame.split] = _Side(self._root, frame.split)
        self._images += 1
        side.images.put(
            {
                "id": self._images,
                "file_name": Path(frame.image).name,
                "width": frame.width,
                "height": frame.height,
                "fada": about_frame(frame),
            }
        )
        size = (frame.width, frame.height)
        numbers = {
            uid: {m.name: {"value": round(m.value, 3), "unit": m.unit} for m in rows}
            for uid, rows in (by_record(frame, tally) if frame.spacing_mm else {}).items()
        }
        boxed, doubles = frame.boxes, frame.doubles
        written = [a for a in frame.annotations if a.uid not in doubles]  # a structure is one row
        for record in written:
            self._annotations += 1
            found = annotation_object(record, size, polygons=self._polygons)
            if record.uid in numbers:
                found["attributes"]["measurements"] = numbers[record.uid]
            if record.uid in boxed and boxed[record.uid].uid in doubles:
                found["attributes"]["box"] = about_record(boxed[record.uid])
            tally.notes[EMPTY] += record.kind == "polygon" and not found["area"]
            side.annotations.put({"id": self._annotations, "image_id": self._images, **found})
        tally.written[ANNOTATIONS] += len(written)

    def finish(self, tally: Tally) -> None:
        """Put the files together; a data set without images has one with empty lists."""
        for side in self._sides.values() or [_Side(self._root, "")]:
            side.finish(self._head())
        tally.written["files"] += len(self._sides) or 1

    def _head(self) -> dict[str, Any]:
        options = self._options
        info = {"description": options.dataset, "version": "1", **options.info}
        licences = [{"id": 1, "name": options.licence}] if options.licence else []
        return {"info": info, "licenses": licences, "categories": category_objects()}


class _Side:
    """One COCO file while it grows: two lists, each in a file of its own."""

    def __init__(self, root: Path, split: str) -> None:
        folder = root / "annotations"
        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / f"instances_{split or 'all'}.json"
        self.images = _List(self._path.with_suffix(".images"))
        self.annotations = _List(self._path.with_suffix(".annotations"))

    def finish(self, head: Mapping[str, Any]) -> None:
        """Write head and lists into one file."""
        with self._path.open("wb") as out:
            out.write(json.dumps(head, ensure_ascii=False)[:-1].encode())
            for name, items in (("images", self.images), ("annotations", self.annotations)):
                out.write(f', "{name}": [\n'.encode())
                items.pour(out)
                out.write(b"\n]")
            out.write(b"}\n")


class _List:
    """The items of a JSON list in a file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: IO[bytes] = path.open("wb")
        self._first = True

    def put(self, item: Mapping[str, Any]) -> None:
        text = json.dumps(item, ensure_ascii=False, separators=(",", ":"))
        self._file.write((text if self._first else f",\n{text}").encode())
        self._first = False

    def pour(self, out: IO[bytes]) -> None:
        self._file.close()
        with self._path.open("rb") as file:
            shutil.copyfileobj(file, out, 1 << 20)
        self._path.unlink()


FORMAT = Format(
    name="coco",
    title="COCO",
    image=lambda stem, _split: f"images/{stem}.png",
    writer=CocoWriter,
    reader=read,
    choices={"segmentation": ("rle", "polygon")},
)
