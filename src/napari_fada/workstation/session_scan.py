"""The viewer's project and scan: what a session stands on."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, ClassVar, cast

import numpy as np
from psygnal import Signal

from napari_fada.errors import FadaError, ProjectDamagedError
from napari_fada.records.annotation import Annotation
from napari_fada.records.project import WHOLE, Project, default_path
from napari_fada.records.timeline import Past
from napari_fada.scans import Scan
from napari_fada.workstation import napari_private as private
from napari_fada.workstation import scan_layers
from napari_fada.workstation.desk import Desk, Level
from napari_fada.workstation.layers import LayerSet, role_of
from napari_fada.workstation.reader import LayerData
from napari_fada.workstation.safety import Safety, back_up_soon
from napari_fada.workstation.settings import settings


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
        self.safety = Safety(self)
        if project is not None:
            self.adopt(project)
        viewer.dims.events.current_step.connect(self._on_step)
        viewer.layers.events.removed.connect(self._on_layer_removed)

    @property
    def viewer(self) -> Any:
        """The viewer."""
        return self._viewer()

    # Messages

    def say(self, text: str, level: Level = "info") -> None:
        """Show a line to the user."""
        self.message.emit(text, level)

    def say_error(self, error: FadaError) -> None:
        """Show what happened, what was kept and what to do."""
        self.say(str(error), "error")

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
            return Project.open(last, rater=self._rater, create=False) if last else None
        except ProjectDamagedError as error:
            self.safety.offer(Path(last), error)
            return None
        except FadaError as error:
            self.say(f"{error} The default project is open instead.", "warning")
            return None

    def open_project(self, path: Path | None) -> bool:
        """Open another project (None: the default one); the old one stays if that fails."""
        try:
            project = Project.open(path, rater=self._rater)
        except ProjectDamagedError as error:
            self.safety.offer(path or default_path(), error)
            return False
        except FadaError as error:
            self.say_error(error)
            return False
        self.safety.leave()
        self.change_project(project)
        self.safety.recall()
        if path is None:
            settings().last_project = ""
        if not project.writable:
            self.say(f"{project.path} is read-only: you can look, but not edit.", "warning")
        return True

    def change_project(self, project: Project) -> None:
        """Go on in another project that is open already; the old one is closed."""
        old, self._project = self._project, None
        if old is not None:
            old.changed.disconnect(self._on_project_changed)
            old.close()
        self.adopt(project)
        if project.writable:
            back_up_soon(project)
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
        project.changed.connect(self._on_project_changed)

    @property
    def rater(self) -> str:
        """Name that edits are signed with."""
        return self._rater

    @rater.setter
    def rater(self, name: str) -> None:
        self._rater = settings().rater = name
        if self._project is not None:
            self._project.rater = name

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
        """Open a file or folder as a scan and show it."""
        try:
            scan = scan_layers.open_scan(path)
            image = scan_layers.find_layer(self.viewer, scan.sha256)
            new = image is None
            if new:
                image = scan_layers.add_layer(self.viewer, scan)
        except FadaError as error:
            self.say_error(error)
            return False
        taken = self._take_scan(scan, image)
        if taken and new:
            self.viewer.reset_view()
        return taken

    def use_layer(self, image: Any) -> bool:
        """Take an Image layer of the viewer as the scan."""
        if image is self.image:
            return True
        try:
            scan = scan_layers.scan_of_layer(image)
        except FadaError as error:
            self.say_error(error)
            return False
        return self._take_scan(scan, image)

    def _take_scan(self, scan: Scan, image: Any) -> bool:
        self.close_scan()
        self.scan, self.image = scan, image
        self.frame = self._frame_shown()
        if not self._remember_scan():
            self.scan = self.image = None
            self.scan_changed.emit()
            return False
        self._show_alone(image)
        self.layers = LayerSet(self.viewer, image, scan.sha256, cast(Desk, self))
        self.refresh()
        self._tell_scan(scan)
        return True

    def _show_alone(self, image: Any) -> None:
        """Let the scan be seen, and no other one over or around it."""
        for other in scan_layers.image_layers(self.viewer):
            if other is not image and role_of(other) == "scan":
                other.visible = False
        image.visible = True

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
        if self.scan is not None and self.scan.sha256 == scan.sha256:
            return True
        try:
            image = scan_layers.find_layer(self.viewer, scan.sha256)
            if image is None:
                shown = scan_layers.as_page(shown or scan_layers.to_layer_data(scan))
                if self._turn_to(scan, shown, known):
                    return True
                self._clear_pages()
                image = scan_layers.add_layer(self.viewer, scan, shown)
        except FadaError as error:
            self.say_error(error)
            return False
        taken = self._take_scan(scan, image)
        self.viewer.reset_view()
        return taken

    def _turn_to(self, scan: Scan, shown: LayerData, known: bool) -> bool:
        """Show a scan in the present layers; False if they cannot show it."""
        image, layers = self.image, self.layers
        if layers is None or not layers.is_whole() or not scan_layers.can_change(image, scan):
            return False
        self.scan_closing.emit()
        layers.finish_drawing()
        if not (known or self._remember(scan)):
            return True  # the user was told; what was shown stays
        with private.at_once(self.viewer, (image, *layers.layers)):
            self.scan, self.frame, self._preview, self.records = scan, 0, None, {}
            scan_layers.change_layer(image, shown)
            layers.turn_to(scan.sha256)
            self.refresh()
            self.viewer.reset_view()
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

    def close_scan(self) -> None:
        """Take our layers of the present scan away; its records stay in the project."""
        if self.scan is not None:
            self.scan_closing.emit()  # what is being typed goes into the project first
        if self.layers is not None:
            self.layers.finish_drawing()
            layers, self.layers = self.layers, None
            layers.remove()
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
        if removed is self.image:
            self.close_scan()
            self.scan_changed.emit()
        elif self.layers is not None and removed in self.layers:
            self.say(
                f"“{removed.name}” only showed what is in the project: nothing was deleted. "
                "Choose the scan again to show it; to remove a structure, select it and press "
                "Delete.",
                "warning",
            )
            self.close_scan()
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
