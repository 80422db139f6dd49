"""What the chosen model needs, and that it was unloaded, in the window."""

from __future__ import annotations

from typing import Any

import pytest
from qtpy.QtCore import QEvent
from qtpy.QtWidgets import QApplication

from napari_fada.engines import hardware
from napari_fada.engines.hardware import Memory
from napari_fada.models import fitting
from napari_fada.workstation.engines import Engines
from napari_fada.workstation.runner import Loading
from napari_fada.workstation.settings import settings


def come_to(widget: Any) -> None:
    QApplication.sendEvent(widget, QEvent(QEvent.Type.Enter))


def test_the_tooltip_says_what_the_model_needs_and_what_is_free(
    open_desk: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hardware, "memory", lambda: Memory(8 * 10**9, 5_200_000_000))
    desk = open_desk()
    models = desk.widget.source.models
    come_to(models)
    desk.qtbot.waitUntil(lambda: "MB, you have 5.2 GB free" in models.toolTip())
    assert "1 thread, one answer at a time, on the processor" in models.toolTip()
    monkeypatch.setattr(hardware, "memory", lambda: Memory(8 * 10**9, 50_000_000))
    come_to(models)
    desk.qtbot.waitUntil(lambda: "you have 50 MB free: it does not fit" in models.toolTip())


def with_the_real_model(desk: Any) -> Any:
    desk.widget.runner.engines = Engines()
    desk.widget.model_state.listen()
    return desk


def test_a_model_that_does_not_fit_is_refused_with_the_reason(
    open_desk: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("llama_cpp")
    monkeypatch.setattr(fitting, "memory", lambda: Memory(10**9, 50_000_000))
    desk = with_the_real_model(open_desk())
    desk.run()
    said = desk.widget.message.text
    assert "does not fit into memory: it needs" in said
    assert "you have 50 MB free" in said
    assert "Close other programs" in said
    assert not desk.kept()
    settings().check_memory = False  # the user knows better
    desk.run(("classify",))
    assert desk.widget.phases.states["classify"] == "done"


def test_an_idle_model_gives_its_memory_back_and_returns(open_desk: Any) -> None:
    pytest.importorskip("llama_cpp")
    desk = with_the_real_model(open_desk())
    desk.run(("classify",))
    engine = desk.widget.runner.engines.current
    assert engine.pid is not None
    assert engine.idle_seconds == 600
    settings().unload_minutes = 1
    assert engine.idle_seconds == 60
    engine.idle_seconds = 0.01  # as if the minute were over
    desk.qtbot.waitUntil(lambda: engine.rest is not None)
    desk.qtbot.waitUntil(lambda: "fada-mini: unloaded to free" in str(desk.viewer.status))
    assert "MB; loads again on use" in desk.widget.source.models.toolTip()
    engine.idle_seconds = 600
    events: list[Any] = []
    desk.widget.runner.event.connect(events.append)
    desk.widget.start(("classify",), "add")
    desk.wait_for_run()
    assert isinstance(events[0], Loading)  # the window says why it takes a moment
    assert desk.widget.phases.states["classify"] == "done"
    assert desk.widget.runner.engines.current is engine
    assert engine.pid is not None
