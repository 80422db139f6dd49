"""What has arrived of the answers to one request, so that a cancelled one can be completed here."""

from __future__ import annotations

import time
from collections.abc import Iterator

from napari_fada.engines.protocol import Completion, Token


class Heard:
    """What has arrived for each prompt, to complete those that the child cannot."""

    def __init__(self, count: int) -> None:
        self._tokens: list[list[Token]] = [[] for _ in range(count)]
        self._complete = [False] * count
        self._began = time.perf_counter()

    def add(self, item: Token | Completion) -> Token | Completion:
        """Note what arrived, and return it."""
        if isinstance(item, Token):
            self._tokens[item.prompt].append(item)
        else:
            self._complete[item.prompt] = True
        return item

    def cancelled(self) -> Iterator[Completion]:
        """Complete what is not complete yet, with the tokens that had arrived."""
        seconds = time.perf_counter() - self._began
        for prompt, tokens in enumerate(self._tokens):
            if not self._complete[prompt]:
                self._complete[prompt] = True
                text = "".join(token.text for token in tokens)
                yield Completion(prompt, text, tuple(tokens), "cancelled", seconds)
