"""From a scan and an engine to a reading: prompts, answers, mapping and the five phases."""

from napari_fada.pipeline.answers import Answer, Item, parse_answer
from napari_fada.pipeline.prompts import PromptSet

__all__ = ["Answer", "Item", "PromptSet", "parse_answer"]
