"""Average precision as COCO defines it, with the scores that the model gave.

Matching and precision come from pycocotools. For intervals the matches of each frame are
accumulated again with the frames' weights of a draw; on the whole sample that gives what
pycocotools gives (a test holds it to that).
"""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from napari_fada.evaluate.bootstrap import Draws, Figure, interval
from napari_fada.evaluate.cases import Case
from napari_fada.evaluate.shapes import boxes_of, outlines_of
from napari_fada.exchange.coco import annotation_object, category_objects, rle
from napari_fada.records.annotation import Annotation
from napari_fada.records.geometry import bounds
from napari_fada.vocabulary import vocabulary

Floats = npt.NDArray[np.float64]
What = Literal["boxes", "outlines"]

#: IoU from .50 to .95 in steps of .05.
THRESHOLDS = np.linspace(0.5, 0.95, 10)
_RECALLS = np.linspace(0.0, 1.0, 101)


@dataclass(frozen=True, slots=True)
class ClassPrecision:
    """Average precision of a class; ``curve`` is precision at 101 recalls at IoU .50."""

    category: str
    truth: int
    answers: int
    ap: Figure
    ap50: Figure
    ap75: Figure
    curve: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Detection:
    """Average precision of all classes that stand in the truth, and of each.

    ``only_answered`` are classes that only the answers have: they have no precision in COCO's
    sense and are listed, so that nobody overlooks them. ``without_score`` counts answers that
    say no score; they count as 1.
    """

    what: What
    ap: Figure
    ap50: Figure
    ap75: Figure
    classes: tuple[ClassPrecision, ...]
    only_answered: dict[str, int]
    without_score: int


@dataclass(slots=True)
class _Matches:
    """The answers of a class, best first: frame, and at each threshold whether it is right."""

    frame: npt.NDArray[np.intp]
    right: npt.NDArray[np.bool_]
    truth_frame: npt.NDArray[np.intp]

    def precision(self, weights: Floats) -> tuple[Floats, Floats]:
        """Return AP at each threshold, and the precisions at IoU .50 by recall.

        Parameters
        ----------
        weights : float array
            How often each frame counts.
        """
        total = weights[self.truth_frame].sum()
        if not total:
            return np.full(len(THRESHOLDS), np.nan), np.zeros(len(_RECALLS))
        w = weights[self.frame]
        found = np.zeros((len(THRESHOLDS), len(_RECALLS)))
        for t, right in enumerate(self.right):
            good, bad = np.cumsum(w * right), np.cumsum(w * ~right)
            recall = good / total
            with np.errstate(invalid="ignore"):
                precision = good / (good + bad + np.spacing(1))
            # Precision never rises with recall: what is reached later counts before.
            precision = np.maximum.accumulate(precision[::-1])[::-1]
            at = np.searchsorted(recall, _RECALLS, side="left")
            reached = at < len(precision)
            found[t, reached] = precision[at[reached]]
        return found.mean(axis=1), found[0]


def detection(cases: Sequence[Case], what: What, draws: Draws) -> Detection | None:
    """Work out average precision; None if the truth has nothing of the kind.

    Parameters
    ----------
    cases : sequence of Case
        All frames.
    what : {"boxes", "outlines"}
        What is compared; outlines by their pixels.
    draws : Draws
        Of the frames of ``cases``.
    """
    take = boxes_of if what == "boxes" else outlines_of
    truth = [take(c.truth) for c in cases]
    answers = [take(c.answer) for c in cases]
    if not any(truth):
        return None
    classes = sorted({a.category for side in truth for a in side})
    known = vocabulary().by_name
    extra: dict[str, int] = {}
    for side in answers:
        for a in side:
            if a.category not in classes:
                extra[a.category] = extra.get(a.category, 0) + 1
    matches = _match(cases, truth, answers, what)
    rows, whole = [], np.ones(len(cases))
    drawn = {name: np.full((draws.times, len(THRESHOLDS)), np.nan) for name in classes}
    for name in classes:
        found = matches[known[name].id]
        values, curve = found.precision(whole)
        for draw in range(draws.times):
            drawn[name][draw] = found.precision(draws.weights(draw))[0]
        there = draws.place[found.truth_frame]
        n, groups = len(found.truth_frame), len(np.unique(there))
        ap, ap50, ap75 = (
            interval(float(v), d, n=n, groups=groups)
            for v, d in zip(_three(values), _three(drawn[name].T), strict=True)
        )
        curve_50 = tuple(float(v) for v in curve)
        rows.append(ClassPrecision(name, n, len(found.frame), ap, ap50, ap75, curve_50))
    n = sum(r.truth for r in rows)
    # A class whose examinations were not drawn is left out of the mean of that draw.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        means = np.nanmean(np.stack(list(drawn.values())), axis=0)
    overall = []
    for place, key in enumerate(("ap", "ap50", "ap75")):
        value = float(np.mean([getattr(r, key).value for r in rows]))
        overall.append(interval(value, _three(means.T)[place], n=n, groups=draws.count))
    unscored = sum(a.score is None for side in answers for a in side)
    return Detection(what, overall[0], overall[1], overall[2], tuple(rows), extra, unscored)


def _three(values: Floats) -> tuple[Any, Any, Any]:
    """Return the mean over thresholds, .50 and .75."""
    return values.mean(axis=0), values[0], values[5]


def _match(
    cases: Sequence[Case],
    truth: Sequence[Sequence[Annotation]],
    answers: Sequence[Sequence[Annotation]],
    what: What,
) -> dict[int, _Matches]:
    """Match answers to the truth by pycocotools; return the matches of each class."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    images: list[dict[str, Any]] = []
    rows: list[dict[str, Any]] = []
    results: list[dict[str, Any]] = []
    for number, case in enumerate(cases):
        width, height = case.size
        images.append({"id": number, "width": width, "height": height})
        for record in truth[number]:
            rows.append({"id": len(rows) + 1, "image_id": number, **_object(record, case.size)})
        for record in answers[number]:
            row = {"image_id": number, **_object(record, case.size)}
            results.append({**row, "score": 1.0 if record.score is None else record.score})
    head = {"images": images, "categories": category_objects()}
    with contextlib.redirect_stdout(io.StringIO()):  # it talks
        gold, said = COCO(), COCO()
        gold.dataset = {**head, "annotations": rows}
        said.dataset = {
            **head,
            "annotations": [{**r, "id": i} for i, r in enumerate(results, 1)],
        }
        gold.createIndex()
        said.createIndex()
        run = COCOeval(gold, said, "bbox" if what == "boxes" else "segm")
        run.params.areaRng, run.params.areaRngLbl = [[0, 1e10]], ["all"]
        run.params.maxDets = [100]
        run.params.iouThrs = THRESHOLDS
        run.evaluate()
    count = len(run.params.imgIds)
    found: dict[int, _Matches] = {}
    for place, category in enumerate(run.params.catIds):
        parts = [
            (e["image_id"], e)
            for e in run.evalImgs[place * count : (place + 1) * count]
            if e is not None
        ]
        if not parts:
            continue
        scores = np.concatenate([e["dtScores"] for _, e in parts])
        frame = np.concatenate([np.full(len(e["dtScores"]), i, int) for i, e in parts])
        right = np.concatenate([e["dtMatches"] > 0 for _, e in parts], axis=1)
        order = np.argsort(-scores, kind="mergesort")  # as pycocotools sorts
        gold_frame = np.concatenate([np.full(len(e["gtIds"]), i, int) for i, e in parts])
        found[category] = _Matches(frame[order], right[:, order], gold_frame)
    return found


def _object(record: Annotation, size: tuple[int, int]) -> dict[str, Any]:
    if record.kind == "box":
        found = annotation_object(record, size)
        return {k: found[k] for k in ("category_id", "bbox", "area", "iscrowd")}
    (x1, y1), (x2, y2) = bounds(record)
    segmentation, area = rle(record, size)
    return {
        "category_id": vocabulary().by_name[record.category].id,
        "bbox": [x1, y1, x2 - x1, y2 - y1],
        "area": area,
        "iscrowd": 0,
        "segmentation": segmentation,
    }
