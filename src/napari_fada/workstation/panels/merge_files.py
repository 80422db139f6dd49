"""Two project files become a third: which ones, the progress of it, and a way to stop."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any, ClassVar

from psygnal import Signal
from qtpy.QtWidgets import (
    QDoubleSpinBox,
    QFileDialog,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QProgressBar,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from napari_fada.records.merge import MergeCopying, MergeFinished, MergeProgress, merge_projects
from napari_fada.records.merge_state import BOXES, OUTLINES
from napari_fada.workstation.background import Broken, guarded
from napari_fada.workstation.session import Session

FILTER = "napari-fada projects (*.fada);;All files (*)"
FIELDS = (
    ("a", "Rater A", "Project file of the first rater; where both agree, this one's shape stands"),
    ("b", "Rater B", "Project file of the second rater"),
    ("out", "Merged", "A new file; neither of the two is changed"),
)


class MergeFiles(QWidget):
    """Merges in a worker thread, or opens what was merged before.

    Parameters
    ----------
    session : Session
        Opens the merged project and is told what went wrong.
    """

    merged: ClassVar[Signal] = Signal()

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self._worker: Any = None
        self._cancel = threading.Event()
        self.paths: dict[str, QLineEdit] = {}
        grid = QGridLayout()
        for row, (name, title, tip) in enumerate(FIELDS):
            field = QLineEdit()
            field.setToolTip(tip)
            field.setPlaceholderText("a project file (*.fada)")
            browse = QPushButton("Choose…")
            browse.setToolTip(f"Choose the file: {tip[0].lower()}{tip[1:]}")
            browse.clicked.connect(lambda _=False, name=name: self._choose(name))
            self.paths[name] = field
            for column, widget in enumerate((QLabel(title), field, browse)):
                grid.addWidget(widget, row, column)
        self.outlines = _share("outlines", OUTLINES)
        self.boxes = _share("boxes without an outline", BOXES)
        agree = QHBoxLayout()
        for widget in (
            *(QLabel("Agree from IoU"), self.outlines, QLabel("outlines")),
            *(self.boxes, QLabel("boxes")),
        ):
            agree.addWidget(widget)
        agree.addStretch(1)
        self.merge = QPushButton("Merge")
        self.merge.setToolTip("Make the merged project and open it here")
        self.merge.clicked.connect(self.start)
        self.stop = QPushButton("Cancel")
        self.stop.setToolTip("Stop merging; no file is left and nothing is changed")
        self.stop.clicked.connect(self._cancel.set)
        self.again = QPushButton("Open merged…")
        self.again.setToolTip("Go on with a project that was merged before")
        self.again.clicked.connect(self._open)
        self.progress = QProgressBar()
        self.progress.setToolTip("Scans that are merged already")
        buttons = QHBoxLayout()
        for button in (self.merge, self.stop, self.again):
            buttons.addWidget(button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(grid)
        layout.addLayout(agree)
        layout.addLayout(buttons)
        layout.addWidget(self.progress)
        self._show_running(running=False)

    @property
    def running(self) -> bool:
        """Whether files are being merged."""
        return self._worker is not None

    def start(self) -> None:
        """Merge the two files that are named."""
        from napari.qt.threading import create_worker

        a, b, out = (self.paths[name].text().strip() for name, *_ in FIELDS)
        if self.running or self._session.looking.refuses():
            return
        if not (a and b):
            self._session.say("Choose the project files of both raters first.", "warning")
            return
        if not out:
            out = str(Path(a).with_name(f"{Path(a).stem}+{Path(b).stem}.fada"))
            self.paths["out"].setText(out)
        self._cancel.clear()
        self._worker = create_worker(
            _work,
            *(Path(a), Path(b), Path(out).with_suffix(".fada")),
            *(self._session.rater, self.outlines.value(), self.boxes.value(), self._cancel),
            _start_thread=False,
        )
        self._worker.yielded.connect(self._on_event)
        self._worker.finished.connect(self._on_finished)
        self._show_running(running=True)
        self._worker.start()

    def _on_event(self, event: Any) -> None:
        if isinstance(event, MergeCopying | MergeProgress):
            what = "Rows" if isinstance(event, MergeCopying) else "Scans"
            self.progress.setFormat(f"{what}: %v of %m")
            self.progress.setMaximum(event.total)
            self.progress.setValue(event.done)
        elif isinstance(event, Broken):
            self._session.say(event.text, "error")
        elif isinstance(event, MergeFinished):
            self._end(event)

    def _end(self, end: MergeFinished) -> None:
        if end.cancelled:
            self._session.say("Cancelled. No merged project was made; both files are as they were.")
            return
        self.open(Path(self.paths["out"].text().strip()).with_suffix(".fada"))
        self._session.say(
            f"{end.scans} scans, {end.both} of them by both raters; {len(end.conflicts)} "
            f"conflicts. Taken from A without asking: {end.taken}."
        )

    def open(self, path: Path) -> None:
        """Open a merged project in this window."""
        if self._session.open_project(path):
            self.merged.emit()

    def _on_finished(self) -> None:
        self._worker = None
        self._show_running(running=False)

    def _show_running(self, *, running: bool) -> None:
        self.merge.setEnabled(not running)
        self.again.setEnabled(not running)
        self.stop.setEnabled(running)
        self.progress.setVisible(running)
        if running:
            self.progress.setRange(0, 0)

    def _choose(self, name: str) -> None:
        if name == "out":
            path, _ = QFileDialog.getSaveFileName(self, "Merged project", "merged.fada", FILTER)
        else:
            path, _ = QFileDialog.getOpenFileName(self, "Project of a rater", "", FILTER)
        if path:
            self.paths[name].setText(path)

    def _open(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self, "Open a merged project", "", FILTER)
        if path:
            self.open(Path(path))

    def close_work(self) -> None:
        """Stop what goes on."""
        self._cancel.set()


def _share(of: str, default: float) -> QDoubleSpinBox:
    field = QDoubleSpinBox()
    field.setRange(0, 1)
    field.setSingleStep(0.05)
    field.setValue(default)
    field.setToolTip(
        f"Two {of} of a class that overlap by at least this agree, and the first rater's is taken; "
        "less is a conflict"
    )
    return field


def _work(
    a: Path,
    b: Path,
    out: Path,
    rater: str,
    outlines: float,
    boxes: float,
    cancel: threading.Event,
) -> Any:
    steps = merge_projects(
        *(a, b, out), rater=rater, threshold=outlines, box_threshold=boxes, cancel=cancel
    )
    yield from guarded(iter(steps))
