"""Brings the scan of a conflict on the canvas, without making the window wait for its file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from napari_fada.errors import FadaError
from napari_fada.records.merge import Conflict
from napari_fada.records.rows import ScanRow
from napari_fada.workstation import scan_layers
from napari_fada.workstation.session import Session


class ConflictScan:
    """Shows one scan at a time; the last that was asked for counts.

    Parameters
    ----------
    session : Session
        Shows the scan.
    shown : callable
        Called with the conflict when its scan and frame are on the canvas.
    """

    def __init__(self, session: Session, shown: Callable[[Conflict], None]) -> None:
        self._session, self._shown = session, shown
        self._wanted: Conflict | None = None
        self._worker: Any = None

    def show(self, conflict: Conflict, row: ScanRow | None) -> None:
        """Show the scan and the frame of a conflict."""
        self._wanted = conflict
        session = self._session
        if session.scan is not None and session.scan.sha256 == conflict.scan:
            self._there(conflict)
            return
        layer = scan_layers.find_layer(session.viewer, conflict.scan)
        if layer is not None and session.use_layer(layer):
            self._there(conflict)
        elif row is not None and row.path is not None:
            self._load(conflict, row.path)
        else:
            name = row.name if row else conflict.scan[:12]
            session.say(f"The project does not know where {name} is; open the scan.", "warning")

    def _load(self, conflict: Conflict, path: Path) -> None:
        from napari.qt.threading import create_worker

        worker = create_worker(_open, path, conflict.scan, _start_thread=False)
        worker.returned.connect(lambda found: self._on_loaded(conflict, found))
        worker.finished.connect(self._on_finished)
        self._worker = worker  # kept until it ends
        worker.start()

    def _on_loaded(self, conflict: Conflict, found: Any) -> None:
        if conflict is not self._wanted:
            return
        if isinstance(found, str):
            self._session.say(found, "error")
        elif self._session.show_scan(*found, known=True):
            self._there(conflict)

    def _on_finished(self) -> None:
        self._worker = None

    def _there(self, conflict: Conflict) -> None:
        if conflict.frame >= 0:
            self._session.go_to_frame(conflict.frame)
        self._shown(conflict)


def _open(path: Path, sha256: str) -> Any:
    """Open and decode a scan; a text says why not."""
    try:
        scan = scan_layers.open_scan(path)
        if scan.sha256 != sha256:
            return (
                f"{path.name} has another picture now. What both raters did is kept; open the "
                "scan where it is to decide."
            )
        return scan, scan_layers.to_layer_data(scan)
    except FadaError as error:
        return str(error)
