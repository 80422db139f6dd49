"""Pascal VOC: boxes, one XML file for each image.

VOC counts pixels from 1 and both ends are inside: a box is written as the pixels that it touches,
so it grows by less than a pixel on each side. The exact numbers stand beside it in an element that
other programs leave aside. Outlines are written as the boxes around them; keypoints have no place.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from xml.etree.ElementTree import Element, ElementTree, SubElement, indent

from napari_fada.errors import ExchangeError
from napari_fada.exchange.checking import checked
from napari_fada.exchange.extras import about_frame, about_record, frame_with_about, with_about
from napari_fada.exchange.frames import FrameRecords
from napari_fada.exchange.items import Tally
from napari_fada.exchange.writers import Format, Problem, ReadOptions, WriteOptions, told
from napari_fada.exchange.xmlfiles import read_xml, text_of
from napari_fada.records.annotation import Annotation
from napari_fada.records.geometry import bounds

OUTLINES = "outlines written as the boxes around them"
POINTS = "keypoints (the form has none)"
_CORNERS = ("xmin", "ymin", "xmax", "ymax")


def to_xml(frame: FrameRecords, tally: Tally, *, dataset: str = "") -> Element:
    """Return the file of a frame."""
    root = Element("annotation")
    SubElement(root, "folder").text = "JPEGImages"
    SubElement(root, "filename").text = Path(frame.image).name
    source = SubElement(root, "source")
    SubElement(source, "database").text = dataset or "napari-fada"
    size = SubElement(root, "size")
    for name, value in (("width", frame.width), ("height", frame.height), ("depth", 1)):
        SubElement(size, name).text = str(value)
    SubElement(root, "segmented").text = "0"
    SubElement(root, "fada").text = json.dumps(about_frame(frame), ensure_ascii=False)
    boxed = frame.boxes
    for record in frame.annotations:
        if record.kind == "keypoints":
            tally.left_out[POINTS] += 1
            continue
        if record.uid in boxed:  # it is one object with its box
            continue
        tally.notes[OUTLINES] += record.kind == "polygon"
        (x1, y1), (x2, y2) = bounds(record)
        thing = SubElement(root, "object")
        SubElement(thing, "name").text = record.category
        SubElement(thing, "pose").text = "Unspecified"
        for name in ("truncated", "difficult", "occluded"):
            SubElement(thing, name).text = "0"
        box = SubElement(thing, "bndbox")
        pixels = math.floor(x1) + 1, math.floor(y1) + 1, math.ceil(x2), math.ceil(y2)
        for name, value in zip(_CORNERS, pixels, strict=True):
            SubElement(box, name).text = str(value)
        exact = {"box": [x1, y1, x2, y2], "kind": record.kind, **about_record(record)}
        SubElement(thing, "fada").text = json.dumps(exact, ensure_ascii=False)
        tally.written["objects"] += 1
    indent(root, " ")
    return root


class VocWriter:
    """Writes XML files and the lists of the sides (see ``writers.Writer``)."""

    def __init__(self, root: Path, options: WriteOptions) -> None:
        self._root, self._dataset = root, options.dataset
        self._lists: dict[str, list[str]] = {}
        (root / "Annotations").mkdir(parents=True, exist_ok=True)

    def add(self, frame: FrameRecords, tally: Tally) -> None:
        """Write the file of an image."""
        stem = Path(frame.image).stem
        tree = ElementTree(to_xml(frame, tally, dataset=self._dataset))
        tree.write(self._root / "Annotations" / f"{stem}.xml", "utf-8", xml_declaration=True)
        self._lists.setdefault(frame.split or "all", []).append(stem)

    def finish(self, tally: Tally) -> None:
        """Write which image is on which side."""
        folder = self._root / "ImageSets" / "Main"
        folder.mkdir(parents=True, exist_ok=True)
        for split, stems in self._lists.items():
            (folder / f"{split}.txt").write_text("\n".join(stems) + "\n", "utf-8")
        tally.written["lists"] += len(self._lists)


def read(root: Path, options: ReadOptions) -> Iterator[FrameRecords | Problem]:
    """Read a VOC folder (its ``Annotations``), a folder of XML files, or one file.

    Raises
    ------
    ExchangeError
        If there is none.
    """
    images = "JPEGImages/" if (root / "Annotations").is_dir() else ""
    for path in _files(root):
        try:
            xml = read_xml(path, options.max_bytes)
            name = f"{images}{Path(text_of(xml, 'filename').replace(chr(92), '/')).name}"
            size = _size(xml) or options.size_of(name)
        except ExchangeError as error:
            yield Problem(path.name, "", error.what)
            continue
        except (KeyError, ValueError, OSError) as error:
            yield Problem(path.name, "", told(error))
            continue
        kept = []
        for number, thing in enumerate(xml.iter("object"), 1):
            where = f"object {number}"
            try:
                label = text_of(thing, "name")
                category = options.names.category(label)
                if category is None:
                    if not options.names.left_out(label):
                        yield Problem(path.name, where, f"unknown class {label!r}")
                    continue
                record = _record(thing, category)
            except (KeyError, ValueError, TypeError) as error:
                yield Problem(path.name, where, told(error))
                continue
            found, what = checked(record, size)
            if what:
                yield Problem(path.name, where, f"{category} {what}")
            if found:
                kept.append(found)
        yield frame_with_about(FrameRecords(name, *size, tuple(kept)), _json(xml))


def _size(xml: Element) -> tuple[int, int] | None:
    size = xml.find("size")
    if size is None:
        return None
    width, height = int(text_of(size, "width")), int(text_of(size, "height"))
    return (width, height) if width > 0 and height > 0 else None


def _record(thing: Element, category: str) -> Annotation:
    box = thing.find("bndbox")
    if box is None:
        raise KeyError("bndbox")
    x1, y1, x2, y2 = (float(text_of(box, name)) for name in _CORNERS)
    corners = ((x1 - 1, y1 - 1), (x2, y2))
    if x2 < x1 or y2 < y1:
        raise ValueError("its corners are swapped")
    about = _json(thing)
    exact = about.get("box")
    if isinstance(exact, list) and len(exact) == 4:
        a, b, c, d = (float(v) for v in exact)
        # Another program may have moved the box: then its numbers count.
        if max(abs(a - x1 + 1), abs(b - y1 + 1), abs(c - x2), abs(d - y2)) < 1:
            corners = ((a, b), (c, d))
    if about.get("kind", "box") != "box":  # the box around an outline is no record of before
        about = {key: value for key, value in about.items() if key not in ("uid", "parent")}
    return with_about(Annotation(category, "box", corners), about)


def _json(element: Element) -> dict[str, object]:
    try:
        found = json.loads(element.findtext("fada") or "{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _files(root: Path) -> list[Path]:
    folder = root / "Annotations" if (root / "Annotations").is_dir() else root
    files = [root] if root.is_file() else sorted(folder.glob("*.xml"))
    if not files:
        raise ExchangeError(f"There are no VOC files in {root}.", todo="Name another folder.")
    return files


FORMAT = Format(
    name="voc",
    title="Pascal VOC",
    image=lambda stem, _split: f"JPEGImages/{stem}.png",
    writer=VocWriter,
    reader=read,
    count=lambda root, _options: len(_files(root)),
)
