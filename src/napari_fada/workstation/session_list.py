"""The session and its worklist: which scan comes next, and showing it.

No Qt in here. Without a window a scan is opened at once; the window opens it in a thread
(:mod:`napari_fada.workstation.ahead` puts itself in the place of ``opener``).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from psygnal import Signal

from napari_fada.errors import FadaError
from napari_fada.records.project import Project
from napari_fada.records.walk import Walk
from napari_fada.records.worklist import Filter, Item, Order, Worklist
from napari_fada.workstation import scan_layers
from napari_fada.workstation.prepared import Prepared, PreparedScans, prepare
from napari_fada.workstation.session_scan import ScanSession


class ListSession(ScanSession):
    """A session that walks through the scans of its project."""

    list_changed: ClassVar[Signal] = Signal()
    """Another filter or order."""
    item_failed: ClassVar[Signal] = Signal(int)
    """A row of the list turned out to have no file that can be opened."""

    def __init__(self, viewer: Any, project: Project | None = None) -> None:
        self._walk: Walk | None = None
        self.prepared = PreparedScans()
        self.opener: Callable[[Item, int], None] | None = None
        self.forget_opening: Callable[[], None] = lambda: None
        """Lets go of a scan that is being opened: another one was asked for, or none."""
        self._seen: tuple[str, ...] = ()  # the scan that is shown and the one before it
        self._frames: dict[str, int] = {}
        self._wanted: tuple[str, int] | None = None
        super().__init__(viewer, project)
        self.scan_closing.connect(self._on_closing)
        self.scan_changed.connect(self._note_seen)
        self.scan_changed.connect(self._arrive)
        self.project_changed.connect(self._arrive)

    @property
    def walk(self) -> Walk:
        """Filter, order and place in the worklist of the open project.

        Raises
        ------
        ProjectError
            If the default project cannot be opened.
        """
        project, old = self.project, self._walk
        if old is None or old.worklist.project is not project:
            worklist = Worklist(project)
            self._walk = Walk(worklist, old.where, old.order) if old else Walk(worklist)
            self.prepared.clear()
        assert self._walk is not None
        return self._walk

    def look_for(self, where: Filter | None = None, order: Order | None = None) -> None:
        """Change filter or order of the worklist; the scan that is shown stays."""
        walk = self.walk
        wanted = (where or walk.where, order or walk.order)
        if wanted != (walk.where, walk.order):
            walk.where, walk.order = wanted
            self.list_changed.emit()

    def _arrive(self) -> None:
        # Without a scan the project may not have been opened yet, and need not be.
        if self._project is None:
            return
        try:
            self.walk.arrive_at(self.scan.sha256 if self.scan else None)
        except FadaError as error:
            self.say_error(error)

    # Where one was

    def _on_closing(self) -> None:
        if self.scan is not None:
            self._frames[self.scan.sha256] = self.frame

    def _note_seen(self) -> None:
        if self.scan is None:
            return
        sha256 = self.scan.sha256
        self._seen = (sha256, *(seen for seen in self._seen if seen != sha256))[:2]
        wanted, self._wanted = self._wanted, None
        if wanted is not None and wanted[0] == sha256:
            self.go_to_frame(wanted[1])

    def last_scan(self) -> bool:
        """Show the scan that was looked at before this one, on the frame where that was."""
        now = self.scan.sha256 if self.scan is not None else ""
        before = next((seen for seen in self._seen if seen != now), None)
        if before is None:
            self.say("No other scan was looked at before this one.")
            return False
        return self.show_again(before, self._frames.get(before, 0))

    def show_again(self, sha256: str, frame: int) -> bool:
        """Show a scan of the project, on a frame."""
        if self.scan is not None and self.scan.sha256 == sha256:
            self.forget_opening()
            self.go_to_frame(frame)
            return True
        try:
            item = self.walk.worklist.of_scan(sha256)
        except FadaError as error:
            self.say_error(error)
            return False
        if item is None:
            self.say("That scan is not in this project.")
            return False
        self._wanted = (sha256, frame)
        return self.open_item(item)

    # Walking

    def next_scan(self) -> bool:
        """Show the next scan that waits for its expert, under the present filter and order.

        Returns
        -------
        bool
            False if there is none. A window may show it a moment later.
        """
        return self._step(1)

    def previous_scan(self) -> bool:
        """Show the scan before this one that waits for its expert."""
        return self._step(-1)

    def _step(self, step: int, after: int | None = None) -> bool:
        try:
            item = self.walk.next(step, after=after)
        except FadaError as error:
            self.say_error(error)
            return False
        if item is None:
            self.say("No other scan waits for review under the filter of the worklist.")
            return False
        return self.open_item(item, step=step)

    def open_item(self, item: Item, *, step: int = 0) -> bool:
        """Show a scan of the worklist.

        Parameters
        ----------
        item : Item
            Row of the worklist.
        step : int
            1 or -1: if it cannot be opened, go on to the next in that direction.
        """
        self.forget_opening()
        if item.path is None and item.sha256 is not None:
            image = scan_layers.find_layer(self.viewer, item.sha256)
            if image is not None:  # pixels of a layer, without a file
                return self.use_layer(image)
        ready = self.prepared.get(item.id)
        if ready is not None:
            return self.show_prepared(item, ready)
        if self.opener is not None:
            self.opener(item, step)
            return True
        try:
            ready = prepare(self.project, item)
        except FadaError as error:
            return self.pass_over(item, error, step)
        return self.show_prepared(item, ready)

    def show_prepared(self, item: Item, ready: Prepared) -> bool:
        """Show a scan that was opened already."""
        self.walk.present = item.id
        shown = self.show_scan(ready.scan, ready.shown, known=True)
        self._arrive()
        return shown

    def pass_over(self, item: Item, error: FadaError, step: int = 0) -> bool:
        """Say why a scan cannot be shown, and note it in the list; go on if one was stepping."""
        try:
            if self.project.writable:
                self.walk.note_problem(item, str(error))
        except FadaError as other:
            self.say_error(other)
            return False
        self.item_failed.emit(item.id)
        found = self._step(step, after=item.id) if step else False
        if step:  # the scan that comes instead may be shown a moment later
            self.say(f"Passed over: {error}", "warning", lasting=True)
        else:
            self.say(str(error), "error")
        return found
