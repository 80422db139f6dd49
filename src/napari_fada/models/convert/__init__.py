"""From a transformers folder to model packs that any laptop runs.

The converter is llama.cpp's own, in a folder of its own (see `tools`); LoRA adapters are merged
by peft, quantisation is llama.cpp's. Each works in a child process, so that memory is given back
and a cancel takes effect at once.
"""

from napari_fada.models.convert.children import Cancelled
from napari_fada.models.convert.events import Event, Note, Packed, Progress, Step
from napari_fada.models.convert.gguf import to_gguf
from napari_fada.models.convert.job import TYPES, Conversion, convert
from napari_fada.models.convert.tools import fetch_converter, find_converter

__all__ = [
    "TYPES",
    "Cancelled",
    "Conversion",
    "Event",
    "Note",
    "Packed",
    "Progress",
    "Step",
    "convert",
    "fetch_converter",
    "find_converter",
    "to_gguf",
]
