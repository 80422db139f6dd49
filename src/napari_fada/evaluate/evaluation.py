"""All figures of an evaluation: worked out step by step, and what they are made of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Iterable
from dataclasses import dataclass, field, is_dataclass, replace
from typing import Any

from napari_fada import __version__
from napari_fada.errors import ExchangeError
from napari_fada.evaluate.areas import Areas, areas, overlaps
from napari_fada.evaluate.bootstrap import Draws, Figure
from napari_fada.evaluate.cases import WAYS_OUT, Case, Unpaired
from napari_fada.evaluate.detection import Detection, detection
from napari_fada.evaluate.editing import Editing
from napari_fada.evaluate.points import Calibration, ClassPoints, calibration, keypoints
from napari_fada.evaluate.reference import Reference, reference_figures
from napari_fada.evaluate.shapes import Overlap, boxes_of
from napari_fada.evaluate.words import Answers, FieldFigures, Views, answers, fields, views
from napari_fada.notice import NOTICE
from napari_fada.records.agreement import match
from napari_fada.vocabulary import vocabulary

SCHEMA = "fada-evaluation/1"

#: Stands for the source of the scale of frames that have none.
NO_SCALE = "none"

UNKNOWN = "structures of a class that is not in the vocabulary"
OTHER_CLASS = "answers of classes that are not evaluated (the truth does not say where they are)"


@dataclass(frozen=True, slots=True)
class Options:
    """How to evaluate.

    Parameters
    ----------
    bootstrap, seed : int
        How often examinations are drawn anew for the intervals, and by which seed.
    categories : frozenset of str
        Only these classes; empty: all.
    reference : bool
        Also the figures by the definitions of the FADA reference.
    worst : int
        How many cases are kept as the worst.
    """

    bootstrap: int = 1000
    seed: int = 0
    categories: frozenset[str] = frozenset()
    reference: bool = False
    worst: int = 20


@dataclass(frozen=True, slots=True)
class Progress:
    """How far it is: ``what`` is being worked out."""

    done: int
    total: int
    what: str


@dataclass(frozen=True, slots=True)
class Scored:
    """A case with how good its answer is, 0 to 1, and why in words."""

    case: Case
    score: float
    why: str


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The result: figures, what they are from, and the worst cases."""

    title: str
    frames: int
    examinations: int
    without_examination: int
    scales: dict[str, int]
    options: Options
    boxes: Detection | None
    outlines: Detection | None
    areas: Areas | None
    keypoints: tuple[ClassPoints, ...]
    views: Views | None
    fields: tuple[FieldFigures, ...]
    answers: Answers | None
    calibration: Calibration | None
    editing: Editing | None
    reference: Reference | None
    left_out: dict[str, int]
    worst: tuple[Scored, ...] = field(default=())

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready form, schema ``fada-evaluation/1``."""
        names = (
            *("boxes", "outlines", "areas", "keypoints", "views", "fields", "answers"),
            *("calibration", "editing", "reference"),
        )
        return {
            "schema": SCHEMA,
            "notice": NOTICE,
            "version": __version__,
            "title": self.title,
            "frames": self.frames,
            "examinations": self.examinations,
            "frames_without_examination": self.without_examination,
            "frames_by_source_of_scale": self.scales,
            "intervals": {
                "level": 0.95,
                "method": "percentile bootstrap over examinations",
                "draws": self.options.bootstrap,
                "seed": self.options.seed,
            },
            "classes": sorted(self.options.categories) or "all",
            "left_out": self.left_out,
            **{name: _plain(getattr(self, name)) for name in names},
            "worst": [
                {"name": s.case.name, "frame": s.case.frame, "score": s.score, "why": s.why}
                for s in self.worst
            ],
        }


def _plain(value: Any) -> Any:
    if isinstance(value, Figure):
        return value.to_dict()
    if is_dataclass(value) and not isinstance(value, type):
        return {f: _plain(getattr(value, f)) for f in value.__dataclass_fields__}
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    return value


def evaluate_steps(
    cases: Iterable[Case],
    options: Options,
    *,
    title: str = "",
    left: Unpaired | None = None,
    editing: Editing | None = None,
    total: int = 0,
) -> Generator[Progress, None, Evaluation]:
    """Work out all figures; close the generator to cancel.

    Parameters
    ----------
    cases : iterable of Case
        Frames with truth and answer.
    options : Options
        How.
    title : str
        What is compared with what, for the report.
    left : Unpaired, optional
        What could not be compared; filled by whoever makes the cases.
    editing : Editing, optional
        The work of experts, where it is known.
    total : int
        How many cases there will be, for the progress; 0: not known.

    Raises
    ------
    ExchangeError
        If there is nothing to compare.
    """
    left = left or Unpaired()
    kept: list[Case] = []
    found: list[dict[str, Overlap]] = []
    scored: list[Scored] = []
    for number, case in enumerate(cases, 1):
        case = _chosen(case, options, left)
        kept.append(case)
        found.append(overlaps(case))
        scored.append(Scored(case, *_score(case, found[-1])))
        yield Progress(number, max(total, number), case.name)
    if not kept:
        reasons = "; ".join(f"{n} {reason}" for reason, n in left.reasons.items())
        ways = dict.fromkeys(WAYS_OUT[r] for r in left.reasons if r in WAYS_OUT)
        raise ExchangeError(
            f"There is nothing to compare{f' ({reasons})' if reasons else ''}.",
            todo=" ".join(ways) or "The truth holds no images.",
        )
    draws = Draws([c.examination for c in kept], options.bootstrap, options.seed)
    yield Progress(len(kept), len(kept), "boxes")
    boxes = detection(kept, "boxes", draws)
    yield Progress(len(kept), len(kept), "outlines")
    outlines = detection(kept, "outlines", draws)
    yield Progress(len(kept), len(kept), "report")
    return Evaluation(
        title=title,
        frames=len(kept),
        examinations=draws.count,
        without_examination=sum(not c.group for c in kept),
        scales=dict(Counter(_scale(c) for c in kept)),
        options=options,
        boxes=boxes,
        outlines=outlines,
        areas=areas(found, kept, draws),
        keypoints=keypoints(kept, draws),
        views=views(kept, draws),
        fields=fields(kept, draws),
        answers=answers(kept, draws),
        calibration=calibration(kept, draws),
        editing=editing,
        reference=reference_figures(kept) if options.reference else None,
        left_out=left.reasons,
        worst=tuple(sorted(scored, key=lambda s: s.score)[: options.worst]),
    )


def _scale(case: Case) -> str:
    if case.spacing_mm is None:
        return NO_SCALE
    return case.spacing_origin or "not said"


def _chosen(case: Case, options: Options, left: Unpaired) -> Case:
    """Return a case with the classes that are asked for and known."""
    known = vocabulary().by_name
    sides = []
    for side in (case.truth, case.answer):
        kept = tuple(a for a in side.annotations if a.category in known)
        left.count(UNKNOWN, len(side.annotations) - len(kept))
        if options.categories:
            wanted = tuple(a for a in kept if a.category in options.categories)
            if side is case.answer:
                left.count(OTHER_CLASS, len(kept) - len(wanted))
            kept = wanted
        sides.append(replace(side, annotations=kept))
    return replace(case, truth=sides[0], answer=sides[1])


def _score(case: Case, found: dict[str, Overlap]) -> tuple[float, str]:
    """Return how good an answer is: the mean over structures, and the view as one of them."""
    parts: list[tuple[float, str]] = [
        (overlap.dice, f"{name} Dice {overlap.dice:.2f}") for name, overlap in found.items()
    ]
    for truth, answer, alike in match(boxes_of(case.truth), boxes_of(case.answer), case.size):
        record = truth or answer
        if record is None or record.category in found:
            continue
        what = "IoU" if truth and answer else "missed" if truth else "invented"
        parts.append((alike, f"{record.category} {what} {alike:.2f}"))
    if case.truth.view:
        right = case.truth.view == case.answer.view
        parts.append((float(right), f"view {case.answer.view or 'none'} for {case.truth.view}"))
    if case.failed:
        parts.append((0.0, f"failed: {', '.join(case.failed)}"))
    if not parts:
        return 1.0, "nothing to find, nothing found"
    score = sum(p for p, _ in parts) / len(parts)
    worst = sorted(parts)[:3]
    return score, ", ".join(text for _, text in worst)
