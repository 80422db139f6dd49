"""How long "next scan" takes: from the key to the canvas with the proposals on it.

Run it under a display (or xvfb-run) on a folder of real scans:

    xvfb-run -a -s "-screen 0 1280x1024x24" python benchmarks/bench_next_scan.py FOLDER

A scripted engine in a child process finds four structures in each scan. Measured is the case in
which the next scan was prepared while the one before was looked at: from ``next_scan()`` until
the canvas is drawn, in wall time and in CPU time of the GUI thread; beside them one drawing of
the canvas alone, with nothing changed. ``--cold`` also measures scans that were not prepared
(opened in a thread when asked for; no proposals).
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import napari
from qtpy.QtCore import QEventLoop, QTimer

from napari_fada.engines.host import HostedEngine, Spec
from napari_fada.records import review
from napari_fada.records.project import Project
from napari_fada.records.worklist import Worklist
from napari_fada.workstation.runner import Engines
from napari_fada.workstation.session import session_of
from napari_fada.workstation.widget import AnnotateWidget
from napari_fada.workstation.worklist.docking import show_worklist

GOAL_MS = 150.0
STRUCTURES = 4
Times = tuple[float, float]


def main() -> int:
    """Print one line of JSON for each case; exit code 1 if the median is above the goal."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--scans", type=int, default=12)
    parser.add_argument("--cold", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for variable in ("XDG_CONFIG_HOME", "XDG_DATA_HOME"):
            os.environ[variable] = str(Path(folder) / variable)
        scans = Path(folder) / "scans"
        scans.mkdir()
        for path in sorted(options.folder.glob("*.png"))[: options.scans]:
            shutil.copy(path, scans)
        return _measure(Path(folder), scans, options.scans, cold=options.cold)


def _measure(folder: Path, scans: Path, number: int, *, cold: bool) -> int:
    viewer = napari.Viewer(show=True)
    viewer.window.resize(1280, 800)
    session = session_of(viewer)
    session.adopt(Project.open(folder / "bench.fada", rater="bench"))
    Worklist(session.project).add([scans])
    widget = AnnotateWidget(viewer)
    viewer.window.add_dock_widget(widget, name="FADA annotate", area="right")
    spec = Spec("canned:scripted", {"n": STRUCTURES})
    widget.runner.engines = Engines(lambda _name: HostedEngine(spec))
    worklist = show_worklist(viewer)
    session.look_for(order="name")

    def rest() -> None:
        _until(lambda: widget.ahead.at_rest and worklist.at_rest)
        _until(lambda: session.layers is None or session.layers.settled)
        _turn(0.3)

    _turn(2.5)
    rest()
    session.next_scan()
    rest()
    session.next_scan()
    rest()
    warm, bare = [], []
    for _ in range(number - 3):
        review.skip_scan(session.project, session.scan.sha256, session.frame)
        rest()
        bare.append(_draw(viewer))
        warm.append(_step(viewer, session))
        if not session.records:
            print(json.dumps({"scan": session.scan.name, "problem": "no proposals"}))
        rest()
    print(json.dumps({"case": "prepared, with proposals", **_told(warm), "bare": _told(bare)}))
    if cold:
        slow = []
        items = session.walk.worklist.items(order="name")
        files = [item for item in items if item.path is not None]
        for item in files[:6]:
            session.prepared.clear()
            before = session.scan
            began, cpu = time.perf_counter(), time.thread_time()
            session.open_item(item)
            _until(lambda before=before: session.scan is not before)  # type: ignore[misc]
            _draw(viewer)
            slow.append((time.perf_counter() - began, time.thread_time() - cpu))
            rest()
        print(json.dumps({"case": "opened when asked for", **_told(slow)}))
    widget.close_session()
    viewer.close()
    return int(1000 * sorted(wall for wall, _ in warm)[len(warm) // 2] > GOAL_MS)


def _step(viewer: napari.Viewer, session: object) -> Times:
    began, cpu = time.perf_counter(), time.thread_time()
    before = session.scan  # type: ignore[attr-defined]
    session.next_scan()  # type: ignore[attr-defined]
    if session.scan is before:  # type: ignore[attr-defined]
        print(json.dumps({"problem": "the next scan was not prepared"}))
        _until(lambda: session.scan is not before)  # type: ignore[attr-defined]
    viewer.window._qt_viewer.canvas.native.repaint()
    return time.perf_counter() - began, time.thread_time() - cpu


def _draw(viewer: napari.Viewer) -> Times:
    began, cpu = time.perf_counter(), time.thread_time()
    viewer.window._qt_viewer.canvas.native.repaint()
    return time.perf_counter() - began, time.thread_time() - cpu


def _told(times: list[Times]) -> dict[str, object]:
    out: dict[str, object] = {"n": len(times)}
    for i, name in enumerate(("wall_ms", "gui_cpu_ms")):
        values = sorted(1000 * t[i] for t in times)
        out[name] = {
            "median": round(values[len(values) // 2], 1),
            "longest": round(values[-1], 1),
        }
    return out


def _until(done: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not done():
        if time.monotonic() > end:
            raise SystemExit("it did not come to rest")
        _turn(0.01)


def _turn(seconds: float) -> None:
    """Let the event loop turn as it does in the program."""
    loop = QEventLoop()
    QTimer.singleShot(int(seconds * 1000), loop.quit)
    loop.exec()


if __name__ == "__main__":
    raise SystemExit(main())
