"""Work done ahead of the first run, in small pieces, so that the run does not stand still.

Before a character is drawn on the canvas for the first time, napari draws its shape, which takes
10 ms. A first result with three class names would stop the event loop for a quarter of a second.
So the characters of all class names are asked for when the widget is docked, one at a time.
Before them napari's progress bar is shown for a moment: the first one takes as long as ten others.

Meanwhile a thread imports what a run needs. At the first run its worker would do so, and the two
threads would wait for each other at every call into Qt or OpenGL: the one that holds Python's lock
keeps it for five milliseconds unless told otherwise, and a drawing of the canvas gives it away
hundreds of times. So the lock is handed on sooner, too.

Python's own search for rubbish is the longest stall of all: a full one walks over everything that
napari, Qt and we have imported, for a fifth of a second, whichever thread needs memory just then.
What is there once all is imported stays until the end, so it is taken out of these searches.
"""

from __future__ import annotations

import gc
import importlib
import sys
import threading
from functools import cache
from typing import Any

from napari.utils import progress
from qtpy.QtCore import QObject, QTimer

from napari_fada.vocabulary import vocabulary
from napari_fada.workstation import napari_private as private

PAUSE_MS = 10
#: Seconds after which a busy thread hands Python's lock to the one that draws.
SWITCH_SECONDS = 0.001
#: What a run imports, the heaviest first.
NEEDED = ("napari_fada.models", "napari_fada.pipeline", "napari_fada.engines.host", "gguf")


@cache
def import_ahead() -> None:
    """Import what a run needs; a module that is missing is told of when it is needed."""
    for name in NEEDED:
        try:
            importlib.import_module(name)
        except ImportError:
            continue
    settle_memory()


def settle_memory() -> None:
    """Take what exists now out of the searches for rubbish; once, when all is imported.

    The viewer is among it. One that is closed while the program goes on is not given back whole.
    """
    gc.freeze()


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
            sys.setswitchinterval(min(sys.getswitchinterval(), SWITCH_SECONDS))
            threading.Thread(target=import_ahead, name="import ahead", daemon=True).start()
            return
        if not self._left:
            self._timer.stop()
            return
        _ = self._font[self._left.pop()]
