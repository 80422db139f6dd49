"""The memory of several answers that continue one image's prefix, a row for each.

Full-attention layers keep keys and values: here in one block for all rows, each filled as far as
its own answer is, so that rows of different length can be decoded as one batch; a mask hides what
lies behind a row's end, which makes the batch exact. Linear-attention layers keep a state of fixed
size. It can only be continued from where it is: padding between prefix and question would go
into it and could not be taken out, so it is copied for each row, and rows are never padded.
"""

from __future__ import annotations

import copy
from typing import Any

from napari_fada.engines.transformers.library import library

#: Room for so many tokens is added at a time.
_STEP = 128


class _Block:
    """Keys or values of one layer: (rows, heads, room, width)."""

    def __init__(self, prefix: Any, rows: int) -> None:
        self.data = prefix.expand(rows, -1, -1, -1)

    def put(self, row: int, start: int, new: Any) -> None:
        self.data[row : row + 1, :, start : start + new.shape[2]] = new

    def put_all(self, at: Any, new: Any) -> None:
        self.data[at[0], :, at[1]] = new[:, :, 0]

    def grow(self, room: int) -> None:
        rows, heads, old, width = self.data.shape
        wider = self.data.new_zeros((rows, heads, room, width))
        wider[:, :, :old] = self.data
        self.data = wider


class _Keys:
    """A full-attention layer as transformers' cache calls it, for one row or for all."""

    def __init__(self, keys: _Block, values: _Block, rows: Rows, row: int | None) -> None:
        self._blocks, self._rows, self._row = (keys, values), rows, row

    def update(self, keys: Any, values: Any, *_: Any, **__: Any) -> tuple[Any, Any]:
        lengths = self._rows.lengths
        found = []
        for block, new in zip(self._blocks, (keys, values), strict=True):
            if self._row is None:
                block.put_all(self._rows.places, new)
                found.append(block.data[:, :, : max(lengths) + 1])
            else:
                start = lengths[self._row]
                block.put(self._row, start, new)
                end = start + new.shape[2]
                found.append(block.data[self._row : self._row + 1, :, :end])
        return found[0], found[1]


class Rows:
    """Several continuations of one prefix.

    Parameters
    ----------
    prefix : transformers.DynamicCache
        The state after the prefix, of one row; it is left as it is.
    length : int
        Tokens in it.
    count : int
        How many rows.
    """

    def __init__(self, prefix: Any, length: int, count: int) -> None:
        torch = library().torch
        self._cache_type = type(prefix)
        self.lengths = [length] * count
        self.places: Any = None
        self._room = length
        self._blocks: dict[int, tuple[_Block, _Block]] = {}
        self._states: dict[int, Any] = {}
        for i, layer in enumerate(prefix.layers):
            if hasattr(layer, "recurrent_states"):
                nought = torch.zeros(count, dtype=torch.long, device=layer.device)
                self._states[i] = _copied(layer)
                self._states[i].reorder_cache(nought)
            else:
                self.device = layer.keys.device
                self._blocks[i] = (_Block(layer.keys, count), _Block(layer.values, count))

    def one(self, row: int, tokens: int) -> Any:
        """Return a cache that reads so many tokens into one row, and makes room for them."""
        self._make_room(self.lengths[row] + tokens)
        states = {i: _part(state, row) for i, state in self._states.items()}
        return self._cache(states, row)

    def all(self) -> Any:
        """Return a cache that reads one token into every row."""
        torch = library().torch
        self._make_room(max(self.lengths) + 1)
        rows = torch.arange(len(self.lengths), device=self.device)
        self.places = (rows, torch.tensor(self.lengths, device=self.device))
        return self._cache(self._states, None)

    def mask(self, row: int | None, tokens: int) -> Any:
        """Return who may look at what, True where allowed; None where all may look at all."""
        torch = library().torch
        if row is None:
            if len(set(self.lengths)) == 1:
                return None
            ends = torch.tensor(self.lengths, device=self.device)
            places = torch.arange(max(self.lengths) + 1, device=self.device)
            return (places[None, :] <= ends[:, None])[:, None, None, :]
        if tokens == 1:
            return None
        start = self.lengths[row]
        places = torch.arange(start + tokens, device=self.device)
        return (places[None, :] <= places[start:, None])[None, None]

    def went_on(self, row: int | None, tokens: int) -> None:
        """Count the tokens that were read."""
        for i in range(len(self.lengths)) if row is None else (row,):
            self.lengths[i] += tokens

    def drop(self, row: int) -> None:
        """Forget a row; those behind it move up."""
        torch = library().torch
        kept = [i for i in range(len(self.lengths)) if i != row]
        self.lengths = [self.lengths[i] for i in kept]
        if not kept:
            self._states, self._blocks = {}, {}
            return
        index = torch.tensor(kept, device=self.device)
        for state in self._states.values():
            state.reorder_cache(index)
        for pair in self._blocks.values():
            for block in pair:
                block.data = block.data.index_select(0, index)

    def _cache(self, states: dict[int, Any], row: int | None) -> Any:
        cache = self._cache_type()
        cache.layers = [
            states[i] if i in states else _Keys(*self._blocks[i], self, row)
            for i in range(len(states) + len(self._blocks))
        ]
        return cache

    def _make_room(self, tokens: int) -> None:
        if tokens <= self._room:
            return
        self._room = -(-tokens // _STEP) * _STEP
        for pair in self._blocks.values():
            for block in pair:
                block.grow(self._room)


def _copied(layer: Any) -> Any:
    """Return a linear-attention layer of its own, with the same tensors in it."""
    found = copy.copy(layer)
    for name, value in vars(found).items():
        if isinstance(value, dict):
            setattr(found, name, dict(value))
    return found


def _part(layer: Any, row: int) -> Any:
    """Return one row of a linear-attention layer; it is written in place, so through this."""
    found = _copied(layer)
    for states in (found.conv_states, found.recurrent_states):
        for key, state in states.items():
            states[key] = state[row : row + 1]
    return found


def size(cache: Any) -> int:
    """Return the bytes of a prefix's state."""
    total = 0
    for layer in cache.layers:
        if hasattr(layer, "recurrent_states"):
            states = [*layer.conv_states.values(), *layer.recurrent_states.values()]
        else:
            states = [layer.keys, layer.values]
        total += sum(s.numel() * s.element_size() for s in states)
    return total
