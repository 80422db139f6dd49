"""The history of a scan: who did what when, to be looked at and to be brought back."""

from __future__ import annotations

from qtpy.QtCore import QModelIndex, Qt
from qtpy.QtGui import QHideEvent, QKeyEvent, QShowEvent
from qtpy.QtWidgets import (
    QComboBox,
    QFrame,
    QHBoxLayout,
    QLabel,
    QListView,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from napari_fada.errors import FadaError
from napari_fada.records.history import WHOLE
from napari_fada.records.timeline import Line
from napari_fada.workstation.panels.history_lines import LineDelegate, LinesModel, clock
from napari_fada.workstation.panels.told import Told
from napari_fada.workstation.session import Session
from napari_fada.workstation.theme import PAST

EVERYBODY, NOBODY = "Everybody", "(no name)"
BAR = f"#fada-past {{ background: {PAST}; }}"
PRESENT = "This is how it is now."


class _Lines(QListView):
    """A list that is walked with the arrow keys; Return restores, Escape goes back."""

    def __init__(self, panel: HistoryPanel) -> None:
        super().__init__()
        self._panel = panel

    def keyPressEvent(self, event: QKeyEvent | None) -> None:  # noqa: N802
        """Restore, go back, or walk."""
        assert event is not None
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self._panel.restore()
        elif event.key() == Qt.Key.Key_Escape:
            self._panel.back()
        else:
            super().keyPressEvent(event)


class HistoryPanel(QWidget):
    """Lists what was done to a scan; a click shows how it was, Restore brings it back.

    Parameters
    ----------
    session : Session
        Whose scan's history is shown.
    """

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self._stale = True
        self.frames = QComboBox()
        self.frames.addItems(["This frame", "All frames"])
        self.frames.setToolTip("Acts about the scan as a whole are always listed")
        self.frames.currentIndexChanged.connect(self.reload)
        self.rater = QComboBox()
        self.rater.addItem(EVERYBODY)
        self.rater.setToolTip("Whose acts are listed")
        self.rater.currentIndexChanged.connect(self.reload)
        self.model = LinesModel(self._more)
        self.list = _Lines(self)
        self.list.setModel(self.model)
        self.list.setItemDelegate(LineDelegate(self.list))
        self.list.setUniformItemSizes(True)
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.list.setToolTip(
            "Click a line, or walk with the arrow keys, to see how it was just after it. "
            "Return restores it, Escape goes back to now."
        )
        selection = self.list.selectionModel()
        assert selection is not None
        selection.currentChanged.connect(self._on_current)
        self.empty = QLabel()
        self.empty.setWordWrap(True)
        self._make_bar()
        top = QHBoxLayout()
        top.addWidget(self.frames)
        top.addWidget(self.rater, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(4, 6, 4, 4)
        layout.setSpacing(5)
        layout.addLayout(top)
        layout.addWidget(self.bar)
        layout.addWidget(self.empty)
        layout.addWidget(self.list, 1)
        session.scan_changed.connect(self._on_scan)
        session.project_changed.connect(self._on_scan)
        session.frame_changed.connect(self._on_frame)
        session.records_changed.connect(self._on_records)
        session.review_changed.connect(self.reload)
        self._show_bar(None)

    def _make_bar(self) -> None:
        self.bar = QFrame()
        self.bar.setObjectName("fada-past")
        self.was = Told()
        self.was.setWordWrap(True)
        self.restore_button = QPushButton("Restore")
        self.restore_button.setToolTip("Bring this state back, as a new edit (Return)")
        self.restore_button.clicked.connect(self.restore)
        self.back_button = QPushButton("Back")
        self.back_button.setToolTip("Show the present again (Escape)")
        self.back_button.clicked.connect(self.back)
        layout = QHBoxLayout(self.bar)
        layout.setContentsMargins(8, 3, 4, 3)
        layout.setSpacing(4)
        layout.addWidget(self.was, 1)
        layout.addWidget(self.restore_button)
        layout.addWidget(self.back_button)

    def walk(self) -> None:
        """Let the arrow keys walk the list."""
        self.list.setFocus()

    # What is listed

    def reload(self) -> None:
        """Read the newest lines again; what is hidden is read when it is shown."""
        if not self.isVisible():
            self._stale = True
            return
        self._stale = False
        self._list_raters()
        bar = self.list.verticalScrollBar()
        assert bar is not None
        at = bar.value()
        self.model.begin(self._session.scan.n_frames > 1 if self._session.scan else False)
        bar.setValue(at)
        self._say_if_empty()

    def _say_if_empty(self) -> None:
        none = not self.model.rowCount()
        if self._session.scan is None:
            self.empty.setText("Choose a scan: its history is shown here.")
        else:
            self.empty.setText("Nothing was done yet.")
        self.empty.setVisible(none)
        self.list.setVisible(not none)
        self.frames.setVisible(bool(self._session.scan and self._session.scan.n_frames > 1))

    def _list_raters(self) -> None:
        scan = self._session.scan
        try:
            found = self._session.project.raters(scan.sha256) if scan else []
        except FadaError as error:
            self._session.say_error(error)
            return
        names = [EVERYBODY, *(name or NOBODY for name in found)]
        if names != [self.rater.itemText(i) for i in range(self.rater.count())]:
            chosen = self.rater.currentText()
            self.rater.blockSignals(True)
            self.rater.clear()
            self.rater.addItems(names)
            self.rater.setCurrentIndex(max(0, self.rater.findText(chosen)))
            self.rater.blockSignals(False)

    def _more(self, before: int | None) -> list[Line]:
        scan = self._session.scan
        if scan is None:
            return []
        rater = None if self.rater.currentIndex() <= 0 else self.rater.currentText()
        try:
            return self._session.project.lines(
                scan.sha256,
                frame=self._session.frame if self.frames.currentIndex() == 0 else None,
                rater="" if rater == NOBODY else rater,
                before=before,
            )
        except FadaError as error:
            self._session.say_error(error)
            return []

    # Looking back

    def _on_current(self, index: QModelIndex, _before: QModelIndex) -> None:
        line = self.model.line(index.row())
        if line is None:
            return
        here = self._session.frame
        on_frames = [f for f in line.frames if f != WHOLE]
        frame = here if here in on_frames or not on_frames else on_frames[0]
        if self._session.look_back(frame, line.last):
            self._show_bar(line)

    def restore(self) -> None:
        """Bring the state that is shown back, as a new edit."""
        session = self._session
        line = self.model.line(self.list.currentIndex().row())
        if session.past is None or session.scan is None or line is None:
            return
        try:
            done = session.project.restore_line(session.scan.sha256, line)
        except FadaError as error:
            session.say_error(error)
            return
        self.back()
        session.refresh()
        when = clock(line.at)
        restored = f"Restored as it was at {when}. Undo: Ctrl+Z."
        session.say(restored if done else f"Nothing has changed since {when}.")

    def back(self) -> None:
        """Show the present again."""
        self.list.clearSelection()
        self.list.setCurrentIndex(QModelIndex())
        self._session.end_look_back()
        self._show_bar(None)

    def _show_bar(self, line: Line | None) -> None:
        # The bar is always there, so that the lines do not move under the mouse.
        self.bar.setStyleSheet(BAR if line else "")
        self.restore_button.setEnabled(line is not None)
        self.back_button.setEnabled(line is not None)
        if line is None:
            self.was.setText(PRESENT)
            self.was.setToolTip("")
        else:
            self.was.setText(f"This is how it was at <b>{clock(line.at)}</b>.")
            self.was.setToolTip(f"Just after “{line.text}”. Nothing can be edited while you look.")

    # What happens elsewhere

    def _on_scan(self) -> None:
        self._show_bar(None)
        self.reload()

    def _on_frame(self, _frame: int) -> None:
        if self.frames.currentIndex() == 0:
            self.reload()

    def _on_records(self) -> None:
        if self._session.past is None:
            self._show_bar(None)
            self.reload()

    def showEvent(self, event: QShowEvent | None) -> None:  # noqa: N802
        """Read what was put off."""
        super().showEvent(event)
        if self._stale:
            self.reload()

    def hideEvent(self, event: QHideEvent | None) -> None:  # noqa: N802
        """Leave the past: without the bar nobody would know that it is the past."""
        super().hideEvent(event)
        if self._session.past is not None:
            self.back()
