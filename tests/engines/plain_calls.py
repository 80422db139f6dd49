"""Separate greedy calls through llama-cpp-python's own classes, to compare with."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np

from napari_fada.engines.forms import form_for, to_gbnf
from napari_fada.engines.llama import LlamaEngine
from napari_fada.engines.llama.image import prepare
from napari_fada.engines.protocol import Image, Prompt


class PlainCalls:
    """Each answer from an empty memory: one prompt, image in the middle, llama.cpp's sampler.

    Parameters
    ----------
    engine : LlamaEngine
        Whose model is used; nothing else of it is.
    """

    def __init__(self, engine: LlamaEngine) -> None:
        import llama_cpp
        from llama_cpp import mtmd_cpp

        self.core, self.media = llama_cpp, mtmd_cpp
        self.model = engine._model
        self.template, self.size = engine._template, engine._room._size
        params = llama_cpp.llama_context_default_params()
        params.n_ctx, params.n_batch, params.n_ubatch = 4096, 512, 512
        params.n_threads = params.n_threads_batch = 1
        self.context = llama_cpp.llama_init_from_model(self.model.pointer, params)

    def close(self) -> None:
        self.core.llama_free(self.context)

    def answer(self, image: Image, prompt: Prompt) -> list[int]:
        """Return the tokens of the answer."""
        memory = self.core.llama_get_memory(self.context)
        self.core.llama_memory_clear(memory, True)
        position = self._read(image, prompt.text)
        form = form_for(prompt, "compact")
        assert form is not None
        chain = self.core.llama_sampler_chain_init(self.core.llama_sampler_chain_default_params())
        grammar = self.core.llama_sampler_init_grammar(
            self.model.vocab, to_gbnf(form).encode(), b"root"
        )
        assert grammar
        self.core.llama_sampler_chain_add(chain, grammar)
        self.core.llama_sampler_chain_add(chain, self.core.llama_sampler_init_greedy())
        tokens: list[int] = []
        try:
            while len(tokens) < prompt.max_tokens:
                token = self.core.llama_sampler_sample(chain, self.context, -1)
                if self.core.llama_vocab_is_eog(self.model.vocab, token):
                    break
                tokens.append(token)
                batch = self.core.llama_batch_get_one((ctypes.c_int32 * 1)(token), 1)
                assert self.core.llama_decode(self.context, batch) == 0
                position += 1
        finally:
            self.core.llama_sampler_free(chain)
        return tokens

    def _read(self, image: Image, text: str) -> int:
        media = self.media
        pixels = prepare(image, self.size) if self.size else np.ascontiguousarray(image)
        data = (ctypes.c_uint8 * pixels.size).from_buffer_copy(pixels.tobytes())
        bitmap = media.mtmd_bitmap_init(pixels.shape[1], pixels.shape[0], data)
        chunks = media.mtmd_input_chunks_init()
        marker = media.mtmd_default_marker().decode()
        whole = (self.template.before + marker + self.template.question(text)).encode()
        wanted = media.mtmd_input_text(whole, len(whole), True, True)
        bitmaps: Any = (media.mtmd_bitmap_p_ctypes * 1)(bitmap)
        code = media.mtmd_tokenize(self.model.media, chunks, ctypes.byref(wanted), bitmaps, 1)
        assert code == 0
        after = ctypes.c_int32(0)
        code = media.mtmd_helper_eval_chunks(
            self.model.media, self.context, chunks, 0, 0, 512, True, ctypes.byref(after)
        )
        assert code == 0
        media.mtmd_input_chunks_free(chunks)
        media.mtmd_bitmap_free(bitmap)
        return after.value
