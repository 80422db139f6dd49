"""Scans as Image layers and Image layers as scans."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from napari_fada.errors import FadaError, ScanError
from napari_fada.scans import Scan, open_scan, scan_from_array, spacing_from_scale
from napari_fada.workstation.layers import MARK, role_of
from napari_fada.workstation.reader import LayerData, to_layer_data

__all__ = ["add_layer", "find_layer", "image_layers", "open_scan", "scan_of_layer", "to_layer_data"]

PAGE = "page"


def image_layers(viewer: Any) -> list[Any]:
    """Return the Image layers of a viewer that may be scans, topmost first."""
    from napari.layers import Image

    return [layer for layer in reversed(viewer.layers) if isinstance(layer, Image)]


def find_layer(viewer: Any, sha256: str) -> Any:
    """Return the Image layer that shows a scan already, if there is one."""
    for layer in image_layers(viewer):
        if role_of(layer) == "scan" and layer.metadata[MARK]["sha256"] == sha256:
            return layer
    return None


def add_layer(viewer: Any, scan: Scan, shown: LayerData | None = None) -> Any:
    """Show a scan as an Image layer, as napari's own opening of it would."""
    from napari.layers import Layer

    return viewer.add_layer(Layer.create(*(shown or to_layer_data(scan))))


def change_layer(layer: Any, shown: LayerData) -> None:
    """Let an Image layer of one frame show another scan of one frame.

    Colours and contrast stay as the user has set them.
    """
    data, attributes, _ = shown
    layer.data = data
    if tuple(layer.scale) != attributes["scale"]:
        layer.scale = attributes["scale"]
    layer.units = attributes["units"]
    layer.name = attributes["name"]
    layer.metadata = attributes["metadata"]


def can_change(layer: Any, scan: Scan) -> bool:
    """Tell whether an Image layer that we made can show a scan instead of its own."""
    return bool(is_page(layer) and scan.n_frames == 1 and layer.ndim == 2 and layer.rgb == scan.rgb)


def is_page(layer: Any) -> bool:
    """Tell whether an Image layer was made for the scans of a worklist, one after another."""
    return role_of(layer) == "scan" and bool(layer.metadata[MARK].get(PAGE))


def as_page(shown: LayerData) -> LayerData:
    """Mark a scan's layer as one for the scans of a worklist."""
    shown[1]["metadata"][MARK][PAGE] = True
    return shown


def scan_of_layer(layer: Any) -> Scan:
    """Take an Image layer as a scan: its file if it shows one whole, else its pixels.

    Parameters
    ----------
    layer : napari Image layer
        2D, RGB, or frames of these along the first axis.

    Raises
    ------
    ScanError
        If the layer is neither an image nor a clip.
    """
    if getattr(layer, "multiscale", False):
        raise ScanError(
            f"“{layer.name}” is a pyramid of resolutions.", todo="Choose a plain image layer."
        )
    shown = _file_of(layer)
    if shown is not None:
        return shown
    units = [str(u) for u in layer.units] if layer.units is not None else None
    limits = None if layer.rgb or layer.data.dtype == np.uint8 else tuple(layer.contrast_limits)
    return scan_from_array(
        layer.data,
        layer.name,
        spacing_from_scale(layer.scale, units),
        rgb=bool(layer.rgb),
        contrast_limits=limits,
    )


def _file_of(layer: Any) -> Scan | None:
    """Return the file behind a layer, so that it is known again however it was opened."""
    path = layer.source.path or layer.metadata.get(MARK, {}).get("path")
    if path is None or not Path(path).exists():
        return None
    try:
        scan = open_scan(path)
    except FadaError:
        return None
    shape = tuple(layer.data.shape[: layer.ndim])
    frame = (scan.height, scan.width)
    whole = shape == (scan.n_frames, *frame) or (scan.n_frames == 1 and shape == frame)
    return scan if whole else None
