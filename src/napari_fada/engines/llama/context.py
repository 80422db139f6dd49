"""A llama.cpp context: the memory of several sequences, and decoding into it."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any

import numpy as np

from napari_fada.engines.brake import Aborted
from napari_fada.engines.decoding import Piece, Row
from napari_fada.engines.llama.library import last_words
from napari_fada.engines.llama.model import Model
from napari_fada.engines.llama.plan import BATCH
from napari_fada.errors import EngineError

_ABORTED = 2
_FULL = 1


class Context:
    """Memory for ``sequences`` sequences that share ``cells`` token cells.

    Parameters
    ----------
    model : Model
        Whose context it is; it must outlive the context.
    cells : int
        Tokens that all sequences together can hold; a shared prefix counts once.
    sequences : int
        Sequences, the prefix included.
    threads : int
        For decoding.
    abort : callable
        Asked between the nodes of a graph while a long batch is decoded; True stops it.
    """

    def __init__(
        self, model: Model, *, cells: int, sequences: int, threads: int, abort: Any
    ) -> None:
        self.model = model
        self.core = model.lib.core
        self.cells, self.sequences = cells, sequences
        params = self.core.llama_context_default_params()
        params.n_ctx = cells
        params.n_batch = params.n_ubatch = BATCH
        params.n_seq_max = sequences
        params.kv_unified = True
        params.n_threads = params.n_threads_batch = threads
        params.no_perf = True
        last_words()
        self._context = self.core.llama_init_from_model(model.pointer, params)
        if not self._context:
            raise EngineError(
                f"There is no memory for a context of {cells} tokens ({last_words()}).",
                todo="Close other programs, or choose a smaller model.",
            )
        self._memory = self.core.llama_get_memory(self._context)
        self._batch = self.core.llama_batch_init(BATCH, 0, 1)
        self._abort = self.core.llama_cpp.ggml_abort_callback(abort)
        self._never = self.core.llama_cpp.ggml_abort_callback()
        self._watched = False

    @property
    def pointer(self) -> Any:
        """The llama_context."""
        return self._context

    def watch(self, on: bool) -> None:
        """Let the abort callback be asked during decodes; it costs a little for each node."""
        if on != self._watched:
            callback = self._abort if on else self._never
            self.core.llama_set_abort_callback(self._context, callback, None)
            self._watched = on

    def decode(self, pieces: Sequence[Piece], *, logits: bool = True) -> list[Row]:
        """Decode pieces of several sequences and return the logits after each piece's end.

        The rows are views that the next decode overwrites.

        Raises
        ------
        Aborted
            If the abort callback said so.
        EngineError
            If the context is full or the computation failed.
        """
        rows: dict[int, Row] = {}
        queue = [
            (i, piece.sequence, piece.start + j, token, logits and j == len(piece.tokens) - 1)
            for i, piece in enumerate(pieces)
            for j, token in enumerate(piece.tokens)
        ]
        for begin in range(0, len(queue), BATCH):
            part = queue[begin : begin + BATCH]
            batch = self._batch
            for k, (_, sequence, position, token, wanted) in enumerate(part):
                batch.token[k] = token
                batch.pos[k] = position
                batch.n_seq_id[k] = 1
                batch.seq_id[k][0] = sequence
                batch.logits[k] = wanted
            batch.n_tokens = len(part)
            self.check(self.core.llama_decode(self._context, batch))
            more = begin + BATCH < len(queue)
            for k, (i, _, _, _, wanted) in enumerate(part):
                if wanted:
                    row = self._row(k)
                    rows[i] = row.copy() if more else row
        return [rows[i] for i in range(len(pieces))] if logits else []

    def _row(self, index: int) -> Row:
        pointer = self.core.llama_get_logits_ith(self._context, index)
        if not pointer:
            raise EngineError("llama.cpp gave no logits for a decoded token.")
        return np.ctypeslib.as_array(pointer, shape=(self.model.vocabulary_size,))

    def check(self, code: int) -> None:
        """Turn the return code of a decode into an exception, unless it is 0."""
        if code == 0:
            return
        if code == _ABORTED:
            raise Aborted
        words = last_words()
        if code == _FULL:
            raise EngineError(
                f"The context of {self.cells} tokens is full.",
                todo="Ask for fewer tokens, or load the model with a larger n_ctx.",
            )
        raise EngineError(
            f"llama.cpp failed to decode (code {code}{': ' + words if words else ''}).",
            todo="Try again; if it happens again, load the model anew.",
        )

    def copy(self, source: int, target: int) -> None:
        """Let one sequence continue from all of another (its cells are shared)."""
        self.core.llama_memory_seq_cp(self._memory, source, target, -1, -1)

    def drop(self, sequence: int) -> None:
        """Forget one sequence."""
        self.core.llama_memory_seq_rm(self._memory, sequence, -1, -1)

    def clear(self) -> None:
        """Forget all sequences."""
        self.core.llama_memory_clear(self._memory, False)

    def save(self, sequence: int) -> bytes:
        """Return the state of one sequence."""
        size = self.core.llama_state_seq_get_size(self._context, sequence)
        buffer = (ctypes.c_uint8 * size)()
        written = self.core.llama_state_seq_get_data(self._context, buffer, size, sequence)
        return bytes(memoryview(buffer)[:written])

    def restore(self, sequence: int, state: bytes) -> bool:
        """Bring a saved sequence back; False if it does not fit."""
        buffer = (ctypes.c_uint8 * len(state)).from_buffer_copy(state)
        return bool(self.core.llama_state_seq_set_data(self._context, buffer, len(state), sequence))

    def free(self) -> None:
        """Free it; calling it twice is allowed."""
        if self._context:
            self.core.llama_batch_free(self._batch)
            self.core.llama_free(self._context)
            self._context = None
