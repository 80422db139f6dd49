"""Sample scans for File ▸ Open Sample: phantoms, drawn on the spot; none shows a patient.

The manifest names one function for each scene; they are made when they are asked for.
"""

from __future__ import annotations

from functools import partial
from typing import Any

LayerData = tuple[Any, dict[str, Any], str]

SEED = 7
SIZE = (540, 720)


def phantom(scene: str) -> list[LayerData]:
    """Return a phantom as an Image layer.

    Parameters
    ----------
    scene : str
        A scene of ``training.phantoms.SCENES``, or a view label.
    """
    from napari_fada.training.phantoms import render_phantom

    image = render_phantom(scene, SEED, SIZE).image
    attributes: dict[str, Any] = {"name": f"phantom {scene}"}
    if image.ndim == 2:
        attributes |= {"colormap": "gray", "contrast_limits": (0, 255)}
    return [(image, attributes, "image")]


def __getattr__(scene: str) -> Any:
    from napari_fada.training.phantoms import SCENES

    if scene not in SCENES:
        raise AttributeError(f"there is no phantom of a scene {scene!r}")
    return partial(phantom, scene)
