"""The shared image prefix changes nothing but the time."""

from __future__ import annotations

import numpy as np
import pytest
from llama_support import completions, ids

from napari_fada.engines.protocol import Image


@pytest.mark.parametrize("options", [{}, {"forced": True}])
def test_equals_separate_calls_token_for_token(
    make_engine, scans: list[Image], prompts, options: dict[str, bool]
) -> None:
    shared = make_engine(**options)
    for scan in scans:
        together = completions(shared.ask(scan, prompts))
        for prompt, answer in zip(prompts, together, strict=True):
            # Another context for each: the whole prompt, image included, from the start.
            (alone,) = completions(make_engine(**options).ask(scan, [prompt]))
            assert ids(answer) == ids(alone)
            assert answer.text == alone.text
            assert answer.stop == alone.stop


def test_equals_chat_completions_of_llama_cpp(make_engine, scans: list[Image], prompts) -> None:
    """Four separate greedy calls, with nothing of our decoding: grammar, loop and chat apart."""
    from plain_calls import PlainCalls

    shared = make_engine(style="compact")
    plain = PlainCalls(shared)
    try:
        for scan in scans[:2]:
            together = completions(shared.ask(scan, prompts[:4]))
            for prompt, answer in zip(prompts[:4], together, strict=True):
                assert plain.answer(scan, prompt) == ids(answer)
    finally:
        plain.close()


def test_forced_tokens_change_at_most_what_was_undecided(make_engine, scans, prompts) -> None:
    """A batch rounds differently, so only a token as probable as another may differ."""
    one_by_one, batched = make_engine(forced=False), make_engine(forced=True)
    forced = 0
    for scan in scans:
        a = completions(one_by_one.ask(scan, prompts))
        b = completions(batched.ask(scan, prompts))
        for x, y in zip(a, b, strict=True):
            forced += sum(t.forced for t in y.tokens)
            assert all(t.logprob == 0.0 for t in y.tokens if t.forced)
            for s, t in zip(x.tokens, y.tokens, strict=False):
                if s.id != t.id:
                    # Or the model, made to say something unlikely, cuts it in an unusual way.
                    assert t.forced or s.logprob == pytest.approx(t.logprob, abs=0.1)
                    break
                assert s.forced == t.forced
            else:
                assert len(x.tokens) == len(y.tokens)
    assert forced > 20


def test_forced_tokens_leave_the_same_logits(make_engine, scan, prompts, monkeypatch) -> None:
    """Feeding a batch computes what feeding one by one does, whatever the weights are."""
    from napari_fada.engines.llama import session

    batched = completions(make_engine(forced=True).ask(scan, prompts[:3]))
    assert sum(t.forced for c in batched for t in c.tokens) >= 8

    class Repeated(session.Answer):  # type: ignore[misc, name-defined]
        """Gives the answers above again, each token asked for."""

        def choose(self, _row: object) -> int:
            return batched[self.index].tokens[len(self.tokens)].id

    monkeypatch.setattr(session, "Answer", Repeated)
    one_by_one = completions(make_engine(forced=False).ask(scan, prompts[:3]))
    for a, b in zip(batched, one_by_one, strict=True):
        assert ids(a) == ids(b)
        chosen = [(x.logprob, y.logprob) for x, y in zip(a.tokens, b.tokens, strict=True)]
        chosen = [pair for pair, t in zip(chosen, a.tokens, strict=True) if not t.forced]
        assert [x for x, _ in chosen] == pytest.approx([y for _, y in chosen], abs=0.02)


def test_side_by_side_equals_one_after_another(make_engine, scans: list[Image], prompts) -> None:
    apart, together = make_engine(batch=False), make_engine(batch=True)
    for scan in scans:
        a = completions(apart.ask(scan, prompts))
        b = completions(together.ask(scan, prompts))
        assert [ids(x) for x in a] == [ids(x) for x in b]


def test_the_frame_is_encoded_once(engine, scan: Image, prompts) -> None:
    first = completions(engine.ask(scan, prompts[1:3]))
    assert first[0].image_seconds > 0.0
    assert first[1].image_seconds == 0.0  # told once a call
    second = completions(engine.ask(scan.copy(), prompts[1:3]))
    assert [c.image_seconds for c in second] == [0.0, 0.0]
    assert [ids(c) for c in first] == [ids(c) for c in second]


def test_coming_back_to_a_frame_restores_its_prefix(engine, scans, prompts, monkeypatch) -> None:
    from napari_fada.engines.llama import workspace

    before = [completions(engine.ask(scan, prompts[1:3])) for scan in scans]

    def never(*_: object) -> None:
        raise AssertionError("a known frame was encoded again")

    monkeypatch.setattr(workspace, "encode_image", never)
    for scan, expected in zip(scans, before, strict=True):
        after = completions(engine.ask(scan, prompts[1:3]))
        assert [ids(c) for c in after] == [ids(c) for c in expected]
        assert [[t.logprob for t in c.tokens] for c in after] == [
            [t.logprob for t in c.tokens] for c in expected
        ]


def test_saved_prefixes_have_a_budget(make_engine, scans, prompts, monkeypatch) -> None:
    from napari_fada.engines.llama import session

    monkeypatch.setattr(session, "SAVED_PREFIXES", 1)
    engine = make_engine()
    for _ in range(2):
        for scan in scans[:2]:
            assert completions(engine.ask(scan, prompts[1:2]))[0].image_seconds > 0.0
    assert not engine._room._store._kept


@pytest.mark.slow
def test_loading_and_closing_leaks_nothing(make_engine, scan: Image, prompts) -> None:
    def resident() -> int:
        with open("/proc/self/statm") as f:  # noqa: PTH123
            return int(f.read().split()[1]) * 4096

    def once() -> None:
        engine = make_engine()
        list(engine.ask(scan, prompts[1:2]))
        engine.close()

    for _ in range(5):
        once()
    before = resident()
    for _ in range(20):
        once()
    # The weights alone are 10 MB: losing one model in twenty would show.
    assert resident() - before < 8_000_000


def test_prefix_positions_follow_the_longer_side(make_engine, prompts) -> None:
    engine = make_engine(image_size=(256, 128))
    list(engine.ask(np.zeros((50, 100), np.uint8), prompts[1:2]))
    prefix = engine._room._current
    assert prefix is not None
    text = prefix.cells - 8 * 4
    assert prefix.position == text + 8
