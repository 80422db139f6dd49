"""Lanes: answers at the same time are the answers one after another, and can be stopped."""

from __future__ import annotations

import threading

import pytest
from llama_support import completions, ids

from napari_fada.engines.protocol import Completion, Image
from napari_fada.errors import EngineError


@pytest.fixture
def laned(make_engine):
    """Two lanes of one thread each; a small model has one lane of its own accord."""
    return make_engine(threads=2, lanes=2)


def test_a_small_model_and_a_single_thread_have_one_lane(make_engine) -> None:
    assert make_engine()._lane_count == 1
    assert make_engine(threads=1, lanes=2)._lane_count == 1
    assert make_engine(threads=2)._lane_count == 2


def test_lanes_give_the_answers_of_one_lane(
    make_engine, laned, scans: list[Image], prompts
) -> None:
    alone = make_engine(threads=1, lanes=1)
    for scan in scans:
        for group in (prompts, prompts[2:4]):
            one = completions(alone.ask(scan, group))
            two = completions(laned.ask(scan, group))
            assert [a.prompt for a in two] == list(range(len(group)))
            # The image is read on two threads here and on one there: only near ties may differ.
            same = sum(ids(a) == ids(b) for a, b in zip(one, two, strict=True))
            assert same >= len(group) - 1


def test_lanes_do_not_depend_on_when_the_other_ends(laned, scan: Image, prompts) -> None:
    whole = completions(laned.ask(scan, prompts))
    for group in (prompts[:2], prompts[1:3], prompts[2:]):
        again = completions(laned.ask(scan, group))
        expected = [whole[prompts.index(p)] for p in group]
        assert [ids(a) for a in again] == [ids(a) for a in expected]


def test_every_answer_streams_what_it_completes(laned, scan: Image, prompts) -> None:
    text = dict.fromkeys(range(len(prompts)), "")
    for event in laned.ask(scan, prompts):
        if isinstance(event, Completion):
            assert event.text == text.pop(event.prompt)
        else:
            text[event.prompt] += event.text
    assert not text


def test_cancel_stops_both_lanes_and_the_engine_goes_on(laned, scan: Image, prompts) -> None:
    whole = completions(laned.ask(scan, prompts))
    cancel = threading.Event()
    seen, told = 0, []
    for event in laned.ask(scan, prompts, cancel=cancel):
        if isinstance(event, Completion):
            told.append(event)
        else:
            seen += 1
            if seen == 9:
                cancel.set()
    assert sorted(a.prompt for a in told) == list(range(len(prompts)))
    assert any(a.stop == "cancelled" for a in told)
    for answer in told:
        assert ids(whole[answer.prompt])[: len(answer.tokens)] == ids(answer)
    assert [ids(a) for a in completions(laned.ask(scan, prompts))] == [ids(a) for a in whole]


def test_answers_that_nobody_reads_any_more_are_stopped(laned, scan: Image, prompts) -> None:
    before = threading.active_count()
    whole = completions(laned.ask(scan, prompts))
    first = laned.ask(scan, prompts)
    next(first)
    second = laned.ask(scan, prompts)
    assert [ids(a) for a in completions(second)] == [ids(a) for a in whole]
    with pytest.raises(EngineError, match="asked something else"):
        list(first)
    third = laned.ask(scan, prompts)
    next(third)
    third.close()
    assert threading.active_count() == before
    laned.ask(scan, prompts)
    next(laned.ask(scan, prompts))
    laned.close()
    assert threading.active_count() == before


def test_a_failing_lane_is_told_and_the_engine_can_be_asked_again(
    laned, scan: Image, prompts, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = completions(laned.ask(scan, prompts))
    from napari_fada.engines import decoding

    def fail(*_: object) -> None:
        raise ZeroDivisionError("no such luck")

    with monkeypatch.context() as patched:
        patched.setattr(decoding, "log_probability", fail)
        with pytest.raises(EngineError, match="no such luck"):
            list(laned.ask(scan, prompts))
    assert [ids(a) for a in completions(laned.ask(scan, prompts))] == [ids(a) for a in whole]
