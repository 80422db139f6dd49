"""A model that counts otherwise, or cannot do everything: the reading is in pixels all the same."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from scripted_answers import MODEL

from napari_fada.engines.conventions import Convention
from napari_fada.engines.protocol import Completion, EngineInfo
from napari_fada.engines.scripted import ScriptedEngine
from napari_fada.pipeline import PromptSet, read_frame
from napari_fada.scans.scan import Scan

Make = Callable[..., ScriptedEngine]
GENERAL = PromptSet.load("napari-fada-general-1")


def test_a_model_without_places_still_interprets_and_classifies(
    make_engine: Make, scan: Scan
) -> None:
    engine = make_engine(tasks=("interpret", "classify"), refusal="no places: it cannot")
    reading = read_frame(engine, scan)
    states = {phase: result.state for phase, result in reading.phases.items()}
    assert states == {
        "interpret": "done",
        "classify": "done",
        "map": "done",
        "detect": "skipped",
        "segment": "skipped",
    }
    for phase in ("detect", "segment"):
        assert reading.phases[phase].problems == ("no places: it cannot",)  # type: ignore[index]
    assert {prompt.task for _, prompt in engine.asked} == {"interpret", "classify"}


def test_a_model_with_boxes_alone(make_engine: Make, scan: Scan) -> None:
    tasks = ("interpret", "classify", "detect")
    reading = read_frame(make_engine(tasks=tasks, refusal="no outlines: it cannot"), scan)
    assert reading.phases["detect"].state == "done"
    assert reading.phases["segment"].state == "skipped"


@pytest.mark.parametrize(
    ("name", "key", "box"),
    [
        ("0-1000", "bbox_2d", [250, 500, 500, 750]),
        ("0-1000-yx", "box_2d", [500, 250, 750, 500]),
        ("pixels", "bbox_2d", [224, 336, 448, 504]),
        ("0-1", "bbox", [0.25, 0.5, 0.5, 0.75]),
    ],
)
def test_boxes_and_outlines_in_any_numbers(
    script: dict[Any, Any], scan: Scan, name: str, key: str, box: list[float]
) -> None:
    a, b, c, d = box
    ring = [[a, b], [c, b] if name != "0-1000-yx" else [a, d], [c, d]]
    item = f'{{"{key}": {box}, "label": "Brain"'
    script["detect"] = f"[{item}}}]"
    script["segment"] = f'[{item}, "mask": {ring}}}]'
    info = EngineInfo(MODEL, convention=Convention.named(name, key))
    engine = Stretched(script, info=info)
    reading = read_frame(engine, scan, prompts=GENERAL)
    assert not reading.phases["detect"].problems
    found = {a.kind: a.points for a in reading.annotations}
    # The scan has 400 x 300 pixels; the model sees it in 896 x 672.
    assert found["box"] == ((100.0, 150.0), (200.0, 225.0))
    assert set(found["polygon"]) == {(100.0, 150.0), (200.0, 150.0), (200.0, 225.0)}
    texts = [prompt.text for _, prompt in engine.asked if prompt.task == "detect"]
    assert all(f"{key} [{'y' if 'yx' in name else 'x'}_min" in text for text in texts)


class Stretched(ScriptedEngine):
    """Says, as engines do, in which size the model saw the image."""

    def ask(self, *args: Any, **kwargs: Any) -> Any:
        for event in super().ask(*args, **kwargs):
            last = isinstance(event, Completion)
            yield replace(event, seen=(896, 672)) if last else event
