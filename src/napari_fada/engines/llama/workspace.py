"""The context an engine works in: grown when needed, with the current frame's prefix in it."""

from __future__ import annotations

import time
from typing import Any

from napari_fada.engines.brake import Aborted, Brake
from napari_fada.engines.llama.context import Context
from napari_fada.engines.llama.image import Picture, fingerprint, prepare
from napari_fada.engines.llama.model import Model
from napari_fada.engines.llama.plan import SAVED_FRAMES
from napari_fada.engines.llama.prefix import Chunk, decode_prefix, encode_image, image_chunks
from napari_fada.engines.prefixes import Prefix, PrefixStore
from napari_fada.engines.protocol import Image
from napari_fada.errors import EngineError

_ROUND = 256
#: More than the template and the image's own markers take.
_AROUND = 32


class Workspace:
    """Context and image prefixes of one model.

    Parameters
    ----------
    model : Model
        Whose workspace it is.
    brake : Brake
        Asked whether to stop.
    before : str
        The conversation up to the image.
    size : (int, int) or None
        Height and width that every frame is stretched to; None decides by ``picture``.
    picture : Picture
        What is done to a frame where no size is given.
    cells : int or None
        A fixed size of the context; None grows it as needed.
    saved : int
        Bytes of prefixes to keep for frames that were used before.
    """

    def __init__(
        self,
        model: Model,
        brake: Brake,
        *,
        before: str,
        size: tuple[int, int] | None,
        picture: Picture,
        cells: int | None,
        saved: int,
    ) -> None:
        self.model, self.brake = model, brake
        self._before, self._size, self._picture = before, size, picture
        self._cells = cells
        self._context: Context | None = None
        self._current: Prefix | None = None
        self._lanes: list[Context] = []
        self._in_lanes = ""
        self._store = PrefixStore[bytes](saved, SAVED_FRAMES, len)

    @property
    def context(self) -> Context:
        """The context; there is one after :meth:`enter`."""
        assert self._context is not None
        return self._context

    @property
    def limit(self) -> int:
        """Cells that the context can have at most."""
        return self._cells or self.model.trained_context

    def fits(self, image: Image, cells: int) -> bool:
        """Whether so many tokens fit behind a frame's prefix (told before it is encoded)."""
        size = self.size(image)
        tokens = self._picture.tokens(size)
        if tokens is None:
            with image_chunks(self.model, self._before, prepare(image, size)) as chunks:
                tokens = sum(chunk.tokens for chunk in chunks)
        return cells + tokens + _AROUND <= self.limit

    def size(self, image: Image) -> tuple[int, int]:
        """Return the height and width that the model is given a frame in."""
        return self._size or self._picture.size(*image.shape[:2])

    def enter(self, image: Image, cells: int, sequences: int) -> tuple[Prefix, float]:
        """Make the prefix of a frame stand in sequence 0, with room behind it.

        Parameters
        ----------
        image : uint8 array
            The frame.
        cells : int
            Tokens that will be decoded behind the prefix.
        sequences : int
            Sequences, the prefix included.

        Returns
        -------
        Prefix, float
            And the seconds it took, 0 if it stood there already.

        Raises
        ------
        Aborted
            If the brake was pulled.
        EngineError
            If the frame cannot be encoded, or the questions do not fit.
        """
        key = fingerprint(image)
        if self._current is not None and self._current.key == key:
            self._make_room(self._current.cells + cells, sequences)
            return self._current, 0.0
        began = time.perf_counter()
        self._park()
        found = self._store.get(key)
        if found is not None:
            prefix, state = found
            self._make_room(prefix.cells + cells, sequences)
            if self.context.restore(0, state):
                self._current = prefix
                return prefix, time.perf_counter() - began
            self.context.clear()
        self._current = self._encode(key, image, cells, sequences)
        return self._current, time.perf_counter() - began

    def _encode(self, key: str, image: Image, cells: int, sequences: int) -> Prefix:
        with image_chunks(self.model, self._before, prepare(image, self.size(image))) as chunks:
            self._make_room(sum(c.tokens for c in chunks) + cells, sequences)
            self.context.watch(True)
            try:
                return decode_prefix(self.model, self.context, chunks, key, self._see)
            except (Aborted, EngineError):
                self.context.clear()
                raise

    def _see(self, chunk: Chunk) -> Any:
        embeddings = encode_image(self.model, chunk)
        if self.brake.check():
            raise Aborted
        return embeddings

    def _park(self) -> None:
        """Save the prefix in sequence 0 for a later return, and empty the memory."""
        if self._current is not None and self._context is not None:
            if self._current.key not in self._store:
                self._store.put(self._current, self._context.save(0))
            self._current = None
        if self._context is not None:
            self._context.clear()

    def _make_room(self, cells: int, sequences: int) -> None:
        """Grow the context where it is too small; the prefix in it is carried over."""
        limit = self.limit
        if cells > limit:
            raise EngineError(
                f"The image and the questions need {cells} tokens; the context holds {limit}.",
                todo="Ask for fewer tokens at once, or load the model with a larger n_ctx.",
            )
        old = self._context
        if old is not None and old.cells >= cells and old.sequences >= sequences:
            return
        wanted = self._cells or min(limit, -(-cells // _ROUND) * _ROUND)
        state = None
        if old is not None:
            wanted, sequences = max(wanted, old.cells), max(sequences, old.sequences)
            state = old.save(0) if self._current is not None else None
            old.free()
            self._context = None
        self._context = Context(
            self.model, cells=wanted, sequences=sequences, threads=self.model.threads,
            abort=self.brake.abort,
        )  # fmt: skip
        if state is not None and not self._context.restore(0, state):
            self._current = None
            raise EngineError("The image prefix could not be moved to a larger context.")

    def lanes(self, count: int, cells: int) -> list[Context]:
        """Return contexts that share the threads, with the present prefix in each.

        Parameters
        ----------
        count : int
            How many.
        cells : int
            Tokens that one of them decodes behind the prefix at most.
        """
        assert self._current is not None
        cells += self._current.cells
        if len(self._lanes) != count or any(lane.cells < cells for lane in self._lanes):
            self._free_lanes()
            wanted = self._cells or min(self.limit, -(-cells // _ROUND) * _ROUND)
            for _ in range(count):
                lane = Context(
                    self.model, cells=wanted, sequences=2,
                    threads=max(1, self.model.threads // count), abort=self.brake.abort,
                )  # fmt: skip
                self._lanes.append(lane)
        if self._in_lanes != self._current.key:
            state = self.context.save(0)
            self._in_lanes = ""
            for lane in self._lanes:
                lane.clear()
                if not lane.restore(0, state):
                    raise EngineError("The image prefix could not be copied to another context.")
            self._in_lanes = self._current.key
        return self._lanes

    def _free_lanes(self) -> None:
        self._in_lanes = ""
        while self._lanes:
            self._lanes.pop().free()

    def leave(self) -> None:
        """Forget everything behind the prefix."""
        for context in (self._context, *self._lanes):
            if context is not None:
                for sequence in range(1, context.sequences):
                    context.drop(sequence)

    def reset(self) -> None:
        """Give up the context, after a failure; the next question builds a new one."""
        self._current = None
        self._free_lanes()
        if self._context is not None:
            self._context.free()
            self._context = None

    def close(self) -> None:
        """Free the context and the saved prefixes."""
        self.reset()
        self._store.clear()
