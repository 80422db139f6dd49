"""CVAT for images 1.1: one ``annotations.xml`` with boxes, polygons and points.

Keypoints are ``points``; the rings of one outline share a group, as CVAT has neither holes nor
parts. The view is a tag. Precision: a hundredth of a pixel, as CVAT writes it.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import IO
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from napari_fada.errors import ExchangeError
from napari_fada.exchange.checking import MAX_VERTICES, checked
from napari_fada.exchange.corners import polygon_rings, said_of_ring, with_corners
from napari_fada.exchange.extras import about_frame, about_record, frame_with_about, with_about
from napari_fada.exchange.frames import FrameRecords
from napari_fada.exchange.items import Tally
from napari_fada.exchange.writers import Format, Problem, ReadOptions, WriteOptions, told
from napari_fada.exchange.xmlfiles import attribute_of, read_xml
from napari_fada.records.annotation import Annotation, Ring
from napari_fada.records.geometry import ordered_box
from napari_fada.vocabulary import vocabulary

FILE = "annotations.xml"
_ABOUT = (
    *("uid", "status", "source", "rater", "score", "parent", "visibility", "ring", "corners"),
    "unlinked",  # of a box that was set apart: the uid of its outline
)
_OF_FRAME = ("group", "subject", "scan", "spacing_mm_yx", "spacing_origin")


def image_element(number: int, frame: FrameRecords) -> Element:
    """Return the ``image`` element of a frame."""
    about = {"id": str(number), "name": frame.image.removeprefix("images/")}
    if frame.split:
        about["subset"] = frame.split
    image = Element("image", {**about, "width": str(frame.width), "height": str(frame.height)})
    for group, record in enumerate(frame.annotations, 1):
        size = (frame.width, frame.height)
        outline = record.kind == "polygon"
        rings = polygon_rings(record, size) if outline else (record.points,)
        for place, ring in enumerate(rings):
            shape = SubElement(image, _tag(record), _shape(record, ring))
            more = {"ring": str(place)} if len(rings) > 1 else {}
            if more:
                shape.set("group_id", str(group))
            if record.visibility:
                more["visibility"] = ",".join(map(str, record.visibility))
            if record.uid in frame.unlinked:
                more["unlinked"] = frame.unlinked[record.uid]
            corners = said_of_ring(record, place) if outline else {}
            more |= {key: json.dumps(value) for key, value in corners.items()}
            for name, value in {**about_record(record), **more}.items():
                SubElement(shape, "attribute", {"name": name}).text = str(value)
    if frame.view:
        SubElement(image, "tag", {"label": frame.view, "source": "manual"})
    told = about_frame(frame)
    if any(name in told for name in _OF_FRAME):
        tag = SubElement(image, "tag", {"label": "scan", "source": "manual"})
        for name in _OF_FRAME:
            if name in told:
                value = told[name]
                text = ",".join(map(str, value)) if isinstance(value, list) else str(value)
                SubElement(tag, "attribute", {"name": name}).text = text
    return image


def _tag(record: Annotation) -> str:
    return {"box": "box", "polygon": "polygon", "keypoints": "points"}[record.kind]


def _shape(record: Annotation, ring: Ring) -> dict[str, str]:
    found = {
        "label": record.category,
        "source": "auto" if record.source == "model" else "manual",
        "occluded": "1" if 1 in record.visibility else "0",
    }
    if record.kind == "box":
        (x1, y1), (x2, y2) = ordered_box(ring)
        corners = zip(("xtl", "ytl", "xbr", "ybr"), (x1, y1, x2, y2), strict=True)
        found |= {name: f"{value:.2f}" for name, value in corners}
    else:
        found["points"] = ";".join(f"{x:.2f},{y:.2f}" for x, y in ring)
    return {**found, "z_order": "0"}


def meta_element(dataset: str, splits: Iterable[str] = ()) -> Element:
    """Return the ``meta`` element: the labels with their colours, and the subsets.

    A data set that is split is a project with a task for each side, as CVAT writes it.
    """
    meta = Element("meta")
    sides = [split for split in splits if split]
    holder = SubElement(meta, "project" if sides else "task")
    SubElement(holder, "name").text = dataset or "napari-fada"
    if sides:
        SubElement(holder, "subsets").text = "\n".join(sides)
        tasks = SubElement(holder, "tasks")
        for side in sides:
            task = SubElement(tasks, "task")
            SubElement(task, "name").text = side
            SubElement(task, "subset").text = side
    labels = SubElement(holder, "labels")
    kinds = {"box": "rectangle", "polygon": "polygon", "keypoints": "points"}
    rows: list[tuple[str, str, str, tuple[str, ...]]] = [
        (c.name, c.colour, kinds[k] if len(c.kinds) == 1 else "any", _ABOUT)
        for c in vocabulary().categories
        for k in sorted(c.kinds)[:1]
    ]
    rows += [(v.name, "#808080", "tag", ()) for v in vocabulary().views]
    rows.append(("scan", "#808080", "tag", _OF_FRAME))
    seen: set[str] = set()
    for name, colour, kind, attributes in rows:
        if name in seen:  # a view and a class may have one name: the label is for both
            labels.find(f"label[name='{name}']/type").text = "any"  # type: ignore[union-attr]
            continue
        seen.add(name)
        label = SubElement(labels, "label")
        SubElement(label, "name").text = name
        SubElement(label, "color").text = colour
        SubElement(label, "type").text = kind
        holder = SubElement(label, "attributes")
        for attribute in attributes:
            a = SubElement(holder, "attribute")
            SubElement(a, "name").text = attribute
            SubElement(a, "mutable").text = "False"
            SubElement(a, "input_type").text = "text"
            SubElement(a, "default_value")
            SubElement(a, "values")
    return meta


class CvatWriter:
    """Writes ``annotations.xml``, an image at a time (see ``writers.Writer``)."""

    def __init__(self, root: Path, options: WriteOptions) -> None:
        self._root, self._dataset = root, options.dataset
        self._count = 0
        self._splits: dict[str, None] = {}
        # The head names the subsets, which are known at the end: images wait in a file.
        self._images = root / f".{FILE}.images"
        self._file: IO[bytes] = self._images.open("wb")

    def add(self, frame: FrameRecords, tally: Tally) -> None:
        """Write an image."""
        self._put(image_element(self._count, frame))
        self._splits[frame.split] = None
        self._count += 1
        tally.written["shapes"] += sum(
            1 + (len(a.rings) if a.kind == "polygon" else 0) for a in frame.annotations
        )

    def finish(self, tally: Tally) -> None:
        """Put head and images together."""
        self._file.close()
        with (self._root / FILE).open("wb") as self._file:
            self._file.write(b'<?xml version="1.0" encoding="utf-8"?>\n<annotations>\n')
            self._file.write(b"  <version>1.1</version>\n")
            self._put(meta_element(self._dataset, self._splits))
            with self._images.open("rb") as images:
                shutil.copyfileobj(images, self._file, 1 << 20)
            self._file.write(b"</annotations>\n")
        self._images.unlink()
        tally.written["images"] += self._count

    def _put(self, element: Element) -> None:
        indent(element, "  ", level=1)
        self._file.write(b"  " + tostring(element, "utf-8").split(b"?>\n", 1)[-1] + b"\n")


def read(root: Path, options: ReadOptions) -> Iterator[FrameRecords | Problem]:
    """Read an ``annotations.xml`` or the folder that holds it.

    Raises
    ------
    ExchangeError
        If there is none, or it is broken.
    """
    path = root / FILE if root.is_dir() else root
    if not path.exists():
        raise ExchangeError(f"There is no {FILE} in {root}.", todo="Name the file itself.")
    xml = read_xml(path, options.max_bytes)
    if xml.tag != "annotations":
        raise ExchangeError(f"{path.name} is no file of CVAT.")
    for place, image in enumerate(xml.iter("image")):
        number = image.get("id", str(place))
        try:
            size = int(attribute_of(image, "width")), int(attribute_of(image, "height"))
            name = attribute_of(image, "name").replace("\\", "/")
        except (KeyError, ValueError) as error:
            yield Problem(path.name, f"image {number}", told(error))
            continue
        yield from _Image(path.name, name, size, options).read(image)


class _Image:
    def __init__(self, file: str, name: str, size: tuple[int, int], options: ReadOptions) -> None:
        self._file, self._name, self._size, self._options = file, name, size, options

    def read(self, image: Element) -> Iterator[FrameRecords | Problem]:
        kept: list[Annotation] = []
        grouped: dict[str, int] = {}
        unlinked: dict[str, str] = {}
        view: str | None = None
        about: dict[str, object] = {}
        number = 0
        for element in image:
            if element.tag == "tag":
                label = element.get("label", "")
                view = view or self._options.names.view(label)
                if label == "scan":
                    about = _of_frame(_attributes(element))
                continue
            number += 1
            where = f"image {self._name}, shape {number}"
            try:
                record, group = self._shape(element)
            except (KeyError, ValueError) as error:
                yield Problem(self._file, where, told(error))
                continue
            if record is None:
                continue
            found, what = checked(record, self._size)
            if what:
                yield Problem(self._file, where, f"{record.category} {what}")
            if found is None:
                continue
            if group and group in grouped:
                first = kept[grouped[group]]
                kept[grouped[group]] = replace(first, rings=(*first.rings, found.points))
                continue
            if group:
                grouped[group] = len(kept)
            kept.append(found)
            if outline := _attributes(element).get("unlinked"):
                unlinked[found.uid] = outline
        frame = FrameRecords(self._name, *self._size, tuple(kept), view=view)
        split = image.get("subset") or ""
        yield frame_with_about(frame, {**about, "split": split, "unlinked": unlinked})

    def _shape(self, element: Element) -> tuple[Annotation | None, str]:
        """Return a record, and the group if it is one ring of several."""
        label = attribute_of(element, "label")
        about = _attributes(element)
        category = self._options.names.category(label)
        if category is None:
            if self._options.names.left_out(label):
                return None, ""
            raise ValueError(f"unknown class {label!r}")
        if element.tag == "box":
            x1, y1, x2, y2 = (
                float(attribute_of(element, name)) for name in ("xtl", "ytl", "xbr", "ybr")
            )
            if float(element.get("rotation") or 0):
                raise ValueError("it is a turned box, which is no structure of ours")
            return with_about(Annotation(category, "box", ((x1, y1), (x2, y2))), about), ""
        if element.tag not in ("polygon", "points"):
            raise ValueError(f"a {element.tag} is no structure of ours")
        points = _points(attribute_of(element, "points"))
        if element.tag == "points":
            record = Annotation(category, "keypoints", points)
            seen = _seen(about.get("visibility"), len(points))
            return with_about(replace(record, visibility=seen), about), ""
        group = f"{label}/{element.get('group_id', '')}" if "ring" in about else ""
        record = with_corners(Annotation(category, "polygon", points), about)
        return with_about(record, about), group


def _points(text: str) -> Ring:
    parts = text.split(";")
    if len(parts) > MAX_VERTICES:
        raise ValueError(f"{len(parts):,} vertices; {MAX_VERTICES:,} are the limit")
    found = []
    for part in parts:
        x, y = part.split(",")
        found.append((float(x), float(y)))
    return tuple(found)


def _seen(text: object, count: int) -> tuple[int, ...]:
    parts = str(text).split(",") if text else []
    return tuple(int(v) for v in parts) if len(parts) == count else (2,) * count


def _attributes(element: Element) -> dict[str, str]:
    return {a.get("name", ""): (a.text or "").strip() for a in element.findall("attribute")}


def _of_frame(about: Mapping[str, str]) -> dict[str, object]:
    found: dict[str, object] = dict(about)
    try:
        found["spacing_mm_yx"] = [float(v) for v in about.get("spacing_mm_yx", "").split(",")]
    except ValueError:
        found.pop("spacing_mm_yx", None)
    return found


FORMAT = Format(
    name="cvat",
    title="CVAT for images 1.1",
    image=lambda stem, split: f"images/{split}/{stem}.png" if split else f"images/{stem}.png",
    writer=CvatWriter,
    reader=read,
)
