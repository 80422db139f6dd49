"""A pair of hands: Qt's mouse and keys on a napari window that is shown.

Positions are pixels of the scan as records have them (x, y, corner convention), found on the
canvas through the image layer, where a person would see them.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest

LEFT = Qt.MouseButton.LeftButton
NONE = Qt.KeyboardModifier.NoModifier


class Hands:
    """Mouse and keys of one window.

    Parameters
    ----------
    viewer : napari.Viewer
        With its window shown.
    """

    def __init__(self, viewer: Any) -> None:
        self.viewer = viewer

    @property
    def canvas(self) -> Any:
        return self.viewer.window._qt_viewer.canvas

    def turn(self, ms: int = 10) -> None:
        """Let the event loop go round: napari acts a moment after an event."""
        QTest.qWait(ms)

    def focus(self) -> None:
        self.viewer.window._qt_window.activateWindow()
        self.canvas.native.setFocus()
        self.turn()

    def place(self, image: Any, x: float, y: float) -> QPoint:
        """Return where on the canvas a pixel of an image layer is seen."""
        data = [0.0] * (image.ndim - 2) + [y - 0.5, x - 0.5]
        world = image.data_to_world(data)
        row, column = (axis - self.viewer.dims.ndim for axis in self.viewer.dims.displayed[-2:])
        p = self.canvas.view.scene.transform.map([world[column], world[row]])
        return QPoint(round(float(p[0])), round(float(p[1])))

    def seen(self, image: Any, x: float, y: float) -> bool:
        """Whether a pixel of an image layer lies on the canvas, away from its rim."""
        p, native = self.place(image, x, y), self.canvas.native
        return 8 < p.x() < native.width() - 8 and 8 < p.y() < native.height() - 8

    def key(self, name: str, target: Any = None) -> None:
        """Press a key, for instance ``Alt-Shift-M``."""
        *modifiers, letter = name.split("-")
        flags = NONE
        for modifier in modifiers:
            flags |= getattr(Qt.KeyboardModifier, f"{modifier}Modifier")
        QTest.keyClick(target or self.canvas.native, getattr(Qt.Key, f"Key_{letter}"), flags)
        self.turn(30)

    def move(self, p: QPoint) -> None:
        """Move the mouse, and wait until napari has heard of it."""
        QTest.mouseMove(self.canvas.native, p)
        wanted = self.canvas.view.scene.transform.imap([p.x(), p.y()])[:2][::-1]
        for _ in range(100):
            self.turn(5)
            if np.allclose(self.viewer.cursor.position[-2:], wanted, atol=0.01):
                break

    def click(self, image: Any, x: float, y: float) -> None:
        p = self.place(image, x, y)
        self.move(p)
        QTest.mouseClick(self.canvas.native, LEFT, NONE, p)
        self.turn()

    def drag(self, image: Any, *points: Sequence[float], steps: int = 5) -> None:
        """Press at the first point, move over the others, release at the last."""
        native = self.canvas.native
        self.move(self.place(image, *points[0]))
        QTest.mousePress(native, LEFT, NONE, self.place(image, *points[0]))
        for p, q in pairwise(points):
            for u in np.linspace(0, 1, steps + 1)[1:]:
                here = (p[0] + (q[0] - p[0]) * u, p[1] + (q[1] - p[1]) * u)
                self.move(self.place(image, *here))
        QTest.mouseRelease(native, LEFT, NONE, self.place(image, *points[-1]))
        self.turn(30)

    def outline(self, image: Any, corners: Sequence[Sequence[float]]) -> None:
        """Click corner after corner and end with a double click."""
        for corner in corners:
            self.click(image, *corner)
        end = self.place(image, *corners[-1])
        QTest.mouseDClick(self.canvas.native, LEFT, NONE, end)
        self.turn(30)
