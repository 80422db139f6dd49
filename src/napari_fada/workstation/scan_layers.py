"""Scans as Image layers and Image layers as scans."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any
from weakref import WeakSet

import numpy as np

from napari_fada.errors import FadaError, OwnOutputError, ScanError
from napari_fada.scans import Scan, Spacing, open_scan, scan_from_array, spacing_from_scale
from napari_fada.scans.scaling import to_rgb
from napari_fada.workstation.layer_pixels import LayerPixels
from napari_fada.workstation.layers import MARK, role_of
from napari_fada.workstation.reader import LayerData, to_layer_data

__all__ = ["add_page", "find_layer", "image_layers", "open_scan", "take_layer", "to_layer_data"]

_pages: WeakSet[Any] = WeakSet()
"""Image layers that were made for scans of ours, one after another. Not told by a mark: a copy
that a user makes has that too."""


def image_layers(viewer: Any) -> list[Any]:
    """Return the Image layers of a viewer that may be scans, topmost first."""
    from napari.layers import Image

    return [layer for layer in reversed(viewer.layers) if isinstance(layer, Image)]


def may_be_scan(layer: Any) -> bool:
    """Tell whether an Image layer has the form of a scan: an image or frames, no pyramid."""
    return layer.ndim in (2, 3) and not getattr(layer, "multiscale", False)


def find_layer(viewer: Any, sha256: str) -> Any:
    """Return the Image layer that shows a scan already, if there is one."""
    for layer in image_layers(viewer):
        if role_of(layer) == "scan" and layer.metadata[MARK]["sha256"] == sha256:
            return layer
    return None


def add_page(viewer: Any, shown: LayerData) -> Any:
    """Show a scan as an Image layer, which may show others after it."""
    from napari.layers import Layer

    page = Layer.create(*shown)
    _pages.add(page)
    return viewer.add_layer(page)


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
    return layer in _pages


def disown(layer: Any) -> None:
    """Take our mark from an Image layer: it shows something else than we showed there."""
    layer.metadata = {k: v for k, v in layer.metadata.items() if k != MARK}
    _pages.discard(layer)


@dataclass(frozen=True, slots=True)
class Taken:
    """An Image layer that became a scan.

    Parameters
    ----------
    scan : Scan
        Of its file, if it shows the pixels of one; else of its pixels.
    pixels : LayerPixels
        What it shows, to be asked whether it still does.
    word : str
        What the user is to be told.
    file : Path, optional
        Of which it shows other pixels than are in it.
    """

    scan: Scan
    pixels: LayerPixels
    word: str = ""
    file: Path | None = None


def take_layer(layer: Any) -> Taken:
    """Take an Image layer as a scan: its file if it shows the file's pixels, else these pixels.

    A layer that a reader left as an orientation tag found it is turned upright: what is shown
    is what is recorded and exported.

    Parameters
    ----------
    layer : napari Image layer
        2D, RGB, or frames of these along the first axis.

    Raises
    ------
    ScanError
        If the layer is neither an image nor a clip, or its file was changed meanwhile.
    """
    if getattr(layer, "multiscale", False):
        raise ScanError(
            f"“{layer.name}” is a pyramid of resolutions.", todo="Choose a plain image layer."
        )
    pixels = LayerPixels(layer)
    file = _file_of(layer)
    if pixels.of_file is not None:
        if file is None or file.sha256 != pixels.of_file.sha256:
            raise ScanError(
                f"The file behind “{layer.name}” was changed or is gone since it was opened.",
                todo="Open it again.",
            )
        return Taken(file, pixels)
    if file is None:
        return Taken(_own(layer, pixels), pixels)
    like = pixels.are_of(file)
    if like == "all":
        return Taken(file, pixels)
    if like == "some":  # a large clip, not all of which was compared
        _show_file(layer, file)
        return Taken(file, LayerPixels(layer))
    turned = pixels.turned_by(file)
    fits = file.n_frames == 1 or file.rgb == layer.rgb
    if turned and turned == file.orientation and fits:
        _show_file(layer, file)
        word = f"{file.name} is shown upright now, as its orientation tag says."
        return Taken(file, LayerPixels(layer), word)
    how = "turned or mirrored" if turned else "with other pixels"
    word = (
        f"“{layer.name}” shows {file.name} {how}: it is a scan of its own. Work on it is not found "
        "again with the file."
    )
    return Taken(_own(layer, pixels), pixels, word, file.path)


def spacing_of(layer: Any) -> Spacing | None:
    """Return how large a pixel is by what a layer says."""
    units = [str(u) for u in layer.units] if layer.units is not None else None
    return spacing_from_scale(layer.scale, units)


def _own(layer: Any, pixels: LayerPixels) -> Scan:
    """Return the scan that a layer's pixels are by themselves."""
    limits = None if layer.rgb or layer.data.dtype == np.uint8 else tuple(layer.contrast_limits)
    return scan_from_array(
        pixels,
        layer.name,
        spacing_of(layer),
        rgb=bool(layer.rgb),
        contrast_limits=limits,
    )


def _show_file(layer: Any, file: Scan) -> None:
    """Let a layer show its file's own frames."""
    data = to_layer_data(file)[0]
    if file.rgb != layer.rgb:  # a still: clips in other colours are not exchanged
        data = data[..., 0] if file.rgb else to_rgb(data)
    layer.data = data
    if not layer.rgb:
        layer.contrast_limits = (0, 255)


def _file_of(layer: Any) -> Scan | None:
    """Return the file that a layer is said to come from, if it is there."""
    path = layer.source.path or layer.metadata.get(MARK, {}).get("path")
    if path is None or not Path(path).exists():
        return None
    try:
        return open_scan(path)
    except OwnOutputError:  # a drawn picture: it would be judged with its own lines in it
        raise
    except FadaError:
        return None
