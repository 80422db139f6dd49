"""A loaded model: text weights, vision tower and vocabulary, owned and freed together."""

from __future__ import annotations

import ctypes
import os
from functools import cached_property
from pathlib import Path
from typing import Any

from napari_fada.engines.forms import TokenTable
from napari_fada.engines.hardware import cores
from napari_fada.engines.llama.library import last_words, library
from napari_fada.engines.llama.plan import SMALL, Plan
from napari_fada.errors import EngineError

_BPE = 2


class Model:
    """Weights and vision tower.

    Parameters
    ----------
    text_gguf, vision_gguf : Path
        The two files of a pack.
    threads : int or None
        Of the vision tower and of decoding; None decides by the model and the cores (`plan`).
    gpu_layers : int
        Layers on the graphics card, -1 for all; 0 keeps the vision tower off it too.
    watch : callable
        Called for every node of the vision graph with ``ask`` true, and after a block of
        nodes with ``ask`` false; returns whether to look, and whether to go on.
    exact : bool
        Images come in the size that the vision tower takes, and llama.cpp leaves them so. False
        leaves tiles, their number and padding to it.

    Raises
    ------
    EngineError
        If either file cannot be loaded, or they do not fit each other.
    """

    def __init__(
        self,
        text_gguf: Path,
        vision_gguf: Path,
        *,
        threads: int | None,
        gpu_layers: int,
        watch: Any,
        exact: bool = True,
    ) -> None:
        self.lib = library()
        self._model: Any = None
        self._media: Any = None
        self._buffer = ctypes.create_string_buffer(256)
        for path in (text_gguf, vision_gguf):
            if not path.is_file():
                raise EngineError(
                    f"The model file {path.name} is not there ({path}).",
                    todo="Install the pack again or choose another model.",
                )
        last_words()
        core, media = self.lib.core, self.lib.media
        params = core.llama_model_default_params()
        params.n_gpu_layers = gpu_layers if gpu_layers >= 0 else 999
        self._model = core.llama_model_load_from_file(os.fsencode(text_gguf), params)
        if not self._model:
            raise self._unloadable(text_gguf)
        self.vocab = core.llama_model_get_vocab(self._model)
        self.parameters = int(core.llama_model_n_params(self._model))
        self.small = self.parameters < SMALL
        self.threads = Plan.make(self.parameters, cores().usable, threads=threads).threads

        options = media.mtmd_context_params_default()
        options.use_gpu = gpu_layers != 0
        options.n_threads = self.threads
        options.print_timings = False
        options.warmup = False
        if exact:
            # Images arrive on the grid already; bounds this wide keep llama.cpp from resizing.
            options.image_min_tokens = 1
            options.image_max_tokens = 16_384
        self._watch = core.llama_cpp.ggml_backend_sched_eval_callback(watch)
        options.cb_eval = self._watch
        self._media = media.mtmd_init_from_file(os.fsencode(vision_gguf), self._model, options)
        if not self._media:
            error = self._unloadable(vision_gguf)
            self.free()
            raise error
        if not media.mtmd_support_vision(self._media):
            self.free()
            raise EngineError(
                f"{vision_gguf.name} has no vision tower.",
                todo="Choose the pack's mmproj file for images.",
            )

    @staticmethod
    def _unloadable(path: Path) -> EngineError:
        words = last_words()
        return EngineError(
            f"llama.cpp cannot load {path.name}" + (f" ({words})." if words else "."),
            todo="Verify the pack, or choose another model.",
        )

    @property
    def pointer(self) -> Any:
        """The llama_model."""
        return self._model

    @property
    def media(self) -> Any:
        """The mtmd_context."""
        return self._media

    @cached_property
    def description(self) -> str:
        """Architecture, size and quantisation in llama.cpp's words."""
        buffer = ctypes.create_string_buffer(256)
        self.lib.core.llama_model_desc(self._model, buffer, len(buffer))
        return buffer.value.decode("utf-8", "replace")

    @cached_property
    def chat_template(self) -> str:
        """The chat template in the text model's file; empty if it has none."""
        found = self.lib.core.llama_model_chat_template(self._model, None)
        return found.decode("utf-8", "replace") if found else ""

    @property
    def trained_context(self) -> int:
        """The longest context the model was made for."""
        return int(self.lib.core.llama_model_n_ctx_train(self._model))

    @cached_property
    def vocabulary_size(self) -> int:
        """Number of tokens."""
        return int(self.lib.core.llama_vocab_n_tokens(self.vocab))

    @property
    def splits_bytes(self) -> bool:
        """Whether text is cut into tokens without being changed (byte-level BPE)."""
        return int(self.lib.core.llama_vocab_type(self.vocab)) == _BPE

    def piece(self, token: int) -> bytes:
        """Return the bytes of a token; empty for control tokens."""
        return self._pieces[token]

    @cached_property
    def _pieces(self) -> list[bytes]:
        """The bytes of all tokens: lanes ask for them at the same time."""
        return [self._read_piece(i) for i in range(self.vocabulary_size)]

    def _read_piece(self, token: int) -> bytes:
        buffer = self._buffer
        n = self.lib.core.llama_token_to_piece(self.vocab, token, buffer, len(buffer), 0, False)
        if n < 0:
            self._buffer = ctypes.create_string_buffer(-n)
            return self._read_piece(token)
        return ctypes.string_at(buffer, n)

    @cached_property
    def table(self) -> TokenTable:
        """The whole vocabulary, for the forms of answers."""
        return TokenTable([b"" if self.ends(i) else p for i, p in enumerate(self._pieces)])

    def ends(self, token: int) -> bool:
        """Whether a token ends the answer."""
        return bool(self.lib.core.llama_vocab_is_eog(self.vocab, token))

    @cached_property
    def end_tokens(self) -> tuple[int, ...]:
        """All tokens that end an answer."""
        return tuple(i for i in range(self.vocabulary_size) if self.ends(i))

    def tokenise(self, text: bytes, *, special: bool = False) -> list[int]:
        """Cut text into tokens; ``special`` lets it name control tokens."""
        size = len(text) + 8
        while True:
            buffer = (ctypes.c_int32 * size)()
            n = self.lib.core.llama_tokenize(
                self.vocab, text, len(text), buffer, size, False, special
            )
            if n >= 0:
                return list(buffer[:n])
            size = -n

    def free(self) -> None:
        """Free both halves; calling it twice is allowed."""
        if self._media:
            self.lib.media.mtmd_free(self._media)
            self._media = None
        if self._model:
            self.lib.core.llama_model_free(self._model)
            self._model = None
