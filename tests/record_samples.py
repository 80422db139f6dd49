"""Small scans, readings and annotations for the tests of records and exchange."""

from __future__ import annotations

import hashlib

import numpy as np

from napari_fada.records.annotation import Annotation
from napari_fada.records.reading import (
    INTERPRETATION_KEYS,
    PHASES,
    Mapping,
    ModelRef,
    PhaseResult,
    Reading,
)
from napari_fada.scans.scan import Identity, Scan, Spacing

MODEL = ModelRef("fada-mini", "ab" * 32, "napari-fada-1", "cd" * 32, "scripted")


def make_scan(name: str = "a.png", *, width: int = 200, height: int = 100, **more: object) -> Scan:
    pixels = np.zeros((height, width), np.uint8)
    pixels[10:60, 20:120] = 90
    fields: dict[str, object] = {
        "n_frames": 3,
        "spacing": Spacing(0.2, 0.1, "user"),
        "identity": Identity(patient="Jane Doe 1980", clip=name),
        "sha256": hashlib.sha256(name.encode()).hexdigest(),
        **more,
    }
    return Scan(name=name, width=width, height=height, decode=lambda _i: pixels, **fields)


def box(
    category: str = "CSP", x: float = 20, y: float = 10, size: float = 30, **more
) -> Annotation:
    return Annotation(category, "box", ((x, y), (x + size, y + size)), **more)


def polygon(category: str = "Brain", x: float = 30, y: float = 20, **more) -> Annotation:
    return Annotation(
        category, "polygon", ((x, y), (x + 60, y), (x + 60, y + 40), (x, y + 50)), **more
    )


def make_reading(scan: Scan, *annotations: Annotation, frame: int = 0, view: str = "BPD_PLANE"):
    return Reading(
        scan=scan.ref(frame),
        model=MODEL,
        phases={p: PhaseResult("done", 0.1, 10, "raw") for p in PHASES},
        interpretation={key: f"model says {key}" for key in INTERPRETATION_KEYS},
        view=view,
        mapping=Mapping(("Brain", "CSP", "LV"), ("Brain",), "cls_specific_BPD_PLANE"),
        annotations=annotations or (polygon(score=0.9), box(score=0.5)),
    )
