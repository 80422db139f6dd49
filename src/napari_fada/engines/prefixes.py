"""Image prefixes: what is known of one, and those of the frames used last."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

S = TypeVar("S")


@dataclass(frozen=True)
class Prefix:
    """What stands before every question about a frame: its key, its cells, the position after it.

    Positions follow M-RoPE: an image of w × h tokens advances them by max(w, h). The prefix
    ends with the image; the marker behind it (``tail``) is decoded with each question, in one
    batch, as it would be without a shared prefix, so that even the rounding is the same.
    """

    key: str
    cells: int
    position: int
    tail: tuple[int, ...]


class PrefixStore(Generic[S]):
    """Saved prefixes of the frames used last, within a budget of bytes and a number.

    Parameters
    ----------
    budget : int
        Bytes of all states together.
    frames : int
        How many at most.
    size : callable
        Returns the bytes of a state.
    """

    def __init__(self, budget: int, frames: int, size: Callable[[S], int]) -> None:
        self.budget, self.frames = budget, frames
        self._size = size
        self._kept: OrderedDict[str, tuple[Prefix, S]] = OrderedDict()

    def put(self, prefix: Prefix, state: S) -> None:
        """Keep a prefix, and let go of the oldest ones if there are too many."""
        self._kept[prefix.key] = (prefix, state)
        self._kept.move_to_end(prefix.key)
        while len(self._kept) > self.frames or self._bytes() > self.budget:
            self._kept.popitem(last=False)

    def _bytes(self) -> int:
        return sum(self._size(state) for _, state in self._kept.values())

    def get(self, key: str) -> tuple[Prefix, S] | None:
        """Return a prefix, which makes it the newest, or None."""
        if key not in self._kept:
            return None
        self._kept.move_to_end(key)
        return self._kept[key]

    def __contains__(self, key: object) -> bool:
        return key in self._kept

    def clear(self) -> None:
        """Forget all."""
        self._kept.clear()
