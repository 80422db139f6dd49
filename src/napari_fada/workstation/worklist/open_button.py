"""The button that asks for what is to be listed: a folder, files, or a list of files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from qtpy.QtWidgets import QFileDialog, QMenu, QPushButton

SCANS = "Scans (*.png *.jpg *.jpeg *.tif *.tiff *.bmp *.dcm *.dicom *.mp4 *.avi);;All files (*)"
LISTS = "Lists (*.txt *.csv *.tsv)"


class OpenButton(QPushButton):
    """Asks, and hands on what was chosen.

    Parameters
    ----------
    add : callable
        Gets the paths.
    """

    def __init__(self, add: Callable[[list[Path]], None]) -> None:
        super().__init__("Open")
        self._add = add
        self.setToolTip("List a folder, files or a list of files; or drop them here")
        menu = QMenu(self)
        menu.addAction("A folder…", self._ask_for_folder)
        menu.addAction("Files…", self._ask_for_files)
        menu.addAction("A list of files…", self._ask_for_list)
        self.setMenu(menu)

    def _ask_for_folder(self) -> None:
        path = QFileDialog.getExistingDirectory(self, "List a folder of scans")
        if path:
            self._add([Path(path)])

    def _ask_for_files(self) -> None:
        paths, _ = QFileDialog.getOpenFileNames(self, "List scans", "", SCANS)
        if paths:
            self._add([Path(path) for path in paths])

    def _ask_for_list(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self, "Open a list of files", "", LISTS)
        if path:
            self._add([Path(path)])
