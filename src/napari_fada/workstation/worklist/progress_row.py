"""How far the work behind the list is, with a way to stop it."""

from __future__ import annotations

from qtpy.QtWidgets import QHBoxLayout, QProgressBar, QToolButton, QWidget

from napari_fada.workstation.panels.told import Told


class ProgressRow(QWidget):
    """A line of words, a bar and a cross; hidden where nothing is to be waited for."""

    def __init__(self) -> None:
        super().__init__()
        self.text = Told()
        self.bar = QProgressBar()
        self.bar.setFixedHeight(6)
        self.bar.setTextVisible(False)
        self.cancel = QToolButton()
        self.cancel.setText("✕")
        self.cancel.setToolTip("Stop; what is left is opened when the list is next shown")
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.text)
        row.addWidget(self.bar, 1)
        row.addWidget(self.cancel)
        self.hide()

    def tell(self, text: str, done: int, total: int) -> None:
        """Show how far the work is; a total of 0: nobody knows."""
        self.text.setText(text)
        self.bar.setRange(0, total)
        self.bar.setValue(done)
        self.show()
