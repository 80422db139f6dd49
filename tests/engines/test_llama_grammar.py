"""Our form machine and llama.cpp's grammar allow the same tokens, on the real vocabulary."""

from __future__ import annotations

import ctypes
import random
from typing import Any

import pytest
from llama_support import CLASSES, VIEWS

from napari_fada.engines.conventions import Convention
from napari_fada.engines.forms import Form, form_for, to_gbnf
from napari_fada.engines.protocol import Prompt

PROMPTS = [
    Prompt("detect", "", labels=CLASSES),
    Prompt("segment", "", labels=CLASSES),
    Prompt("keypoints", "", labels=("CRL_KP", "NTKpoints")),
    Prompt("classify", "", labels=VIEWS),
    Prompt("interpret", "", keys=("one", "two_words")),
    Prompt("detect", ""),
]


@pytest.mark.parametrize("style", ["compact", "spaced"])
@pytest.mark.parametrize("prompt", PROMPTS, ids=lambda p: f"{p.task}-{len(p.labels)}")
def test_allows_what_llama_cpp_allows(engine, prompt: Prompt, style: str) -> None:
    agree(engine._model, form_for(prompt, style))  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["0-1000-yx", "pixels", "0-1", "loc"])
def test_numbers_of_other_families_too(engine, name: str) -> None:
    agree(engine._model, form_for(PROMPTS[0], "compact", Convention.named(name), (1148, 504)))


def agree(model: Any, form: Form | None) -> None:
    """Walk a form at random, beside llama.cpp's grammar made of it."""
    import llama_cpp

    assert form is not None
    sampler = llama_cpp.llama_sampler_init_grammar(model.vocab, to_gbnf(form).encode(), b"root")
    assert sampler
    choose = random.Random(3)
    n = model.vocabulary_size
    state = form.start
    try:
        for _ in range(60):
            data = (llama_cpp.llama_token_data * n)()
            for i in range(n):
                data[i].id = i
            array = llama_cpp.llama_token_data_array(data, n, -1, False)
            llama_cpp.llama_sampler_apply(sampler, ctypes.byref(array))
            theirs = {
                array.data[i].id
                for i in range(array.size)
                if array.data[i].logit > float("-inf") and not model.ends(array.data[i].id)
            }
            # Control tokens have no text for us; a grammar has no use for them either.
            theirs = {t for t in theirs if model.piece(t)}
            ours = set(model.table.legal(state).tolist())
            # llama.cpp lets broken UTF-8 through; we do not.
            assert ours <= theirs
            assert all(not model.piece(t).isascii() for t in theirs - ours)
            if not ours:
                assert state.complete
                break
            token = choose.choice(sorted(ours))
            llama_cpp.llama_sampler_accept(sampler, token)
            following = state.feed(model.piece(token))
            assert following is not None
            state = following
    finally:
        llama_cpp.llama_sampler_free(sampler)
