"""Connections of a widget to signals that outlive it, all cut when it goes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class Ties:
    """Connects, and remembers what it connected."""

    def __init__(self) -> None:
        self._made: list[tuple[Any, Callable[..., object]]] = []

    def tie(self, signal: Any, slot: Callable[..., object]) -> None:
        """Call ``slot`` when ``signal`` is emitted."""
        signal.connect(slot)
        self._made.append((signal, slot))

    def cut(self) -> None:
        """Call nothing any more."""
        made, self._made = self._made, []
        for signal, slot in made:
            signal.disconnect(slot, missing_ok=True)
