"""How far apart the answers of two engines are."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from napari_fada.comparison import BeingRead, Difference, compare
from napari_fada.engines.protocol import Prompt
from napari_fada.engines.scripted import ScriptedEngine
from napari_fada.errors import EngineError
from napari_fada.records.reading import INTERPRETATION_KEYS


def report(**changes: str) -> str:
    return json.dumps({k: changes.get(k, "as usual") for k in INTERPRETATION_KEYS})


def script(shift: int = 0, view: str = "BPD_PLANE", extra: bool = False, **changes: str):  # type: ignore[no-untyped-def]
    """Return an engine that sees a head, moved by so many thousandths."""

    def answer(_: object, prompt: Prompt) -> str:
        if prompt.task == "interpret":
            return report(**changes)
        if prompt.task == "classify":
            return json.dumps({"label": view})
        label = prompt.labels[0]
        x1, x2 = 200 + shift, 600 + shift
        item = {"bbox_2d": [x1, 200, x2, 600], "label": label}
        if prompt.task == "segment":
            item["mask"] = [[x1, 200], [x2, 200], [x2, 600], [x1, 600]]
        items = [item]
        if extra:
            items.append(
                item
                | {"bbox_2d": [700, 700, 800, 800], "mask": [[700, 700], [800, 700], [800, 800]]}
            )
        return json.dumps(items)

    return lambda: ScriptedEngine(answer)


@pytest.fixture
def scans(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / f"{n}.png" for n in range(2)]
    for n, path in enumerate(paths):
        Image.fromarray(np.full((100, 200), 50 * n, dtype=np.uint8)).save(path)
    return paths


def differences(scans: list[Path], **others):  # type: ignore[no-untyped-def]
    events = list(compare(("original", script()), others, scans))
    assert [e.path for e in events if isinstance(e, BeingRead)][: len(scans)] == scans
    return [e for e in events if isinstance(e, Difference)]


def test_the_same_answers(scans: list[Path]) -> None:
    *each, whole = differences(scans, copy=script())
    assert [d.path for d in each] == scans
    assert (whole.path, whole.scans, whole.same_views) == (None, 2, 2)
    assert (whole.fields, whole.same_fields) == (16, 16)
    assert (whole.boxes.mean, whole.outlines.mean) == (0, 0)
    assert whole.boxes.matched == whole.outlines.matched > 0
    assert "view same on 2 of 2" in whole.sentence()


def test_moved_by_a_known_distance(scans: list[Path]) -> None:
    whole = differences(scans, moved=script(shift=8))[-1]
    # Two of a box's four coordinates have moved by 8/1000.
    assert whole.boxes.mean == pytest.approx(4)
    # Of an outline, vertices lie on the line of the other or 8/1000 beside it.
    assert whole.outlines.mean == pytest.approx(4, abs=0.1)
    assert "boxes 4.0/1000 apart" in whole.sentence()


def test_other_views_fields_and_structures(scans: list[Path]) -> None:
    engine = script(view="Abd_plane", extra=True, image_quality="poor")
    whole = differences(scans[:1], worse=engine)[-1]
    assert whole.same_views == 0
    assert (whole.fields, whole.same_fields) == (8, 7)
    assert whole.boxes.unmatched > 0
    assert whole.boxes.mean == 0
    assert "in one alone" in whole.sentence()


def test_an_engine_that_says_nothing_is_no_difference_of_zero(scans: list[Path]) -> None:
    def fail(_: object, __: Prompt) -> str:
        raise EngineError("The weights are gone.")

    with pytest.raises(EngineError, match=r"no answer about 0\.png.*weights are gone"):
        differences(scans, broken=lambda: ScriptedEngine(fail))
