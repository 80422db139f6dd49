"""One piece of work at a time: how far it is, and a button that stops it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from qtpy.QtWidgets import QHBoxLayout, QLabel, QProgressBar, QToolButton, QVBoxLayout, QWidget

from napari_fada.workstation.background import Background
from napari_fada.workstation.models_panel.jobs import Told, Work

_STEPS = 1000


class WorkBar(QWidget):
    """Shown while work goes on.

    Parameters
    ----------
    on_event : callable
        Gets ``Ended`` or ``Broken``, in the GUI thread.
    on_end : callable
        Called after the last event.
    """

    def __init__(self, on_event: Callable[[Any], None], on_end: Callable[[], None]) -> None:
        super().__init__()
        self._on_event, self._on_end = on_event, on_end
        self.background = Background(self._take, self._end)
        self.text = QLabel()
        self.text.setWordWrap(True)
        self.bar = QProgressBar()
        self.bar.setFixedHeight(6)
        self.bar.setTextVisible(False)
        self.cancel = QToolButton()
        self.cancel.setText("✕")
        self.cancel.setToolTip("Stop; of a download, what has come is kept")
        self.cancel.clicked.connect(self._stop)
        told = QVBoxLayout()
        told.setSpacing(2)
        told.addWidget(self.text)
        told.addWidget(self.bar)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addLayout(told, 1)
        row.addWidget(self.cancel)
        self.hide()

    @property
    def running(self) -> bool:
        """Whether work goes on."""
        return self.background.running

    def start(self, work: Work, text: str) -> None:
        """Begin; ``text`` is shown until the work tells something."""
        self.cancel.setEnabled(True)
        self._tell(Told(text))
        self.show()
        self.background.start(work)

    def _stop(self) -> None:
        self.cancel.setEnabled(False)
        self.background.cancel()

    def _tell(self, told: Told) -> None:
        self.text.setText(told.text)
        self.bar.setRange(0, 0 if told.done is None else _STEPS)
        if told.done is not None:
            self.bar.setValue(round(_STEPS * told.done))

    def _take(self, event: Any) -> None:
        if isinstance(event, Told):
            self._tell(event)
        else:
            self._on_event(event)

    def _end(self) -> None:
        self.hide()
        self._on_end()
