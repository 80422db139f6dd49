"""A data set goes out: the form, the folder, how far it is, and what was left out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qtpy.QtWidgets import QWidget

from napari_fada.errors import FadaError
from napari_fada.exchange.export import ExportSummary
from napari_fada.records.worklist import Worklist
from napari_fada.workstation.datasets.dialog import DataSetDialog, PlaceField, show_file
from napari_fada.workstation.datasets.export_form import ExportForm
from napari_fada.workstation.datasets.jobs import export, told
from napari_fada.workstation.session import Session

#: Setting of the project: how it was exported last.
LAST = "last_export"


class ExportDialog(DataSetDialog):
    """Asks what to export, and does it."""

    def __init__(self, session: Session, parent: QWidget) -> None:
        super().__init__(
            session,
            parent,
            "Export a data set",
            "Nothing was written; the next export of this kind goes on from here.",
        )
        worklist = Worklist(session.project)
        self.form = ExportForm(worklist.raters(), worklist.views(), worklist.categories())
        last = session.project.setting(LAST, {})
        self.form.restore(last if isinstance(last, dict) else {})
        self.place = PlaceField("Folder for the data set: a new one, or one to bring up to date")
        path = session.project.path
        self.place.line.setText(str(path.with_name(f"{path.stem}-{self.form.form_name}")))
        self._suggested = self.place.line.text()
        self.form.form.currentIndexChanged.connect(self._suggest)
        self.form.rows.addRow("Folder", self.place)
        self.add_form(self.form)
        self.open_folder = self.button("Open folder", "Show what was written")
        self.open_folder.clicked.connect(lambda: show_file(self._written))
        self.open_folder.hide()
        self.go = self.button("Export", "Write the data set")
        self.go.setDefault(True)
        self.go.clicked.connect(self.export)
        self._written = Path()
        self.resize(520, 640)

    def _suggest(self) -> None:
        """Change the folder with the form, unless the user has written one."""
        if self.place.line.text() == self._suggested:
            path = self.session.project.path
            self._suggested = str(path.with_name(f"{path.stem}-{self.form.form_name}"))
            self.place.line.setText(self._suggested)

    def export(self) -> None:
        """Begin."""
        out = self.place.path
        if self.work.running:
            return
        if out is None:
            self.tell(["Choose a folder first."])
            return
        try:
            request = self.form.request()
            if self.session.project.writable:
                self.session.project.set_setting(LAST, self.form.state())
        except FadaError as error:
            self.tell([str(error)])
            return
        self.open_folder.hide()
        project = self.session.project
        work = export(
            *(project.path, project.rater, self.session.scan, out),
            *(self.form.form_name, request),
        )
        self.start(work, "Looking at the records")

    def show_running(self, running: bool) -> None:
        """Let the button wait."""
        self.go.setEnabled(not running)

    def finished_with(self, result: Any) -> None:
        """Tell what was written."""
        assert isinstance(result, ExportSummary)
        self._written = result.path
        self.open_folder.show()
        self.tell(told(result))
