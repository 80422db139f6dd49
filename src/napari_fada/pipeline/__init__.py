"""From a scan and an engine to a reading: prompts, answers, mapping and the five phases."""

from napari_fada.pipeline.answers import Answer, Item, parse_answer
from napari_fada.pipeline.events import (
    Event,
    GateOpen,
    PhaseFailed,
    PhaseFinished,
    PhaseStarted,
    PhaseToken,
    ReadingFinished,
)
from napari_fada.pipeline.mapping import manual_mapping, map_classes
from napari_fada.pipeline.phases import read_frame, stream_frame
from napari_fada.pipeline.prompts import PromptSet
from napari_fada.records.reading import downstream

__all__ = [
    "Answer",
    "Event",
    "GateOpen",
    "Item",
    "PhaseFailed",
    "PhaseFinished",
    "PhaseStarted",
    "PhaseToken",
    "PromptSet",
    "ReadingFinished",
    "downstream",
    "manual_mapping",
    "map_classes",
    "parse_answer",
    "read_frame",
    "stream_frame",
]
