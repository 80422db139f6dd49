"""A vocabulary seen from a form: which tokens may come next.

The pieces are kept sorted, so that the tokens that a state allows are found by walking down
prefixes instead of trying a quarter of a million pieces one by one.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from napari_fada.engines.forms.machine import State


class TokenTable:
    """The pieces of a vocabulary.

    Parameters
    ----------
    pieces : sequence of bytes
        The bytes of each token, by id; empty for tokens that are not text.
    """

    def __init__(self, pieces: Sequence[bytes]) -> None:
        self.pieces = pieces
        self._ids = sorted((i for i, p in enumerate(pieces) if p), key=pieces.__getitem__)
        self._sorted = [pieces[i] for i in self._ids]

    def _end(self, prefix: bytes, low: int, high: int) -> int:
        """First index after the pieces that begin with a prefix (it ends below 0xFF bytes)."""
        while prefix and prefix[-1] == 0xFF:
            prefix = prefix[:-1]
        if not prefix:
            return high
        return bisect_left(self._sorted, prefix[:-1] + bytes([prefix[-1] + 1]), low, high)

    def legal(self, state: State) -> npt.NDArray[np.int64]:
        """Return the ids of all tokens that may come next."""
        found: list[int] = []
        self._descend(state, b"", 0, len(self._ids), found)
        return np.asarray(found, dtype=np.int64)

    def _descend(self, state: State, prefix: bytes, low: int, high: int, out: list[int]) -> None:
        for byte in sorted(state.allowed):
            longer = prefix + bytes([byte])
            start = bisect_left(self._sorted, longer, low, high)
            if start >= high or not self._sorted[start].startswith(longer):
                continue
            end = self._end(longer, start, high)
            following = state.step(byte)
            assert following is not None  # the byte was allowed
            while start < end and self._sorted[start] == longer:
                out.append(self._ids[start])
                start += 1
            if start < end:
                self._descend(following, longer, start, end, out)

    def crosses(self, text: bytes, after: State) -> bool:
        """Whether some token begins with all of a text and goes on in a way that is allowed.

        Parameters
        ----------
        text : bytes
            What is certain to come.
        after : State
            The state behind it.
        """
        low = bisect_left(self._sorted, text)
        high = self._end(text, low, len(self._sorted))
        return any(
            len(piece) > len(text) and after.feed(piece[len(text) :]) is not None
            for piece in self._sorted[low:high]
        )
