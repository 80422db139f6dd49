"""The embedded model in its child process: answers, is killed, answers again."""

from __future__ import annotations

import os
import signal

import numpy as np
import pytest

from napari_fada.engines.protocol import Prompt, Token
from napari_fada.errors import EngineError
from napari_fada.models import load_engine

pytest.importorskip("llama_cpp")


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_killed_in_the_middle_of_an_answer() -> None:
    engine = load_engine("fada-mini", threads=1)
    image = np.random.default_rng(0).integers(0, 255, (180, 240), dtype=np.uint8)
    question = [Prompt("free", "Describe this fetal ultrasound scan.", max_tokens=40)]
    try:
        *_, before = engine.ask(image, question)
        child = engine.ping().pid  # type: ignore[attr-defined]
        answer = engine.ask(image, question * 8)
        assert isinstance(next(answer), Token)
        os.kill(child, signal.SIGKILL)
        with pytest.raises(EngineError, match="SIGKILL"):
            list(answer)
        *_, after = engine.ask(image, question)
        assert after.text == before.text
        assert after.tokens == before.tokens
    finally:
        engine.close()
