"""The metrics of U2-BENCH, by its rules."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from napari_fada.errors import ExchangeError
from napari_fada.evaluate.words import rouge_l

#: Values within this share of the range count as right.
WITHIN = 0.1


@dataclass(frozen=True, slots=True)
class ClassScores:
    """Labels compared in lower case, as they are: accuracy, macro precision, recall and F1.

    Macro figures are over the labels of the truth. ``parsed`` is the share of answers that are
    one of the options; others count as wrong.
    """

    n: int
    accuracy: float
    precision: float
    recall: float
    f1: float
    parsed: float


@dataclass(frozen=True, slots=True)
class ValueScores:
    """Values scaled to their range: errors, their spread, the share within a tenth.

    Answers that are no number are dropped and counted in ``dropped``.
    """

    n: int
    dropped: int
    rmse: float | None
    mae: float | None
    sd: float | None
    within: float | None


@dataclass(frozen=True, slots=True)
class TextScores:
    """BLEU-4 and ROUGE-L, times 100. BERTScore needs a model that is not part of this."""

    n: int
    bleu4: float
    rouge_l: float


def class_scores(
    truth: Sequence[str], answers: Sequence[str], options: Sequence[Sequence[str]]
) -> ClassScores:
    """Score labels.

    Parameters
    ----------
    truth, answers : sequence of str
        Of the same questions.
    options : sequence of sequences of str
        What each question offers; empty: anything is an answer.
    """
    gold, said = ([t.strip().lower() for t in side] for side in (truth, answers))
    right = Counter(t for t, a in zip(gold, said, strict=True) if t == a)
    wanted, given = Counter(gold), Counter(said)
    precision = [right[x] / given[x] if given[x] else 0.0 for x in wanted]
    recall = [right[x] / wanted[x] for x in wanted]
    f1 = [2 * p * r / (p + r) if p + r else 0.0 for p, r in zip(precision, recall, strict=True)]
    known = [
        not offered or a in [o.strip().lower() for o in offered]
        for a, offered in zip(said, options, strict=True)
    ]
    n = len(gold)
    return ClassScores(
        *(n, right.total() / n, sum(precision) / len(wanted), sum(recall) / len(wanted)),
        *(sum(f1) / len(wanted), sum(known) / n),
    )


def value_scores(
    truth: Sequence[str], answers: Sequence[str], span: tuple[float, float]
) -> ValueScores:
    """Score values.

    Parameters
    ----------
    span : (low, high)
        The range that is scaled to 0 to 1.
    """
    low, high = span
    errors = []
    for t, a in zip(truth, answers, strict=True):
        try:
            errors.append((float(a) - float(t)) / (high - low))
        except ValueError:
            continue
    dropped = len(truth) - len(errors)
    if not errors:
        return ValueScores(0, dropped, None, None, None, None)
    n = len(errors)
    size = [abs(e) for e in errors]
    mae = sum(size) / n
    return ValueScores(
        *(n, dropped, math.sqrt(sum(e * e for e in errors) / n), mae),
        math.sqrt(sum((e - mae) ** 2 for e in size) / n),
        sum(e <= WITHIN for e in size) / n,
    )


def text_scores(truth: Sequence[str], answers: Sequence[str]) -> TextScores:
    """Score texts.

    Raises
    ------
    ExchangeError
        If sacrebleu or rouge-score is not installed.
    """
    try:
        from sacrebleu import corpus_bleu
    except ModuleNotFoundError as error:
        raise ExchangeError(
            "BLEU needs sacrebleu.", todo='Install it with: pip install "napari-fada[evaluate]"'
        ) from error
    bleu = corpus_bleu(list(answers), [list(truth)])
    rouge = [rouge_l(t, a) for t, a in zip(truth, answers, strict=True)]
    return TextScores(len(rouge), float(bleu.score), 100 * sum(rouge) / len(rouge))
