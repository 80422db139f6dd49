"""Pictures of the window for the documentation: a run and its correction, each tab, two raters.

Run it under a display (or xvfb-run); the model is fada-mini, the scan any HC18 image:

    xvfb-run -a -s "-screen 0 1280x1024x24" python benchmarks/screenshots.py SCAN.png docs/images
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import napari
import numpy as np
from qtpy.QtWidgets import QApplication

from napari_fada.records.annotation import Annotation
from napari_fada.records.project import Project
from napari_fada.workstation.adjudicate_widget import AdjudicateWidget
from napari_fada.workstation.drawing import draw
from napari_fada.workstation.models_panel.docking import show_models
from napari_fada.workstation.session import session_of
from napari_fada.workstation.widget import AnnotateWidget
from napari_fada.workstation.worklist.docking import find_worklist, show_worklist

LARGEST = 200_000


def main(scan: Path, out: Path) -> None:
    """Take the pictures."""
    scan, out = scan.resolve(), out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    viewer = napari.Viewer(show=True)
    viewer.window.resize(1280, 800)
    session = session_of(viewer)

    def pump(seconds: float) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            QApplication.processEvents()
            time.sleep(0.005)

    def shoot(name: str) -> None:
        while session.layers is not None and not session.layers.settled:
            pump(0.1)
        pump(0.8)
        pixels = viewer.screenshot(canvas_only=False, flash=False)
        _save(pixels, out / f"{name}.png")

    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary, "study")  # its name is seen in the pictures
        folder.mkdir()
        session.adopt(Project.open(folder / "scans.fada", rater="Dr Example"))
        widget = AnnotateWidget(viewer)
        viewer.window.add_dock_widget(widget, name="FADA annotate", area="right")
        pump(0.5)
        session.open_path(scan)
        shoot("window-before")
        widget.run()
        while "running" not in widget.phases.states.values():
            pump(0.01)
        shown = False
        while widget.runner.running:
            pump(0.01)
            if not shown and widget.phases.answer.toPlainText():
                _save(viewer.screenshot(canvas_only=False, flash=False), out / "window-during.png")
                shown = True
        shoot("window-after")
        widget.tabs.setCurrentWidget(widget.report)
        shoot("window-report")
        table = scan.parent.parent / "measurements.csv"
        if table.exists():
            widget.measures.scaling.take_table(table)
        widget.tabs.setCurrentWidget(widget.measures)
        widget.measures.draw.setChecked(True)
        shoot("window-measure")
        widget.measures.draw.setChecked(False)
        layer = session.layers.bindings["polygons"].layer
        if layer.data:
            data = [np.array(v) for v in layer.data]
            centre = data[0].mean(axis=0)
            data[0] = centre + (data[0] - centre) * 1.05
            layer.data = data
        widget.report.fields["image_quality"].setPlainText("good, midline seen")
        widget.report.flush()
        draw(session, "polygons", "direct")
        layer.selected_data = {0} if layer.data else set()
        shoot("window-corrected")
        widget.tabs.setCurrentWidget(widget.project)
        shoot("window-project")
        widget.tabs.setCurrentWidget(widget.review)
        shoot("window-review")
        widget.tabs.setCurrentWidget(widget.history)
        shoot("window-history")
        widget.comfort.show_keys()
        shoot("window-keys")
        widget.comfort.show_keys()
        widget.phases.fold(True)
        viewer.theme = "light"
        widget.tabs.setCurrentWidget(widget.review)
        shoot("window-light")
        viewer.theme = "dark"
        _list(viewer, widget, sorted(scan.parent.glob("*.png"))[:200], pump)
        shoot("window-worklist")
        find_worklist(viewer).close_list()
        session.open_path(scan)
        _adjudicate(viewer, folder, pump)
        shoot("window-adjudicate")
        _models(viewer, pump)
        shoot("window-models")
        widget.close_session()
    viewer.close()


def _list(
    viewer: napari.Viewer, widget: AnnotateWidget, scans: list[Path], pump: Callable[[float], None]
) -> None:
    """List scans, read some of them, and stand before one of them."""
    worklist = show_worklist(viewer)
    worklist.add(scans)
    while not worklist.at_rest:
        pump(0.1)
    worklist.run_on_new()
    pump(9.0)
    widget.ahead.pause(True)
    widget.session.next_scan()
    pump(1.5)


def _models(viewer: napari.Viewer, pump: Callable[[float], None]) -> None:
    """Show the models of this computer and of the catalogue, and ask about a download."""
    panel = show_models(viewer)
    while not panel.at_rest:
        pump(0.1)
    panel.list.choose("fada-mobile")


def _adjudicate(viewer: napari.Viewer, folder: Path, pump: Callable[[float], None]) -> None:
    """Let two raters disagree on the scan that is shown, and open the dock for it."""
    session = session_of(viewer)
    sha256 = session.scan.sha256
    width, height = session.scan.width, session.scan.height
    turn = np.linspace(0, 2 * np.pi, 32, endpoint=False)
    widget = AdjudicateWidget(viewer)
    os.chdir(folder)
    for side, (name, x, rx) in zip("ab", (("Anna", 0.45, 0.24), ("Ben", 0.6, 0.12)), strict=True):
        points = zip(
            (width * (x + rx * np.cos(turn))).tolist(),
            (height * (0.5 + 0.28 * np.sin(turn))).tolist(),
            strict=True,
        )
        head = Annotation("Brain", "polygon", tuple(points), source="expert", status="accepted")
        path = Path(f"{name}.fada")  # in the folder we stand in: the picture shows no other
        with Project.open(path, rater=name) as project:
            project.add_scan(session.scan)
            project.edit(sha256, 0, add=[head], label="Drawn")
            quality = {"image_quality": f"{'good' if side == 'a' else 'poor'}, midline seen"}
            project.set_report(sha256, 0, fields=quality)
        widget.files.paths[side].setText(str(path))
    viewer.window.add_dock_widget(widget, name="FADA adjudicate", area="right")
    widget.files.merge.click()
    while widget.files.running:
        pump(0.05)
    widget.message.clear()
    names = [c.name for c in widget.work.open]
    widget.work.look_at(names.index("Brain"))


def _save(pixels: np.ndarray, path: Path) -> None:
    from PIL import Image

    picture = Image.fromarray(pixels[..., :3])
    picture.save(path, optimize=True)
    if path.stat().st_size > LARGEST:
        picture.quantize(256, Image.Quantize.MAXCOVERAGE).save(path, optimize=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
