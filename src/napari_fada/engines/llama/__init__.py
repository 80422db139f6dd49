"""The llama.cpp engine: one image prefix, many answers."""

from __future__ import annotations

from napari_fada.engines.llama.image import Picture
from napari_fada.engines.llama.session import LlamaEngine, engine_versions
from napari_fada.engines.llama.template import ChatTemplate

__all__ = ["ChatTemplate", "LlamaEngine", "Picture", "engine_versions"]
