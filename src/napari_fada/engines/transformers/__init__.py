"""The transformers engine: a model in full precision, with or without a LoRA adapter."""

from __future__ import annotations

from napari_fada.engines.transformers.session import TransformersEngine

__all__ = ["TransformersEngine"]
