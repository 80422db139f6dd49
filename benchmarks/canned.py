"""Answers of a realistic length and form, which benchmarks let a random model "say".

A model with random weights says nothing sensible, so the token it would choose is replaced
by the next one of these texts; everything else (decoding, forms, forced tokens) runs as it
would with a trained model.
"""

from __future__ import annotations

import json
import math
from typing import Any

from napari_fada.engines.protocol import Prompt
from napari_fada.engines.scripted import Script, ScriptedEngine
from napari_fada.records.reading import INTERPRETATION_KEYS

FIELDS = (
    "Axial section of the fetal head with the midline falx, the cavum septi pellucidi and "
    "both thalami; the skull outline is closed and oval.",
    "Head in transverse section, occiput to the left of the image.",
    "Transthalamic plane, suited to biparietal diameter and head circumference.",
    "Biparietal diameter and head circumference can be placed on the outer skull border.",
    "Cannot be told without the scale of the image.",
    "Adequate gain and depth; slight shadowing at the lateral skull.",
    "No structural abnormality is seen in this section; ventricles and cavum are not dilated.",
    "Measure in two further sections, compare with the growth chart, and repeat the scan in four "
    "weeks if the head circumference is below the third centile.",
)
CLASSES = ("Brain", "CSP", "LV")
VIEWS = ("Transverse abdomen_PLANE_2", "Abd_plane", "FL_PLANE", "NO_PLANE", "head", "legs", "Other")
BOXES = ((112, 84, 893, 921), (402, 455, 596, 531), (233, 610, 471, 742))


def _compact(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))


def _outline(n: int) -> list[list[int]]:
    return [[(137 * i) % 790 + 105, (211 * i) % 830 + 86] for i in range(n)]


def answers() -> dict[str, str]:
    """Return one answer for each task, longer than any benchmark asks for."""
    boxes = [{"bbox_2d": list(b), "label": c} for b, c in zip(BOXES * 4, CLASSES * 4, strict=True)]
    masks = [{**box, "mask": _outline(28)} for box in boxes]
    return {
        "interpret": _compact(dict(zip(INTERPRETATION_KEYS, FIELDS, strict=True))),
        "classify": _compact({"label": VIEWS[0]}),
        "detect": _compact(boxes),
        "segment": _compact(masks),
    }


#: Tokens of each answer in the benchmarks.
LENGTHS = {"interpret": 220, "classify": 12, "detect": 90, "segment": 250}


def prompts(lengths: dict[str, int] | None = None) -> list[Prompt]:
    """Return the four prompts of a reading."""
    import tomllib
    from importlib import resources

    path = resources.files("napari_fada.pipeline") / "prompt_sets" / "napari-fada-1.toml"
    texts = tomllib.loads(path.read_text(encoding="utf-8"))["prompts"]
    lengths = lengths or LENGTHS
    listed = ", ".join(CLASSES)
    return [
        Prompt("interpret", texts["interpret"], INTERPRETATION_KEYS, (), lengths["interpret"]),
        Prompt("classify", texts["classify"], (), VIEWS, lengths["classify"]),
        Prompt("detect", texts["detect"].format(classes=listed), (), CLASSES, lengths["detect"]),
        Prompt("segment", texts["segment"].format(classes=listed), (), CLASSES, lengths["segment"]),
    ]


CORPUS = [*answers().values(), *FIELDS, *(p.text for p in prompts())]


def scripted(n: int) -> ScriptedEngine:
    """Return an engine that finds ``n`` boxes and polygons; called in a child process."""
    names = ("Brain", "CSP", "LV", "CM", "CP", "THALAMI")
    found = []
    for i in range(n):
        x, y = 180 + 61 * i % 500, 200 + 97 * i % 400
        ring = [[x + 90 + 0.9 * a, y + 80 + 0.8 * b] for a, b in _circle(28)]
        box = {"bbox_2d": [x, y, x + 180, y + 160], "label": names[i % len(names)]}
        found.append({**box, "mask": [[round(a), round(b)] for a, b in ring]})
    boxes = [{key: item[key] for key in ("bbox_2d", "label")} for item in found]
    texts = {**answers(), "classify": _compact({"label": "BPD_PLANE"})}
    texts |= {"detect": _compact(boxes), "segment": _compact(found)}
    return ScriptedEngine({task: Script(text, delay=0.003) for task, text in texts.items()})


def _circle(n: int) -> list[tuple[float, float]]:
    angles = [2 * math.pi * i / n for i in range(n)]
    return [(100 * math.cos(a), 100 * math.sin(a)) for a in angles]
