"""Which scan and which model: two rows at the top of the widget."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qtpy.QtWidgets import (
    QComboBox,
    QFileDialog,
    QGridLayout,
    QLabel,
    QMenu,
    QPushButton,
    QWidget,
)

from napari_fada.workstation import scan_layers
from napari_fada.workstation.session import Session
from napari_fada.workstation.worklist.open_button import SCANS

DEFAULT_MODEL = "fada-mini"


class SourcePanel(QWidget):
    """Chooses the scan among the viewer's images or from a file, and the model.

    Parameters
    ----------
    session : Session
        Gets the scan.
    """

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self.scans = QComboBox()
        self.scans.setToolTip("The image layer that is annotated (one image, or frames over time)")
        self.scans.setSizeAdjustPolicy(
            QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
        )
        self.scans.activated.connect(self._choose_scan)
        open_button = QPushButton("Open")
        open_button.setToolTip("Open an image, TIFF, DICOM or video file, or a folder of frames")
        menu = QMenu(open_button)
        menu.addAction("Open a file…", self._open_file)
        menu.addAction("Open a folder of frames…", self._open_folder)
        open_button.setMenu(menu)
        self.models = QComboBox()
        self.models.setToolTip("The model that reads the scan; it runs on this computer")
        self.models.setSizeAdjustPolicy(
            QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
        )
        browse = QPushButton("Browse")
        browse.setToolTip("Use a model pack, or a .gguf file with its mmproj beside it")
        menu = QMenu(browse)
        menu.addAction("All models…", self._show_all_models)
        menu.addAction("A .gguf file…", self._browse_gguf)
        menu.addAction("A pack folder…", self._browse_folder)
        browse.setMenu(menu)

        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setVerticalSpacing(4)
        rows = ((QLabel("Scan"), self.scans, open_button), (QLabel("Model"), self.models, browse))
        for i, row in enumerate(rows):
            for j, widget in enumerate(row):
                grid.addWidget(widget, i, j, 1, 2 if widget is browse else 1)
        grid.setColumnStretch(1, 1)
        self._grid = grid

        layers = session.viewer.layers.events
        layers.inserted.connect(self.list_scans)
        layers.removed.connect(self.list_scans)
        session.scan_changed.connect(self.list_scans)
        self.list_models()
        self.list_scans()

    def add_steps(self, steps: QWidget) -> None:
        """Put the way from scan to scan beside the choice of the scan."""
        self._grid.addWidget(steps, 0, 3)

    # Scan

    def list_scans(self, _event: Any = None) -> None:
        """Show the viewer's Image layers."""
        self.scans.blockSignals(True)
        self.scans.clear()
        images = scan_layers.image_layers(self._session.viewer)
        if self._session.image is None:
            self.scans.addItem("Choose an image…" if images else "Open a scan…", None)
        for layer in images:
            self.scans.addItem(layer.name, layer)
            if layer is self._session.image:
                self.scans.setCurrentIndex(self.scans.count() - 1)
        self.scans.blockSignals(False)

    def _choose_scan(self, index: int) -> None:
        layer = self.scans.itemData(index)
        if layer is not None:
            self._session.use_layer(layer)
            self.list_scans()

    def _open_file(self) -> None:
        path, _ = QFileDialog.getOpenFileName(
            self,
            "Open a scan",
            "",
            SCANS,
        )
        if path:
            self._session.open_path(Path(path))

    def _open_folder(self) -> None:
        path = QFileDialog.getExistingDirectory(self, "Open a folder of frames")
        if path:
            self._session.open_path(Path(path))

    # Model

    @property
    def model(self) -> str:
        """Name or path of the chosen model."""
        return str(self.models.currentData() or DEFAULT_MODEL)

    def list_models(self) -> None:
        """Show the packs on this computer; the choice stays, at first it is the embedded one."""
        from napari_fada.models import list_packs

        chosen = self.model
        self.models.blockSignals(True)
        self.models.clear()
        for pack in list_packs():
            self.models.addItem(f"{pack.name} {pack.version}".strip(), pack.name)
            self.models.setItemData(self.models.count() - 1, str(pack.folder), 3)
        if self.models.findData(DEFAULT_MODEL) < 0:
            self.models.insertItem(0, DEFAULT_MODEL, DEFAULT_MODEL)
        if self.models.findData(chosen) < 0 and Path(chosen).exists():
            self.models.addItem(Path(chosen).name, chosen)
        at = self.models.findData(chosen)
        self.models.setCurrentIndex(at if at >= 0 else self.models.findData(DEFAULT_MODEL))
        self.models.blockSignals(False)

    def choose_model(self, name_or_path: str) -> None:
        """Choose a model; a path that is not in the list is added to it."""
        if self.models.findData(name_or_path) < 0:
            self.models.addItem(Path(name_or_path).name, name_or_path)
        self.models.setCurrentIndex(self.models.findData(name_or_path))

    def _show_all_models(self) -> None:
        from napari_fada.workstation.models_panel.docking import show_models

        show_models(self._session.viewer)

    def _browse_gguf(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self, "Choose a model", "", "Models (*.gguf *.GGUF)")
        if path:
            self.choose_model(path)

    def _browse_folder(self) -> None:
        path = QFileDialog.getExistingDirectory(self, "Choose a model pack")
        if path:
            self.choose_model(path)
