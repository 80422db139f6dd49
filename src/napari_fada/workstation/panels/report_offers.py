"""The list of phrases under a field: it shows, and never takes the keys."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from qtpy.QtCore import QPoint, Qt
from qtpy.QtGui import QMouseEvent
from qtpy.QtWidgets import QFrame, QLabel, QVBoxLayout, QWidget

from napari_fada.records.phrases import Offer

ROWS = 4


class _Row(QLabel):
    def __init__(self, take: Callable[[], None]) -> None:
        super().__init__()
        self._take = take
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setWordWrap(True)
        self.setToolTip("Click takes this phrase; so does Tab (the first one) or Down and Enter")

    def mousePressEvent(self, event: QMouseEvent | None) -> None:  # noqa: N802
        """Take the phrase; the field keeps the keys."""
        if event is not None:
            event.accept()
        self._take()


class OfferList(QFrame):
    """Shows phrases over the panel, beneath the field that is written in.

    It is no window and takes no focus, so typing goes on; nothing in the panel moves for it.

    Parameters
    ----------
    parent : QWidget
        The panel.
    take : callable
        Called with the number of the phrase that was clicked.
    """

    def __init__(self, parent: QWidget, take: Callable[[int], None]) -> None:
        super().__init__(parent)
        self.setObjectName("fada-offers")
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setAutoFillBackground(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(4, 2, 4, 2)
        layout.setSpacing(1)
        self.rows = [_Row(lambda i=i: take(i)) for i in range(ROWS)]  # type: ignore[misc]
        for row in self.rows:
            layout.addWidget(row)
        self.hide()

    def texts(self) -> list[str]:
        """Return the phrases that are shown."""
        return [row.text()[2:] for row in self.rows if not row.isHidden()]

    def show_at(self, field: QWidget, offers: Sequence[Offer], chosen: int) -> None:
        """Show phrases at a field, above it where there is no room below; ``chosen`` is marked."""
        panel = self.parentWidget()
        if not offers or panel is None:
            self.hide()
            return
        for number, row in enumerate(self.rows):
            row.setVisible(number < len(offers))
            if number < len(offers):
                mark = "▸" if number == chosen else " "
                row.setText(f"{mark} {offers[number].text}")
                font = row.font()
                font.setBold(number == chosen)
                row.setFont(font)
        # Without this Qt looks further up for somebody to give the keys to: the whole window.
        self.setFocusProxy(field)
        layout = self.layout()
        assert layout is not None
        layout.activate()
        self.resize(field.width(), layout.heightForWidth(field.width()))
        top = field.mapTo(panel, QPoint(0, 0))
        below = top.y() + field.height() + 1
        above = top.y() - self.height() - 1
        fits = below + self.height() <= panel.height() or above < 0
        self.move(top.x(), below if fits else above)
        self.raise_()
        self.show()
