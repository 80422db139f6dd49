"""Run on all that no model has read: start, pause, stop, how far it is, and what failed."""

from __future__ import annotations

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QCheckBox,
    QGridLayout,
    QHBoxLayout,
    QProgressBar,
    QPushButton,
    QToolButton,
    QWidget,
)

from napari_fada.workstation.ahead import Ahead
from napari_fada.workstation.panels.told import Told
from napari_fada.workstation.settings import settings
from napari_fada.workstation.theme import tone


class BatchBar(QWidget):
    """Shows and steers what the model reads in the background.

    Parameters
    ----------
    ahead : Ahead
        Has the queue.
    """

    def __init__(self, ahead: Ahead) -> None:
        super().__init__()
        self._ahead = ahead
        self.run = QPushButton()
        self.pause = QToolButton()
        self.pause.setCheckable(True)
        self.pause.clicked.connect(lambda: ahead.pause(self.pause.isChecked()))
        self.stop = QToolButton()
        self.stop.setText("✕")
        self.stop.setToolTip("End the batch; what was read is kept, the rest stays new")
        self.stop.clicked.connect(ahead.stop)
        self.next = QCheckBox("Prepare the next scan")
        self.next.setToolTip(
            "While you look at this scan, the model reads the next one if it is new.\n"
            "What you start yourself always comes first."
        )
        self.next.setChecked(settings().prepare_next)
        self.next.toggled.connect(_set_prepare_next)
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.bar.setFixedHeight(6)
        self.label = Told()
        self.label.setWordWrap(True)
        self.failures = Told()
        self.failures.setWordWrap(True)
        self.failures.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        tone(self.failures, "failed")
        row = QHBoxLayout()
        row.setSpacing(3)
        row.addWidget(self.run, 1)
        row.addWidget(self.pause)
        row.addWidget(self.stop)
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setSpacing(3)
        grid.addLayout(row, 0, 0)
        grid.addWidget(self.bar, 1, 0)
        grid.addWidget(self.label, 2, 0)
        grid.addWidget(self.failures, 3, 0)
        grid.addWidget(self.next, 4, 0)
        self._unread = 0
        self.refresh()

    def show_prepare_next(self, wanted: bool) -> None:
        """Show whether the next scan is prepared."""
        self.next.setChecked(wanted)

    def set_unread(self, number: int) -> None:
        """Say how many scans no model has read yet."""
        self._unread = number
        self.refresh()

    def refresh(self) -> None:
        """Show the queue as it is now."""
        queue, model = self._ahead.queue, self._ahead.has_model
        unread = self._unread
        self.run.setText(f"Run on {unread} without a reading" if unread else "All have a reading")
        self.run.setEnabled(bool(unread) and model)
        self.run.setToolTip(
            "Let the model read every scan that no model has read, in the background.\n"
            "Where labels came in or the review is closed, what stands stays as it is:\n"
            "the reading is kept to be compared with (Evaluate…)"
            if model
            else "Open FADA annotate and choose a model to run it on many scans"
        )
        self.pause.setText("▶" if queue.paused else "❚❚")
        self.pause.setChecked(queue.paused)
        self.pause.setToolTip(
            "Go on with the batch"
            if queue.paused
            else "Pause the batch at once; the scan at work is begun again later"
        )
        for widget in (self.pause, self.stop, self.bar):
            widget.setVisible(queue.active)
        self.bar.setRange(0, max(1, queue.total))
        self.bar.setValue(queue.finished)
        self.label.setText(self._told())
        self.label.setVisible(bool(self.label.text()))
        lines = [f"{w.name}: {why}" for w, why in list(queue.failures.items())[-3:]]
        if len(queue.failures) > 3:
            lines.insert(0, f"{len(queue.failures)} failed; the last of them:")
        self.failures.setText("\n".join(lines))
        self.failures.setToolTip("\n".join(f"{w.name}: {y}" for w, y in queue.failures.items()))
        self.failures.setVisible(bool(lines))

    def _told(self) -> str:
        queue = self._ahead.queue
        if not queue.active:
            return self._ahead.note
        parts = [f"{queue.finished} of {queue.total}"]
        if queue.paused:
            parts.append("paused")
        elif queue.current is not None:
            parts.append(queue.current.name)
        if queue.seconds_left is not None:
            parts.append(f"{_duration(queue.seconds_left)} left")
        return " · ".join(parts)


def _set_prepare_next(wanted: bool) -> None:
    settings().prepare_next = wanted


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    if minutes >= 60:
        return f"{minutes // 60} h {minutes % 60:02} min"
    return f"{minutes} min {rest:02} s" if minutes else f"{rest} s"
