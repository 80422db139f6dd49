"""Work done ahead of the first run, in small pieces, so that the run does not stand still.

Before a character is drawn on the canvas for the first time, napari draws its shape, which takes
10 ms. A first result with three class names would stop the event loop for a quarter of a second.
So the characters of all class names are asked for when the widget is docked, one at a time.
Before them napari's progress bar is shown for a moment: the first one takes as long as ten others.
"""

from __future__ import annotations

from typing import Any

from napari.utils import progress
from qtpy.QtCore import QObject, QTimer

from napari_fada.vocabulary import vocabulary
from napari_fada.workstation import napari_private as private

PAUSE_MS = 10


class WarmUp(QObject):
    """Prepares the characters of the class names on a viewer's canvas.

    Parameters
    ----------
    viewer : napari viewer
        Whose canvas will show them.
    parent : QObject
        When it goes, the work ends.
    """

    def __init__(self, viewer: Any, parent: QObject) -> None:
        super().__init__(parent)
        self._font = private.glyphs(viewer)
        names = [c.name for c in vocabulary().categories]
        points = [point for c in vocabulary().categories for point in c.points]
        self._left = sorted(set("".join([*names, *points, " "])), reverse=True)
        self._begun = False
        self._timer = QTimer(self)
        self._timer.setInterval(PAUSE_MS)
        self._timer.timeout.connect(self._next)
        if self._font is not None:
            self._timer.start()

    def _next(self) -> None:
        if not self._begun:
            self._begun = True
            progress(total=0, desc="FADA annotate").close()
            return
        if not self._left:
            self._timer.stop()
            return
        _ = self._font[self._left.pop()]
