"""A worklist of 10,000 scans: seconds to list, to open, and to ask for each filter and order.

    python benchmarks/bench_worklist.py [--files 10000] [--folder DIR]

Small pictures are made in a temporary folder (or in DIR, where they stay), with readings and
reviews so that every query has something to find. Real scans take longer to open: that part is
reading, hashing and decoding. On a machine that does other work look at the CPU times.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image

from napari_fada.checking import check_scans
from napari_fada.indexing import index_files
from napari_fada.measure import Scale
from napari_fada.records import history, tables
from napari_fada.records.annotation import Annotation
from napari_fada.records.ellipse import Ellipse
from napari_fada.records.project import WHOLE, Project
from napari_fada.records.reading import ModelRef, PhaseResult, Reading, ScanRef
from napari_fada.records.worklist import ORDERS, Filter, Worklist

VIEWS = ("BPD_PLANE", "ABDOMEN", "FEMUR", "HEART")
CLASSES = ("Brain", "CSP", "LV", "Abdomen", "Femur")
FILTERS = {
    "everything": Filter(),
    "state proposed": Filter(states=frozenset({"proposed"})),
    "text": Filter(text="scan 77"),
    "view": Filter(view="FEMUR"),
    "class": Filter(category="CSP"),
    "rater": Filter(rater="Anna"),
    "score": Filter(max_score=0.3),
    "all at once": Filter("scan", frozenset({"proposed"}), "FEMUR", "CSP", "Anna", 0.5),
}


def main() -> None:
    """Make the files, list them, open them, ask."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--files", type=int, default=10_000)
    options.add_argument("--folder", type=Path)
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        os.environ["XDG_CACHE_HOME"] = str(Path(scratch) / "cache")
        folder = chosen.folder or Path(scratch) / "scans"
        _make_files(folder, chosen.files)
        with Project.open(Path(scratch) / "p.fada", rater="Anna") as project:
            _measure(project, folder, chosen.files)


def _measure(project: Project, folder: Path, files: int) -> None:
    worklist = Worklist(project)
    with _timed(f"list {files} files"):
        worklist.add([folder])
    with _timed("list them again"):
        worklist.add([folder])
    longest = _index(worklist)
    print(f"{longest * 1000:9.1f} ms  longest time without an event while opening")
    with _timed("look at all of them again, unchanged"):
        list(index_files(worklist))
    _work(project)
    with _timed("look at what fits on all that was read"):
        list(check_scans(worklist))
    with _timed("look again, unchanged"):
        list(check_scans(worklist))
    for name, where in FILTERS.items():
        _query(f"items: {name}", lambda where=where: worklist.items(where))
    for order in ORDERS:
        _query(f"items: order {order}", lambda order=order: worklist.items(order=order))
    some = worklist.items()[files // 2].id
    for order in ORDERS:
        _query(f"next: order {order}", lambda order=order: worklist.next(some, order=order))
    _query("counts", worklist.counts)
    sha256 = worklist.items()[0].sha256 or ""
    texts = iter(range(100_000))
    _query(
        "one edit (a comment), with its summary",
        lambda: project.set_state(sha256, WHOLE, {"comment": str(next(texts))}),
    )
    with _timed("check"):
        problems = project.check()
    print(f"project file {project.path.stat().st_size / 2**20:.0f} MiB, problems: {problems}")


def _index(worklist: Worklist) -> float:
    longest, last = 0.0, time.perf_counter()
    with _timed("open all of them (hash, size, picture)"):
        for _ in index_files(worklist):
            longest = max(longest, time.perf_counter() - last)
            last = time.perf_counter()
    return longest


def _work(project: Project) -> None:
    """Give two thirds of the scans a reading, and a third a judgement, in one transaction."""
    rng = random.Random(1)
    scale = json.dumps(Scale(1.5, 1.5, "user").to_dict())
    model = ModelRef("bench", "0" * 64, "p", "0" * 64, "none")
    with _timed("write readings and reviews"), project._store.write() as c:
        for number, row in enumerate(project.scans()):
            if number % 3 == 2:
                continue
            found = tuple(
                Annotation(name, "box", ((1.0, 1.0), (20.0, 20.0)), score=rng.random())
                for name in rng.sample(CLASSES, 3)
            )
            ring = Ellipse(32.0, 24.0, 20.0, rng.uniform(13.0, 18.0), 0.3).polygon(24)
            found = (*found, Annotation("Brain", "polygon", ring, score=rng.random()))
            ref = ScanRef(row.name, row.sha256, row.width, row.height)
            done = {"interpret": PhaseResult("done", 0.1, 200, "x" * 800)}
            reading = Reading(ref, model, done, {}, rng.choice(VIEWS), None, found)
            identifier, kept = tables.put_reading(c, reading)
            shown = {f"record/{a.uid}": "1" for a in kept.annotations}
            key = (c, row.sha256)
            history.do(*key, 0, {"reading": identifier, **shown}, label="read", rater="")
            history.do(*key, WHOLE, {"scale": scale}, label="scale", rater="Anna")
            if number % 3 == 1:
                state = rng.choice(("accepted", "corrected", "in_review", "rejected"))
                history.do(*key, WHOLE, {"review": state}, label="judged", rater="Anna")


def _make_files(folder: Path, files: int) -> None:
    present = len(list(folder.glob("*/*.png")))
    rng = np.random.default_rng(1)
    for number in range(present, files):
        path = folder / f"part {number // 1000}" / f"scan {number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 255, (48, 64), np.uint8)).save(path)


def _query(name: str, ask: Callable[[], object]) -> None:
    times, busy = [], []
    for _ in range(7):
        start = time.perf_counter(), time.process_time()
        ask()
        times.append((time.perf_counter() - start[0]) * 1000)
        busy.append((time.process_time() - start[1]) * 1000)
    wall, cpu = statistics.median(times), statistics.median(busy)
    print(f"{wall:9.1f} ms  {name} (worst {max(times):.1f}, CPU {cpu:.1f})", flush=True)


@contextmanager
def _timed(name: str) -> Iterator[None]:
    start = time.perf_counter(), time.process_time()
    yield
    wall, cpu = time.perf_counter() - start[0], time.process_time() - start[1]
    print(f"{wall:9.2f} s   {name} (CPU {cpu:.2f})", flush=True)


if __name__ == "__main__":
    main()
