"""What lies over the scan for a while and is no record: layers, questions, where the mouse is."""

from __future__ import annotations

import weakref
from collections.abc import Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_fada.workstation import napari_private as private
from napari_fada.workstation.coordinates import Vertices, to_layer
from napari_fada.workstation.layers import MARK
from napari_fada.workstation.placing import put_on
from napari_fada.workstation.session import Session

if TYPE_CHECKING:
    from qtpy.QtWidgets import QDialog


def vertices_over_scan(session: Session, points: Iterable[tuple[float, float]]) -> Vertices:
    """Turn record points into vertices on the frame that is shown; on clips they carry it."""
    image = session.layers.image if session.layers is not None else None
    moving = image is not None and image.ndim == 3 and not image.rgb
    return to_layer(points, session.frame if moving else None)


def put_over_scan(session: Session, layer: Any) -> None:
    """Lay a layer over the scan; it cannot be edited, and the chosen layer stays chosen."""
    viewer = session.viewer
    active = viewer.layers.selection.active
    layer.metadata = {MARK: {"token": "measurements"}}
    fit_to_scan(session, layer)
    viewer.layers.append(layer)
    layer.editable = False  # napari makes a layer editable when it enters the viewer
    viewer.layers.selection.active = active


def fit_to_scan(session: Session, layer: Any) -> None:
    """Give a layer the place and size of the scan."""
    image = session.layers.image if session.layers is not None else None
    if image is None:
        return
    put_on(image, layer)


def screen_pixel(session: Session, layer: Any) -> float:
    """Return how many pixels of the scan, as a layer shows it, one pixel of the screen takes."""
    origin = np.zeros(layer.ndim)
    beside = np.append(origin[1:], 1.0)
    ends = (np.asarray(layer.data_to_world(at)) for at in (origin, beside))
    scale = float(np.linalg.norm(np.subtract(*ends))) or 1.0
    return 1.0 / (private.zoom(session.viewer) * scale)


def take_away(session: Session, layer: Any) -> None:
    """Take such a layer away, if it is still there."""
    if layer is not None:
        with suppress(ValueError):
            session.viewer.layers.remove(layer)


def ends_with_scan(session: Session, dialog: QDialog) -> None:
    """Put a question away when another scan is opened: the answer would go to that one."""
    shown = weakref.ref(dialog)  # nothing but its window keeps it

    def leave() -> None:
        asked = shown()
        if asked is not None:
            with suppress(RuntimeError):  # the window that it belonged to is gone
                asked.reject()

    session.scan_closing.connect(leave)
    dialog.finished.connect(lambda _: session.scan_closing.disconnect(leave, missing_ok=True))
