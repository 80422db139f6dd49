"""From the structures of an answer to annotations in original-image pixels."""

from __future__ import annotations

from collections.abc import Iterable

from napari_fada.engines.protocol import Completion, Prompt
from napari_fada.pipeline.answers import Item
from napari_fada.pipeline.scores import Calibration, score, span_logprob
from napari_fada.records.annotation import Annotation, Kind
from napari_fada.records.geometry import faults, grid_to_pixels
from napari_fada.vocabulary import vocabulary

_KINDS: dict[str, Kind] = {"detect": "box", "segment": "polygon", "keypoints": "keypoints"}
# Still a usable shape: an expert sees it and mends it.
_TOLERATED = "crosses itself"


def to_annotations(
    items: Iterable[Item],
    prompt: Prompt,
    completion: Completion,
    size: tuple[int, int],
    calibration: Calibration | None = None,
) -> tuple[list[Annotation], list[str]]:
    """Turn the items of one answer into annotations of the kind that was asked for.

    Parameters
    ----------
    items : iterable of Item
        Parsed from ``completion.text``.
    prompt : Prompt
        What was asked: ``detect`` gives boxes, ``segment`` polygons, ``keypoints`` keypoints.
    completion : Completion
        The answer, for the scores.
    size : (width, height)
        Of the original image.
    calibration : (slope, offset), optional
        See :mod:`napari_fada.pipeline.scores`.

    Returns
    -------
    annotations, problems
        What cannot be placed or has no shape is left out, with the reason.
    """
    out: list[Annotation] = []
    problems: list[str] = []
    seen: set[object] = set()
    repeated = 0
    kind = _KINDS[prompt.task]
    for item in items:
        category = vocabulary().by_name.get(item.label)
        if category is None:
            problems.append(f"left out: {item.label or 'no label'!r} is not in the vocabulary")
            continue
        if kind not in category.kinds:
            problems.append(f"left out: {item.label} takes no {_word(kind)}")
            continue
        if prompt.labels and item.label not in prompt.labels:
            problems.append(f"{item.label} was not asked for")
        content = (item.label, item.bbox, item.mask, item.keypoints)
        if content in seen:
            repeated += 1
            continue
        seen.add(content)
        made = _shape(item, kind, size)
        if made is None:
            problems.append(f"left out: {item.label} came without {_word(kind)}")
            continue
        points, visibility = made
        mean = span_logprob(completion.tokens, completion.text, item.span)
        annotation = Annotation(
            item.label, kind, points, visibility=visibility, score=score(mean, calibration)
        )
        wrong = faults(annotation, size)
        if any(fault != _TOLERATED for fault in wrong):
            problems.append(f"left out: {item.label} {'; '.join(wrong)}")
            continue
        problems.extend(f"{item.label} {fault}" for fault in wrong)
        if kind == "keypoints" and len(points) != len(category.points):
            problems.append(
                f"{item.label} has {len(points)} points, {len(category.points)} are expected"
            )
        out.append(annotation)
    if repeated:
        problems.append(f"{repeated} repeated structures were left out")
    return out, problems


def _shape(
    item: Item, kind: Kind, size: tuple[int, int]
) -> tuple[tuple[tuple[float, float], ...], tuple[int, ...]] | None:
    if kind == "box":
        x1, y1, x2, y2 = item.bbox
        return grid_to_pixels([(x1, y1), (x2, y2)], *size), ()
    if kind == "polygon":
        return (grid_to_pixels(item.mask, *size), ()) if item.mask else None
    if not item.keypoints:
        return None
    return grid_to_pixels(item.keypoints, *size), tuple(v for _, _, v in item.keypoints)


def _word(kind: Kind) -> str:
    return {"box": "box", "polygon": "outline", "keypoints": "keypoints"}[kind]
