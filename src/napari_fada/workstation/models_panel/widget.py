"""The panel of models: list, details, one piece of work at a time with progress and cancel."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt, QUrl
from qtpy.QtGui import QDesktopServices
from qtpy.QtWidgets import (
    QApplication,
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QMenu,
    QPushButton,
    QSplitter,
    QVBoxLayout,
    QWidget,
)

from napari_fada.engines.hardware import size_text
from napari_fada.errors import FadaError
from napari_fada.workstation import napari_private as private
from napari_fada.workstation.background import Background, Broken
from napari_fada.workstation.engines import chosen_options
from napari_fada.workstation.models_panel import jobs
from napari_fada.workstation.models_panel.details import Details
from napari_fada.workstation.models_panel.model_list import ModelList
from napari_fada.workstation.models_panel.rows import Listed, Row, list_models
from napari_fada.workstation.models_panel.work_bar import WorkBar
from napari_fada.workstation.panels.message_bar import MessageBar
from napari_fada.workstation.settings import settings
from napari_fada.workstation.theme import Dress
from napari_fada.workstation.worklist.ties import Ties

if TYPE_CHECKING:
    import napari

    from napari_fada.models.download import Offer
    from napari_fada.workstation.widget import AnnotateWidget

NAME = "FADA models"
WIDTH = 370


class ModelsWidget(QWidget):
    """Lists the models of this computer and of the catalogue, and does things with them.

    Parameters
    ----------
    napari_viewer : napari.Viewer
        Given by napari.
    """

    def __init__(self, napari_viewer: napari.viewer.Viewer) -> None:
        super().__init__()
        self.viewer = napari_viewer
        self.list = ModelList()
        self.details = Details()
        self.message = MessageBar()
        self._damaged: dict[Path, str] = {}
        self._wanted = ""  # the model to choose in the list that is being read
        self._again = False
        self._looking = Background(self._on_listed, self._on_looked)
        self.work = WorkBar(self._on_work, self._on_worked)
        self._ties = Ties()
        self._closed = False
        self._lay_out()
        self._connect()
        self._dress = Dress(self, napari_viewer)
        self._ties.tie(settings().events.text_percent, self._dress.scale)
        self._dress.scale(settings().text_percent)
        self.look()

    def _lay_out(self) -> None:
        self.summary = QLabel()
        self.summary.setWordWrap(True)
        self.import_button = QPushButton("Import")
        self.import_button.setToolTip("Use models that you have: on a stick, a disk, a share")
        menu = QMenu(self.import_button)
        menu.addAction("GGUF files…", self._ask_for_files)
        menu.addAction("A folder…", self._ask_for_folder)
        self.in_place = menu.addAction("Leave the files where they are")
        assert self.in_place is not None
        self.in_place.setCheckable(True)
        self.in_place.setToolTip("The library only points to them, and nothing is copied")
        menu.setToolTipsVisible(True)
        self.import_button.setMenu(menu)
        top = QHBoxLayout()
        top.addWidget(self.summary, 1)
        top.addWidget(self.import_button)
        split = QSplitter(Qt.Orientation.Vertical)
        split.setChildrenCollapsible(False)
        split.addWidget(self.list)
        split.addWidget(self.details)
        split.setSizes([260, 340])
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 6, 8, 6)
        layout.setSpacing(6)
        layout.addLayout(top)
        layout.addWidget(self.message)
        layout.addWidget(split, 1)
        layout.addWidget(self.work)
        self.setMinimumWidth(WIDTH)

    def _connect(self) -> None:
        buttons = self.details.buttons
        for name, does in (
            ("use", self.use),
            ("download", self.ask_to_download),
            ("verify", lambda: self._on_entry(jobs.verify)),
            ("pin", lambda: self._on_entry(jobs.pin)),
            ("folder", self._open_folder),
            ("card", self._open_card),
            ("remove", self.ask_to_remove),
        ):
            buttons[name].clicked.connect(lambda _=False, does=does: does())
        self.list.chosen.connect(self._show)
        self.list.opened.connect(self._open)
        self.list.removed.connect(self.ask_to_remove)
        self.list.left.connect(lambda: private.focus_canvas(self.viewer))
        ties, backgrounds = self._ties, (self._looking, self.work.background)
        self.destroyed.connect(partial(_end, ties, backgrounds))
        app = QApplication.instance()
        if app is not None:
            app.aboutToQuit.connect(self.stop)

    # The list

    @property
    def at_rest(self) -> bool:
        """Whether neither the list is read nor work goes on."""
        return not (self._looking.running or self.work.running or self._again)

    def look(self, choose: str = "") -> None:
        """Read the list anew, in a thread; ``choose``: the model that is chosen then."""
        if self._closed:
            return
        self._wanted = choose or self._wanted
        if self._looking.running:
            self._again = True
            return
        options, damaged = chosen_options(), dict(self._damaged)
        if not self.list.rows.rows:
            self.summary.setText("Looking for models…")
        self._looking.start(lambda cancel: list_models(options, damaged, cancel))

    def _on_listed(self, event: Any) -> None:
        if isinstance(event, Broken):
            self.message.say(event.text, "error")
            return
        assert isinstance(event, Listed)
        self.list.put(event.rows)
        if self._wanted:
            self.list.choose(self._wanted)
            self._wanted = ""
        here = [row for row in event.rows if row.entry is not None]
        size = size_text(sum(row.here for row in here))
        count = f"{len(here)} model{'' if len(here) == 1 else 's'}"
        self.summary.setText(f"<b>{count}</b> on this computer · {size}")
        self._mark_used()
        self._show()

    def _on_looked(self) -> None:
        if self._again:
            self._again = False
            self.look()

    def _show(self) -> None:
        self.details.show_row(self.list.row, busy=self.work.running)

    def showEvent(self, event: Any) -> None:  # noqa: N802
        """Look again: a stick may have come, or another model may be in use."""
        super().showEvent(event)
        if self.list.rows.rows:
            self.look()

    # Use

    def annotate(self) -> AnnotateWidget | None:
        """Return the annotate widget of the window."""
        from napari_fada.workstation.widget import AnnotateWidget

        docked = self.viewer.window.dock_widgets.values()
        return next((widget for widget in docked if isinstance(widget, AnnotateWidget)), None)

    def use(self) -> None:
        """Let the chosen model read scans."""
        row = self.list.row
        if row is None or row.entry is None or row.entry.pack is None:
            return
        widget = self.annotate()
        if widget is None:
            self.viewer.window.add_plugin_dock_widget("napari-fada", "FADA annotate")
            widget = self.annotate()
        if widget is None:
            return
        # one that is not taken under its name is used by its folder
        name = str(row.entry.home) if row.entry.shadowed else row.name
        widget.source.list_models()
        widget.source.choose_model(name)
        self._mark_used()
        self.message.say(f"{row.name} reads scans from now on.")

    def _mark_used(self) -> None:
        widget = self.annotate()
        if widget is not None:
            self.list.rows.use(widget.source.model)

    def _open(self) -> None:
        """Do the first thing that can be done with the chosen model."""
        for name in ("use", "download"):
            button = self.details.buttons[name]
            if not button.isHidden() and button.isEnabled():
                button.click()
                return

    def _open_folder(self) -> None:
        if (row := self.list.row) is not None and row.entry is not None:
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(row.entry.home)))

    def _open_card(self) -> None:
        entry = self.list.row.entry if self.list.row else None
        card = entry.pack.card_path if entry and entry.pack else None
        if card is not None:
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(card)))

    # Work

    def start(self, work: jobs.Work, text: str) -> None:
        """Begin a piece of work; one at a time."""
        if self.work.running or self._closed:
            self.message.say("One thing at a time: wait for it, or stop it.", "warning")
            return
        self.work.start(work, text)
        self._show()

    def _on_entry(self, job: Any) -> None:
        row = self.list.row
        if row is not None and row.entry is not None:
            self.start(job(row.entry), row.name)

    def _on_work(self, event: Any) -> None:
        if isinstance(event, Broken):
            self.message.say(event.text, "error")
        else:
            if event.damaged is not None:
                folder, problem = event.damaged
                self._damaged.pop(folder, None)
                if problem:
                    self._damaged[folder] = problem
            bad = event.damaged is not None and bool(event.damaged[1])
            level = "error" if bad else "warning" if event.stopped else "info"
            self.message.say(event.text, level)  # type: ignore[arg-type]
            self._wanted = event.name or self._wanted

    def _on_worked(self) -> None:
        if self._closed:
            return
        self._show()
        self.look()
        widget = self.annotate()
        if widget is not None:
            widget.source.list_models()

    def ask_to_download(self, into: Path | None = None) -> None:
        """Say what would be downloaded from where, and ask. Only a yes uses the network."""
        row = self.list.row
        if row is None or row.offer is None:
            return
        from napari_fada.models.catalogue import user_folder
        from napari_fada.models.download import hub

        offer, folder = row.offer, into or user_folder()
        try:
            host = hub().split("//")[-1]
        except FadaError as error:
            self.message.say(str(error), "error")
            return
        text = (
            f"Connect to {host} and download {offer.title} ({offer.size_text}, licence "
            f"{offer.licence or 'not stated'}) into {folder}?"
        )
        if not offer.verified:
            text += " Not all of its names are verified (see below)."
        self.message.ask(
            text,
            (
                ("Download", "Use the network now", lambda: self._download(offer, folder)),
                ("Elsewhere…", "Choose another folder", self._download_elsewhere),
                ("Cancel", "Use no network", lambda: self.list.setFocus()),
            ),
        )

    def _download(self, offer: Offer, into: Path) -> None:
        self.start(jobs.download(offer, into), f"Downloading {offer.title}")

    def _download_elsewhere(self) -> None:
        from napari_fada.models.preferences import add_folder

        path = QFileDialog.getExistingDirectory(self, "Download into a folder")
        if not path:
            return
        try:
            add_folder(Path(path))  # or it would not be found there
        except FadaError as error:
            self.message.say(str(error), "error")
            return
        self.ask_to_download(Path(path))

    def ask_to_remove(self) -> None:
        """Ask whether the chosen model is to be deleted."""
        row = self.list.row
        if row is None or row.entry is None or not self.details.buttons["remove"].isEnabled():
            return
        entry = row.entry
        if not entry.removable:
            self.message.say(
                f"{entry.name} was not put there by napari-fada, or cannot be written; it is not "
                "removed.",
                "warning",
            )
            return
        points = entry.pack is not None and entry.pack.manifest is not None
        text = (
            f"Remove {entry.name} from the library? Its files stay where they are."
            if points
            else f"Delete {entry.name} ({size_text(row.here)}) from {entry.home}?"
        )
        self.message.ask(
            text,
            (
                ("Keep", "Change nothing", lambda: self.list.setFocus()),
                ("Remove", "Take it away now", lambda: self._remove(row)),
            ),
        )

    def _remove(self, row: Row) -> None:
        widget = self.annotate()
        if widget is not None and widget.runner.engines.has(row.name):
            if widget.runner.running:
                self.message.say(f"{row.name} reads a scan right now.", "warning")
                return
            widget.runner.engines.close()
        self._on_entry(jobs.remove)

    # Import

    def bring_in(self, paths: list[Path]) -> None:
        """Import files or folders."""
        from napari_fada.models.found import Wish

        assert self.in_place is not None
        wish = Wish(tuple(paths), in_place=self.in_place.isChecked())
        self.start(jobs.bring_in(wish), f"Importing {paths[0].name}")

    def _ask_for_files(self) -> None:
        paths, _ = QFileDialog.getOpenFileNames(
            self, "Import a text model and its mmproj", "", "Models (*.gguf *.GGUF);;All files (*)"
        )
        if paths:
            self.bring_in([Path(path) for path in paths])

    def _ask_for_folder(self) -> None:
        path = QFileDialog.getExistingDirectory(self, "Import a model's folder")
        if path:
            self.bring_in([Path(path)])

    def stop(self) -> None:
        """Stop what goes on; a download is continued another time."""
        self._closed = True
        _end(self._ties, (self._looking, self.work.background))


def _end(ties: Ties, backgrounds: tuple[Background, ...], _object: Any = None) -> None:
    ties.cut()
    for background in backgrounds:
        background.close()
