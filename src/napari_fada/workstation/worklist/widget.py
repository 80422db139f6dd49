"""The worklist: every scan of the project, found, sorted, walked through and read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt, QTimer
from qtpy.QtCore import Signal as QtSignal  # type: ignore[attr-defined]
from qtpy.QtWidgets import (
    QApplication,
    QDockWidget,
    QHBoxLayout,
    QLabel,
    QVBoxLayout,
    QWidget,
)

from napari_fada.checking import CheckingFinished, Looked
from napari_fada.errors import FadaError
from napari_fada.indexing import IndexFinished
from napari_fada.records.project import Project
from napari_fada.records.worklist import STATES, Filter, Item, States
from napari_fada.workstation import napari_private as private
from napari_fada.workstation.ahead import ahead_of
from napari_fada.workstation.background import Broken
from napari_fada.workstation.memory import recall, remember
from napari_fada.workstation.panels.told import Told
from napari_fada.workstation.session import session_of
from napari_fada.workstation.settings import settings
from napari_fada.workstation.theme import Dress
from napari_fada.workstation.worklist.batch_bar import BatchBar
from napari_fada.workstation.worklist.bulk_work import BulkWork
from napari_fada.workstation.worklist.filters import Filters
from napari_fada.workstation.worklist.list_work import (
    TO_READ,
    Files,
    Found,
    Listed,
    Opened,
    Queries,
)
from napari_fada.workstation.worklist.open_button import OpenButton
from napari_fada.workstation.worklist.pictures import Pictures
from napari_fada.workstation.worklist.placing import put_with_layers
from napari_fada.workstation.worklist.plausibility_work import PlausibilityWork
from napari_fada.workstation.worklist.progress_row import ProgressRow
from napari_fada.workstation.worklist.row_menu import RowMenu
from napari_fada.workstation.worklist.scan_table import ScanTable
from napari_fada.workstation.worklist.table_model import SIDE, WORDS, WorklistModel
from napari_fada.workstation.worklist.ties import Ties

if TYPE_CHECKING:
    import napari

NAME = "FADA worklist"
_MANY = 20  # rows changed elsewhere: one question for all is quicker than one for each
_SETTLE_MS = 120
# napari's boxes are padded so widely that three in a row show no whole word.
_NARROW = """
QComboBox { padding: 3px 2px 3px 5px; }
QComboBox::drop-down { width: 16px; }
QComboBox::down-arrow { width: 9px; height: 9px; }
"""


class WorklistWidget(QWidget):
    """Lists the scans of the project.

    Parameters
    ----------
    napari_viewer : napari.Viewer
        Given by napari.
    """

    _elsewhere = QtSignal(str)

    def __init__(self, napari_viewer: napari.viewer.Viewer) -> None:
        super().__init__()
        self.session = session_of(napari_viewer)
        self.ahead = ahead_of(self.session)
        self.model = WorklistModel(Pictures(SIDE, self))
        self.filters = Filters()
        self.batch = BatchBar(self.ahead)
        self.files = Files(self._on_files)
        self.queries = Queries(self._on_found)
        self.plausibility = PlausibilityWork(self._on_looked)
        self.menu = RowMenu(self.session, self.ahead, self.ask)
        self.counts: Mapping[States, int] = {}
        self._ties = Ties()
        self._project: Project | None = None
        self._follow = False  # whether the row of the scan that is shown is to be chosen
        self._changed: set[str] = set()
        self._closed = False
        self._settle = QTimer(self)
        self._settle.setSingleShot(True)
        self._settle.setInterval(_SETTLE_MS)
        self._settle.timeout.connect(self._take_changes)
        self._lay_out()
        self._connect()
        self._place = QTimer(self)
        self._place.setSingleShot(True)
        self._place.setInterval(0)
        self._place.timeout.connect(self._go_to_the_left)
        self._shown = False
        self._dress = Dress(self, napari_viewer, _NARROW)
        self._ties.tie(settings().events.text_percent, self._scale)
        self._scale(settings().text_percent)
        self._on_project()

    # Parts

    def _lay_out(self) -> None:
        self.open_button = OpenButton(self.add)
        self.summary = Told()
        self.summary.setWordWrap(True)
        self.table = ScanTable(self.model)
        self.empty = QLabel(
            "No scan is listed yet.\n\nOpen a folder or a list of files,\nor drop them here."
        )
        self.empty.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.progress = ProgressRow()
        self.progress.cancel.clicked.connect(self.files.cancel)
        self.progress.cancel.clicked.connect(self.plausibility.cancel)
        self.progress.cancel.clicked.connect(self.menu.bulk.cancel)
        top = QHBoxLayout()
        top.setSpacing(3)
        top.addWidget(self.summary, 1)
        top.addWidget(self.open_button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(6, 4, 6, 4)
        layout.setSpacing(4)
        layout.addLayout(top)
        layout.addWidget(self.filters)
        layout.addWidget(self.table, 1)
        layout.addWidget(self.empty, 1)
        layout.addWidget(self.progress)
        layout.addWidget(self.batch)
        self.setAcceptDrops(True)

    def _scale(self, percent: int) -> None:
        """Show texts at this size, in hundredths; some room is taken from the canvas for it."""
        self._dress.scale(percent)
        self.setMinimumWidth(300 + max(0, percent - 100))

    def _connect(self) -> None:
        session = self.session
        for signal, slot in (
            (session.project_changed, self._on_project),
            (session.scan_changed, self._on_scan),
            (session.list_changed, self._on_list),
            (session.item_failed, self._on_item_failed),
            (self.ahead.changed, self.batch.refresh),
            (self.ahead.saved, self._on_changed),
            (self.menu.bulk.told, self.progress.tell),
            (self.menu.bulk.ended, self._on_judged),
            (settings().events.prepare_next, self.batch.show_prepare_next),
        ):
            self._ties.tie(signal, slot)
        self._elsewhere.connect(self._on_changed)
        self.filters.changed.connect(self._on_filters)
        self.filters.left.connect(self.table.enter)
        self.filters.escaped.connect(self._leave)
        self.table.opened.connect(self._open)
        self.table.left.connect(self._leave)
        self.table.customContextMenuRequested.connect(self._show_menu)
        self.batch.run.clicked.connect(self.run_on_new)
        # A method of this widget would not be called any more when it is destroyed.
        ties = self._ties
        works = (self.files, self.queries, self.plausibility, self.menu.bulk)
        self.destroyed.connect(lambda: _end(ties, *works))
        app = QApplication.instance()
        if app is not None:
            app.aboutToQuit.connect(self.files.close)
            app.aboutToQuit.connect(self.plausibility.close)
            app.aboutToQuit.connect(self.menu.bulk.close)

    # The list

    @property
    def at_rest(self) -> bool:
        """Whether nothing is asked, listed or opened now, nor about to be."""
        works = (self.files, self.queries, self.plausibility, self.menu.bulk)
        running = any(work.running for work in works)
        return not (running or self._settle.isActive())

    def add(self, paths: list[Path]) -> None:
        """List files, folders and lists, and open what is new in the background."""
        try:
            walk = self.session.walk
        except FadaError as error:
            self.session.say_error(error)
            return
        if self.session.looking.refuses():
            return
        if not walk.worklist.project.writable:
            self.session.say("The project is read-only: nothing can be listed.", "warning")
            return
        self.files.add(walk.worklist, paths)
        self.progress.tell("Listing…", 0, 0)

    def ask(self, *, rows: bool = True) -> None:
        """Ask for the rows anew, in a thread."""
        if not self._closed and self._project is not None:
            self.queries.ask(self.session.walk, rows=rows)

    def _on_project(self) -> None:
        try:
            walk = self.session.walk
        except FadaError as error:
            self.session.say_error(error)
            return
        if self._project is None:
            where, order = _remembered()
            self.session.look_for(where, order)
        if self._project is not walk.worklist.project:  # its rows are other scans
            self.table.put([], None)
            self._follow = True
        self._project = walk.worklist.project
        self._ties.tie(self._project.changed, self._on_project_changed)
        self.filters.show_filter(walk.where, walk.order)
        self.ask()
        if self._project.writable:
            self.files.add(walk.worklist, [])
            self.plausibility.turn_to(walk.worklist)

    def _on_project_changed(self, sha256: str, _frame: int) -> None:
        self._elsewhere.emit(sha256)  # from any thread; Qt hands it to this one

    def _on_changed(self, sha256: str) -> None:
        self._changed.add(sha256)
        self._settle.start()

    def _take_changes(self) -> None:
        changed, self._changed = self._changed, set()
        if self._closed:
            return
        try:
            worklist = self.session.walk.worklist
            self.plausibility.start(worklist)
            if len(changed) > _MANY:
                self.ask()
                return
            self._show_anew(changed)
        except FadaError as error:
            self.session.say_error(error)
            return
        self.ask(rows=False)

    def _show_anew(self, sha256s: Iterable[str]) -> None:
        worklist = self.session.walk.worklist
        found = [worklist.item(i) for sha256 in sha256s for i in self.model.ids_of(sha256)]
        self.model.update(item for item in found if item is not None)

    def _on_looked(self, event: Looked | CheckingFinished | Broken) -> None:
        """Show what does not fit; the rows stay where they are until the list is asked for."""
        if self._closed:
            return
        if isinstance(event, Broken):
            self.progress.setHidden(not self.files.running)
            self.session.say(event.text, "error")
        elif isinstance(event, Looked):
            if event.total > _MANY and not self.files.running:
                words = f"What fits: {event.done} of {event.total}"
                self.progress.tell(words, event.done, event.total)
            try:
                if len(event.sha256s) <= _MANY:
                    self._show_anew(event.sha256s)
            except FadaError as error:
                self.session.say_error(error)
        elif event.total > _MANY:
            if not self.files.running:
                self.progress.hide()
            self.ask()

    def _on_item_failed(self, identifier: int) -> None:
        item = self.session.walk.worklist.item(identifier)
        if item is not None:
            self.model.update([item])

    def _on_found(self, found: Found | Broken) -> None:
        if self._closed:
            return
        if isinstance(found, Broken):
            self.session.say(found.text, "error")
            return
        self.counts = found.counts
        if found.items is not None:
            self.table.put(found.items, self.session.walk.present)
        total = sum(found.counts.values())
        self.filters.offer(found.counts, found.views, found.categories, found.raters)
        self.batch.set_unread(found.to_read)
        told = [f"{found.counts[s]} {WORDS[s]}" for s in STATES if found.counts.get(s)]
        shown = self.model.rowCount()
        head = f"{shown} of {total} scans" if shown != total else f"{total} scans"
        self.summary.setText(f"<b>{head}</b> · {' · '.join(told)}" if total else "")
        self.table.setVisible(bool(total))
        self.empty.setVisible(not total)
        self._show_present(follow=self._follow)
        self._follow = self._follow and found.items is None

    def _on_judged(self) -> None:
        if not (self._closed or self.files.running):
            self.progress.hide()

    # Listing and opening files

    def _on_files(self, event: Any) -> None:
        if self._closed:
            return
        if event is None:
            self.progress.hide()
            self.ask()
        elif isinstance(event, Listed):
            self.ask()
        elif isinstance(event, Opened):
            self.progress.tell(f"Opening {event.done} of {event.total}", event.done, event.total)
            self.model.update(event.items)
            if event.gone:
                self.ask()
        elif isinstance(event, IndexFinished):
            self._tell_opened(event)
        elif isinstance(event, Broken):
            self.session.say(event.text, "error")
        elif isinstance(event, FadaError):
            self.session.say_error(event)

    def _tell_opened(self, end: IndexFinished) -> None:
        if end.moved:
            self.session.say(
                f"Moved or renamed since last time: {_files(end.moved)}. All records are kept."
            )
        if end.failed:
            self.session.say(
                f"{_files(end.failed)} cannot be opened; the list says why.", "warning"
            )

    # Filter, order, place

    def _on_filters(self) -> None:
        self.session.look_for(self.filters.where, self.filters.order.currentData())

    def _on_list(self) -> None:
        walk = self.session.walk
        self.filters.show_filter(walk.where, walk.order)
        where = walk.where
        states = [s for s in STATES if s in where.states]
        if not self.session.looking.on:  # the order there is that of the evaluation
            remember(
                worklist={
                    "order": walk.order,
                    "states": states,
                    "view": where.view,
                    "category": where.category,
                    "max_score": where.max_score,
                }
            )
        self.table.scrollToTop()
        self.ask()

    def _on_scan(self) -> None:
        self._show_present(follow=True)
        if self.session.scan is not None and self.session.walk.order != "added":
            self.ask()

    def _show_present(self, *, follow: bool = False) -> None:
        present = self.session.walk.present
        self.model.set_present(present)
        if follow:
            self.table.go_to(present)

    def _open(self, item: Item) -> None:
        self.session.open_item(item)
        self._leave()

    def _leave(self) -> None:
        private.focus_canvas(self.session.viewer)

    def run_on_new(self) -> None:
        """Let the model read every scan that no model has read, in the order of the table."""
        walk = self.session.walk
        number = self.ahead.run_on(walk.worklist.items(TO_READ, walk.order))
        if number:
            self.session.say(f"The model reads {number} scans in the background.")

    def _show_menu(self, at: Any) -> None:
        items = self.table.selected()
        viewport = self.table.viewport()
        if items and viewport is not None:
            self.menu.build(items, self).popup(viewport.mapToGlobal(at))

    # Place

    def showEvent(self, event: Any) -> None:  # noqa: N802
        """Go to the left when first shown: napari puts what its menu opens on the right."""
        super().showEvent(event)
        if not self._shown:
            self._shown = True
            self._place.start()

    def _go_to_the_left(self) -> None:
        dock = self.parentWidget()
        window = private.main_window(self.session.viewer)
        right = Qt.DockWidgetArea.RightDockWidgetArea
        if window is None or not isinstance(dock, QDockWidget) or dock.isFloating():
            return
        if window.dockWidgetArea(dock) == right:
            put_with_layers(dock)
            dock.raise_()

    # Keys, dropped files

    def focus_search(self) -> None:
        """Let the user type into the search."""
        parent = self.parentWidget()
        if parent is not None:
            parent.show()
            parent.raise_()
        self.filters.text.setFocus()
        self.filters.text.selectAll()

    def dragEnterEvent(self, event: Any) -> None:  # noqa: N802
        """Take files and folders."""
        if event.mimeData().hasUrls():
            event.acceptProposedAction()

    def dropEvent(self, event: Any) -> None:  # noqa: N802
        """List what was dropped."""
        paths = [Path(url.toLocalFile()) for url in event.mimeData().urls() if url.isLocalFile()]
        if paths:
            event.acceptProposedAction()
            self.add(paths)

    def close_list(self) -> None:
        """Stop what runs; what was opened is in the project."""
        self._closed = True
        self._settle.stop()
        _end(self._ties, self.files, self.queries, self.plausibility, self.menu.bulk)


def _end(ties: Ties, *works: Files | Queries | PlausibilityWork | BulkWork) -> None:
    ties.cut()
    for work in works:
        work.close()


def _files(number: int) -> str:
    return "1 file" if number == 1 else f"{number} files"


def _remembered() -> tuple[Filter, Any]:
    """Return filter and order as they were left; a search text is not kept."""
    known = recall("worklist", {})
    where = Filter(
        states=frozenset(s for s in STATES if s in known.get("states", STATES))
        or frozenset(STATES),
        view=known.get("view"),
        category=known.get("category"),
        max_score=known.get("max_score"),
    )
    return where, known.get("order", "uncertainty")
