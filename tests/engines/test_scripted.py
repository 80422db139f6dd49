"""The scripted engine keeps the promises of the protocol."""

from __future__ import annotations

import pickle
import threading

import numpy as np
import pytest

from napari_fada.engines.protocol import Completion, Engine, Prompt, Token
from napari_fada.engines.scripted import Script, ScriptedEngine, image_key
from napari_fada.errors import EngineError

IMAGE = np.zeros((8, 8), np.uint8)


def completions(engine: Engine, *prompts: Prompt, **kwargs: object) -> list[Completion]:
    items = list(engine.ask(IMAGE, prompts, **kwargs))  # type: ignore[arg-type]
    return [item for item in items if isinstance(item, Completion)]


def test_it_is_an_engine_and_pickles() -> None:
    engine = pickle.loads(pickle.dumps(ScriptedEngine({"classify": '{"label": "AC_PLANE"}'})))
    assert isinstance(engine, Engine)
    (answer,) = completions(engine, Prompt("classify", "?"))
    assert answer.text == '{"label": "AC_PLANE"}'
    assert answer.text == "".join(token.text for token in answer.tokens)
    assert answer.stop == "end"


def test_the_most_particular_entry_wins() -> None:
    key = image_key(IMAGE)
    table = {
        "detect": "any",
        ("detect", "Brain"): "brain",
        (key, "detect"): "this image",
        (key, "detect", "Brain"): "brain of this image",
    }
    asked = Prompt("detect", "?", labels=("Brain",))
    for expected in ("brain of this image", "this image", "brain", "any"):
        assert completions(ScriptedEngine(table), asked)[0].text == expected
        table = dict(list(table.items())[:-1])
    with pytest.raises(EngineError, match="detect"):
        completions(ScriptedEngine({}), asked)


def test_limit_interleaving_and_error() -> None:
    prompts = (Prompt("interpret", "?", max_tokens=3), Prompt("classify", "?"))
    engine = ScriptedEngine({"interpret": "a b c d", "classify": "x y"}, interleaved=True)
    items = list(engine.ask(IMAGE, prompts))
    assert [i.prompt for i in items if isinstance(i, Token)] == [0, 1, 0, 1, 0, 1]
    assert [(i.text, i.stop) for i in items if isinstance(i, Completion)] == [
        ("a b", "limit"),
        ("x y", "end"),
    ]
    broken = ScriptedEngine({"free": Script("a", error=EngineError("broke"))})
    with pytest.raises(EngineError, match="broke"):
        completions(broken, Prompt("free", "?"))


def test_cancel_completes_every_prompt() -> None:
    cancel = threading.Event()
    engine = ScriptedEngine({"free": Script("1 2 3 4", delay=0.001)})
    answers = []
    for item in engine.ask(IMAGE, [Prompt("free", "?"), Prompt("free", "!")], cancel=cancel):
        if isinstance(item, Completion):
            answers.append(item)
        else:
            cancel.set()
    assert [(a.prompt, a.text, a.stop) for a in answers] == [
        (0, "1", "cancelled"),
        (1, "", "cancelled"),
    ]
