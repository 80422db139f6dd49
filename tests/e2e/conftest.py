"""A real napari window with the widget in it, and an engine that answers from a table."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from answering import answers

from napari_fada.engines.scripted import ScriptedEngine
from napari_fada.records.annotation import Annotation
from napari_fada.records.project import Project
from napari_fada.records.reading import PHASES
from napari_fada.workstation.runner import Engines
from napari_fada.workstation.session import session_of
from napari_fada.workstation.settings import FileKeeper, use_keeper
from napari_fada.workstation.widget import AnnotateWidget


@dataclass
class Desk:
    """The window and what a test asks of it."""

    viewer: Any
    widget: AnnotateWidget
    qtbot: Any
    tmp_path: Path

    @property
    def session(self) -> Any:
        return self.widget.session

    def layer(self, role: str) -> Any:
        return self.session.layers.bindings[role].layer

    def kept(self, frame: int = 0) -> list[Annotation]:
        """Return what stands in the file now."""
        return self.session.project.annotations(self.session.scan.sha256, frame)

    def answer(self, table: dict[str, Any] | None = None) -> None:
        """Let the model answer from a table."""
        self.widget.runner.engines = Engines(lambda _name: ScriptedEngine(table or answers()))

    def wait_for_run(self) -> None:
        self.qtbot.waitUntil(self._at_rest)

    def _at_rest(self) -> bool:
        layers = self.session.layers
        return not self.widget.runner.running and (layers is None or layers.settled)

    def run(self, phases: tuple[Any, ...] = PHASES) -> None:
        """Run, and wait for the end."""
        self.widget.run(phases)
        self.wait_for_run()


@pytest.fixture(autouse=True)
def _viewers_come_and_go(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the viewer of a test be given back: the program keeps its own to the end."""
    monkeypatch.setattr("napari_fada.workstation.warm_up.settle_memory", lambda: None)


@pytest.fixture(autouse=True)
def _own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Keep the user's own project and settings out of the tests."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    use_keeper(FileKeeper())
    yield
    use_keeper(None)


@pytest.fixture
def open_desk(
    make_napari_viewer: Callable[..., Any], qtbot: Any, tmp_path: Path
) -> Iterator[Callable[..., Desk]]:
    """Open windows; the second one opens the same project."""
    made: list[Desk] = []

    def opened(pixels: np.ndarray | None = None) -> Desk:
        viewer = make_napari_viewer()
        session = session_of(viewer)
        session.adopt(Project.open(tmp_path / "project.fada", rater="ann"))
        widget = AnnotateWidget(viewer)
        viewer.window.add_dock_widget(widget, name="FADA annotate", area="right")
        desk = Desk(viewer, widget, qtbot, tmp_path)
        made.append(desk)
        desk.answer()
        if pixels is None:
            pixels = np.random.default_rng(0).integers(0, 99, (200, 400), np.uint8)
        assert session.use_layer(viewer.add_image(pixels, name="scan", rgb=False))
        return desk

    yield opened
    for desk in made:
        desk.widget.runner.cancel()
        desk.wait_for_run()
        desk.widget.close_session()


@pytest.fixture
def desk(open_desk: Callable[..., Desk]) -> Desk:
    """Open one window with a plain scan."""
    return open_desk()
