"""What the scripted models of these tests answer."""

from __future__ import annotations

import json
from typing import Any

from napari_fada.engines.host import HostedEngine, Spec
from napari_fada.engines.protocol import Engine
from napari_fada.engines.scripted import Script, ScriptedEngine
from napari_fada.errors import EngineError
from napari_fada.records.reading import INTERPRETATION_KEYS

HEAD = [[300, 300], [500, 200], [700, 300], [750, 500], [650, 700], [400, 720], [280, 520]]


def answers(**changes: Any) -> dict[str, Any]:
    """Return what a model says about a head; ``changes`` by task."""
    report = {key: f"{key} as written" for key in INTERPRETATION_KEYS}
    report["imaging_plane"] = "transverse head, BPD plane"
    box = {"bbox_2d": [280, 200, 750, 720], "label": "Brain"}
    small = {"bbox_2d": [400, 400, 450, 430], "label": "CSP"}
    return {
        "interpret": json.dumps(report),
        "classify": json.dumps({"label": "BPD_PLANE"}),
        "detect": json.dumps([box, small]),
        "segment": json.dumps([{**box, "mask": HEAD}]),
        **changes,
    }


def failing(task: str) -> dict[str, Any]:
    """Return a table in which one task breaks off in the middle of its answer."""
    error = EngineError("The model ran out of memory.", kept="Earlier phases are kept.")
    return answers(**{task: Script('[{"bbox_2d": [1', error=error)})


def slow(delay: float = 0.02) -> dict[str, Any]:
    """Return a table whose answers arrive token by token, a delay before each."""
    return {task: Script(text, delay=delay) for task, text in answers().items()}


def slow_engine() -> Engine:
    """Build a slow engine; called in the child process."""
    return ScriptedEngine(slow())


def hosted_slow_engine() -> HostedEngine:
    """Return a slow engine in a child process of its own."""
    return HostedEngine(Spec("answering:slow_engine"))
