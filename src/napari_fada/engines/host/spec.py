"""What the two processes tell each other about: how to build the engine, how it fares."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from napari_fada.engines.hardware import size_text


@dataclass(frozen=True, slots=True)
class Spec:
    """How the child builds its engine. Everything in it must be picklable.

    Parameters
    ----------
    factory : str
        ``"module:callable"``, imported in the child only.
    kwargs : mapping
        What the factory is called with.
    threads : int, optional
        Processor threads that numerical libraries in the child may use; set before they
        are imported. An engine with its own setting takes it from `kwargs`.
    nice : int
        Added to the niceness of the child, so that the viewer goes first.
    """

    factory: str
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    threads: int | None = None
    nice: int = 5


@dataclass(frozen=True, slots=True)
class Health:
    """How the child fares: its memory now and at its largest, in bytes, and what it computed.

    ``peak_bytes`` is None where the system does not say.
    """

    pid: int
    rss_bytes: int
    cpu_seconds: float
    peak_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Rest:
    """The child was ended because nothing was asked; the next question starts it anew."""

    freed_bytes: int

    def __str__(self) -> str:
        freed = f" to free {size_text(self.freed_bytes)}" if self.freed_bytes else ""
        return f"unloaded{freed}; loads again on use"
