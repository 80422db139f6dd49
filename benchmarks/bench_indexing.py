"""How long the viewer's event loop stands still while the files of a worklist are opened.

Small PNG files are made in a temporary folder, listed in a project, and opened by
``index_files`` in a worker of napari while the window with FADA annotate stands open. Stalls are
measured as in ``bench_event_loop.py``. One line of JSON: time to list, files a second, stalls.

    xvfb-run -a -s "-screen 0 1280x1024x24" python benchmarks/bench_indexing.py --files 10000

``--seconds`` ends the indexing early; the figures then say how many files were opened.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import napari
import numpy as np
from bench_event_loop import Heartbeat, _summary, _turn
from napari.qt.threading import create_worker
from PIL import Image

from napari_fada.indexing import index_files
from napari_fada.records.project import Project
from napari_fada.records.worklist import Worklist
from napari_fada.workstation.session import session_of
from napari_fada.workstation.widget import AnnotateWidget


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=10000)
    parser.add_argument("--seconds", type=float, default=120.0)
    options = parser.parse_args()
    viewer = napari.Viewer(show=True)
    viewer.window.resize(1280, 800)
    session = session_of(viewer)
    with tempfile.TemporaryDirectory() as folder:
        os.environ["XDG_CACHE_HOME"] = str(Path(folder) / "cache")  # the user's own is left alone
        scans = Path(folder) / "scans"
        _make(scans, options.files)
        session.adopt(Project.open(Path(folder) / "bench.fada"))
        widget = AnnotateWidget(viewer)
        viewer.window.add_dock_widget(widget, name="FADA annotate", area="right")
        session.open_path(scans / "00000.png")
        heart = Heartbeat()
        _turn(2.5)
        worklist = Worklist(session.project)
        began = time.perf_counter()
        listed = worklist.add([scans])
        listing = time.perf_counter() - began
        cancel = threading.Event()
        seen: list[Any] = []
        worker = create_worker(_work, worklist, cancel, _start_thread=False, _progress=True)
        worker.yielded.connect(seen.append)
        done: list[bool] = []
        worker.finished.connect(lambda: done.append(True))
        heart.begin()
        began = time.perf_counter()
        worker.start()
        while not done:
            _turn(0.1)
            if time.perf_counter() - began > options.seconds:
                cancel.set()
        took = time.perf_counter() - began
        line = {
            "files": options.files,
            "listed": listed,
            "list_seconds": round(listing, 2),
            "opened": len(seen),
            "seconds": round(took, 1),
            "load": round(os.getloadavg()[0], 1),
            **_summary(heart.gaps),
        }
        print(json.dumps(line))
        widget.close_session()
    viewer.close()


def _work(worklist: Worklist, cancel: threading.Event) -> Iterator[Any]:
    yield from index_files(worklist, cancel=cancel)


def _make(folder: Path, number: int) -> None:
    """Write that many small pictures, no two alike."""
    folder.mkdir()
    picture = np.random.default_rng(0).integers(0, 90, (96, 128), np.uint8)
    for i in range(number):
        picture.flat[:4] = np.frombuffer(np.uint32(i).tobytes(), np.uint8)
        Image.fromarray(picture).save(folder / f"{i:05}.png", compress_level=0)


if __name__ == "__main__":
    main()
