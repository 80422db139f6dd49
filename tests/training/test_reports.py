"""The words of every scene lead the class map to what the scene shows."""

from __future__ import annotations

import pytest

from napari_fada.pipeline.mapping import Mode, map_classes
from napari_fada.training.phantoms import SCENES
from napari_fada.training.reports import write_report

#: One class that must be asked for.
SHOWN = {
    "brain": "Brain",
    "four_chamber": "cardiac",
    "three_vessel": "cardiac",
    "aortic_arch": "cardiac",
    "abdominal_organs": "stomach",
    "doppler": "artery",
    "femur": "legs",
    "femur_close": "legs",
    "transperineal": "pubic_symphysis",
    "crown_rump": "CRL",
    "nuchal": "NT",
}


@pytest.mark.parametrize("mode", ["strict", "reference"])
@pytest.mark.parametrize("scene", SCENES)
def test_the_map_lands_in_the_group_of_the_scene(scene: str, mode: Mode) -> None:
    found = map_classes(write_report(scene, {}), SCENES[scene][0], mode)
    assert SHOWN.get(scene, "abdomen") in found.detect
    if scene not in SHOWN:
        assert found.detect == ("abdomen", "arm", "head", "legs")
