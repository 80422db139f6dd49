"""What the scripted model of these tests says."""

from __future__ import annotations

import json

from napari_fada.records.reading import INTERPRETATION_KEYS, ModelRef

MODEL = ModelRef("scripted", "ab" * 32, "napari-fada-1", "", engine="scripted")


def box(label: str, *corners: int, **more: object) -> dict[str, object]:
    return {"bbox_2d": list(corners or (100, 200, 500, 600)), "label": label, **more}


def answer(*items: dict[str, object]) -> str:
    return json.dumps(list(items))


def report(**fields: str) -> str:
    return json.dumps({key: fields.get(key, "unremarkable") for key in INTERPRETATION_KEYS})


TRIANGLE = [[100, 200], [500, 200], [500, 600]]
