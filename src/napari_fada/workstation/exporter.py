"""Writes the FADA training form in a worker thread."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_fada.records.project import Project
from napari_fada.records.rows import ScanRow
from napari_fada.scans import Scan, open_scan
from napari_fada.workstation.activity import Activity
from napari_fada.workstation.background import Broken, guarded
from napari_fada.workstation.session import Session

if TYPE_CHECKING:
    from napari_fada.exchange.export import ExportSummary


class Exporter:
    """Runs one export at a time for a session.

    Parameters
    ----------
    session : Session
        Whose project is exported; told how it went.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._worker: Any = None
        self._activity = Activity()

    @property
    def running(self) -> bool:
        """Whether an export is under way."""
        return self._worker is not None

    def start(self, folder: Path, *, include_proposals: bool = False) -> bool:
        """Begin to write into a folder; False if an export is going on."""
        from napari.qt.threading import create_worker

        if self.running:
            self._session.say("An export is going on.")
            return False
        self._worker = create_worker(
            _work,
            self._session.project,
            folder,
            self._session.scan,
            include_proposals,
            _start_thread=False,
        )
        self._worker.yielded.connect(self._on_event)
        self._worker.finished.connect(self._on_finished)
        self._activity.begin("Export")
        self._worker.start()
        return True

    def _on_event(self, event: Any) -> None:
        from napari_fada.exchange.export import ExportSummary

        if isinstance(event, Broken):
            self._session.say(event.text, "error")
        elif isinstance(event, ExportSummary):
            quiet = event.images and not event.left_out and not event.problems
            self._session.say(_told(event), "info" if quiet else "warning")

    def _on_finished(self) -> None:
        self._worker = None
        self._activity.end()


def _work(
    project: Project, folder: Path, scan: Scan | None, include_proposals: bool
) -> Iterator[Any]:
    yield from guarded(_steps(project, folder, scan, include_proposals))


def _steps(
    project: Project, folder: Path, scan: Scan | None, include_proposals: bool
) -> Iterator[Any]:
    from napari_fada.exchange.export import export_steps
    from napari_fada.exchange.fada import FORMAT
    from napari_fada.exchange.request import ExportRequest, Selection
    from napari_fada.pipeline import PromptSet

    def open_row(row: ScanRow) -> Scan:
        # A scan taken from a layer has no file; while it is open its pixels are at hand.
        if scan is not None and scan.sha256 == row.sha256:
            return scan
        return open_scan(row.path or Path(row.name))

    summary = yield from export_steps(
        project,
        folder,
        FORMAT,
        ExportRequest(
            selection=Selection(proposals=include_proposals),
            prompts=PromptSet.load("napari-fada-1"),
        ),
        open_row=open_row,
    )
    yield summary


def _told(summary: ExportSummary) -> str:
    written = ", ".join(f"{n} {what}" for what, n in summary.written.items())
    parts = [f"{summary.images} images ({written}) were written to {summary.path}."]
    parts += [f"Left out: {n} × {reason}." for reason, n in summary.left_out.items()]
    parts += [f"Note: {n} × {reason}." for reason, n in summary.notes.items()]
    parts += summary.problems[:3]
    return " ".join(parts)
