"""How good answers are: valid form, right view, overlap of outlines and boxes.

Takes answers as text, so that the same figures come from PyTorch and from the engine.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from napari_fada.training.contours import FloatArray, bounding_box
from napari_fada.training.labels import FIELDS, VIEWS
from napari_fada.training.samples import Sample

#: Answers one question (task, classes) about each sample.
Asker = Callable[[Sequence[Sample], str, Sequence[str]], list[str]]


def parse_objects(text: str, task: str, classes: Sequence[str]) -> list[dict[str, Any]] | None:
    """Objects of an answer, or ``None`` where any part of it breaks the form."""
    try:
        items = json.loads(text)
        for item in items:
            x1, y1, x2, y2 = item["bbox_2d"]
            numbers = [x1, y1, x2, y2]
            if item["label"] not in classes:
                return None
            if task == "segment":
                numbers += [v for point in item["mask"] for v in point]
                if len(item["mask"]) < 3 or any(len(p) != 2 for p in item["mask"]):
                    return None
            elif task == "keypoints":
                numbers += [v for point in item["keypoints"] for v in point]
            if not all(isinstance(n, int) and 0 <= n <= 999 for n in numbers):
                return None
    except (ValueError, KeyError, TypeError):
        return None
    return list(items)


def dice(one: FloatArray, two: FloatArray, side: int = 256) -> float:
    """Dice of two outlines in 0–1 coordinates."""
    from skimage.draw import polygon2mask

    a, b = (polygon2mask((side, side), o[:, ::-1] * side - 0.5) for o in (one, two))
    return float(2 * (a & b).sum() / max(1, a.sum() + b.sum()))


def box_overlap(one: FloatArray, two: FloatArray) -> float:
    """Intersection over union of two boxes."""
    low, high = np.maximum(one[:2], two[:2]), np.minimum(one[2:], two[2:])
    inner = np.prod(np.maximum(0.0, high - low))
    outer = np.prod(one[2:] - one[:2]) + np.prod(two[2:] - two[:2]) - inner
    return float(inner / outer) if outer > 0 else 0.0


def score_locations(
    samples: Sequence[Sample], texts: Sequence[str], task: str, classes: Sequence[str]
) -> dict[str, list[float]]:
    """Overlap per class (0 where it was not found), false finds, validity."""
    found: dict[str, list[float]] = {"valid": [], "false": []}
    for sample, text in zip(samples, texts, strict=True):
        items = parse_objects(text, task, classes)
        found["valid"].append(float(items is not None))
        named = {s.name: s for s in sample.structures if s.name in classes}
        first: dict[str, dict[str, Any]] = {}
        for item in items or []:
            first.setdefault(item["label"], item)
        extra = set(first) - set(named) - sample.unknown
        found["false"].append(float(bool(extra)))
        for name, structure in named.items():
            value = 0.0
            if name in first and task == "segment":
                value = dice(np.array(first[name]["mask"]) / 1000, structure.outline)
            elif name in first:
                box = np.array(first[name]["bbox_2d"]) / 1000
                value = box_overlap(box, bounding_box(structure.outline))
            found.setdefault(name, []).append(value)
    return found


def score_views(samples: Sequence[Sample], texts: Sequence[str]) -> dict[str, list[float]]:
    """Score validity and rightness of view labels."""
    found: dict[str, list[float]] = {"valid": [], "view": []}
    for sample, text in zip(samples, texts, strict=True):
        try:
            label = json.loads(text)["label"]
        except (ValueError, KeyError, TypeError):
            label = None
        found["valid"].append(float(label in VIEWS))
        found["view"].append(float(label == sample.view))
    return found


def score_reports(texts: Sequence[str]) -> dict[str, list[float]]:
    """Score validity of interpretations: eight keys, in order, with text."""
    found: dict[str, list[float]] = {"valid": []}
    for text in texts:
        try:
            read = json.loads(text)
            good = tuple(read) == FIELDS and all(isinstance(v, str) and v for v in read.values())
        except (ValueError, TypeError, AttributeError):
            good = False
        found["valid"].append(float(good))
    return found


def examine(samples: Sequence[Sample], ask: Asker) -> dict[str, dict[str, list[float]]]:
    """Ask each set the questions that it can judge.

    Returns
    -------
    dict
        ``set/task`` → figure → one value a sample.
    """
    plan: dict[str, list[tuple[str, tuple[str, ...]]]] = {
        "hc18": [("segment", ("Brain",)), ("detect", ("Brain", "CSP", "LV"))],
        "psfhs": [("segment", ("fetal_head", "pubic_symphysis")),
                  ("detect", ("fetal_head", "pubic_symphysis"))],
        "brain": [("segment", ("Brain",)), ("detect", ("Brain", "CSP", "LV"))],
    }  # fmt: skip
    result: dict[str, dict[str, list[float]]] = {}
    for source in ("hc18", "psfhs", "brain", "phantom"):
        part = [s for s in samples if s.source == source]
        if not part:
            continue
        result[f"{source}/classify"] = score_views(part, ask(part, "classify", ()))
        result[f"{source}/interpret"] = score_reports(ask(part, "interpret", ()))
        for task, classes in plan.get(source, []):
            texts = ask(part, task, classes)
            result[f"{source}/{task}"] = score_locations(part, texts, task, classes)
        if source == "phantom":
            for task, figures in _examine_phantoms(part, ask).items():
                result[f"phantom/{task}"] = figures
    return result


def _examine_phantoms(part: Sequence[Sample], ask: Asker) -> dict[str, dict[str, list[float]]]:
    from napari_fada.training.questions import relevant

    result: dict[str, dict[str, list[float]]] = {}
    for task in ("segment", "detect", "keypoints"):
        groups: dict[tuple[str, ...], list[Sample]] = {}
        for s in part:
            for classes in relevant(s, task)[:1]:
                groups.setdefault(classes, []).append(s)
        merged: dict[str, list[float]] = {}
        for classes, members in groups.items():
            scored = score_locations(members, ask(members, task, classes), task, classes)
            for name, values in scored.items():
                merged.setdefault(name, []).extend(values)
        result[task] = merged
    return result


def summary(result: dict[str, dict[str, list[float]]]) -> dict[str, dict[str, float]]:
    """Means of :func:`examine`, with the number of samples."""
    return {
        key: {name: float(np.mean(v)) for name, v in figures.items() if v}
        | {"n": float(len(figures["valid"]))}
        for key, figures in result.items()
        if "valid" in figures
    }
