"""How long the event loop stands still while a clip of 300 frames is scrolled; memory.

Makes the clip from real frames (each shifted a little from the one before) as a multi-page TIFF
and as a DICOM of JPEG frames, opens it in a window of 1280 × 800, and scrolls: forwards one frame
after another at ten a second, backwards at twenty, then by leaps to frames that no one has looked
at. Then structures are interpolated over 298 frames, and the annotated clip is scrolled again.
Stalls are those of ``bench_event_loop``: wall time, and CPU time of the GUI thread.

    xvfb-run -a -s "-screen 0 1280x1024x24" python benchmarks/bench_cine.py FOLDER_OF_PNG

``--steps N`` takes fewer steps of each kind; ``--where`` prints what the GUI thread was doing.
"""

from __future__ import annotations

import argparse
import io
import json
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import napari
import numpy as np
import psutil
import tifffile
from bench_event_loop import Heartbeat, Witness, _repaint, _summary, _turn
from PIL import Image

from napari_fada.records.annotation import Annotation
from napari_fada.records.project import Project
from napari_fada.workstation.session import session_of
from napari_fada.workstation.widget import AnnotateWidget

N, HEIGHT, WIDTH = 300, 540, 800


def clip_of(folder: Path) -> np.ndarray:
    """Return frames that move: ten scans, each for thirty frames."""
    scans = []
    for path in sorted(folder.glob("*.png"))[:10]:
        image = np.asarray(Image.open(path).convert("L"))[:HEIGHT, :WIDTH]
        rest = ((0, HEIGHT - image.shape[0]), (0, WIDTH - image.shape[1]))
        scans.append(np.pad(image, rest))
    return np.stack([np.roll(scans[k // 30 % len(scans)], k % 30, axis=1) for k in range(N)])


def as_dicom(frames: np.ndarray, path: Path) -> None:
    """Write a clip as ultrasound DICOM, each frame a baseline JPEG in colour."""
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.encaps import encapsulate
    from pydicom.uid import JPEGBaseline8Bit, UltrasoundMultiFrameImageStorage, generate_uid

    packed = []
    for frame in frames:
        file = io.BytesIO()
        Image.fromarray(frame).convert("RGB").save(file, "JPEG", quality=90)
        packed.append(file.getvalue() + b"\0" * (len(file.getvalue()) % 2))
    data = Dataset()
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
    data.file_meta.MediaStorageSOPClassUID = UltrasoundMultiFrameImageStorage
    data.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    data.SOPClassUID = data.file_meta.MediaStorageSOPClassUID
    data.SOPInstanceUID = data.file_meta.MediaStorageSOPInstanceUID
    data.Modality, data.FrameTime = "US", "33.3"
    data.Rows, data.Columns, data.NumberOfFrames = HEIGHT, WIDTH, len(frames)
    data.SamplesPerPixel, data.PlanarConfiguration = 3, 0
    data.PhotometricInterpretation = "YBR_FULL_422"
    data.BitsAllocated = data.BitsStored = 8
    data.HighBit, data.PixelRepresentation = 7, 0
    data.PixelData = encapsulate(packed)
    data["PixelData"].is_undefined_length = True
    data.save_as(path, enforce_file_format=True)


def main() -> None:
    """Print one line of JSON for each clip and way of scrolling."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("scans", type=Path)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--where", action="store_true")
    options = parser.parse_args()
    viewer = napari.Viewer(show=True)
    viewer.window.resize(1280, 800)
    session = session_of(viewer)
    with tempfile.TemporaryDirectory() as folder:
        frames = clip_of(options.scans)
        tiff, dicom = Path(folder) / "clip.tif", Path(folder) / "clip.dcm"
        tifffile.imwrite(tiff, frames, photometric="minisblack")
        as_dicom(frames, dicom)
        del frames
        session.adopt(Project.open(Path(folder) / "bench.fada"))
        widget = AnnotateWidget(viewer)
        viewer.window.add_dock_widget(widget, name="FADA annotate", area="right")
        heart = Heartbeat()
        witness = Witness(heart) if options.where else None
        if witness:
            witness.start()
        _turn(1.0)
        for path in (tiff, dicom):
            _measure(path, viewer, widget, heart, witness, options.steps)
        widget.close_session()
    viewer.close()


def _measure(
    path: Path,
    viewer: Any,
    widget: AnnotateWidget,
    heart: Heartbeat,
    witness: Witness | None,
    steps: int,
) -> None:
    session = widget.session
    before = _memory()
    heart.begin()
    session.open_path(path)
    _turn(1.5)
    _tell(path, "open", heart, witness, bare_repaint_ms=_repaint(viewer))
    leaps = np.random.default_rng(0).permutation(np.arange(steps + 20, N))[:steps].tolist()
    for what in ("bare", "annotated"):
        if what == "annotated":
            heart.begin()
            took = _annotate(widget)
            _tell(path, "interpolate", heart, witness, seconds=round(took, 1))
        for name, way, pause in (
            ("forwards", range(steps), 0.1),
            ("backwards", range(steps, 0, -1), 0.05),
            ("leaps", leaps, 0.1),
        ):
            heart.begin()
            _scroll(session, way, pause)
            cache = session.image.data.cache
            _tell(
                *(path, f"{what} {name}", heart, witness),
                decodes=cache.decodes,
                cached_mb=cache.nbytes // 2**20,
                grown_mb=_memory() - before,
            )


def _annotate(widget: AnnotateWidget) -> float:
    session = widget.session

    def ellipse(x: float) -> tuple[tuple[float, float], ...]:
        t = np.linspace(0, 2 * np.pi, 32, endpoint=False)
        points = np.column_stack([x + 200 * np.cos(t), 270 + 150 * np.sin(t)])
        return tuple(map(tuple, points.tolist()))

    for frame, x in ((0, 380.0), (N - 1, 420.0)):
        drawn = [
            Annotation("Brain", "polygon", ellipse(x), source="expert"),
            Annotation("CSP", "box", ((x, 200.0), (x + 60, 240.0)), source="expert"),
            Annotation("LV", "box", ((x, 300.0), (x + 60, 340.0)), source="expert"),
        ]
        session.project.edit(session.scan.sha256, frame, add=drawn)
    session.go_to_frame(100)
    began = time.perf_counter()
    widget.carrier.interpolate()
    while widget.carrier.running or not session.layers.settled:
        _turn(0.05)
    return time.perf_counter() - began


def _scroll(session: Any, frames: Iterable[int], pause: float) -> None:
    for frame in frames:
        session.go_to_frame(int(frame))
        _turn(pause)
    while not session.layers.settled:
        _turn(0.05)


def _tell(path: Path, what: str, heart: Heartbeat, witness: Witness | None, **more: object) -> None:
    gaps, marks = list(heart.gaps), dict(heart.marks)
    print(json.dumps({"clip": path.suffix, "what": what, **_summary(gaps), **more}), flush=True)
    if witness:
        witness.tell(marks, 0.03)


def _memory() -> int:
    return int(psutil.Process().memory_info().rss // 2**20)


if __name__ == "__main__":
    main()
