"""What the llama.cpp engine answers: form, stream, bounds and errors, on real scans."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from llama_support import VIEWS, completions, ids

from napari_fada.engines.forms import form_for
from napari_fada.engines.protocol import Completion, Engine, Image, Prompt, Token
from napari_fada.errors import EngineError
from napari_fada.records.reading import INTERPRETATION_KEYS


def test_is_an_engine(engine) -> None:
    assert isinstance(engine, Engine)
    assert engine.info.model.pack == "fada-mini"


def test_answers_have_the_form_asked_for(engine, scans: list[Image], prompts) -> None:
    for scan in scans:
        answers = completions(engine.ask(scan, prompts))
        assert [a.prompt for a in answers] == list(range(len(prompts)))
        for prompt, answer in zip(prompts, answers, strict=True):
            if answer.stop == "limit":
                form = form_for(prompt, "auto")
                assert form is not None
                assert form.start.feed(answer.text.encode()) is not None
                continue
            assert answer.stop == "end"
            value = json.loads(answer.text)
            if prompt.task == "interpret":
                assert tuple(value) == INTERPRETATION_KEYS
            elif prompt.task == "classify":
                assert value["label"] in VIEWS
            else:
                for item in value:
                    assert item["label"] in prompt.labels
                    assert all(0 <= n <= 999 for n in item["bbox_2d"])


def test_streams_what_it_completes(engine, scan: Image, prompts) -> None:
    text = dict.fromkeys(range(len(prompts)), "")
    tokens: dict[int, list[Token]] = {i: [] for i in text}
    told = set()
    for event in engine.ask(scan, prompts):
        assert event.prompt not in told
        if isinstance(event, Completion):
            told.add(event.prompt)
            assert event.text == text[event.prompt]
            assert list(event.tokens) == tokens[event.prompt]
        else:
            text[event.prompt] += event.text
            tokens[event.prompt].append(event)
            assert event.logprob <= 1e-4
            assert event.id >= 0
    assert told == set(text)


def test_the_image_matters_and_the_answer_does_not_vary(make_engine, scans, prompts) -> None:
    first, second = make_engine(), make_engine()
    detect = [prompts[2]]
    same = [completions(e.ask(scans[0], detect))[0] for e in (first, second)]
    assert ids(same[0]) == ids(same[1])
    assert [t.logprob for t in same[0].tokens] == [t.logprob for t in same[1].tokens]
    other = completions(first.ask(255 - scans[0], detect))[0]
    assert [t.logprob for t in other.tokens] != [t.logprob for t in same[0].tokens]


def test_limit_is_told(engine, scan: Image, prompts) -> None:
    for limit in (1, 7, 20):
        answer = completions(engine.ask(scan, [replace(prompts[0], max_tokens=limit)]))[0]
        assert answer.stop == "limit"
        assert len(answer.tokens) == limit


def test_free_questions_have_no_form_but_an_end(engine, scan: Image) -> None:
    answer = completions(engine.ask(scan, [Prompt("free", "What is this?", max_tokens=30)]))[0]
    assert answer.stop in ("end", "limit")
    assert len(answer.tokens) <= 30
    assert "<|im_end|>" not in answer.text


def test_markers_in_a_question_are_only_text(engine, prompts) -> None:
    plain = engine._question(replace(prompts[1], text="a<|im_end|>b"))
    end = engine._model.tokenise(b"<|im_end|>", special=True)
    assert len(end) == 1
    assert plain.count(end[0]) == 1  # the template's own


def test_cancel_before_the_first_token(engine, scan: Image, prompts) -> None:
    class Now:
        def is_set(self) -> bool:
            return True

    answers = completions(engine.ask(scan, prompts, cancel=Now()))
    assert [a.stop for a in answers] == ["cancelled"] * len(prompts)
    assert all(a.text == "" for a in answers)


class After:
    """A cancel that is set once some tokens have been seen."""

    def __init__(self) -> None:
        self.set = False

    def is_set(self) -> bool:
        return self.set


@pytest.mark.parametrize("batch", [False, True])
def test_cancel_in_the_middle_keeps_what_came_and_the_engine(
    make_engine, scan: Image, prompts, batch: bool
) -> None:
    engine = make_engine(batch=batch)
    whole = completions(engine.ask(scan, prompts[:2]))
    cancel = After()
    seen = 0
    told: list[Completion] = []
    for event in engine.ask(scan, prompts[:2], cancel=cancel):
        if isinstance(event, Completion):
            told.append(event)
        else:
            seen += event.prompt == 0
            cancel.set = cancel.set or seen == 5
    assert {c.prompt for c in told} == {0, 1}
    first = min(told, key=lambda c: c.prompt)
    assert first.stop == "cancelled"
    assert 5 <= len(first.tokens) < len(whole[0].tokens)
    assert ids(first) == ids(whole[0])[: len(first.tokens)]
    again = completions(engine.ask(scan, prompts[:2]))
    assert [ids(a) for a in again] == [ids(a) for a in whole]
    assert again[0].image_seconds == 0.0


def test_cancel_inside_the_image(engine, scan: Image, prompts) -> None:
    class Soon:
        """Set from the third time it is asked: the vision tower is at work then."""

        asked = 0

        def is_set(self) -> bool:
            self.asked += 1
            return self.asked > 2

    expected = completions(engine.ask(scan, prompts[1:2]))
    fresh = np.flipud(scan)
    answers = completions(engine.ask(fresh, prompts[1:2], cancel=Soon()))
    assert answers[0].stop == "cancelled"
    assert answers[0].text == ""
    after = completions(engine.ask(scan, prompts[1:2]))
    assert ids(after[0]) == ids(expected[0])


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((10, 10), np.float32),
        np.zeros((10, 10, 4), np.uint8),
        np.zeros((0, 10), np.uint8),
        np.zeros((2, 10, 10, 3), np.uint8),
    ],
)
def test_images_of_another_kind_are_refused(engine, image: Image, prompts) -> None:
    with pytest.raises(EngineError, match="uint8"):
        list(engine.ask(image, prompts))


@pytest.mark.parametrize("shape", [(1, 1), (1, 4000), (37, 53, 3)])
def test_any_size_is_taken(engine, shape: tuple[int, ...], prompts) -> None:
    answer = completions(engine.ask(np.full(shape, 90, np.uint8), prompts[1:2]))[0]
    assert answer.stop == "end"


def test_no_prompts_no_events(engine, scan: Image) -> None:
    assert list(engine.ask(scan, [])) == []


def test_what_does_not_fit_is_refused_and_the_engine_lives_on(make_engine, scan, prompts) -> None:
    engine = make_engine(n_ctx=512)
    with pytest.raises(EngineError, match="context holds 512"):
        list(engine.ask(scan, [replace(prompts[0], max_tokens=2000)]))
    assert completions(engine.ask(scan, [replace(prompts[1], max_tokens=50)]))[0].stop == "end"
    with pytest.raises(EngineError, match="context holds"):
        list(engine.ask(scan, [replace(prompts[0], max_tokens=10**6)]))


def test_context_grows_and_keeps_the_prefix(engine, scan: Image, prompts) -> None:
    small = completions(engine.ask(scan, [replace(prompts[1], max_tokens=20)]))[0]
    large = completions(engine.ask(scan, [replace(prompts[1], max_tokens=3000)]))[0]
    assert ids(small) == ids(large)
    assert small.image_seconds > 0.0
    assert large.image_seconds == 0.0


def test_an_answer_not_read_to_its_end_does_not_block(engine, scan: Image, prompts) -> None:
    whole = completions(engine.ask(scan, prompts[1:2]))
    left = engine.ask(scan, prompts)
    next(left)
    again = completions(engine.ask(scan, prompts[1:2]))
    assert ids(again[0]) == ids(whole[0])
    with pytest.raises(EngineError, match="something else"):
        next(left)


def test_closing_twice_and_asking_after(make_engine, scan: Image, prompts) -> None:
    engine = make_engine()
    engine.close()
    engine.close()
    with pytest.raises(EngineError, match="closed"):
        engine.ask(scan, prompts)


def test_temperature_draws_within_the_form(make_engine, scan: Image, prompts) -> None:
    def drawn(seed: int) -> Completion:
        hot = make_engine(temperature=1.5, seed=seed)
        return completions(hot.ask(scan, [replace(prompts[0], max_tokens=60)]))[0]

    first, again, other = drawn(1), drawn(1), drawn(2)
    assert ids(first) == ids(again)
    assert ids(first) != ids(other)
    form = form_for(prompts[0])
    assert form is not None
    assert form.start.feed(first.text.encode()) is not None


def test_files_that_do_not_fit_say_which(tmp_path, make_engine) -> None:
    from napari_fada.engines.llama import LlamaEngine
    from napari_fada.models import find_pack

    pack = find_pack("fada-mini")
    info = make_engine().info
    wrong = tmp_path / "wrong.gguf"
    wrong.write_bytes(b"GGUF" + bytes(100))
    with pytest.raises(EngineError, match=r"wrong\.gguf"):
        LlamaEngine(wrong, pack.vision_path, info=info)
    with pytest.raises(EngineError, match=r"wrong\.gguf"):
        LlamaEngine(pack.text_path, wrong, info=info)
    with pytest.raises(EngineError, match="not there"):
        LlamaEngine(pack.text_path, tmp_path / "none.gguf", info=info)
