"""The project file, who works in it, what leaves it, and the keys."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, TypeVar, cast

from psygnal import Signal
from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QFileDialog,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QLineEdit,
    QPushButton,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from napari_fada.errors import FadaError
from napari_fada.workstation.keys import KeyTable
from napari_fada.workstation.panels.told import Told
from napari_fada.workstation.session import Session

if TYPE_CHECKING:
    from napari_fada.workstation.datasets.dialog import DataSetDialog

Dialog = TypeVar("Dialog", bound="DataSetDialog")

FILTER = "napari-fada projects (*.fada);;All files (*)"


class ProjectPanel(QWidget):
    """Opens projects, names the rater, leads to data sets, and shows the table of keys.

    Parameters
    ----------
    session : Session
        Holds the project.
    keys : KeyTable
        Shown and changed here.
    """

    keys_changed: ClassVar[Signal] = Signal()

    def __init__(self, session: Session, keys: KeyTable) -> None:
        super().__init__()
        self._session, self._keys = session, keys
        self.path = Told()
        self.path.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        open_button = QPushButton("Open…")
        open_button.setToolTip("Open another project file")
        open_button.clicked.connect(self._open)
        new_button = QPushButton("New…")
        new_button.setToolTip("Begin a project in a new file")
        new_button.clicked.connect(self._new)
        self.rater = QLineEdit(session.rater)
        self.rater.setPlaceholderText("your name, kept with every edit")
        self.rater.setToolTip("Your name or initials: kept with every edit of this session")
        self.rater.editingFinished.connect(self._name_rater)
        self._dialogs: dict[object, DataSetDialog] = {}
        data = QHBoxLayout()
        for text, tip, show in (
            (
                "Export…",
                "Write corrected records as a data set: COCO, YOLO, FADA, …",
                self._show_export,
            ),
            ("Import…", "Bring existing labels in, to be corrected here", self._show_import),
            ("Evaluate…", "Score the model's proposals by the corrections", self._show_evaluate),
        ):
            button = QPushButton(text)
            button.setToolTip(tip)
            button.clicked.connect(show)
            data.addWidget(button)
        self.table = QTableWidget(0, 2)
        self.table.setHorizontalHeaderLabels(["What it does", "Key (double-click to change)"])
        header, rows = self.table.horizontalHeader(), self.table.verticalHeader()
        assert header is not None
        assert rows is not None
        rows.hide()
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        header.setSectionResizeMode(1, QHeaderView.ResizeMode.ResizeToContents)
        self.table.itemChanged.connect(self._key_edited)
        self.table.setToolTip("What each key does; double-click a key to change it")
        reset = QPushButton("Default keys")
        reset.setToolTip("Give every action the key that it had at first")
        reset.clicked.connect(self._reset_keys)

        row = QHBoxLayout()
        row.addWidget(open_button)
        row.addWidget(new_button)
        who = QHBoxLayout()
        who.addWidget(QLabel("Rater"))
        who.addWidget(self.rater, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(4, 6, 4, 4)
        layout.setSpacing(5)
        layout.addWidget(self.path)
        layout.addLayout(row)
        layout.addLayout(who)
        layout.addLayout(data)
        layout.addWidget(self.table, 1)
        layout.addWidget(reset)
        session.project_changed.connect(self.show_project)
        self.show_project()
        self.show_keys()

    def show_project(self) -> None:
        """Show which file is open."""
        try:
            path = self._session.project.path
        except FadaError as error:
            self.path.setText("no project is open")
            self.path.setToolTip(str(error))
            return
        self.rater.setText(self._session.rater)
        self.path.setText(f"<b>{path.name}</b> in {path.parent.name}")
        self.path.setToolTip(f"{path}\nEvery edit is in this file the moment it is made.")

    def show_keys(self) -> None:
        """Show the table of keys."""
        self.table.blockSignals(True)
        self.table.setRowCount(0)
        for action, key in self._keys.items():
            row = self.table.rowCount()
            self.table.insertRow(row)
            what = QTableWidgetItem(action.text)
            what.setFlags(Qt.ItemFlag.ItemIsEnabled)
            what.setData(Qt.ItemDataRole.UserRole, action.name)
            self.table.setItem(row, 0, what)
            self.table.setItem(row, 1, QTableWidgetItem(key))
        self.table.blockSignals(False)

    def show_dialog(self, kind: Callable[[Session, QWidget], Dialog]) -> Dialog | None:
        """Show the dialog of a kind; one that works is the same, else it begins anew.

        None if no project is open.
        """
        shown = self._dialogs.get(kind)
        if shown is None or not shown.work.running:
            if shown is not None:
                shown.close()
                shown.deleteLater()
            try:
                shown = kind(self._session, self)
            except FadaError as error:
                self._session.say_error(error)
                return None
            self._dialogs[kind] = shown
        shown.show()
        shown.raise_()
        return cast(Dialog, shown)

    # Dialogs are loaded when they are asked for: the window opens sooner.

    def _show_export(self) -> None:
        from napari_fada.workstation.datasets.export_dialog import ExportDialog

        self.show_dialog(ExportDialog)

    def _show_import(self) -> None:
        if self._session.looking.refuses():
            return
        from napari_fada.workstation.datasets.import_dialog import ImportDialog

        self.show_dialog(ImportDialog)

    def _show_evaluate(self) -> None:
        from napari_fada.workstation.datasets.evaluate_dialog import EvaluateDialog

        self.show_dialog(EvaluateDialog)

    def _open(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self, "Open a project", "", FILTER)
        if path:
            self._session.open_project(Path(path))

    def ask_where(self, suggested: Path) -> Path | None:
        """Ask for a file that is not there yet; None if the user does not want to."""
        path, _ = QFileDialog.getSaveFileName(self, "Save a copy", str(suggested), FILTER)
        return Path(path) if path else None

    def _new(self) -> None:
        path, _ = QFileDialog.getSaveFileName(self, "New project", "project.fada", FILTER)
        if not path:
            return
        chosen = Path(path).with_suffix(".fada")
        if chosen.exists():
            self._session.say(
                f"{chosen.name} exists already; open it instead, or choose a new name.", "warning"
            )
            return
        self._session.open_project(chosen)

    def _name_rater(self) -> None:
        self._session.rater = self.rater.text().strip()

    def _key_edited(self, item: QTableWidgetItem) -> None:
        action = self.table.item(item.row(), 0)
        assert action is not None  # every row has both cells
        name = action.data(Qt.ItemDataRole.UserRole)
        try:
            self._keys.change(name, item.text().strip())
        except (ValueError, OSError) as error:
            self._session.say(str(error), "warning")
        self.show_keys()
        self.keys_changed.emit()

    def _reset_keys(self) -> None:
        self._keys.reset()
        self.show_keys()
        self.keys_changed.emit()
