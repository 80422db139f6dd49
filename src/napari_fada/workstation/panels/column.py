"""A column of panels that scrolls up and down, and is never narrower than what is in it."""

from __future__ import annotations

from qtpy.QtCore import QEvent, QObject, Qt
from qtpy.QtWidgets import QScrollArea, QWidget


class Column(QScrollArea):
    """Shows panels below one another.

    A scroll area alone would cut off at the right what needs more room than it has, with larger
    texts for instance; this one asks its dock for the room, also when the texts change.

    Parameters
    ----------
    content : QWidget
        Has the panels in its layout.
    width : int
        Never narrower than that, in pixels.
    """

    def __init__(self, content: QWidget, width: int) -> None:
        super().__init__()
        self._least = width
        self.setMinimumWidth(width)
        self.setWidgetResizable(True)
        self.setFrameShape(QScrollArea.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setWidget(content)

    def space(self, pixels: int) -> None:
        """Put that many pixels between the panels."""
        content = self.widget()
        layout = content.layout() if content is not None else None
        if layout is not None:
            layout.setSpacing(pixels)

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:  # noqa: N802
        """Ask for room when the content is laid out anew."""
        content = self.widget()
        asked = event is not None and event.type() == QEvent.Type.LayoutRequest
        if asked and content is not None and watched is content:
            bar = self.verticalScrollBar()
            beside = bar.sizeHint().width() if bar is not None and bar.maximum() else 0
            self.setMinimumWidth(max(self._least, content.minimumSizeHint().width() + beside))
        return super().eventFilter(watched, event)
