"""A scan, and a scripted model that has something to say about it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scripted_answers import MODEL, TRIANGLE, answer, box, report

from napari_fada.engines.protocol import EngineInfo
from napari_fada.engines.scripted import ScriptedEngine
from napari_fada.scans.scan import Scan


@pytest.fixture
def scan() -> Scan:
    frame = np.zeros((300, 400), np.uint8)
    return Scan("one.png", "12" * 32, 400, 300, 2, lambda index: frame + np.uint8(index))


@pytest.fixture
def script() -> dict[Any, Any]:
    """Answers about a brain; tests change them before an engine is made."""
    return {
        "interpret": report(anatomical_structures="brain, cavum"),
        "classify": '{"label": "BPD_PLANE"}',
        "detect": answer(box("Brain"), box("CSP", 10, 20, 30, 40)),
        "segment": answer(box("Brain", mask=TRIANGLE)),
    }


@pytest.fixture
def make_engine(script: dict[Any, Any]) -> Callable[..., ScriptedEngine]:
    def make(*, interleaved: bool = False, **info: Any) -> ScriptedEngine:
        return ScriptedEngine(script, info=EngineInfo(MODEL, **info), interleaved=interleaved)

    return make
