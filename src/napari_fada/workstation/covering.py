"""What else can be seen on the canvas where only the scan and its annotations are to be seen."""

from __future__ import annotations

from typing import Any

import numpy as np

from napari_fada.workstation.layers import role_of

FAINT = 0.05
"""Opacity from which on a layer counts as seen."""
SOLID = 0.3
"""Opacity from which on filled areas count as hiding what lies beneath."""
FILLED = ("rectangle", "ellipse", "polygon")
MUCH = 0.3
"""Share of the scan that may be hidden by areas of other layers."""


def is_seen(layer: Any) -> bool:
    """Tell whether a layer can be seen: neither hidden nor transparent."""
    return bool(layer.visible) and float(layer.opacity) >= FAINT


def has_blank_shapes(layer: Any) -> bool:
    """Tell whether a Shapes layer has shapes with neither a line nor a face that can be seen.

    napari's controls let the line of what is selected be transparent or of no width.
    """
    from napari.layers import Shapes

    if not isinstance(layer, Shapes) or not len(layer.data):
        return False
    line = (layer.edge_color[:, 3] >= FAINT) & (np.asarray(layer.edge_width) > 0)
    return not bool(np.all(line | (layer.face_color[:, 3] >= FAINT)))


def other_images(viewer: Any, image: Any) -> list[Any]:
    """Return the Image layers that are seen beside the scan, over or around it."""
    from napari.layers import Image

    return [x for x in viewer.layers if isinstance(x, Image) and x is not image and is_seen(x)]


def hiding(viewer: Any, image: Any) -> list[Any]:
    """Return the layers that leave the scan not to be seen as it is: images, and large areas."""
    layers = list(viewer.layers)
    above = layers[layers.index(image) + 1 :] if image in layers else []
    areas = [x for x in above if role_of(x) is None and is_seen(x) and _covers(x, image)]
    return [*other_images(viewer, image), *areas]


def _covers(layer: Any, image: Any) -> bool:
    from napari.layers import Image, Labels, Shapes, Surface

    if isinstance(layer, Image) or float(layer.opacity) < SOLID:
        return False
    if isinstance(layer, Labels):
        shown = np.asarray(layer._slice.image.raw)
        return bool(np.count_nonzero(shown) > MUCH * max(shown.size, 1)) and _over(layer, image)
    if isinstance(layer, Surface):
        return _over(layer, image)
    if isinstance(layer, Shapes):
        alphas = np.asarray(layer.face_color).reshape(-1, 4)[:, 3] * float(layer.opacity)
        areas = (
            float(np.prod(np.ptp(np.asarray(vertices)[:, -2:], axis=0)))
            for vertices, kind, alpha in zip(layer.data, layer.shape_type, alphas, strict=False)
            if alpha >= SOLID and kind in FILLED
        )
        return sum(areas) > MUCH * float(np.prod(_size(image)))
    return False


def _over(layer: Any, image: Any) -> bool:
    """Tell whether a layer reaches over much of the scan."""
    mine, its = (np.asarray(x.extent.world)[:, -2:] for x in (image, layer))
    shared = np.minimum(mine[1], its[1]) - np.maximum(mine[0], its[0])
    whole = float(np.prod(np.maximum(mine[1] - mine[0], 1e-9)))
    return bool((shared > 0).all()) and float(np.prod(shared)) > MUCH * whole


def _size(image: Any) -> tuple[int, ...]:
    first = image.ndim - 2
    return tuple(int(n) for n in image.data.shape[first : first + 2])
