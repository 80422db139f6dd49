"""Sessions without a window: a ViewerModel, a project on the disk, a plain scan."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_fada.records.annotation import Annotation
from napari_fada.records.project import Project
from napari_fada.records.reading import ModelRef, PhaseResult, Reading
from napari_fada.workstation import napari_private
from napari_fada.workstation.session import Session
from napari_fada.workstation.settings import FileKeeper, use_keeper

HEIGHT, WIDTH = 540, 800


@pytest.fixture(autouse=True)
def _own_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Keep the user's own settings out of the tests."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    use_keeper(FileKeeper())
    yield
    use_keeper(None)


def reading_of(session: Session, *annotations: Annotation, frame: int = 0) -> Reading:
    """Return a reading of the session's scan that proposes annotations."""
    assert session.scan is not None
    return Reading(
        scan=session.scan.ref(frame),
        model=ModelRef("test", "0" * 64, "napari-fada-1", "0" * 64, "scripted"),
        phases={"detect": PhaseResult("done")},
        interpretation={"anatomical_structures": "a head"},
        view="BPD_PLANE",
        annotations=annotations,
    )


@pytest.fixture(autouse=True)
def _at_once(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Do at once what waits for a turn of the event loop, where no ``qtbot`` turns it.

    Without an application that is so anyway, but the tests with a window leave one behind.
    """
    if "qtbot" not in request.fixturenames:
        monkeypatch.setattr(napari_private, "later", lambda does, *_: does())


@dataclass
class Bench:
    """A session with ways to look at it."""

    session: Session
    viewer: ViewerModel
    said: list[tuple[str, str]] = field(default_factory=list)

    def layer(self, role: str) -> Any:
        return self.session.layers.bindings[role].layer  # type: ignore[union-attr]

    def propose(self, *annotations: Annotation, frame: int = 0) -> None:
        self.session.project.save_reading(
            reading_of(self.session, *annotations, frame=frame), show="add"
        )

    def kept(self, frame: int = 0) -> list[Annotation]:
        """Return what stands in the file now."""
        return self.session.project.annotations(self.session.scan.sha256, frame)  # type: ignore[union-attr]

    def one(self, frame: int = 0) -> Annotation:
        (record,) = self.kept(frame)
        return record

    def texts(self) -> str:
        return "\n".join(text for text, _ in self.said)


def make_bench(tmp_path: Path, pixels: np.ndarray) -> Bench:
    viewer = ViewerModel()
    image = viewer.add_image(pixels, name="scan", rgb=False)
    session = Session(viewer, Project.open(tmp_path / "project.fada", rater="ann"))
    bench = Bench(session, viewer)
    session.message.connect(lambda text, level: bench.said.append((text, level)))
    assert session.use_layer(image)
    return bench


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    pixels = np.random.default_rng(0).integers(0, 99, (HEIGHT, WIDTH), np.uint8)
    made = make_bench(tmp_path, pixels)
    yield made
    made.session.close()


@pytest.fixture
def clip(tmp_path: Path) -> Iterator[Bench]:
    """Open a scan of five frames."""
    pixels = np.random.default_rng(0).integers(0, 99, (5, HEIGHT, WIDTH), np.uint8)
    made = make_bench(tmp_path, pixels)
    yield made
    made.session.close()


@pytest.fixture
def long_clip(tmp_path: Path) -> Iterator[Bench]:
    """Open a scan of three hundred small frames."""
    made = make_bench(tmp_path, np.zeros((300, 120, 160), np.uint8))
    yield made
    made.session.close()
