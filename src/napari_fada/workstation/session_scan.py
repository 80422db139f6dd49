"""The viewer's project and scan: what a session stands on."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, cast

import numpy as np
from psygnal import Signal

from napari_fada.errors import FadaError, NotWrittenError, ProjectDamagedError
from napari_fada.records.annotation import Annotation
from napari_fada.records.project import WHOLE, Project, default_path
from napari_fada.records.timeline import Past
from napari_fada.scans import Scan
from napari_fada.workstation import napari_private as private
from napari_fada.workstation import scan_layers
from napari_fada.workstation.canvas import Canvas, Way
from napari_fada.workstation.desk import Desk, Level
from napari_fada.workstation.layer_pixels import LayerPixels
from napari_fada.workstation.layers import LayerSet
from napari_fada.workstation.looking import Looking, open_to_work
from napari_fada.workstation.rater_name import RaterName
from napari_fada.workstation.reader import LayerData
from napari_fada.workstation.safety import Safety, back_up_soon
from napari_fada.workstation.settings import settings

if TYPE_CHECKING:
    from napari_fada.workstation.session import Session


class ScanSession:
    """The project and the scan of one viewer, without what is done to records.

    Parameters
    ----------
    viewer : napari viewer or ViewerModel
        Held weakly.
    project : Project, optional
        Opened when first needed if not given (the user's default project).
    """

    scan_closing: ClassVar[Signal] = Signal()
    scan_changed: ClassVar[Signal] = Signal()
    frame_changed: ClassVar[Signal] = Signal(int)
    records_changed: ClassVar[Signal] = Signal()
    review_changed: ClassVar[Signal] = Signal()
    class_changed: ClassVar[Signal] = Signal(str)
    project_changed: ClassVar[Signal] = Signal()
    message: ClassVar[Signal] = Signal(str, str)
    question: ClassVar[Signal] = Signal(str, tuple)
    question_over: ClassVar[Signal] = Signal(tuple)
    offered: ClassVar[Signal] = Signal(str, tuple)
    """A remark in passing, with buttons."""
    messages_over: ClassVar[Signal] = Signal(frozenset)
    """What these texts said no longer holds, or was about a scan that is gone."""

    def __init__(self, viewer: Any, project: Project | None = None) -> None:
        self._viewer = weakref.ref(viewer)
        self._project: Project | None = None
        self.scan: Scan | None = None
        self.image: Any = None
        self.layers: LayerSet | None = None
        self.frame = 0
        self.records: dict[int, list[Annotation]] = {}
        self._preview: tuple[int, tuple[Annotation, ...], bool] | None = None
        self.past: Past | None = None
        self._active_class = "Brain"
        self._committing = False
        self._rater = settings().rater
        self._name = RaterName(self)
        self._said: set[str] = set()  # about the scan that is shown
        self._asked: list[tuple[Way, ...]] = []
        self.safety = Safety(self)
        self.canvas = Canvas(self)
        self.looking = Looking(cast("Session", self))
        if project is not None:
            self.adopt(project)
        viewer.dims.events.current_step.connect(self._on_step)
        viewer.layers.events.removed.connect(self._on_layer_removed)

    @property
    def viewer(self) -> Any:
        """The viewer."""
        return self._viewer()

    # Messages

    def say(self, text: str, level: Level = "info", *, lasting: bool = False) -> None:
        """Show a line to the user.

        Parameters
        ----------
        text, level : str
            What, and how much it matters.
        lasting : bool
            It stays when the scan goes: it is about the project, the list, or a batch.
        """
        if not lasting:
            self._said.add(text)
        self.message.emit(text, level)

    def say_error(self, error: FadaError) -> None:
        """Show what happened, what was kept and what to do."""
        lasting = isinstance(error, NotWrittenError | ProjectDamagedError)
        self.say(str(error), "error", lasting=lasting)

    def offer(self, text: str, ways: tuple[Way, ...]) -> None:
        """Say something in passing, and offer ways on; nobody has to answer."""
        self.offered.emit(text, ways)

    def unsay(self, *texts: str) -> None:
        """Take back what no longer holds."""
        self._said.difference_update(texts)
        self.messages_over.emit(frozenset(texts))

    def ask(self, text: str, ways: tuple[Way, ...]) -> None:
        """Say something, and offer ways on."""
        self.say(text, "warning")
        if ways:
            self._asked.append(ways)
            self.question.emit(text, ways)

    # Project

    @property
    def project(self) -> Project:
        """The open project.

        Raises
        ------
        ProjectError
            If the default project cannot be opened.
        """
        if self._project is None:
            project = self._last_project() or self._default_project()
            self.adopt(project)
            back_up_soon(project)
            self.project_changed.emit()
            self.safety.recall()
        assert self._project is not None
        return self._project

    @property
    def open_now(self) -> Project | None:
        """The project, if one is open already."""
        return self._project

    def _default_project(self) -> Project:
        try:
            return Project.open(rater=self._rater)
        except ProjectDamagedError as error:
            self.safety.offer(default_path(), error)
            raise

    def _last_project(self) -> Project | None:
        last = settings().last_project
        try:
            found = open_to_work(Path(last), self._rater, create=False) if last else None
            if found is None or not found.looking:
                return found
            found.close()  # nobody works in what is only to look at
            return None
        except ProjectDamagedError as error:
            self.safety.offer(Path(last), error)
            return None
        except FadaError as error:
            self.say(f"{error} The default project is open instead.", "warning")
            return None

    def open_project(self, path: Path | None, *, create: bool = True) -> bool:
        """Open another project (None: the default one); the old one stays if that fails."""
        try:
            project = open_to_work(path, self._rater, create=create)
        except ProjectDamagedError as error:
            self.safety.offer(path or default_path(), error)
            return False
        except FadaError as error:
            self.say_error(error)
            return False
        self._finish_work()
        self.looking.leave_for(project)
        self.safety.leave()
        self.change_project(project)
        self.safety.recall()
        if path is None:
            settings().last_project = ""
        self.looking.arrive()
        return True

    def _finish_work(self) -> None:
        """Keep what is half drawn or half typed in the project that it was begun in."""
        if self.scan is not None:
            self.scan_closing.emit()
        if self.layers is not None:
            self.layers.finish_drawing()

    def change_project(self, project: Project) -> None:
        """Go on in another project that is open already; the old one is closed."""
        if self.looking.on and self.scan is not None and not project.scan(self.scan.sha256):
            self.close_scan()  # it was only looked at, and is no scan of this project
            self.scan_changed.emit()
        self._leave_scan()  # what was said and asked was about the old one
        old, self._project = self._project, None
        if old is not None:
            old.changed.disconnect(self._on_project_changed)
            self._name.leave(old)
            old.close()
        self.adopt(project)
        if project.writable:
            back_up_soon(project)
        if not project.looking:
            settings().last_project = str(project.path.absolute())
        self.project_changed.emit()
        self._remember_scan()
        self.refresh()

    def adopt(self, project: Project) -> None:
        """Work in a project that is open already."""
        self._project = project
        self._rater = project.rater or self._rater
        project.rater = self._rater
        project.flush_soon()
        self._name.settle()
        project.changed.connect(self._on_project_changed)

    @property
    def rater(self) -> str:
        """Name that edits are signed with."""
        return self._rater

    @rater.setter
    def rater(self, name: str) -> None:
        self.give_name(name)

    def give_name(self, name: str) -> int:
        """Say who works here; returns how many edits that had no name are signed with it."""
        before, self._rater = self._rater, name
        settings().rater = name
        if self._project is not None:
            self._project.rater = name
        if not name or name == before:
            return 0
        self._committing = True  # seen once, below
        try:
            signed = self._name.give(name)
        finally:
            self._committing = False
        if signed:
            self.refresh()
        return signed

    def _on_project_changed(self, sha256: str, frame: int) -> None:
        # A worker thread saves readings; the runner then asks for a refresh in this thread.
        here = threading.current_thread() is threading.main_thread()
        mine = self.scan is not None and sha256 == self.scan.sha256
        if not mine or not here:
            return
        self.past = None  # what is done now is seen now
        if frame == WHOLE:
            self.review_changed.emit()
        elif not self._committing:
            self.refresh(frame=frame)

    # Scan

    def open_path(self, path: Path) -> bool:
        """Open a file or folder as a scan and show it, in the place of the page before it."""
        try:
            scan = scan_layers.open_scan(path)
        except FadaError as error:
            self.say_error(error)
            return False
        return self.show_scan(scan)

    def use_layer(self, image: Any) -> bool:
        """Take an Image layer of the viewer as the scan."""
        if image is self.image and self._goes_on():
            return True
        try:
            taken = scan_layers.take_layer(image)
        except FadaError as error:
            self.say_error(error)
            return False
        done = self._take_scan(taken.scan, image, taken.pixels)
        if done and taken.word:
            file, word = taken.file, taken.word
            show = ("Open the file", "Show the scan as it is in its file")
            self.ask(word, ((*show, lambda: self.open_path(file)),) if file is not None else ())
        return done

    def _goes_on(self) -> bool:
        """Show the present scan alone again; False if its layer shows it no more: it is closed."""
        if self.canvas.same_pixels():
            self.canvas.exactly_one(self.image)
            return True
        self.lose_scan()
        return False

    def _take_scan(self, scan: Scan, image: Any, pixels: LayerPixels | None = None) -> bool:
        self.close_scan()
        self.scan, self.image = scan, image
        self.frame = self._frame_shown()
        if not self._remember_scan():
            self.scan = self.image = None
            self.scan_changed.emit()
            return False
        self.canvas.exactly_one(image)
        self.layers = LayerSet(self.viewer, image, scan.sha256, cast(Desk, self))
        self._look_after(pixels)
        self.refresh()
        private.fit_to(self.viewer, image)
        self._tell_scan(scan)
        return True

    def _look_after(self, pixels: LayerPixels | None = None) -> None:
        """Watch that the layer goes on showing the scan."""
        if pixels is None:  # made of the scan just now
            pixels = LayerPixels(self.image)
            pixels.note()
        self.canvas.follow(self.image, pixels)

    def rescale(self) -> None:
        """Take over how large a pixel is, where nothing but the layer says it."""
        scan, image = self.scan, self.image
        if scan is None or scan.path is not None or image is None:
            return
        spacing = scan_layers.spacing_of(image)
        if spacing == scan.spacing:
            return
        self.scan = replace(scan, spacing=spacing)
        self._remember_scan()
        self.scan_changed.emit()
        size = f"{spacing.y:.3g} × {spacing.x:.3g} mm" if spacing else "of no known size"
        self.say(f"A pixel of {scan.name} is {size} now, as its layer says.")

    def _leave_scan(self) -> None:
        """Take back what was said and asked about the scan that goes."""
        asked, self._asked = self._asked, []
        for ways in asked:
            self.question_over.emit(ways)
        self.unsay(*self._said)

    def show_scan(self, scan: Scan, shown: LayerData | None = None, *, known: bool = False) -> bool:
        """Show a scan of a worklist, in the layers of the one before where they fit.

        Parameters
        ----------
        scan : Scan
            Opened already.
        shown : layer data, optional
            Its decoded pixels, if they are at hand (``reader.to_layer_data``).
        known : bool
            The project has it already, with this name and place.
        """
        if self.scan is not None and self.scan.sha256 == scan.sha256 and self._goes_on():
            return True
        try:
            image = scan_layers.find_layer(self.viewer, scan.sha256)
            taken = scan_layers.take_layer(image) if image is not None else None
            if taken is not None and taken.scan.sha256 == scan.sha256:
                return self._take_scan(taken.scan, image, taken.pixels)
            shown = shown or scan_layers.to_layer_data(scan)
            if self._turn_to(scan, shown, known):
                return True
            self._clear_pages()
            image = scan_layers.add_page(self.viewer, shown)
        except FadaError as error:
            self.say_error(error)
            return False
        return self._take_scan(scan, image)

    def _turn_to(self, scan: Scan, shown: LayerData, known: bool) -> bool:
        """Show a scan in the present layers; False if they cannot show it."""
        image, layers = self.image, self.layers
        if layers is None or not layers.is_whole() or not scan_layers.can_change(image, scan):
            return False
        self.scan_closing.emit()
        layers.finish_drawing()
        if not (known or self._remember(scan)):
            return True  # the user was told; what was shown stays
        self._leave_scan()
        self.canvas.follow(None, None)
        with private.at_once(self.viewer, (image, *layers.layers)):
            self.scan, self.frame, self._preview, self.records = scan, 0, None, {}
            scan_layers.change_layer(image, shown)
            layers.turn_to(scan.sha256)
            self.canvas.exactly_one(image)
            self._look_after()
            self.refresh()
            private.fit_to(self.viewer, image)
        self._tell_scan(scan)
        return True

    def _clear_pages(self) -> None:
        """Take away a layer that showed scans of the worklist and cannot show the next one."""
        for layer in scan_layers.image_layers(self.viewer):
            if scan_layers.is_page(layer):
                if layer is self.image:
                    self.close_scan()
                self.viewer.layers.remove(layer)

    def _tell_scan(self, scan: Scan) -> None:
        for problem in scan.problems:
            self.say(f"{scan.name}: {problem}", "warning")
        self.scan_changed.emit()

    def _remember_scan(self) -> bool:
        return self.scan is None or self._remember(self.scan)

    def _remember(self, scan: Scan) -> bool:
        try:
            if self.project.writable:
                self.project.add_scan(scan)
        except FadaError as error:
            self.say_error(error)
            return False
        return True

    def lose_scan(self) -> None:
        """Close a scan that its layer does not show any more; the layer is the user's from now."""
        scan_layers.disown(self.image)
        self.close_scan()
        self.scan_changed.emit()

    def close_scan(self, *, soon: bool = False) -> None:
        """Take our layers of the present scan away; its records stay in the project.

        Parameters
        ----------
        soon : bool
            The layers go when napari is done with what it is taking away itself.
        """
        self._leave_scan()
        if self.scan is not None:
            self.scan_closing.emit()  # what is being typed goes into the project first
        if self.layers is not None:
            self.layers.finish_drawing()
            layers, self.layers = self.layers, None
            layers.remove(soon=soon)
        self.canvas.follow(None, None)
        self.scan = self.image = self._preview = self.past = None
        self.records = {}
        self.frame = 0

    @property
    def frame_shape(self) -> tuple[int, int]:
        """(height, width) of a frame."""
        assert self.scan is not None
        return self.scan.height, self.scan.width

    def _frame_shown(self) -> int:
        if self.scan is None or self.image is None or self.image.ndim < 3:
            return 0
        at = self.image.world_to_data(self.viewer.dims.point)[0]
        return int(np.clip(round(float(at)), 0, self.scan.n_frames - 1))

    def _on_step(self) -> None:
        frame = self._frame_shown()
        if self.scan is None or frame == self.frame:
            return
        if self.layers is not None:
            self.layers.finish_drawing()
        self.frame = frame
        if self.layers is not None:  # which label the brush paints differs from frame to frame
            self.layers.bindings["masks"].set_active_class(self._active_class)
            self.layers.show_frame()
        self.frame_changed.emit(frame)

    def go_to_frame(self, frame: int) -> None:
        """Show a frame of the scan."""
        if self.image is not None and self.image.ndim == 3:
            world = self.image.data_to_world((frame, 0, 0))
            self.viewer.dims.set_point(self.viewer.dims.ndim - 3, world[0])

    def _on_layer_removed(self, event: Any) -> None:
        removed = event.value
        if removed is self.image and self.scan is not None:
            scan = self.scan
            self.close_scan(soon=True)
            self.scan_changed.emit()
            self.canvas.tell_gone(scan, removed)
        elif self.layers is not None and removed in self.layers:
            self.close_scan(soon=True)
            self.say(
                f"“{removed.name}” only showed what is in the project: nothing was deleted. "
                "Choose the scan again to show it; to remove a structure, select it and press "
                "Delete.",
                "warning",
            )
            self.scan_changed.emit()

    def refresh(
        self,
        renamed: Mapping[str, str] | None = None,
        *,
        soon: bool = False,
        frame: int | Collection[int] | None = None,
    ) -> None:
        """Read the records of the scan from the project and show them."""
        raise NotImplementedError

    def close(self) -> None:
        """Let go of the project; there is nothing to save."""
        self.close_scan()
        if self._project is not None:
            self._project.close()
            self._project = None
