"""The small pictures of the worklist's rows, read from the cache as rows come into sight."""

from __future__ import annotations

import time
from collections import OrderedDict
from typing import ClassVar

from psygnal import Signal
from qtpy.QtCore import QObject, Qt, QTimer
from qtpy.QtGui import QPixmap

from napari_fada.scans.thumbnails import thumbnail_path

KEPT = 600
_TURN = 0.008  # seconds of reading in one turn of the event loop


class Pictures(QObject):
    """Keeps pixmaps of the rows seen last; what is not at hand is read a moment later.

    Parameters
    ----------
    side : int
        Longer side of a picture in pixels.
    parent : QObject
        Whose table is served.
    """

    arrived: ClassVar[Signal] = Signal(str)

    def __init__(self, side: int, parent: QObject) -> None:
        super().__init__(parent)
        self._side = side
        self._kept: OrderedDict[str, QPixmap | None] = OrderedDict()
        self._wanted: list[str] = []
        self._timer = QTimer(self)
        self._timer.setInterval(0)
        self._timer.timeout.connect(self._read_some)

    def get(self, sha256: str) -> QPixmap | None:
        """Return a picture if it is at hand, else see to it that it arrives."""
        if sha256 in self._kept:
            self._kept.move_to_end(sha256)
            return self._kept[sha256]
        if sha256 not in self._wanted:
            self._wanted.append(sha256)
            del self._wanted[:-60]  # rows that were scrolled past are not waited for
            self._timer.start()
        return None

    def forget(self, sha256: str) -> None:
        """Read a picture anew when it is asked for: it was made just now."""
        self._kept.pop(sha256, None)

    def _read_some(self) -> None:
        end = time.perf_counter() + _TURN
        while self._wanted and time.perf_counter() < end:
            sha256 = self._wanted.pop()
            pixmap = QPixmap(str(thumbnail_path(sha256)))
            if pixmap.isNull():
                self._kept[sha256] = None
            else:
                self._kept[sha256] = pixmap.scaled(
                    *(self._side, self._side),
                    Qt.AspectRatioMode.KeepAspectRatio,
                    Qt.TransformationMode.SmoothTransformation,
                )
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)
            self.arrived.emit(sha256)
        if not self._wanted:
            self._timer.stop()
