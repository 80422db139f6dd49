"""Answers in FADA's forms: compact JSON with a fixed key order and integers on the 0–999 grid."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence

from napari_fada.training.contours import FloatArray, bounding_box, canonical_polygon
from napari_fada.training.labels import FIELDS
from napari_fada.training.samples import Structure

#: Fields of the two half interpretations.
HALVES: dict[str, tuple[str, ...]] = {
    "interpret": FIELDS,
    "interpret_anatomy": FIELDS[:4],
    "interpret_clinical": FIELDS[4:],
}


def grid(value: float) -> int:
    """Put a 0–1 coordinate on the grid."""
    return min(999, max(0, round(value * 1000)))


def compact(value: object) -> str:
    """JSON without blanks."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def _points(points: FloatArray) -> list[list[int]]:
    return [[grid(x), grid(y)] for x, y in points]


def one_object(task: str, structure: Structure) -> dict[str, object]:
    """One structure as an answer object."""
    item: dict[str, object] = {
        "bbox_2d": [grid(v) for v in bounding_box(structure.outline)],
        "label": structure.name,
    }
    if task == "segment":
        item["mask"] = _points(canonical_polygon(structure.outline))
    elif task == "keypoints" and structure.keypoints is not None:
        item["keypoints"] = [[grid(x), grid(y), 2] for x, y in structure.keypoints]
    return item


def ordered(structures: Iterable[Structure], classes: Sequence[str]) -> list[Structure]:
    """Structures of the asked classes, in the order of the question, left to right."""
    asked = [s for s in structures if s.name in classes]
    return sorted(asked, key=lambda s: (classes.index(s.name), float(s.outline[:, 0].min())))


def locate(task: str, structures: Iterable[Structure], classes: Sequence[str]) -> str:
    """Answer of detect, segment or keypoints."""
    return compact([one_object(task, s) for s in ordered(structures, classes)])


def classify(view: str) -> str:
    """Answer of classify."""
    return compact({"label": view})


def interpret(report: Mapping[str, str], task: str = "interpret") -> str:
    """Answer of one of the three interpret prompts."""
    return compact({field: report[field] for field in HALVES[task]})
