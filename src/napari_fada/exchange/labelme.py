"""LabelMe: one JSON file beside each image.

Boxes are rectangles, outlines polygons, keypoints points that share a group. The form has no
holes and no outlines in parts: rings of one record share a group, too, and say under ``flags``
that they belong together. The corners of a curve stand beside its polygon. Precision: numbers are
written as they are.
"""

from __future__ import annotations

import base64
import binascii
import io
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, UnidentifiedImageError

from napari_fada.errors import ExchangeError
from napari_fada.exchange.checking import MAX_VERTICES, checked
from napari_fada.exchange.corners import polygon_rings, said_of_ring, with_corners
from napari_fada.exchange.extras import about_frame, about_record, frame_with_about, with_about
from napari_fada.exchange.files import write_atomic
from napari_fada.exchange.frames import FrameRecords
from napari_fada.exchange.items import Tally
from napari_fada.exchange.jsonfiles import as_list, as_number, as_object, read_json
from napari_fada.exchange.staging import OWN_FILES
from napari_fada.exchange.writers import Format, Problem, ReadOptions, WriteOptions, told
from napari_fada.records.annotation import Annotation, Point, Ring
from napari_fada.records.geometry import drawn, mask_to_annotation
from napari_fada.vocabulary import vocabulary

#: The version of the form: that of the LabelMe that our tests read the files with.
VERSION = "5.5.0"
#: A circle is written as a polygon of so many corners; its area is then 0.04 % too small.
_CIRCLE = 128
_NONE = ("line", "linestrip", "ai_points")


def shape_objects(frame: FrameRecords) -> list[dict[str, Any]]:
    """Return the shapes of a frame as LabelMe has them."""
    shapes = []
    for group, record in enumerate(frame.annotations, 1):
        about = about_record(record)
        if record.kind == "keypoints":
            names = vocabulary().by_name[record.category].points
            seen = record.seen
            for place, (point, v) in enumerate(zip(record.points, seen, strict=True)):
                more = {"keypoint": place, "visibility": v}
                told = names[place] if place < len(names) else ""
                shapes.append(_shape(record, [point], "point", group, {**about, **more}, told))
            continue
        size = (frame.width, frame.height)
        box = record.kind == "box"
        rings = (record.points,) if box else polygon_rings(record, size)
        kind = "rectangle" if box else "polygon"
        for place, ring in enumerate(rings):
            more = {"ring": place} if len(rings) > 1 else {}
            told_of = {**about, **more, **({} if box else said_of_ring(record, place))}
            shapes.append(_shape(record, ring, kind, group if more else None, told_of, ""))
    return shapes


def _shape(
    record: Annotation,
    points: Sequence[Point],
    kind: str,
    group: int | None,
    about: Mapping[str, Any],
    told: str,
) -> dict[str, Any]:
    return {
        "label": record.category,
        "points": [list(p) for p in points],
        "group_id": group,
        "description": told,
        "shape_type": kind,
        "flags": {},
        "mask": None,
        # Keys that LabelMe does not know it keeps when it saves the file.
        "fada": dict(about),
    }


class LabelmeWriter:
    """Writes a JSON file beside each image (see ``writers.Writer``)."""

    def __init__(self, root: Path, _options: WriteOptions) -> None:
        self._root = root

    def add(self, frame: FrameRecords, tally: Tally) -> None:
        """Write the file of an image."""
        shapes = shape_objects(frame)
        data = {
            "version": VERSION,
            "flags": {frame.view: True} if frame.view else {},
            "shapes": shapes,
            "imagePath": Path(frame.image).name,
            "imageData": None,
            "imageHeight": frame.height,
            "imageWidth": frame.width,
            "fada": about_frame(frame),
        }
        text = json.dumps(data, ensure_ascii=False, indent=1)
        path = (self._root / frame.image).with_suffix(".json")
        write_atomic(path, text.encode(), flush=False)
        tally.written["shapes"] += len(shapes)

    def finish(self, tally: Tally) -> None:
        """Do nothing more: every file is whole."""
        tally.written["shapes"] += 0


def read(root: Path, options: ReadOptions) -> Iterator[FrameRecords | Problem]:
    """Read LabelMe files: one, or all in a folder and below.

    Raises
    ------
    ExchangeError
        If there is none.
    """
    folder = root if root.is_dir() else root.parent
    for path in _files(root):
        yield from _File(path, folder, options).read()


def _files(root: Path) -> list[Path]:
    files = [root] if root.is_file() else sorted(root.rglob("*.json"))
    files = [f for f in files if f.name not in OWN_FILES or f == root]
    if not files:
        raise ExchangeError(f"There are no LabelMe files in {root}.", todo="Name another folder.")
    return files


@dataclass
class _Draft:
    """A record that several shapes make up."""

    label: str
    about: Mapping[str, Any]
    rings: dict[int, Ring] = field(default_factory=dict)
    points: dict[int, tuple[Point, int]] = field(default_factory=dict)
    where: str = ""


@dataclass
class _File:
    path: Path
    folder: Path
    options: ReadOptions

    def read(self) -> Iterator[FrameRecords | Problem]:
        name = self.path.relative_to(self.folder).as_posix()
        try:
            data = as_object(read_json(self.path, self.options.max_bytes), "the file")
            shapes = as_list(data["shapes"], "shapes")
            image = self._image(data)
            width, height = self._size(data, image)
        except ExchangeError as error:
            yield Problem(name, "", error.what)
            return
        except (ValueError, KeyError) as error:
            yield Problem(name, "", told(error))
            return
        drafts: dict[Any, _Draft] = {}
        kept: list[Annotation] = []
        problems: list[tuple[str, str]] = []
        made: list[tuple[str, Annotation]] = []
        for number, row in enumerate(shapes, 1):
            where = f"shape {number}"
            try:
                made += self._take(as_object(row, "it"), where, drafts, (width, height))
            except (ValueError, KeyError, TypeError, OverflowError) as error:
                problems.append((where, told(error)))
        for draft in drafts.values():
            made.append((draft.where, _joined(draft)))
        for where, record in sorted(made, key=lambda m: int(m[0].split()[1])):
            category = self.options.names.category(record.category)
            if category is None:
                if not self.options.names.left_out(record.category):
                    problems.append((where, f"unknown class {record.category!r}"))
                continue
            if category != record.category:  # another class may not be drawn as a curve
                record = drawn(record)
            found, what = checked(replace(record, category=category), (width, height))
            if what:
                problems.append((where, f"{category} {what}"))
            if found:
                kept.append(found)
        for where, what in problems:
            yield Problem(name, where, what)
        frame = FrameRecords(image, width, height, tuple(kept), view=self._view(data))
        about = data.get("fada")
        yield frame_with_about(frame, about) if isinstance(about, dict) else frame

    def _image(self, data: Mapping[str, Any]) -> str:
        """Return the path of the image from the folder on."""
        told = str(data.get("imagePath") or "").replace("\\", "/")
        here = self.path.parent
        names = [told, Path(told).name] if told else []
        names += [
            f"{self.path.stem}{e}" for e in (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp")
        ]
        for name in names:
            if (here / name).is_file():
                return _relative(here / name, self.folder)
        return _relative(here / (names[0]), self.folder)

    def _size(self, data: Mapping[str, Any], image: str) -> tuple[int, int]:
        width, height = data.get("imageWidth"), data.get("imageHeight")
        if isinstance(width, int) and isinstance(height, int) and width > 0 and height > 0:
            return width, height
        return self.options.size_of(image)

    def _view(self, data: Mapping[str, Any]) -> str | None:
        """Return the view if a flag that is set names one."""
        flags = data.get("flags")
        for name, on in flags.items() if isinstance(flags, dict) else ():
            if on and (view := self.options.names.view(str(name))):
                return view
        return None

    def _take(
        self,
        row: Mapping[str, Any],
        where: str,
        drafts: dict[Any, _Draft],
        size: tuple[int, int],
    ) -> list[tuple[str, Annotation]]:
        label, kind = str(row["label"]), str(row.get("shape_type") or "polygon")
        told = row.get("fada")
        about = told if isinstance(told, dict) else {}
        if kind in _NONE:
            raise ValueError(f"a {kind} is no structure")
        points = _points(row["points"])
        group = row.get("group_id")
        if kind in ("point", "points") or "ring" in about:
            key = (label, group, kind) if group is not None else (where,)
            draft = drafts.setdefault(key, _Draft(label, about, where=where))
            if kind == "polygon":
                ring = with_corners(Annotation(label, "polygon", points), about).points
                draft.rings[int(about["ring"])] = ring
            else:
                for point in points:
                    place = int(about.get("keypoint", len(draft.points)))
                    draft.points[place] = (point, int(about.get("visibility", 2)))
            return []
        record = with_corners(_record(label, kind, points, row, size), about)
        return [(where, with_about(record, about))]


def _points(value: Any) -> Ring:
    rows = as_list(value, "points")
    if len(rows) > MAX_VERTICES:
        raise ValueError(f"{len(rows):,} vertices; {MAX_VERTICES:,} are the limit")
    found = []
    for row in rows:
        x, y = as_list(row, "a point")
        found.append((as_number(x, "a coordinate"), as_number(y, "a coordinate")))
    return tuple(found)


def _record(
    label: str, kind: str, points: Ring, row: Mapping[str, Any], size: tuple[int, int]
) -> Annotation:
    if kind == "rectangle":
        if len(points) not in (2, 4):
            raise ValueError(f"a rectangle of {len(points)} points")
        xs, ys = zip(*points, strict=True)
        return Annotation(label, "box", ((min(xs), min(ys)), (max(xs), max(ys))))
    if kind == "circle":
        (x, y), rim = points
        radius = math.dist((x, y), rim)
        turns = (2 * math.pi * i / _CIRCLE for i in range(_CIRCLE))
        ring = tuple((x + radius * math.cos(t), y + radius * math.sin(t)) for t in turns)
        return Annotation(label, "polygon", ring)
    if kind == "mask":
        return _from_mask(label, points, row, size)
    if kind != "polygon":
        raise ValueError(f"a {kind} is no structure")
    closed = len(points) > 3 and points[0] == points[-1]
    return Annotation(label, "polygon", points[:-1] if closed else points)


def _from_mask(
    label: str, points: Ring, row: Mapping[str, Any], size: tuple[int, int]
) -> Annotation:
    """Return the outline of a mask that is stored as a picture in the file."""
    try:
        with Image.open(io.BytesIO(base64.b64decode(str(row["mask"]), validate=True))) as picture:
            part = np.asarray(picture.convert("L")) > 0
    except (binascii.Error, UnidentifiedImageError, OSError) as error:
        raise ValueError(f"its mask cannot be decoded ({error})") from error
    (x1, y1), _ = points
    left, top = round(x1), round(y1)
    whole = np.zeros((size[1], size[0]), bool)
    height, width = part.shape
    if left < 0 or top < 0 or left + width > size[0] or top + height > size[1]:
        raise ValueError(f"its mask of {width}×{height} lies outside the image")
    whole[top : top + height, left : left + width] = part
    record = mask_to_annotation(whole, label)
    if record is None:
        raise ValueError("its mask is empty")
    return record


def _joined(draft: _Draft) -> Annotation:
    if draft.rings:
        first, *others = (ring for _, ring in sorted(draft.rings.items()))
        record = Annotation(draft.label, "polygon", first, rings=tuple(others))
    else:
        rows = [draft.points[place] for place in sorted(draft.points)]
        points, seen = zip(*rows, strict=True)
        record = Annotation(draft.label, "keypoints", points, visibility=seen)
    return with_about(record, draft.about)


def _relative(path: Path, folder: Path) -> str:
    try:
        return path.resolve().relative_to(folder.resolve()).as_posix()
    except ValueError:
        return path.as_posix()


FORMAT = Format(
    name="labelme",
    title="LabelMe",
    image=lambda stem, split: f"{split}/{stem}.png" if split else f"images/{stem}.png",
    writer=LabelmeWriter,
    reader=read,
    count=lambda root, _options: len(_files(root)),
)
