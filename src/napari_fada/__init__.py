"""napari-fada: annotate fetal ultrasound with a FADA vision-language model, offline.

The public names are imported when they are first used, so that ``import napari_fada``
loads neither napari nor Qt, torch or llama.cpp.

Research and annotation software. Not a medical device.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_PUBLIC = {
    "open_scan": "napari_fada.scans",
    "iter_scans": "napari_fada.scans",
    "load_engine": "napari_fada.models",
    "read_frame": "napari_fada.pipeline",
    "stream_frame": "napari_fada.pipeline",
}
_ROOMS = (
    "vocabulary",
    "scans",
    "engines",
    "models",
    "pipeline",
    "records",
    "exchange",
    "training",
)

__all__ = ["__version__", *_PUBLIC, *_ROOMS]

if TYPE_CHECKING:
    from napari_fada.models import load_engine as load_engine
    from napari_fada.pipeline import read_frame as read_frame
    from napari_fada.pipeline import stream_frame as stream_frame
    from napari_fada.scans import iter_scans as iter_scans
    from napari_fada.scans import open_scan as open_scan


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        return getattr(importlib.import_module(_PUBLIC[name]), name)
    if name in _ROOMS:
        return importlib.import_module(f"napari_fada.{name}")
    raise AttributeError(f"module 'napari_fada' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
