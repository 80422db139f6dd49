"""What happens while a model is converted."""

from __future__ import annotations

from dataclasses import dataclass

from napari_fada.models.pack import Pack


@dataclass(frozen=True, slots=True)
class Step:
    """A step begins; ``title`` is for the reader."""

    title: str


@dataclass(frozen=True, slots=True)
class Progress:
    """How much of the present step is done, 0-1."""

    done: float


@dataclass(frozen=True, slots=True)
class Note:
    """Something worth knowing that stops nothing."""

    text: str


@dataclass(frozen=True, slots=True)
class Packed:
    """A pack is whole and in its place."""

    pack: Pack


Event = Step | Progress | Note | Packed
