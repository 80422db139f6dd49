"""The report of a frame: eight fields and the view, as the model wrote them, to be edited."""

from __future__ import annotations

from collections.abc import Callable

from qtpy.QtCore import Qt, QTimer
from qtpy.QtGui import QFocusEvent
from qtpy.QtWidgets import (
    QComboBox,
    QGridLayout,
    QLabel,
    QPlainTextEdit,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from napari_fada.records.reading import INTERPRETATION_KEYS
from napari_fada.vocabulary import vocabulary
from napari_fada.workstation.session import Session

IDLE_MS = 700
TITLES = {
    "anatomical_structures": "Structures",
    "fetal_orientation": "Orientation",
    "imaging_plane": "Plane",
    "biometric_measurements": "Biometry",
    "gestational_age": "Gest. age",
    "image_quality": "Quality",
    "normality_assessment": "Normality",
    "clinical_recommendations": "Advice",
}


class _Field(QPlainTextEdit):
    """A text of two lines that says when the user has changed it."""

    def __init__(self, done: Callable[[], None]) -> None:
        super().__init__()
        self._done = done
        self.setTabChangesFocus(True)
        self.setMinimumHeight(34)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(IDLE_MS)
        self._timer.timeout.connect(done)
        self.textChanged.connect(self._timer.start)

    def put(self, text: str) -> None:
        """Show a text without taking it for an edit; what is being typed is left alone."""
        if self.toPlainText() != text and not self._timer.isActive():
            self.blockSignals(True)
            self.setPlainText(text)
            self.blockSignals(False)

    def flush(self) -> None:
        """Hand over what was typed, if it was not yet."""
        if self._timer.isActive():
            self._timer.stop()
            self._done()

    def focusOutEvent(self, event: QFocusEvent | None) -> None:  # noqa: N802
        """Hand over what was typed when the field is left."""
        super().focusOutEvent(event)
        self.flush()


class ReportPanel(QWidget):
    """Shows the report and puts each change into the project.

    Parameters
    ----------
    session : Session
        Whose frame's report is shown.
    """

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self._frame = session.frame
        self.view = QComboBox()
        self.view.addItem("no view given", None)
        for view in vocabulary().views:
            self.view.addItem(view.name, view.name)
            self.view.setItemData(
                self.view.count() - 1, view.long_name, Qt.ItemDataRole.ToolTipRole
            )
        self.view.activated.connect(self._save_view)
        self.fields: dict[str, _Field] = {}
        self._titles: dict[str, QLabel] = {}
        self._backs: dict[str, QToolButton] = {}
        grid = QGridLayout()
        grid.setVerticalSpacing(2)
        grid.setHorizontalSpacing(6)
        self._add_row(grid, 0, "view", "View", self.view)
        for row, key in enumerate(INTERPRETATION_KEYS, start=1):
            field = _Field(lambda key=key: self._save(key))  # type: ignore[misc]
            self.fields[key] = field
            self._add_row(grid, row, key, TITLES[key], field)
            grid.setRowStretch(row, 1)
        grid.setColumnStretch(1, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(4, 6, 4, 4)
        layout.addLayout(grid)
        session.scan_closing.connect(self.flush)
        session.scan_changed.connect(self.show_report)
        session.records_changed.connect(self.show_report)
        session.frame_changed.connect(self._on_frame)
        self.show_report()

    def _add_row(self, grid: QGridLayout, row: int, key: str, title: str, widget: QWidget) -> None:
        label = QLabel(title)
        back = QToolButton()
        back.setText("↺")
        back.setAutoRaise(True)
        back.setToolTip("Take back to what the model wrote")
        policy = back.sizePolicy()
        policy.setRetainSizeWhenHidden(True)
        back.setSizePolicy(policy)
        back.clicked.connect(lambda _=False: self._take_back(key))
        self._titles[key], self._backs[key] = label, back
        grid.addWidget(label, row, 0, Qt.AlignmentFlag.AlignTop)
        grid.addWidget(widget, row, 1)
        grid.addWidget(back, row, 2, Qt.AlignmentFlag.AlignTop)

    def flush(self) -> None:
        """Put what is being typed into the project now."""
        for field in self.fields.values():
            field.flush()

    def show_report(self) -> None:
        """Show the report of the frame as it stands in the project."""
        report = self._session.report()
        self._frame = self._session.frame
        self.setEnabled(self._session.scan is not None)
        for key, field in self.fields.items():
            field.put(report.fields.get(key, ""))
            self._mark(key, key in report.expert_fields, report.model_fields.get(key, ""))
        self.view.setCurrentIndex(max(0, self.view.findData(report.view)))
        if report.view is not None and self.view.findData(report.view) < 0:
            self.view.addItem(report.view, report.view)  # a label that the vocabulary lacks
            self.view.setCurrentIndex(self.view.count() - 1)
        self._mark("view", report.expert_view is not None, report.model_view or "")

    def _mark(self, key: str, changed: bool, model: str) -> None:
        title = self._titles[key]
        title.setStyleSheet("font-weight: bold;" if changed else "")
        wrote = f"The model wrote: {model}" if model else "The model wrote nothing here."
        name = key.replace("_", " ")
        title.setToolTip(f"{name}. {wrote}" + (" You changed it." if changed else ""))
        self._backs[key].setVisible(changed)

    def _save(self, key: str) -> None:
        self._session.set_report(fields={key: self.fields[key].toPlainText()}, frame=self._frame)

    def _save_view(self) -> None:
        self._session.set_report(view=self.view.currentData(), frame=self._frame)

    def _take_back(self, key: str) -> None:
        if key == "view":
            self._session.set_report(view=None, frame=self._frame)
        else:
            self._session.set_report(fields={key: None}, frame=self._frame)

    def _on_frame(self, _frame: int) -> None:
        self.flush()  # into the frame it was typed for
        self.show_report()
