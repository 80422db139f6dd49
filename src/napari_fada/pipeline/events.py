"""What happens while a frame is read, as values that window, command line and tests share."""

from __future__ import annotations

from dataclasses import dataclass

from napari_fada.records.reading import Phase, PhaseResult, Reading


@dataclass(frozen=True, slots=True)
class PhaseStarted:
    """A phase began. Phases that are answered together may overlap."""

    phase: Phase


@dataclass(frozen=True, slots=True)
class PhaseToken:
    """A piece of the model's answer arrived."""

    phase: Phase
    text: str


@dataclass(frozen=True, slots=True)
class PhaseFinished:
    """A phase ended as done, empty or skipped; ``reading`` is what is known so far."""

    phase: Phase
    result: PhaseResult
    reading: Reading


@dataclass(frozen=True, slots=True)
class PhaseFailed:
    """A phase gave no usable answer; ``result.problems`` says why."""

    phase: Phase
    result: PhaseResult
    reading: Reading


@dataclass(frozen=True, slots=True)
class GateOpen:
    """A gated run waits: ``send`` a changed reading, or go on with this one."""

    phase: Phase
    reading: Reading


@dataclass(frozen=True, slots=True)
class ReadingFinished:
    """The last event."""

    reading: Reading
    cancelled: bool = False


Event = PhaseStarted | PhaseToken | PhaseFinished | PhaseFailed | GateOpen | ReadingFinished
