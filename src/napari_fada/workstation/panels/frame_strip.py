"""The frames of a clip as one painted strip: who annotated which, how far the review is.

One widget for any number of frames: the marks are painted into a picture that is made anew only
when they or the width change; showing another frame paints that picture and the cursor.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
from psygnal import Signal
from qtpy.QtCore import QPointF, QRectF, QSize, Qt
from qtpy.QtGui import QColor, QImage, QPainter, QPainterPath, QPen
from qtpy.QtWidgets import QSizePolicy, QToolTip, QWidget

from napari_fada.workstation import frame_marks as fm
from napari_fada.workstation.frame_marks import Marks

# By code. Told apart by lightness as well as by colour.
WHO = ("#3a3f47", "#8e959f", "#3fa7c4", "#f2b632")
REVIEW = ("#262a30", "#8a7a35", "#4cb56a")
TROUBLE = ("#262a30", "#e08a3c", "#e0483c")
LOOKS = ("#262a30", "#7d6bb3", "#d58cff")
BANDS = (("review", REVIEW, 4), ("looks", LOOKS, 3), ("who", WHO, 12), ("trouble", TROUBLE, 4))
TOP, TICKS = 3, 11
HEIGHT = TOP + sum(height for _, _, height in BANDS) + TICKS
SEPARATE = 5
"""Pixels of a frame from which on a line is drawn between frames."""


class FrameStrip(QWidget):
    """Shows marks of frames; a click or a drag goes to a frame.

    Parameters
    ----------
    describe : callable
        Gives the tooltip of a frame.
    """

    frame_asked: ClassVar[Signal] = Signal(int)
    reach_asked: ClassVar[Signal] = Signal(int)

    def __init__(self, describe: Callable[[int], str]) -> None:
        super().__init__()
        self._describe = describe
        self._marks = Marks.empty(1)
        self._frame = 0
        self._picture: QImage | None = None
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)  # keys go on to the canvas
        self.setMouseTracking(True)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setFixedHeight(HEIGHT)
        self.setAccessibleName("Frames")

    @property
    def marks(self) -> Marks:
        """What is shown."""
        return self._marks

    @property
    def frame(self) -> int:
        """Where the cursor is."""
        return self._frame

    @property
    def n_frames(self) -> int:
        """Frames of the clip."""
        return len(self._marks.who)

    def show_marks(self, marks: Marks) -> None:
        """Show other marks."""
        self._marks, self._picture = marks, None
        self._frame = min(self._frame, self.n_frames - 1)
        self.update()

    def show_look(self, frame: int) -> None:
        """Take the mark of a frame away that nobody had looked at."""
        if frame < self.n_frames and self._marks.looks[frame] == fm.NEVER_SEEN:
            self._marks.looks[frame] = fm.SEEN
            self._picture = None
            self.update()

    def show_frame(self, frame: int) -> None:
        """Move the cursor."""
        if frame != self._frame:
            self._frame = frame
            self.update()

    def place_of(self, frame: int) -> QPointF:
        """Return the middle of a frame's cell."""
        x = (frame + 0.5) * self.width() / self.n_frames
        return QPointF(x, TOP + (HEIGHT - TOP - TICKS) / 2)

    def sizeHint(self) -> QSize:  # noqa: N802, D102
        return QSize(600, HEIGHT)

    # Painting

    def paintEvent(self, _event: Any) -> None:  # noqa: N802, D102
        painter = QPainter(self)
        if self._picture is None or self._picture.width() != self.width():
            self._picture = self._drawn()
        painter.drawImage(0, 0, self._picture)
        self._draw_cursor(painter)

    def _drawn(self) -> QImage:
        """Return the strip without the cursor."""
        width = self.width()
        rows = []
        for name, colours, height in BANDS:
            rgb = np.array([QColor(c).getRgb()[:3] for c in colours], np.uint8)
            columns = rgb[fm.columns_of(getattr(self._marks, name), width)]
            rows.append(np.repeat(columns[None], height, axis=0))
        pixels = np.concatenate(rows)
        if width / self.n_frames >= SEPARATE:
            edges = np.diff(np.arange(width) * self.n_frames // width, prepend=0) > 0
            pixels[:, edges] //= 2
        picture = QImage(width, HEIGHT, QImage.Format.Format_RGB32)
        picture.fill(QColor("#262a30"))
        data = pixels.tobytes()  # lives until it is drawn: Qt keeps no copy
        bands = QImage(data, width, len(pixels), 3 * width, QImage.Format.Format_RGB888)
        painter = QPainter(picture)
        painter.drawImage(0, TOP, bands)
        self._draw_ticks(painter)
        painter.end()
        return picture

    def _draw_ticks(self, painter: QPainter) -> None:
        font = self.font()
        font.setPixelSize(TICKS - 1)
        painter.setFont(font)
        painter.setPen(QColor("#c8ccd2"))
        every = tick_step(self.n_frames, self.width())
        for number in (1, *range(every, self.n_frames + 1, every)):
            x = self.place_of(number - 1).x()
            box = QRectF(min(max(x - 20, 0), self.width() - 40), HEIGHT - TICKS, 40, TICKS)
            side = Qt.AlignmentFlag.AlignHCenter
            if box.left() == 0:
                side = Qt.AlignmentFlag.AlignLeft
            elif box.right() >= self.width():
                side = Qt.AlignmentFlag.AlignRight
            painter.drawText(box, side | Qt.AlignmentFlag.AlignVCenter, str(number))

    def _draw_cursor(self, painter: QPainter) -> None:
        cell = self.width() / self.n_frames
        x, wide = self._frame * cell, max(cell, 3.0)
        x -= (wide - cell) / 2
        height = HEIGHT - TICKS
        painter.setPen(QPen(QColor("#ffffff"), 1))
        painter.drawRect(QRectF(x, 0.5, wide - 1, height - 1))
        arrow = QPainterPath(QPointF(x + wide / 2, height + 0.0))
        arrow.lineTo(x + wide / 2 - 5, height + 6.0)
        arrow.lineTo(x + wide / 2 + 5, height + 6.0)
        painter.fillPath(arrow, QColor("#ffffff"))

    # Mouse

    def _at(self, event: Any) -> int:
        return fm.frame_at(event.position().x(), self.width(), self.n_frames)

    def mousePressEvent(self, event: Any) -> None:  # noqa: N802, D102
        if event.button() != Qt.MouseButton.LeftButton:
            return
        if event.modifiers() & Qt.KeyboardModifier.ShiftModifier:
            self.reach_asked.emit(self._at(event))
        else:
            self.frame_asked.emit(self._at(event))

    def mouseMoveEvent(self, event: Any) -> None:  # noqa: N802, D102
        frame = self._at(event)
        dragging = event.buttons() & Qt.MouseButton.LeftButton
        if dragging and not event.modifiers() & Qt.KeyboardModifier.ShiftModifier:
            if frame != self._frame:
                self.frame_asked.emit(frame)
        else:
            QToolTip.showText(event.globalPosition().toPoint(), self._describe(frame), self)

    def wheelEvent(self, event: Any) -> None:  # noqa: N802, D102
        step = -1 if event.angleDelta().y() > 0 else 1
        self.frame_asked.emit(min(max(self._frame + step, 0), self.n_frames - 1))
        event.accept()


def tick_step(n_frames: int, width: int) -> int:
    """Return how many frames lie between two numbers, so that they stay apart."""
    for step in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000):
        if step * width / max(n_frames, 1) >= 34:
            return step
    return 10000
