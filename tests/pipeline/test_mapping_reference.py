"""Mode ``reference`` gives the answers of FADA's own program."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from napari_fada.pipeline import map_classes

# Line number -> why the answer differs. Empty: all 2,000 agree.
KNOWN_DIFFERENCES: dict[int, str] = {}


def test_parity(parity_dir: Path) -> None:
    lines = (parity_dir / "mapping.jsonl").read_text(encoding="utf-8").splitlines()
    cases: list[dict[str, Any]] = [json.loads(line) for line in lines]
    assert len(cases) >= 2000
    differ = {}
    for number, case in enumerate(cases, 1):
        found = map_classes(case["interpretation"], case["label"], "reference").to_dict()
        wanted = {key: case[key] for key in ("detect", "segment", "tier")}
        if found != wanted:
            differ[number] = (found, wanted)
    assert set(differ) == set(KNOWN_DIFFERENCES), differ
    assert len(differ) <= 0.01 * len(cases)


def test_substrings_fire_as_in_the_reference() -> None:
    # What strict repairs, and parity keeps.
    for text, tier in (
        ("measurement of the bladder", "interp_nt_nasal"),
        ("no harmful artefact", "interp_body_full"),
        ("no nuchal fold seen", "interp_nt_nasal"),
    ):
        assert map_classes({"anatomical_structures": text}, None, "reference").tier == tier


def test_tiers_in_order() -> None:
    report = {"imaging_plane": "four chamber view", "anatomical_structures": "brain"}
    assert map_classes(report, "FL", "reference").tier == "cls_specific_FL"
    assert map_classes(report, "head", "reference").tier == "plane_four chamber"
    del report["imaging_plane"]
    assert map_classes(report, "head", "reference").tier == "interp_brain"
    assert map_classes({}, "head", "reference").tier == "cls_generic_head"
    assert map_classes({}, "my arm", "reference").tier == "cls_keyword_arm"
    assert map_classes({}, "placenta", "reference").tier == "fallback_no_match"
