"""Our layers lie on the scan: they go where it goes, and nowhere else."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from napari_fada.workstation import napari_private as private
from napari_fada.workstation.desk import Level

PLACE = ("scale", "translate", "rotate", "shear", "affine", "units", "axis_labels")
"""What says where the pixels of a layer are."""

BACK = "“{name}” lies on the scan and was put back. Move the scan instead: its annotations follow."


def place_of(image: Any) -> dict[str, Any]:
    """Return the place of an image layer, for layers that lie on it."""
    return {name: getattr(image, name) for name in PLACE}


def put_on(image: Any, layer: Any) -> bool:
    """Lay a layer on an image of as many axes or more; False if it lay there already."""
    moved = False
    for name, value in place_of(image).items():
        # A shear has a number for each pair of axes.
        wanted = _of_axes(value, layer.ndim if name != "shear" else _pairs(layer.ndim))
        if not _equal(getattr(layer, name), wanted):
            setattr(layer, name, wanted)
            moved = True
    return moved


class Placing:
    """Keeps layers on an image for as long as they serve it.

    Parameters
    ----------
    image : napari Image layer
        The scan.
    layers : iterable of napari layers
        Ours; napari's transform mode is not for them.
    others : callable
        Returns what else of ours lies on the scan now, and is to follow it.
    say : callable
        Tells the user.
    """

    def __init__(
        self,
        image: Any,
        layers: Iterable[Any],
        others: Callable[[], Iterable[Any]],
        say: Callable[[str, Level], object],
    ) -> None:
        self._image, self._layers = image, list(layers)
        self._others, self._say = others, say
        self._busy = self._told = False
        for name in PLACE:
            getattr(image.events, name).connect(self.follow)
            for layer in self._layers:
                getattr(layer.events, name).connect(self._hold)
        for layer in self._layers:
            layer.events.mode.connect(self._on_mode)

    def close(self) -> None:
        """Stop listening."""
        for name in PLACE:
            getattr(self._image.events, name).disconnect(self.follow)
            for layer in self._layers:
                getattr(layer.events, name).disconnect(self._hold)
        for layer in self._layers:
            layer.events.mode.disconnect(self._on_mode)

    def follow(self, _event: Any = None) -> None:
        """Lay everything of ours where the image is now."""
        if self._busy:
            return
        self._busy = True
        try:
            for layer in (*self._layers, *self._others()):
                put_on(self._image, layer)
        finally:
            self._busy = False

    def _hold(self, event: Any) -> None:
        if self._busy:
            return
        self._busy = True
        try:
            moved = put_on(self._image, event.source)
        finally:
            self._busy = False
        if moved:
            self._tell(event.source)

    def _on_mode(self, event: Any) -> None:
        layer = event.source
        if str(layer.mode) == "transform":
            layer.mode = "pan_zoom"
            self._tell(layer)

    def _tell(self, layer: Any) -> None:
        """Say it once for what one drag moves again and again."""
        if not self._told:
            self._told = True
            self._say(BACK.format(name=layer.name), "warning")
            private.later(self._forget)

    def _forget(self) -> None:
        self._told = False


def _pairs(ndim: int) -> int:
    return ndim * (ndim - 1) // 2


def _of_axes(value: Any, ndim: int) -> Any:
    """Return what holds for the last axes of a place."""
    if hasattr(value, "affine_matrix"):
        return (
            value if value.ndim == ndim else value.set_slice(range(value.ndim - ndim, value.ndim))
        )
    if isinstance(value, tuple):  # units, labels of axes
        return value[-ndim:]
    array = np.asarray(value)
    return array[-ndim:, -ndim:] if array.ndim == 2 else array[-ndim:]


def _equal(a: Any, b: Any) -> bool:
    a, b = (getattr(v, "affine_matrix", v) for v in (a, b))
    if isinstance(a, tuple) or isinstance(b, tuple):
        return tuple(a) == tuple(b)
    return a is b or (np.shape(a) == np.shape(b) and bool(np.all(np.asarray(a) == np.asarray(b))))
