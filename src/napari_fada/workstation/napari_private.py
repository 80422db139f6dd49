"""The one place that touches what napari does not promise to keep.

Each function says which public way is missing. When a napari release renames one of these,
this file is what has to change; `tests/workstation/test_napari_traps.py` notices.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


def is_drawing(layer: Any) -> bool:
    """Tell whether a shape of this layer is being drawn or dragged right now.

    A public ``is_creating`` is proposed (napari PR 9275).
    """
    if getattr(layer, "_is_creating", False) or getattr(layer, "_is_moving", False):
        return True
    # Points have no moving flag; while one is dragged the start of the drag is kept.
    return not hasattr(layer, "_is_creating") and getattr(layer, "_drag_start", None) is not None


def drawing_is_over(layer: Any) -> None:
    """Tell a Shapes layer that no shape is being drawn.

    napari emits ``added`` while its flag still stands; setting ``data`` inside that callback
    would finish the same shape a second time and fail on its index.
    """
    if hasattr(layer, "_is_creating"):
        layer._is_creating = False
    if hasattr(layer, "_moving_value"):
        layer._moving_value = (None, None)


def click_square(layer: Any) -> float:
    """Return the side, in pixels, of the square that one click leaves in rectangle mode."""
    return float(getattr(layer, "_normalized_vertex_radius", 4.0)) / 2


def forget_label_history(layer: Any) -> None:
    """Empty the undo history of a Labels layer whose pixels have been replaced.

    Otherwise napari's next undo writes old values into new pixels.
    """
    layer._reset_history()


@contextmanager
def one_refresh(layer: Any) -> Iterator[None]:
    """Redraw a layer once at the end of a block instead of after every property.

    Without it showing forty shapes stops the event loop for a tenth of a second.
    """
    with layer._block_refresh():
        yield
    layer.refresh()


def is_painting(layer: Any) -> bool:
    """Tell whether a stroke of the brush is under way on a Labels layer."""
    return bool(getattr(layer, "_block_history", False))


def paste(layer: Any) -> None:
    """Paste what was copied from this layer; napari has no public call for it."""
    layer._paste_data()


def later(does: Callable[[], object]) -> None:
    """Do something when the event loop is next free; at once where there is none."""
    from qtpy.QtCore import QTimer
    from qtpy.QtWidgets import QApplication

    if QApplication.instance() is None:
        does()
    else:
        QTimer.singleShot(0, does)
