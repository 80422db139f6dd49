"""The model that a window has loaded: with the options of the settings, and given back."""

from __future__ import annotations

from typing import Any

import pytest

import napari_fada.models
from napari_fada.engines.host import Rest
from napari_fada.engines.scripted import ScriptedEngine
from napari_fada.workstation import engines
from napari_fada.workstation.engines import Engines
from napari_fada.workstation.settings import settings


class Idle(ScriptedEngine):
    """An engine that can be unloaded."""

    idle_seconds = 0.0
    rest: Rest | None = None
    tell: Any = None
    closed = False

    def when_unloaded(self, told: Any) -> None:
        self.tell = told

    def close(self) -> None:
        self.closed = True


def test_the_settings_are_the_options(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[dict[str, Any]] = []
    monkeypatch.setattr(
        napari_fada.models, "load_engine", lambda _model, **options: given.append(options)
    )
    engines.load_engine("fada-mini")
    assert given[0] == {
        "threads": None, "gpu_layers": None, "n_ctx": None, "image_tokens": None,
        "force": False, "idle_seconds": 600,
    }  # fmt: skip
    chosen = settings()
    chosen.threads, chosen.gpu_layers, chosen.context_tokens = 3, 0, 4096
    chosen.image_tokens, chosen.check_memory, chosen.unload_minutes = 512, False, 0
    engines.load_engine("fada-mini")
    assert given[1] == {
        "threads": 3, "gpu_layers": 0, "n_ctx": 4096, "image_tokens": 512,
        "force": True, "idle_seconds": 0,
    }  # fmt: skip


def test_other_options_load_it_anew_at_the_next_run() -> None:
    loaded: list[Idle] = []

    def load(_model: str) -> Idle:
        loaded.append(Idle(lambda *_: "{}"))
        return loaded[-1]

    kept = Engines(load)
    first = kept.get("a")
    assert kept.get("a") is first
    settings().threads = 2
    assert not kept.has("a")
    assert not loaded[0].closed  # not before something is asked
    assert kept.get("a") is not first
    assert loaded[0].closed
    assert kept.has("a")


def test_an_idle_model_is_told_of_and_is_loading_again_at_the_next_run() -> None:
    engine = Idle(lambda *_: "{}")
    kept = Engines(lambda _model: engine)
    told: list[tuple[str, str]] = []
    kept.told = lambda model, text: told.append((model, text))
    kept.get("a")
    kept.set_idle_minutes(3)
    assert engine.idle_seconds == 180
    engine.rest = Rest(1_100_000_000)
    engine.tell(engine.rest)
    text = "unloaded to free 1.1 GB; loads again on use"
    assert told == [("a", text)]
    assert kept.rest("a") == text
    assert kept.rest("b") == ""
    assert not kept.has("a")  # so the window says that it is being loaded
    assert kept.get("a") is engine
    engine.rest = None
    assert kept.has("a")


def test_a_window_that_is_gone_is_not_told() -> None:
    engine = Idle(lambda *_: "{}")
    kept = Engines(lambda _model: engine)

    def gone(_model: str, _text: str) -> None:
        raise RuntimeError("wrapped C/C++ object has been deleted")

    kept.told = gone
    kept.get("a")
    engine.tell(Rest(1))
