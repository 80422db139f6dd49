"""COCO files into records: ours exactly, those of others by the rules of the form.

A polygon of several parts is the union of them. What cannot be read is told with the file and
the annotation's number, and the rest is read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from napari_fada.errors import ExchangeError
from napari_fada.exchange.checking import MAX_VERTICES, checked
from napari_fada.exchange.corners import with_corners
from napari_fada.exchange.extras import frame_with_about, with_about
from napari_fada.exchange.frames import FrameRecords
from napari_fada.exchange.jsonfiles import as_list, as_number, as_object, read_json
from napari_fada.exchange.staging import OWN_FILES
from napari_fada.exchange.writers import Problem, ReadOptions, told
from napari_fada.records.annotation import Annotation, Point, Ring
from napari_fada.records.geometry import bounds, mask_to_annotation
from napari_fada.scans.source import MAX_PIXELS


def read(root: Path, options: ReadOptions) -> Iterator[FrameRecords | Problem]:
    """Read a COCO file, or all those in a folder (or in its ``annotations``).

    Raises
    ------
    ExchangeError
        If there is none, or one of them is broken as a whole.
    """
    for path in _files(root):
        yield from _File(path, root, options).read()


def _files(root: Path) -> list[Path]:
    if not root.is_dir():
        return [root]
    for folder in (root / "annotations", root):
        names = sorted(p for p in folder.glob("*.json*") if p.is_file() and p.name not in OWN_FILES)
        if names:
            return names
    raise ExchangeError(f"There is no COCO file in {root}.", todo="Name the .json file itself.")


@dataclass
class _File:
    """One COCO file while it is read."""

    path: Path
    root: Path
    options: ReadOptions
    names: dict[Any, str] = field(default_factory=dict)
    points: dict[Any, int] = field(default_factory=dict)

    def read(self) -> Iterator[FrameRecords | Problem]:
        data = read_json(self.path, self.options.max_bytes)
        if isinstance(data, list):
            raise ExchangeError(
                f"{self.path.name} is a list of results: it does not say which images they are of.",
                todo="Give the file with images and annotations.",
            )
        try:
            tables = {
                key: as_list(as_object(data, "the file").get(key, []), key)
                for key in ("images", "annotations", "categories")
            }
        except ValueError as error:
            raise ExchangeError(f"{self.path.name} is no COCO file: {error}.") from error
        if not tables["images"]:
            yield self._problem("", "it has no images")
        yield from self._categories(tables["categories"])
        images, problems = self._images(tables["images"])
        yield from problems
        yield from self._sort(tables["annotations"], images)
        for image in images.values():
            yield from self._frame(image)

    def _problem(self, where: str, what: str) -> Problem:
        return Problem(self.path.name, where, what)

    def _categories(self, rows: list[Any]) -> Iterator[Problem]:
        for place, row in enumerate(rows, 1):
            try:
                found = as_object(row, "it")
                number, name = found["id"], str(found["name"])
            except (ValueError, KeyError) as error:
                yield self._problem(f"category {place}", told(error))
                continue
            if number in self.names:
                yield self._problem(f"category {number}", "this id stands twice; the first counts")
                continue
            self.names[number] = name
            self.points[number] = len(found.get("keypoints") or ())
            names = self.options.names
            if names.category(name) is None and not names.left_out(name):
                yield self._problem(
                    f"category {number}", f"unknown class {name!r} (map it: {name}=ours)"
                )

    def _images(self, rows: list[Any]) -> tuple[dict[Any, _Image], list[Problem]]:
        images: dict[Any, _Image] = {}
        problems = []
        for place, row in enumerate(rows, 1):
            try:
                found = as_object(row, "it")
                about = found.get("fada")
                image = _Image(
                    str(found["file_name"]),
                    int(as_number(found["width"], "width")),
                    int(as_number(found["height"], "height")),
                    about if isinstance(about, dict) else {},
                )
                if not 0 < image.width * image.height <= MAX_PIXELS or image.width < 0:
                    raise ValueError(f"{image.width}×{image.height} is no size of an image")
                key = found["id"]
                hash(key)
            except (ValueError, KeyError, TypeError, OverflowError) as error:
                problems.append(self._problem(f"image {place}", told(error)))
                continue
            if key in images:
                text = f"this id is that of {images[key].name} already"
                problems.append(self._problem(f"image {key}", text))
                continue
            images[key] = image
        return images, problems

    def _sort(self, rows: list[Any], images: Mapping[Any, _Image]) -> Iterator[Problem]:
        seen: set[Any] = set()
        for place, row in enumerate(rows, 1):
            where = f"annotation {place}"
            try:
                found = as_object(row, "it")
                number = found.get("id", place)
                where = f"annotation {number}"
                if number in seen:
                    yield self._problem(where, "this id stands twice")
                seen.add(number)
                image = images.get(found["image_id"])
                if image is None:
                    yield self._problem(where, f"there is no image {found['image_id']}")
                    continue
                found["category_id"]
                image.rows.append((where, found))
            except (ValueError, KeyError, TypeError) as error:
                yield self._problem(where, told(error))

    def _frame(self, image: _Image) -> Iterator[FrameRecords | Problem]:
        kept = []
        for where, row in image.rows:
            try:
                record = self._record(row, image)
            except (ValueError, KeyError, TypeError, OverflowError, IndexError) as error:
                yield self._problem(where, told(error))
                continue
            if record is None:
                continue
            found, what = checked(record, (image.width, image.height))
            if what:
                yield self._problem(where, f"{record.category} {what}")
            if found:
                kept += [found, *_box_of(found, row)]
        frame = FrameRecords(image.name, image.width, image.height, tuple(kept))
        yield frame_with_about(frame, image.about)

    def _record(self, row: Mapping[str, Any], image: _Image) -> Annotation | None:
        """Return the record of an annotation, None if its class is not ours (told already)."""
        number = row["category_id"]
        if number not in self.names:
            raise ValueError(f"there is no category {number}")
        name = self.options.names.category(self.names[number])
        if name is None:
            return None
        if row.get("iscrowd"):
            raise ValueError("it is a crowd, which is no structure")
        record = _shape(name, row, image, self.points[number])
        about = row.get("attributes")
        record = with_corners(record, row)
        return with_about(record, about if isinstance(about, dict) else {})


def _box_of(outline: Annotation, row: Mapping[str, Any]) -> Iterator[Annotation]:
    """Yield the record of the box that is one with an outline, if our export names it."""
    about = row.get("attributes")
    box = about.get("box") if isinstance(about, dict) else None
    if isinstance(box, dict) and outline.kind == "polygon":
        yield with_about(Annotation(outline.category, "box", bounds(outline)), box)


@dataclass
class _Image:
    name: str
    width: int
    height: int
    about: Mapping[str, Any]
    rows: list[tuple[str, Mapping[str, Any]]] = field(default_factory=list)


def _shape(name: str, row: Mapping[str, Any], image: _Image, points: int) -> Annotation:
    about = row.get("attributes")
    kind = about.get("kind") if isinstance(about, dict) else None
    if row.get("keypoints") and kind in (None, "keypoints"):
        flat = [as_number(v, "a keypoint") for v in as_list(row["keypoints"], "keypoints")]
        if len(flat) % 3 or (points and len(flat) != 3 * points):
            raise ValueError(f"{len(flat)} numbers are not x, y and visibility of {points} points")
        triples = [(flat[i], flat[i + 1], int(flat[i + 2])) for i in range(0, len(flat), 3)]
        if any(v not in (0, 1, 2) for _, _, v in triples):
            raise ValueError("a visibility is none of 0, 1, 2")
        at = tuple((x, y) for x, y, _ in triples)
        return Annotation(name, "keypoints", at, visibility=tuple(v for _, _, v in triples))
    if "polygon" in row and kind == "polygon":  # ours: the outline as it was drawn
        rings = [_ring(part) for part in as_list(row["polygon"], "polygon")]
        return Annotation(name, "polygon", rings[0], rings=tuple(rings[1:]))
    segmentation = row.get("segmentation")
    if segmentation and kind != "box":
        if isinstance(segmentation, dict):
            return _from_rle(name, segmentation, image)
        return _union(name, [_ring(p) for p in as_list(segmentation, "segmentation")])
    x, y, w, h = (as_number(v, "bbox") for v in as_list(row["bbox"], "bbox"))
    if w < 0 or h < 0:
        raise ValueError("its box has a negative size")
    return Annotation(name, "box", ((x, y), (x + w, y + h)))


def _ring(flat: Any) -> Ring:
    values = as_list(flat, "a polygon")
    if len(values) > 2 * MAX_VERTICES:
        raise ValueError(
            f"a polygon of {len(values) // 2:,} vertices; {MAX_VERTICES:,} are the limit"
        )
    numbers = [as_number(v, "a coordinate") for v in values]
    if len(numbers) % 2 or len(numbers) < 6:
        raise ValueError(f"a polygon of {len(numbers)} numbers")
    points: list[Point] = list(zip(numbers[::2], numbers[1::2], strict=True))
    return tuple(points[:-1] if points[0] == points[-1] and len(points) > 3 else points)


def _union(name: str, rings: list[Ring]) -> Annotation:
    """Return the union of rings, which is what several polygons of COCO mean."""
    if len(rings) == 1:
        return Annotation(name, "polygon", rings[0])
    from shapely import Polygon, make_valid, union_all

    if not np.isfinite([v for ring in rings for p in ring for v in p]).all():
        return Annotation(name, "polygon", rings[0], rings=tuple(rings[1:]))  # refused later
    whole = union_all([make_valid(Polygon(ring)) for ring in rings])
    parts = [p for p in getattr(whole, "geoms", [whole]) if p.geom_type == "Polygon"]
    if not parts:
        raise ValueError("its polygons have no area")
    parts.sort(key=lambda p: -p.area)
    found: list[Ring] = []
    for part in parts:
        found += [tuple(r.coords)[:-1] for r in (part.exterior, *part.interiors)]
    return Annotation(name, "polygon", found[0], rings=tuple(found[1:]))


def _from_rle(name: str, data: Mapping[str, Any], image: _Image) -> Annotation:
    from pycocotools import mask as masks

    size = [int(as_number(v, "size")) for v in as_list(data["size"], "size")]
    if size != [image.height, image.width]:
        raise ValueError(
            f"its mask is {size[1]}×{size[0]} and the image {image.width}×{image.height}"
            if len(size) == 2
            else "its mask has no size"
        )
    counts = data["counts"]
    runs = (
        [int(as_number(v, "a run")) for v in counts]
        if isinstance(counts, list)
        else unpacked_runs(str(counts))
    )
    # The library trusts what it decodes, so it gets nothing that would lead it out of the image.
    if min(runs, default=0) < 0 or sum(runs) != image.width * image.height:
        raise ValueError("the runs of its mask do not fill the image")
    packed = masks.frPyObjects({"size": size, "counts": runs}, *size)
    record = mask_to_annotation(masks.decode(packed).astype(bool), name)
    if record is None:
        raise ValueError("its mask is empty")
    return record


def unpacked_runs(text: str) -> list[int]:
    """Return the runs of a compressed RLE.

    Each is written in characters of five bits, lowest first, with a bit for "goes on" and signs
    extended; from the third on as the difference to the run before the last.

    Raises
    ------
    ValueError
        If the text is cut off or holds other characters.
    """
    runs: list[int] = []
    value = shift = 0
    for character in text:
        code = ord(character) - 48
        if not 0 <= code < 64:
            raise ValueError("its mask holds characters that do not belong there")
        value |= (code & 31) << shift
        shift += 5
        if code & 32:
            continue
        if code & 16:
            value -= 1 << shift
        runs.append(value + (runs[-2] if len(runs) > 2 else 0))
        value = shift = 0
    if shift:
        raise ValueError("its mask is cut off")
    return runs
