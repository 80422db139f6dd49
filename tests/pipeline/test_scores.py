"""Scores come from the tokens that carry a structure's content, and from no other."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest

from napari_fada.engines.protocol import Token
from napari_fada.pipeline import parse_answer
from napari_fada.pipeline.scores import fit_calibration, score, span_logprob

TEXT = '[{"bbox_2d": [12, 20, 300, 400], "label": "NT"}, {"bbox_2d": [5, 6, 7, 8], "label": "B"}]'


def tokens(text: str, values: dict[str, float], forced: tuple[str, ...] = ()) -> list[Token]:
    pieces = re.findall(r"\d|[a-zA-Z_]+|.", text)
    return [Token(0, p, values.get(p, -9.0), p in forced) for p in pieces]


def spans(text: str) -> list[tuple[int, int]]:
    return [item.span for item in parse_answer(text, "detect").items]


def test_only_label_and_digits_of_the_object_count() -> None:
    values = {"1": -1.0, "2": -2.0, "0": -3.0, "3": -4.0, "4": -5.0, "NT": -0.5}
    counted = [-1, -2, -2, -3, -4, -3, -3, -5, -3, -3, -0.5]  # 12 20 300 400 NT
    first, second = spans(TEXT)
    found = span_logprob(tokens(TEXT, values), TEXT, first)
    assert found == pytest.approx(sum(counted) / len(counted))
    # The "2" of bbox_2d is no coordinate: digits of the second object are all unknown here.
    assert span_logprob(tokens(TEXT, values), TEXT, second) == pytest.approx(-9.0)


def test_forced_and_impossible_tokens_are_left_out() -> None:
    values = {"5": -1.0, "6": -1.0, "7": -math.inf, "8": math.nan, "B": -7.0}
    _, second = spans(TEXT)
    assert span_logprob(tokens(TEXT, values, forced=("B",)), TEXT, second) == pytest.approx(-1.0)
    every = tokens(TEXT, {}, forced=tuple("5678B"))
    assert span_logprob(every, TEXT, second) is None


def test_tokens_may_be_larger_or_start_earlier_than_the_text() -> None:
    first, second = spans(TEXT)
    whole = [Token(0, "<think></think>", -5.0), Token(0, TEXT, -0.3)]
    assert span_logprob(whole, TEXT, first) == span_logprob(whole, TEXT, second) == -0.3
    assert span_logprob([Token(0, "other", -0.3)], TEXT, first) is None
    assert span_logprob([], TEXT, first) is None


def test_coordinates_as_strings_and_floats() -> None:
    text = '[{"bbox_2d": ["5", "6.5", "7", "8"], "label": "B"}]'
    (span,) = spans(text)
    values = dict.fromkeys("5678.B", -1.0)
    assert span_logprob(tokens(text, values), text, span) == pytest.approx(-1.0)


def test_score() -> None:
    assert score(None) is None
    assert score(0.0) == 1.0
    assert score(math.log(0.5)) == pytest.approx(0.5)
    assert score(0.5) == 1.0
    assert score(-1.0, (2.0, 2.0)) == pytest.approx(0.5)
    assert score(-1e6, (5.0, 0.0)) == pytest.approx(0.0)
    assert score(-0.1, (1e6, 1e9)) == pytest.approx(1.0)


def test_calibration_gives_the_share_that_is_right() -> None:
    rng = np.random.default_rng(3)
    means = rng.uniform(-2, 0, 4000)
    slope, offset = 3.0, 2.5
    right = rng.random(4000) < 1 / (1 + np.exp(-(slope * means + offset)))
    found = fit_calibration(list(means), list(right))
    assert found == pytest.approx((slope, offset), abs=0.4)
    scores = np.array([score(float(m), found) for m in means])
    for low in (0.2, 0.5, 0.8):
        among = (scores >= low) & (scores < low + 0.15)
        assert right[among].mean() == pytest.approx(scores[among].mean(), abs=0.07)


def test_calibration_of_separable_or_one_sided_samples() -> None:
    slope, offset = fit_calibration([-2.0, -1.9, -0.2, -0.1], [False, False, True, True])
    assert 0 < slope < 100
    assert math.isfinite(offset)
    with pytest.raises(ValueError, match="both right and wrong"):
        fit_calibration([-1.0], [True])
