"""What the three dialogs have in common: a form, how far the work is, and what came of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qtpy.QtCore import Qt, QUrl
from qtpy.QtGui import QDesktopServices
from qtpy.QtWidgets import (
    QDialog,
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPlainTextEdit,
    QPushButton,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from napari_fada.notice import NOTICE
from napari_fada.workstation.background import Broken
from napari_fada.workstation.datasets.jobs import Finished
from napari_fada.workstation.models_panel.work_bar import WorkBar
from napari_fada.workstation.session import Session
from napari_fada.workstation.theme import tone


class DataSetDialog(QDialog):
    """A window beside the window: it can stay open while one works on.

    Parameters
    ----------
    session : Session
        Whose project it is about.
    title : str
        Of the window.
    stopped : str
        Said when the work was stopped.
    """

    def __init__(self, session: Session, parent: QWidget, title: str, stopped: str) -> None:
        super().__init__(parent)
        self.session = session
        self._stopped = stopped
        self.setWindowTitle(title)
        self.setModal(False)
        self.work = WorkBar(self._on_event, self._on_end)
        self.work.cancel.setToolTip(f"Stop. {stopped}")
        self.outcome = QPlainTextEdit()
        self.outcome.setReadOnly(True)
        self.outcome.setMinimumHeight(90)
        self.outcome.setToolTip("What came of it")
        self.outcome.hide()
        self.buttons = QHBoxLayout()
        self.buttons.addStretch(1)
        notice = QLabel(NOTICE)
        tone(notice, "notice")
        self._row = QHBoxLayout(self)
        self._layout = QVBoxLayout()
        self._row.addLayout(self._layout, 1)
        self._layout.addWidget(self.work)
        self._layout.addWidget(self.outcome, 1)
        self._layout.addLayout(self.buttons)
        self._layout.addWidget(notice)

    def add_form(self, form: QWidget, beside: QWidget | None = None) -> None:
        """Put the form on top; it scrolls where the window is small.

        Parameters
        ----------
        form : QWidget
            What is asked for.
        beside : QWidget, optional
            Stands on the right of it, over the whole height of the dialog.
        """
        area = QScrollArea()
        area.setWidgetResizable(True)
        area.setFrameShape(QScrollArea.Shape.NoFrame)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        area.setWidget(form)
        self._layout.insertWidget(0, area, 3)
        if beside is not None:
            self._row.addWidget(beside, 1)

    def button(self, text: str, tip: str) -> QPushButton:
        """Add a button below."""
        button = QPushButton(text)
        button.setToolTip(tip)
        button.setAutoDefault(False)
        self.buttons.addWidget(button)
        return button

    def tell(self, lines: list[str]) -> None:
        """Show what came of it."""
        self.outcome.setPlainText("\n".join(lines))
        self.outcome.show()

    # For the dialogs

    def finished_with(self, result: Any) -> None:
        """Take the result of work that ended well."""

    def broken_by(self) -> None:
        """Offer a way out of what was said just now."""

    def show_running(self, running: bool) -> None:
        """Let buttons wait while work goes on."""

    def start(self, work: Any, text: str) -> None:
        """Begin work."""
        self.outcome.hide()
        self.work.start(work, text)
        self.show_running(True)

    def _on_event(self, event: Any) -> None:
        if isinstance(event, Broken):
            self.tell([event.text])
            self.broken_by()
        elif isinstance(event, Finished):
            if event.result is None:
                self.tell([self._stopped])
            else:
                self.finished_with(event.result)

    def _on_end(self) -> None:
        self.show_running(False)

    def closeEvent(self, event: Any) -> None:  # noqa: N802
        """Stop what goes on; nothing of it is left half done."""
        self.work.background.cancel()
        super().closeEvent(event)


class PlaceField(QWidget):
    """A line for a path, and buttons that ask for it.

    Parameters
    ----------
    tip : str
        What it is for.
    files, folders : bool
        What may be chosen.
    """

    def __init__(self, tip: str, *, files: bool = False, folders: bool = True) -> None:
        super().__init__()
        self._tip = tip
        self.line = QLineEdit()
        self.line.setToolTip(tip)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.line, 1)
        for wanted, text, ask in (
            (files, "File…", self._ask_file),
            (folders, "Folder…", self._ask_folder),
        ):
            if wanted:
                button = QPushButton(text)
                button.setAutoDefault(False)
                button.setToolTip(f"Choose it: {tip[0].lower()}{tip[1:]}")
                button.clicked.connect(ask)
                row.addWidget(button)

    @property
    def path(self) -> Path | None:
        """The path; None if the line is empty."""
        text = self.line.text().strip()
        return Path(text).expanduser() if text else None

    def _ask_file(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self, self._tip, self.line.text())
        if path:
            self.line.setText(path)

    def _ask_folder(self) -> None:
        path = QFileDialog.getExistingDirectory(self, self._tip, self.line.text())
        if path:
            self.line.setText(path)


def show_file(path: Path) -> None:
    """Open a file or folder with the program that the desktop has for it."""
    QDesktopServices.openUrl(QUrl.fromLocalFile(str(path)))
