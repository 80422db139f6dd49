"""Views and reports: are labels right, and how near are texts."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from napari_fada.errors import ExchangeError
from napari_fada.evaluate.bootstrap import Draws, Figure, interval
from napari_fada.evaluate.cases import Case
from napari_fada.records.agreement import token_f1
from napari_fada.records.reading import INTERPRETATION_KEYS

#: Stands in the confusion matrix for a frame to which no view was given.
NOTHING = "(none)"


@dataclass(frozen=True, slots=True)
class Views:
    """Accuracy and macro F1 of the view, and who was taken for whom.

    Macro F1 is the mean over the views that stand in the truth (in Opitz and Burst's sense: the
    mean of the F1 of each).
    """

    accuracy: Figure
    macro_f1: Figure
    labels: tuple[str, ...]
    matrix: tuple[tuple[int, ...], ...]


@dataclass(frozen=True, slots=True)
class FieldFigures:
    """How near a field of the report is: equal but for blanks, token F1, ROUGE-L (F1)."""

    field: str
    exact: Figure
    token_f1: Figure
    rouge_l: Figure


@dataclass(frozen=True, slots=True)
class Answers:
    """How often each phase gave a usable answer, and how complete reports are.

    ``complete`` is the share of the eight fields that have a text.
    """

    phases: dict[str, dict[str, int]]
    valid: Figure
    complete: Figure


def views(cases: Sequence[Case], draws: Draws) -> Views | None:
    """Compare views over the frames whose truth has one; None if there are none."""
    rows = [
        (i, c.truth.view, c.answer.view or NOTHING) for i, c in enumerate(cases) if c.truth.view
    ]
    if not rows:
        return None
    frames = [i for i, _, _ in rows]
    pairs = [(str(t), a) for _, t, a in rows]
    accuracy = draws.mean([float(t == a) for t, a in pairs], frames)
    drawn = []
    for draw in range(draws.times):
        weights = draws.weights(draw)
        drawn.append(_macro_f1(pairs, [float(weights[i]) for i in frames]))
    macro = interval(
        _macro_f1(pairs, [1.0] * len(pairs)), drawn, n=len(rows), groups=accuracy.groups
    )
    labels = sorted({x for pair in pairs for x in pair} - {NOTHING})
    labels += [NOTHING] if any(a == NOTHING for _, a in pairs) else []
    counts = Counter(pairs)
    matrix = tuple(tuple(counts[t, a] for a in labels) for t in labels)
    return Views(accuracy, macro, tuple(labels), matrix)


def _macro_f1(pairs: Sequence[tuple[str, str]], weights: Sequence[float]) -> float:
    right: Counter[str] = Counter()
    truth: Counter[str] = Counter()
    said: Counter[str] = Counter()
    for (t, a), w in zip(pairs, weights, strict=True):
        truth[t] += w  # type: ignore[assignment]
        said[a] += w  # type: ignore[assignment]
        if t == a:
            right[t] += w  # type: ignore[assignment]
    names = [name for name in truth if truth[name] > 0]
    if not names:
        return float("nan")
    return sum(2 * right[n] / (truth[n] + said[n]) for n in names) / len(names)


def fields(cases: Sequence[Case], draws: Draws) -> tuple[FieldFigures, ...]:
    """Compare the fields of reports over the frames whose truth has a text there."""
    found = []
    for key in INTERPRETATION_KEYS:
        rows = [
            (i, _plain(c.truth.fields.get(key)), _plain(c.answer.fields.get(key)))
            for i, c in enumerate(cases)
        ]
        rows = [row for row in rows if row[1]]
        if not rows:
            continue
        frames = [i for i, _, _ in rows]
        found.append(
            FieldFigures(
                key,
                draws.mean([float(t == a) for _, t, a in rows], frames),
                draws.mean([token_f1(t, a) for _, t, a in rows], frames),
                draws.mean([rouge_l(t, a) for _, t, a in rows], frames),
            )
        )
    return tuple(found)


def rouge_l(truth: str, answer: str) -> float:
    """Return ROUGE-L as F1 (Lin 2004), by the library of Google Research, without stemming.

    Raises
    ------
    ExchangeError
        If the library is not installed.
    """
    return float(_scorer().score(truth, answer)["rougeL"].fmeasure)


@functools.cache
def _scorer() -> Any:
    try:
        from rouge_score.rouge_scorer import RougeScorer
    except ModuleNotFoundError as error:
        raise ExchangeError(
            "Comparing reports needs the library rouge-score.",
            todo='Install it with: pip install "napari-fada[evaluate]"',
        ) from error
    return RougeScorer(["rougeL"])


def answers(cases: Sequence[Case], draws: Draws) -> Answers | None:
    """Count how phases ended; None where no model ran."""
    ran = [(i, c) for i, c in enumerate(cases) if c.phases]
    if not ran:
        return None
    phases: dict[str, Counter[str]] = {}
    valid: list[float] = []
    at: list[int] = []
    complete: list[float] = []
    frames: list[int] = []
    for i, case in ran:
        for name, state in case.phases.items():
            phases.setdefault(name, Counter())[state] += 1
            if state != "skipped" and name != "map":
                valid.append(float(state in ("done", "empty")))
                at.append(i)
        if case.phases.get("interpret", "skipped") != "skipped":
            told = sum(bool(_plain(case.answer.fields.get(k))) for k in INTERPRETATION_KEYS)
            complete.append(told / len(INTERPRETATION_KEYS))
            frames.append(i)
    return Answers(
        {name: dict(counts) for name, counts in phases.items()},
        draws.mean(valid, at),
        draws.mean(complete, frames),
    )


def _plain(text: str | None) -> str:
    return " ".join((text or "").split())
