"""What can be done with the selected rows of the worklist: its context menu."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from qtpy.QtCore import QUrl
from qtpy.QtGui import QDesktopServices
from qtpy.QtWidgets import QFileDialog, QMenu, QWidget

from napari_fada.errors import FadaError
from napari_fada.records.bulk import Judgement
from napari_fada.records.worklist import Item
from napari_fada.scans import open_scan
from napari_fada.workstation.ahead import Ahead
from napari_fada.workstation.session import Session
from napari_fada.workstation.worklist.bulk_work import BulkWork
from napari_fada.workstation.worklist.list_work import TO_READ


class RowMenu:
    """Acts on rows of the worklist.

    Parameters
    ----------
    session : Session
        Whose project is changed.
    ahead : Ahead
        Runs the model.
    changed : callable
        Called when the list has to be asked anew.
    """

    def __init__(self, session: Session, ahead: Ahead, changed: Callable[[], None]) -> None:
        self._session, self._ahead, self._changed = session, ahead, changed
        self.bulk = BulkWork(session, changed)

    def build(self, items: Sequence[Item], parent: QWidget) -> QMenu:
        """Return the menu for these rows."""
        menu = QMenu(parent)
        menu.setToolTipsVisible(True)
        one = items[0] if len(items) == 1 else None
        known = [i for i in items if i.sha256]
        what = "it" if one else f"{len(items)} scans"

        def entry(text: str, does: Callable[[], object], enabled: bool = True) -> None:
            action = menu.addAction(text, does)
            assert action is not None
            action.setEnabled(enabled)

        if one:
            entry("Open (Enter)", lambda: self._session.open_item(one))
        entry(
            f"Run the model on {what}",
            lambda: self._ahead.run_on(items),
            self._ahead.has_model and any(i.path for i in items),
        )
        if not one:
            entry(
                "Run the model on those without a reading",
                lambda: self.run_on_unread(items),
                self._ahead.has_model,
            )
        menu.addSeparator()
        free = bool(known) and not self.bulk.running
        judgements: tuple[tuple[str, Judgement], ...] = (
            ("Accept", "accept"),
            ("Skip", "skip"),
            ("Reject", "reject"),
            ("Back into review", "reopen"),
        )
        for text, judgement in judgements:
            number = "" if one else f" {len(items)} scans"
            entry(f"{text}{number}", partial(self.bulk.judge, items, judgement), free)
        if self.bulk.last is not None and not self.bulk.running:
            last = self.bulk.last
            scans = "1 scan" if len(last.judged) == 1 else f"{len(last.judged)} scans"
            entry(f"Take back: {scans} {last.what}", self.bulk.take_back)
        menu.addSeparator()
        if one and one.path is not None:
            entry("Show in its folder", lambda: reveal(one))
        if one and one.path is not None and (one.problem or not one.path.exists()):
            entry("Find its file…", lambda: self.ask_for_file(one, parent))
        entry("Remove from the list", lambda: self.remove(items))
        return menu

    def run_on_unread(self, items: Sequence[Item]) -> None:
        """Let the model read those of the rows that no model has read yet."""
        try:
            unread = {i.id for i in self._session.walk.worklist.items(TO_READ)}
        except FadaError as error:
            self._session.say_error(error)
            return
        wanted = [i for i in items if i.id in unread]
        if not wanted:
            self._session.say("A model has read all of them.")
            return
        self._ahead.run_on(wanted)

    def remove(self, items: Sequence[Item]) -> None:
        """Take rows off the list; records stay, and so do scans that were worked on."""
        if self._session.looking.refuses():
            return
        try:
            gone = self._session.walk.worklist.remove(i.id for i in items)
        except FadaError as error:
            self._session.say_error(error)
            return
        left = len(items) - gone
        told = f"{gone} removed from the list; no file and no record was touched."
        if left:
            told += f" {left} stay: a model has read them, or someone has worked on them."
        self._session.say(told, "warning" if left else "info")
        self._changed()

    def ask_for_file(self, item: Item, parent: QWidget) -> None:
        """Let the user show where a missing file is now."""
        path, _ = QFileDialog.getOpenFileName(parent, f"Where is {item.name} now?")
        if path:
            self.relink(item, Path(path))

    def relink(self, item: Item, path: Path) -> bool:
        """Say where the file of a row is now; a file with other bytes is refused."""
        session = self._session
        try:
            scan = open_scan(path)
            if item.sha256 is not None and scan.sha256 != item.sha256:
                session.say(
                    f"{path.name} is not {item.name}: its bytes are others. Nothing was changed.",
                    "warning",
                )
                return False
            session.project.add_scan(scan)
            if item.sha256 is None:
                session.walk.worklist.remove([item.id])
        except FadaError as error:
            session.say_error(error)
            return False
        session.prepared.drop(item.id)
        session.say(f"{item.name} is now {path}.")
        self._changed()
        return True


def reveal(item: Item) -> None:
    """Open the folder of a file in the system's own browser."""
    if item.path is not None:
        QDesktopServices.openUrl(QUrl.fromLocalFile(str(item.path.parent)))
