"""How our layers look: one frozen dataclass for each layer, colours from the vocabulary.

Colours are always explicit arrays, one row for each shape. napari's colour cycles are not
used: they colour by the alphabet of the classes present, so that one class would change its
colour from scan to scan.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_fada.records.annotation import DERIVED, Annotation, Kind
from napari_fada.vocabulary import vocabulary

Colours = npt.NDArray[np.float32]

UNKNOWN_COLOUR = "#ffffff"
"""For a class that the vocabulary does not know (imported labels)."""


@dataclass(frozen=True, slots=True)
class ShapesStyle:
    """Look of a Shapes layer. Widths are in image pixels at a scan of 800 pixels."""

    name: str
    shape_type: str
    proposed_width: float
    expert_width: float
    face_alpha: float
    text_anchor: str
    text_size: int = 13

    def text(self, ndim: int) -> dict[str, Any]:
        """Return napari's text settings: the class name, in the colour of its class."""
        return {
            "string": "{label}",
            "size": self.text_size,
            "color": {"array": np.empty((0, 4), np.float32), "default": "white"},
            "anchor": self.text_anchor,
            "translation": _shift(-4.0 if self.text_anchor == "upper_left" else 0.0, 0.0, ndim),
        }

    def widths(self, records: Iterable[Annotation], unit: float) -> list[float]:
        """Return an edge width for each record: what an expert made is drawn stronger."""
        return [
            unit * (self.proposed_width if is_proposal(r) else self.expert_width) for r in records
        ]


@dataclass(frozen=True, slots=True)
class PointsStyle:
    """Look of the keypoints layer."""

    name: str = "FADA keypoints"
    size: float = 11.0
    border_width: float = 0.15
    text_size: int = 12

    def text(self, ndim: int) -> dict[str, Any]:
        """Return napari's text settings: number in the order, class, and name of the point."""
        return {
            "string": "{number} {class} {point}",
            "size": self.text_size,
            "color": "white",
            "anchor": "upper_left",
            "translation": _shift(-8.0, 8.0, ndim),
        }


@dataclass(frozen=True, slots=True)
class LinesStyle:
    """Look of a layer of broken lines. The width is in image pixels at a scan of 800 pixels."""

    name: str
    width: float


@dataclass(frozen=True, slots=True)
class LabelsStyle:
    """Look of the masks layer."""

    name: str = "FADA masks"
    opacity: float = 0.22


@dataclass(frozen=True, slots=True)
class Dashes:
    """A broken line. Lengths are in image pixels at a scan of 800 pixels.

    ``white`` is how far the colour of the class is drawn towards white.
    """

    dash: float
    gap: float
    white: float = 0.0
    alpha: float = 1.0
    grey: bool = False

    def colour(self, record: Annotation) -> Colours:
        """Return the RGBA of the line around a record."""
        rgba = np.array((0.75, 0.75, 0.75, 1.0) if self.grey else rgba_of(record.category))
        rgba[:3] += self.white * (1 - rgba[:3])
        rgba[3] = self.alpha
        return rgba.astype(np.float32)


PROPOSED = Dashes(9.0, 7.0)
LOCKED = Dashes(3.0, 15.0, white=1.0)
REJECTED = Dashes(2.0, 6.0, alpha=0.9, grey=True)
ORIGINAL = Dashes(2.5, 5.0, white=0.45, alpha=0.95)
PROPOSED_ALPHA = 0.25
"""Of the unbroken line under the dashes: it shows a proposal while it is dragged."""

BOXES = ShapesStyle("FADA boxes", "rectangle", 1.7, 3.0, 0.0, "upper_left")
POLYGONS = ShapesStyle("FADA polygons", "polygon", 2.2, 3.5, 0.0, "center")
KEYPOINTS = PointsStyle()
MASKS = LabelsStyle()
MARKS = LinesStyle("FADA line styles", 2.2)
ORIGINALS = LinesStyle("FADA model's proposals", 1.6)

LAYER_NAMES: Mapping[str, str] = {
    "boxes": BOXES.name,
    "polygons": POLYGONS.name,
    "keypoints": KEYPOINTS.name,
    "masks": MASKS.name,
    "marks": MARKS.name,
    "originals": ORIGINALS.name,
}
ROLE_OF_KIND: Mapping[Kind, str] = {"box": "boxes", "polygon": "polygons", "keypoints": "keypoints"}


def _shift(rows: float, columns: float, ndim: int) -> npt.NDArray[np.float64]:
    """Return a shift of text: one number for each axis of the layer, frames included."""
    return np.array([*(0.0,) * (ndim - 2), rows, columns])


def is_proposal(record: Annotation) -> bool:
    """Tell whether a record is still as the model, or another frame, proposed it."""
    return record.status == "proposed" and (record.source == "model" or record.source in DERIVED)


def colour_of(class_name: str) -> str:
    """Return the vocabulary's colour of a class, ``#rrggbb``."""
    category = vocabulary().by_name.get(class_name)
    return category.colour if category else UNKNOWN_COLOUR


@cache
def rgba_of(class_name: str) -> tuple[float, float, float, float]:
    """Return the vocabulary's colour of a class as opaque RGBA in 0-1."""
    text = colour_of(class_name).lstrip("#")
    red, green, blue = (int(text[i : i + 2], 16) / 255 for i in (0, 2, 4))
    return red, green, blue, 1.0


def colours_of(class_names: Sequence[str], alpha: float = 1.0) -> Colours:
    """Return one RGBA row for each class name."""
    rows = np.array([rgba_of(name) for name in class_names], np.float32).reshape(-1, 4)
    rows[:, 3] = alpha
    return rows


def text_colours_of(class_names: Sequence[str]) -> Colours:
    """Return one RGBA row for each class name, light enough to be read on a dark scan."""
    rows = colours_of(class_names)
    rows[:, :3] = 0.5 + 0.5 * rows[:, :3]
    return rows


def line_unit(width: int, height: int) -> float:
    """Return the image pixels that stand for one unit of line width on a scan of this size."""
    return max(width, height) / 800.0
