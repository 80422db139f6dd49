"""How long a large export takes, and how much memory: 10,000 scans with 50,000 annotations.

The scans are small synthetic PNGs (160 × 120); outlines have 100 corners. The alternative that is
run in the same process is what a script would do: all annotations in one list, masks encoded one
after another from full rasters, and one ``json.dump`` at the end; it writes no images, checks no
file and de-identifies nothing.

    python benchmarks/bench_export.py [--scans 10000] [--each 5] [--folder DIR]
"""

from __future__ import annotations

import argparse
import json
import math
import multiprocessing
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from napari_fada.exchange.export import export_records
from napari_fada.exchange.request import ExportRequest
from napari_fada.exchange.writers import load_format
from napari_fada.records.annotation import Annotation
from napari_fada.records.geometry import bounds, rasterise
from napari_fada.records.project import Project
from napari_fada.scans import open_scan
from napari_fada.vocabulary import vocabulary

SIZE = (160, 120)


def outline(rng: np.random.Generator, category: str) -> Annotation:
    """Return a roundish outline of 100 corners."""
    x, y = rng.uniform(40, 120), rng.uniform(40, 80)
    reach = rng.uniform(15, 35)
    ring = tuple(
        (
            round(float(x + reach * math.cos(t) * rng.uniform(0.95, 1)), 3),
            round(float(y + reach * math.sin(t) * rng.uniform(0.95, 1)), 3),
        )
        for t in np.linspace(0, 2 * math.pi, 100, endpoint=False)
    )
    return Annotation(category, "polygon", ring, source="expert", status="accepted")


def make_project(folder: Path, scans: int, each: int) -> Path:
    """Make a project with scans and outlines."""
    rng = np.random.default_rng(0)
    names = [c.name for c in vocabulary().categories if "polygon" in c.kinds]
    path = folder / "large.fada"
    (folder / "scans").mkdir(exist_ok=True)
    with Project.open(path, rater="bench") as project, project.together("made"):
        for number in range(scans):
            file = folder / "scans" / f"{number:06d}.png"
            pixels = rng.integers(0, 255, SIZE[::-1], np.uint8)
            Image.fromarray(pixels).save(file, compress_level=1)
            scan = open_scan(file)
            project.add_scan(scan)
            found = [outline(rng, names[(number + i) % len(names)]) for i in range(each)]
            project.edit(scan.sha256, 0, add=found)
    return path


def plain(path: Path, out: Path) -> None:
    """Do it as a script would."""
    from pycocotools import mask as masks

    images: list[dict[str, Any]] = []
    rows: list[dict[str, Any]] = []
    with Project.open(path) as project:
        for number, scan in enumerate(project.scans()):
            images.append(
                {"id": number, "file_name": scan.name, "width": scan.width, "height": scan.height}
            )
            for a in project.annotations(scan.sha256, 0):
                mask = rasterise(a, (scan.height, scan.width))
                packed = masks.encode(np.asfortranarray(mask.astype(np.uint8)))
                packed["counts"] = packed["counts"].decode()
                (x1, y1), (x2, y2) = bounds(a)
                rows.append(
                    {
                        "id": len(rows),
                        "image_id": number,
                        "category_id": vocabulary().by_name[a.category].id,
                        "segmentation": packed,
                        "polygon": [[v for p in a.points for v in p]],
                        "bbox": [x1, y1, x2 - x1, y2 - y1],
                        "area": int(mask.sum()),
                        "iscrowd": 0,
                    }
                )
    out.mkdir()
    (out / "coco.json").write_text(json.dumps({"images": images, "annotations": rows}))


def export(path: Path, out: Path, **wish: Any) -> None:
    """Export with the program."""
    with Project.open(path) as project:
        export_records(project, out, load_format("coco"), ExportRequest(**wish))


def measured(name: str, work: Callable[[], None]) -> tuple[float, float]:
    """Run in a process of its own; return seconds and the highest memory in MiB."""
    queue: multiprocessing.Queue[tuple[float, float]] = multiprocessing.Queue()

    def run() -> None:
        start = time.perf_counter()
        work()
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        queue.put((time.perf_counter() - start, peak))

    process = multiprocessing.get_context("fork").Process(target=run)
    process.start()
    seconds, peak = queue.get()
    process.join()
    print(f"{name:44} {seconds:7.1f} s   {peak:7.0f} MiB at most", flush=True)
    return seconds, peak


def main() -> None:
    """Run everything once and print seconds, memory and ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--scans", type=int, default=10_000)
    parser.add_argument("--each", type=int, default=5)
    parser.add_argument("--folder", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.folder or Path(temporary)
        folder.mkdir(exist_ok=True)
        path = folder / "large.fada"
        if not path.exists():
            start = time.perf_counter()
            make_project(folder, arguments.scans, arguments.each)
            print(f"project made in {time.perf_counter() - start:.0f} s", flush=True)
        out = Path(tempfile.mkdtemp(dir=folder))
        plainly, _ = measured("a plain script, no images", lambda: plain(path, out / "plain"))
        bare, _ = measured(
            "export coco, no images", lambda: export(path, out / "bare", images="none")
        )
        whole, _ = measured("export coco, with images", lambda: export(path, out / "whole"))
        split, _ = measured(
            "export coco, with images, split and audit",
            lambda: export(path, out / "split", shares={"train": 0.8, "val": 0.1, "test": 0.1}),
        )
        print(f"no images: {plainly / bare:.2f} × as fast as the script")
        print(f"with images: {whole / plainly:.2f} × the time of the script")
        print(f"with split: {split / plainly:.2f} × the time of the script")


if __name__ == "__main__":
    main()
