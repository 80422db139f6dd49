"""How sure the model was of each structure, from the log-probabilities of its tokens.

The score of a structure starts from the mean log-probability ``m`` of the tokens that carry
its content: its label and the digits of its coordinates. Brackets, keys and every token that
the grammar forced say nothing and are left out. Then

- without a calibration, ``score = exp(m)``, the geometric mean of the token probabilities;
- with one, ``score = 1 / (1 + exp(-(slope * m + offset)))``. Slope and offset belong to a model
  and are fitted on scans that it was not trained on (``fit_calibration``), so that the score is
  the share of such structures that are right.

Scores of different models compare only when both are calibrated.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

import numpy as np

from napari_fada.engines.protocol import Token

Calibration = tuple[float, float]

_KEY = re.compile(r'"[^"]*"\s*:')
_LABEL = re.compile(r'"label"\s*:\s*"([^"]*)"')
_DIGITS = re.compile(r"\d+(?:\.\d+)?")


def span_logprob(tokens: Sequence[Token], text: str, span: tuple[int, int]) -> float | None:
    """Return the mean log-probability of the content tokens of one object.

    Parameters
    ----------
    tokens : sequence of Token
        All tokens of the answer.
    text : str
        The answer that ``span`` refers to.
    span : (start, end)
        Where the object stands.

    Returns
    -------
    float or None
        None if no token can be told to belong to the object.
    """
    joined = "".join(token.text for token in tokens)
    shift = joined.find(text)
    if shift < 0:
        return None
    wanted = [(a + shift, b + shift) for a, b in _content(text, span)]
    values: list[float] = []
    start, part = 0, 0
    for token in tokens:
        end = start + len(token.text)
        while part < len(wanted) and wanted[part][1] <= start:
            part += 1
        inside = part < len(wanted) and wanted[part][0] < end and start < end
        if inside and not token.forced and math.isfinite(token.logprob):
            values.append(token.logprob)
        start = end
    return sum(values) / len(values) if values else None


def score(mean_logprob: float | None, calibration: Calibration | None = None) -> float | None:
    """Turn a mean log-probability into a score in 0–1 (see the module for the formula)."""
    if mean_logprob is None:
        return None
    if calibration is None:
        return math.exp(min(0.0, mean_logprob))
    slope, offset = calibration
    x = slope * mean_logprob + offset
    # The two forms are equal; each is the one that cannot overflow.
    return 1 / (1 + math.exp(-x)) if x >= 0 else math.exp(x) / (1 + math.exp(x))


def fit_calibration(mean_logprobs: Sequence[float], right: Sequence[bool]) -> Calibration:
    """Fit slope and offset by logistic regression (Platt's targets, Newton's method).

    Parameters
    ----------
    mean_logprobs : sequence of float
        One value for each structure.
    right : sequence of bool
        Whether it matched an expert's (the caller says by what rule, such as IoU ≥ 0.5).

    Raises
    ------
    ValueError
        If there are not both right and wrong structures to learn from.
    """
    m, y = np.asarray(mean_logprobs, float), np.asarray(right, bool)
    good, bad = int(y.sum()), int((~y).sum())
    if not good or not bad:
        raise ValueError("calibration needs both right and wrong structures")
    # Platt's smoothed targets keep a separable sample from giving an infinite slope.
    target = np.where(y, (good + 1) / (good + 2), 1 / (bad + 2))
    features = np.stack([m, np.ones_like(m)], axis=1)
    weights = np.array([0.0, math.log((good + 1) / (bad + 1))])
    for _ in range(100):
        p = 1 / (1 + np.exp(-np.clip(features @ weights, -50, 50)))
        curvature = features.T @ (features * (p * (1 - p))[:, None]) + 1e-9 * np.eye(2)
        step = np.linalg.solve(curvature, features.T @ (p - target))
        weights -= step
        if float(np.abs(step).max()) < 1e-9:
            break
    return float(weights[0]), float(weights[1])


def _content(text: str, span: tuple[int, int]) -> list[tuple[int, int]]:
    """Return where the label and the numbers of an object stand, in order."""
    start, end = span
    body = text[start:end]
    keys = [m.span() for m in _KEY.finditer(body)]
    parts = [m.span(1) for m in _LABEL.finditer(body) if m.group(1)]
    taken = keys + parts  # digits inside a key (bbox_2d) or a label are no coordinates
    blanked = list(body)
    for a, b in taken:
        blanked[a:b] = " " * (b - a)
    parts += [m.span() for m in _DIGITS.finditer("".join(blanked))]
    return sorted((a + start, b + start) for a, b in parts)
