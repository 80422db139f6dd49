"""The model that the window has loaded: as the settings say, and given back when it is idle."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from napari_fada.engines.protocol import Engine
from napari_fada.workstation.settings import settings

EngineLoader = Callable[[str], Engine]

#: The engine's own bound on images: no option, and nothing to note with a result.
_USUAL_IMAGE = 2048


def chosen_options() -> dict[str, Any]:
    """Return the settings as options of `napari_fada.load_engine`."""
    chosen = settings()
    return {
        "threads": chosen.threads or None,
        "gpu_layers": chosen.gpu_layers if chosen.gpu_layers >= 0 else None,
        "n_ctx": chosen.context_tokens or None,
        "image_tokens": None if chosen.image_tokens == _USUAL_IMAGE else chosen.image_tokens,
        "force": not chosen.check_memory,
    }


def load_engine(model: str) -> Engine:
    """Load a model into a child process (imported here: it is not needed to look at scans)."""
    from napari_fada.models import load_engine as load
    from napari_fada.models.full import find_full

    options = chosen_options()
    if find_full(model) is not None:
        options["gpu_layers"] = None  # a setting for llama.cpp, no wish for this model
    return load(model, idle_seconds=60 * settings().unload_minutes, **options)


class Engines:
    """Keeps the engine of the last run loaded. Used by one worker at a time.

    Parameters
    ----------
    loader : callable
        Makes an engine of a model's name; tests give one that answers from a table.
    """

    def __init__(self, loader: EngineLoader = load_engine) -> None:
        self.loader = loader
        self._model = ""
        self._options: dict[str, Any] = {}
        self._engine: Engine | None = None
        self._lock = threading.Lock()
        self.turn = threading.Lock()
        """Held by whoever asks the engine: it answers one at a time."""
        self.told: Callable[[str, str], object] | None = None
        """Called, in whatever thread, with a model and what became of it when it was idle."""

    @property
    def current(self) -> Engine | None:
        """The engine that is loaded."""
        return self._engine

    def has(self, model: str) -> bool:
        """Tell whether a model is loaded already, with the options of now, and not unloaded."""
        return self._fits(model) and getattr(self._engine, "rest", None) is None

    def rest(self, model: str) -> str:
        """Say what became of a model that was idle; empty while it is loaded, or another is."""
        return str(getattr(self._engine, "rest", None) or "") if self._model == model else ""

    def get(self, model: str) -> Engine:
        """Return the engine of a model, loading it if it is not the one at hand."""
        with self._lock:
            if self._engine is not None and self._fits(model):
                return self._engine
            self._close()
            options = chosen_options()
            engine = self.loader(model)
            self._engine, self._model, self._options = engine, model, options
            if (listen := getattr(engine, "when_unloaded", None)) is not None:
                listen(lambda rest: self._tell(model, str(rest)))
            return engine

    def set_idle_minutes(self, minutes: int) -> None:
        """Unload after so many minutes without a question; 0: never."""
        engine: Any = self._engine
        if hasattr(engine, "idle_seconds"):
            engine.idle_seconds = 60 * minutes

    def close(self) -> None:
        """Free the memory."""
        with self._lock:
            self._close()

    def _fits(self, model: str) -> bool:
        same = self._model == model and self._options == chosen_options()
        return self._engine is not None and same

    def _tell(self, model: str, text: str) -> None:
        with suppress(RuntimeError):  # the window was closed meanwhile
            if self.told is not None:
                self.told(model, text)

    def _close(self) -> None:
        engine, self._engine = self._engine, None
        if engine is not None:
            engine.close()
