"""Intervals for figures: examinations are drawn anew, with their frames, many times.

Frames of one examination are alike, so drawing frames would make intervals too narrow.
Percentile intervals of 95 %, seeded (Efron and Tibshirani 1993, chapter 13).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Weights = npt.NDArray[np.float64]

LEVEL = 95.0


@dataclass(frozen=True, slots=True)
class Figure:
    """A number with its interval.

    ``n`` is how many frames (or what else is averaged) it is from, ``groups`` how many
    examinations. The interval is None where fewer than two examinations have it.
    """

    value: float | None
    low: float | None = None
    high: float | None = None
    n: int = 0
    groups: int = 0

    def text(self, digits: int = 3) -> str:
        """Return it for people: ``0.825 (0.785 to 0.866)``, or a dash without a value."""
        if self.value is None:
            return "–"
        if self.low is None or self.high is None:
            return f"{self.value:.{digits}f}"
        return f"{self.value:.{digits}f} ({self.low:.{digits}f} to {self.high:.{digits}f})"

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready form."""
        return {
            "value": self.value,
            "interval_95": None if self.low is None else [self.low, self.high],
            "n": self.n,
            "examinations": self.groups,
        }


class Draws:
    """Examinations drawn with replacement.

    Parameters
    ----------
    groups : sequence of str
        The examination of each frame.
    times : int
        How often; 0: no intervals.
    seed : int
        Same seed, same draws.
    """

    def __init__(self, groups: Sequence[str], times: int = 1000, seed: int = 0) -> None:
        names, self.place = np.unique(np.asarray(groups, str), return_inverse=True)
        self.count = len(names)
        rng = np.random.default_rng(seed)
        drawn = rng.integers(0, self.count or 1, (times, self.count))
        self._times = np.zeros((times, self.count))
        for row, picked in zip(self._times, drawn, strict=True):
            row += np.bincount(picked, minlength=self.count)

    @property
    def times(self) -> int:
        """How many draws there are."""
        return len(self._times)

    def weights(self, draw: int) -> Weights:
        """Return how often each frame is in a draw."""
        found: Weights = self._times[draw][self.place]
        return found

    def mean(self, values: Sequence[float], frames: Sequence[int]) -> Figure:
        """Return the mean of values, each of which belongs to a frame (its place).

        Values that are NaN are left out.
        """
        numbers, at = np.asarray(values, float), np.asarray(frames, int)
        there = np.isfinite(numbers)
        numbers, at = numbers[there], at[there]
        if not len(numbers):
            return Figure(None)
        group = self.place[at]
        sums = np.bincount(group, numbers, self.count)
        sizes = np.bincount(group, minlength=self.count)
        with np.errstate(invalid="ignore", divide="ignore"):
            drawn = (self._times @ sums) / (self._times @ sizes)
        return interval(float(numbers.mean()), drawn, n=len(numbers), groups=int((sizes > 0).sum()))


def interval(value: float, drawn: npt.ArrayLike, *, n: int, groups: int) -> Figure:
    """Return a figure with the interval that its draws give."""
    found = np.asarray(drawn, float)
    found = found[np.isfinite(found)]
    if len(found) < 2 or groups < 2:
        return Figure(value, n=n, groups=groups)
    low, high = np.percentile(found, [(100 - LEVEL) / 2, (100 + LEVEL) / 2])
    return Figure(value, float(low), float(high), n, groups)
