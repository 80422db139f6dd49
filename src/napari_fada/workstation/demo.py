"""The demonstration: a sample scan, all phases with the embedded model, and what comes of it."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from napari_fada.errors import EngineError, ExchangeError, ScanError

if TYPE_CHECKING:
    import napari

    from napari_fada.workstation.widget import AnnotateWidget

MODEL = "fada-mini"
SIZE = (1280, 800)
SECONDS = 300.0


def run_demo(
    out_dir: Path, show: bool = True, scan: Path | None = None, model: str = MODEL
) -> list[Path]:
    """Open napari with a scan, read it, and keep a picture of the window and the results.

    Parameters
    ----------
    out_dir : Path
        Gets ``screenshot.png``, ``reading.fada.json``, the project ``demo.fada`` and
        ``export/``. A demo project that is there from before is gone on with: proposals that
        nobody has touched are replaced, and edits stay.
    show : bool
        Leave the window open at the end.
    scan : Path, optional
        What to read; a phantom by default.
    model : str
        Name or path of the model.

    Returns
    -------
    list of Path
        What was written.

    Raises
    ------
    FadaError
        If the scan, the model or the project cannot be opened, or a phase failed.
    """
    import napari

    from napari_fada.records.project import Project
    from napari_fada.workstation.session import session_of
    from napari_fada.workstation.widget import AnnotateWidget

    out_dir.mkdir(parents=True, exist_ok=True)
    source = scan or _phantom(out_dir)
    path = out_dir / "demo.fada"
    viewer = napari.Viewer(show=True)
    viewer.window.resize(*SIZE)
    session = session_of(viewer)
    session.adopt(Project.open(path, rater="demo"))
    widget = AnnotateWidget(viewer)
    viewer.window.add_dock_widget(widget, name="FADA annotate", area="right")
    _pause(0.2)  # the window takes its size, so that the scan fits into the canvas
    errors: list[str] = []
    session.message.connect(lambda text, level: errors.append(text) if level == "error" else None)
    try:
        if not session.open_path(source):
            raise ScanError(errors[-1])
        widget.source.choose_model(model)
        _read(widget)
        written = [_screenshot(viewer, out_dir), *_results(widget, out_dir)]
        if errors:
            raise EngineError(errors[-1], kept=f"What there is was written to {out_dir}.")
        if show:
            napari.run()
        return [*written, path]
    finally:
        widget.close_session()
        if not show:
            _close(viewer)


def _close(viewer: napari.Viewer) -> None:
    viewer.close()


def _phantom(out_dir: Path) -> Path:
    """Draw a phantom head and keep it, so that the project can find it again."""
    import imageio.v3 as iio

    from napari_fada.workstation import sample_data

    ((pixels, _, _),) = sample_data.phantom("brain")
    path = out_dir / "phantom_head.png"
    iio.imwrite(path, pixels)
    return path


def _read(widget: AnnotateWidget) -> None:
    if not widget.start(("interpret", "classify", "map", "detect", "segment"), "replace"):
        raise EngineError("The run could not be started.")
    layers = widget.session.layers
    _until(lambda: not widget.runner.running and (layers is None or layers.settled))


def _until(done: Callable[[], bool]) -> None:
    from qtpy.QtWidgets import QApplication

    end = time.monotonic() + SECONDS
    while not done():
        QApplication.processEvents()
        time.sleep(0.005)
        if time.monotonic() > end:
            raise EngineError(f"The demonstration did not end within {SECONDS:.0f} s.")


def _pause(seconds: float) -> None:
    end = time.monotonic() + seconds
    _until(lambda: time.monotonic() > end)


def _screenshot(viewer: object, out_dir: Path) -> Path:
    from napari_fada.exchange.files import write_atomic
    from napari_fada.exchange.overlay import to_png

    _pause(0.5)  # the canvas draws when the loop is free
    path = out_dir / "screenshot.png"
    seen = viewer.screenshot(canvas_only=False, flash=False)  # type: ignore[attr-defined]
    write_atomic(path, to_png(seen, for_looking=True))
    return path


def _results(widget: AnnotateWidget, out_dir: Path) -> list[Path]:
    from napari_fada.exchange.reading_json import write_reading
    from napari_fada.workstation.datasets.export_dialog import ExportDialog

    session = widget.session
    assert session.scan is not None
    reading = session.project.readings(session.scan.sha256, session.frame)[-1]
    path = out_dir / "reading.fada.json"
    write_reading(path, reading)
    export = out_dir / "export"
    shutil.rmtree(export, ignore_errors=True)
    dialog = widget.project.show_dialog(ExportDialog)
    assert dialog is not None
    dialog.form.choose("fada")
    dialog.form.proposals.setChecked(True)
    dialog.place.line.setText(str(export))
    dialog.export()
    _until(lambda: not dialog.work.running)
    dialog.close()
    if not (export / "fada.jsonl").exists():
        raise ExchangeError("The export of the demonstration was not written.")
    return [path, export / "fada.jsonl"]
