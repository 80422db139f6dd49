"""U2-BENCH: its fetal tasks, answered from what our phases say, and scored by its rules.

The benchmark asks general models for one word or one number. Our models answer with a view, boxes,
outlines and a report; this module turns those into the word or number, for any model. The data
(CC BY-NC-ND 4.0) are read where they lie and never written out: results hold figures only. The
weights of the benchmark's overall score are not published with its code, so there is none here.
"""

from __future__ import annotations

import base64
import binascii
import csv
import functools
import io
import json
import re
import sys
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any, Literal

import numpy as np
from PIL import Image, UnidentifiedImageError

from napari_fada.errors import ExchangeError, MeasureError
from napari_fada.exchange.names import Names
from napari_fada.exchange.writers import Problem
from napari_fada.measure import Scale
from napari_fada.measure.ellipse import measured_ellipse
from napari_fada.records.geometry import bounds
from napari_fada.records.reading import INTERPRETATION_KEYS, Reading
from napari_fada.scans import Frame
from napari_fada.vocabulary import vocabulary

Task = Literal["class", "cell", "value", "text"]

#: Folders of the benchmark and what their answers are.
TASKS: Mapping[str, Task] = {
    "disease_diagnosis": "class",
    "view_recognition_and_assessment": "class",
    "lesion_localisation": "cell",
    "lesion_localization": "cell",
    "organ_detection": "cell",
    "keypoint_detection": "cell",
    "clinical_value_estimation": "value",
    "report_generation": "text",
    "caption_generation": "text",
}

#: The nine places of an image and what is none of them.
NOT_VISIBLE = "not visible"
_LOW, _HIGH = 0.45, 0.55

COLUMNS = ("dataset_name", "img_data")


@dataclass(frozen=True, slots=True)
class Row:
    """A question of the benchmark. ``where`` says its file and row."""

    where: tuple[str, str]
    dataset: str
    task: Task
    folder: str
    image: Frame
    cells: Mapping[str, str]


def read_rows(root: Path) -> Iterator[Row | Problem]:
    """Read the TSV files of a folder, or one file, a row at a time.

    The task is told by the name of the file or of the folder it lies in.

    Raises
    ------
    ExchangeError
        If there are no such files.
    """
    files = [root] if root.is_file() else sorted(root.rglob("*.tsv"))
    if not files:
        raise ExchangeError(f"There are no .tsv files in {root}.", todo="Name U2-BENCH's folder.")
    # An image stands in a cell; the default limit of a cell is far below that.
    csv.field_size_limit(min(sys.maxsize, 2**31 - 1))
    for path in files:
        folder = next((f for f in TASKS if f in str(path).lower()), None)
        if folder is None:
            yield Problem(path.name, "", f"no task is told by its name ({', '.join(TASKS)})")
            continue
        yield from _rows(path, folder)


def _rows(path: Path, folder: str) -> Iterator[Row | Problem]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            table = csv.DictReader(file, delimiter="\t")
            missing = [c for c in COLUMNS if c not in (table.fieldnames or ())]
            if missing:
                yield Problem(path.name, "", f"it has no column {', '.join(missing)}")
                return
            for number, cells in enumerate(table, 1):
                where = path.name, f"row {number}"
                try:
                    image = decode_image(cells["img_data"] or "")
                except ValueError as error:
                    yield Problem(*where, str(error))
                    continue
                known = {k: (v or "").strip() for k, v in cells.items() if k and k != "img_data"}
                dataset = known["dataset_name"]
                yield Row(where, dataset, TASKS[folder], folder, image, known)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        yield Problem(path.name, "", f"it cannot be read: {error}")


def decode_image(text: str) -> Frame:
    """Return the image in a cell.

    Raises
    ------
    ValueError
        If there is none.
    """
    try:
        data = base64.b64decode(text.strip().strip("[]'\""), validate=True)
        with Image.open(io.BytesIO(data)) as picture:
            mode = "L" if picture.mode in ("1", "L", "I", "I;16", "P") else "RGB"
            return np.asarray(picture.convert(mode), np.uint8)
    except (binascii.Error, UnidentifiedImageError, OSError, ValueError) as error:
        raise ValueError(f"its image cannot be decoded ({error})") from error


# Our answers


def answer_of(row: Row, reading: Reading) -> str:
    """Return our answer to a question: an option, a place, a number or a text; empty: none.

    Parameters
    ----------
    row : Row
        The question.
    reading : Reading
        What the model said of its image.
    """
    if row.task == "class":
        return _option(row, reading)
    if row.task == "cell":
        target = target_class(row)
        found = [a for a in reading.annotations if a.category == target]
        best = max(found, key=lambda a: a.score or 0.0, default=None)
        height, width = row.image.shape[:2]
        return NOT_VISIBLE if best is None else cell_of(bounds(best), (width, height))
    if row.task == "value":
        value = _value(row, reading)
        return "" if value is None else f"{value:.2f}"
    texts = (reading.interpretation.get(key, "").strip() for key in INTERPRETATION_KEYS)
    return " ".join(text for text in texts if text)


def _option(row: Row, reading: Reading) -> str:
    table = _tables()
    options = options_of(row)
    view = reading.view or ""
    exact = next((o for o in options if o.lower() == view.lower()), None)
    if exact is not None:
        return exact
    number = number_of(row.dataset)
    if number == "53":
        found = {a.category for a in reading.annotations}
        head = bool(found & set(table["labour"]["head"]))
        symphysis = bool(found & set(table["labour"]["symphysis"]))
        key = {(0, 0): "none", (1, 0): "head", (0, 1): "symphysis", (1, 1): "both"}[head, symphysis]
        return str(table["labour"]["answers"][key])
    if number == "50":
        good = view in table["abdominal"]["optimal"]
        return str(table["abdominal"]["words"]["yes" if good else "no"])
    if number == "03":
        plane = table["planes"]["views"].get(view) or _plane_of_classes(reading)
        word = table["planes"]["words"][plane]
        return next((o for o in options if word in o.lower()), str(word))
    return view


def _plane_of_classes(reading: Reading) -> str:
    groups: Mapping[str, str] = _tables()["planes"]["groups"]
    for name in reading.mapping.detect if reading.mapping else ():
        category = vocabulary().by_name.get(name)
        if category and category.group[0] in groups:
            return groups[category.group[0]]
    return "other"


def _value(row: Row, reading: Reading) -> float | None:
    """Return a circumference in mm; None without an outline or a size of a pixel."""
    wish = _tables()["ranges"].get(number_of(row.dataset))
    spacing = pixel_size(row)
    if wish is None or spacing is None:
        return None
    height, width = row.image.shape[:2]
    for name in wish["classes"]:
        outlines = [a for a in reading.annotations if a.category == name and a.kind == "polygon"]
        if outlines:
            try:
                scale = Scale(spacing, spacing, "user")
                return measured_ellipse(outlines[0], scale, (width, height)).circumference
            except MeasureError:
                return None
    return None


def target_class(row: Row) -> str | None:
    """Return the class that a question about a place asks for."""
    names = Names()
    for column in ("class_label", "seg_channel_name", "anatomy_location"):
        for word in _words(row.cells.get(column, "")):
            found = names.category(word)
            if found is not None:
                return found
    return None


def cell_of(box: tuple[tuple[float, float], tuple[float, float]], size: tuple[int, int]) -> str:
    """Return which of nine places the centre of a box is in.

    The middle band is narrow: from 0.45 to 0.55 of the image.

    Parameters
    ----------
    box : ((x1, y1), (x2, y2))
        In pixels.
    size : (width, height)
        Of the image.
    """
    (x1, y1), (x2, y2) = box
    x, y = (x1 + x2) / 2 / size[0], (y1 + y2) / 2 / size[1]
    across = "left" if x < _LOW else "right" if x > _HIGH else "center"
    down = "upper" if y < _LOW else "lower" if y > _HIGH else "middle"
    return "center" if (down, across) == ("middle", "center") else f"{down} {across}"


# The benchmark's truth


def truth_of(row: Row) -> str:
    """Return the right answer to a question.

    Raises
    ------
    ValueError
        If the row does not say it.
    """
    cells = row.cells
    height, width = row.image.shape[:2]
    if row.task == "class":
        return _required(cells, "class_label")
    if row.task == "value":
        return str(float(re.findall(r"-?\d+(?:\.\d+)?", _required(cells, "measurement"))[0]))
    if row.task == "text":
        return cells.get("report") or _required(cells, "caption")
    column = "keypoints" if row.folder.startswith("keypoint") else "gt_bbox"
    numbers = _numbers(_required(cells, column))
    if len(numbers) < 2:
        return NOT_VISIBLE
    if column == "keypoints":
        corners = (numbers[0], numbers[1]), (numbers[0], numbers[1])
    elif len(numbers) < 4:
        raise ValueError(f"its box has {len(numbers)} numbers")
    else:
        corners = (numbers[0], numbers[1]), (numbers[2], numbers[3])
    if max(map(abs, numbers)) <= 1:  # in parts of the image
        corners = tuple((x * width, y * height) for x, y in corners)  # type: ignore[assignment]
    return cell_of(corners, (width, height))


def options_of(row: Row) -> list[str]:
    """Return what a question offers to choose from."""
    return _words(row.cells.get("options", ""))


def pixel_size(row: Row) -> float | None:
    """Return the size of a pixel in mm that a question states; None if it states none."""
    for column in ("prompt", "notes", "measurement"):
        found = re.search(
            r"pixel\s*(?:size|spacing)[^0-9]{0,40}(\d+\.\d+|\d+)", row.cells.get(column, ""), re.I
        )
        if found and 0 < float(found.group(1)) < 5:
            return float(found.group(1))
    return None


def number_of(dataset: str) -> str:
    """Return the number in the name of a data set ("03" of "03_planes")."""
    found = re.match(r"\D*(\d{2})", dataset)
    return found.group(1) if found else ""


def value_range(dataset: str) -> tuple[float, float] | None:
    """Return the range by which values of a data set are scaled, in mm."""
    found = _tables()["ranges"].get(number_of(dataset))
    return (found["low"], found["high"]) if found else None


def _required(cells: Mapping[str, str], column: str) -> str:
    text = cells.get(column, "")
    if not text:
        raise ValueError(f"it has no {column}")
    return text


def _words(text: str) -> list[str]:
    try:
        found = json.loads(text.replace("'", '"'))
    except ValueError:
        found = None
    if isinstance(found, list):
        return [str(x).strip() for x in found]
    return [part.strip() for part in re.split(r"[;|,\n]", text) if part.strip()]


def _numbers(text: str) -> list[float]:
    return [float(x) for x in re.findall(r"-?\d+(?:\.\d+)?", text)]


@functools.cache
def _tables() -> dict[str, Any]:
    text = resources.files("napari_fada.evaluate").joinpath("u2bench.toml").read_text("utf-8")
    return tomllib.loads(text)
