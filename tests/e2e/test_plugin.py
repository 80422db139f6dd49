"""As napari sees us: manifest, menu, samples, readers; and what importing us costs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import npe2
import pytest

MANIFEST = Path(__file__).parents[2] / "src" / "napari_fada" / "napari.yaml"
HEAVY = ("torch", "llama_cpp", "transformers")


def test_manifest_names_things_that_exist():
    manifest = npe2.PluginManifest.from_file(MANIFEST)
    manifest.validate_imports()
    assert {"Annotation", "Segmentation"} <= {str(c) for c in manifest.categories}


def test_a_sample_for_every_scene_and_view():
    from napari_fada.training.phantoms import SCENES
    from napari_fada.vocabulary import vocabulary

    samples = npe2.PluginManifest.from_file(MANIFEST).contributions.sample_data
    assert {s.key for s in samples} == set(SCENES)
    assert {SCENES[s.key][0] for s in samples} == {v.name for v in vocabulary().views}


def test_samples_are_drawn():
    from napari_fada.workstation import sample_data

    ((pixels, attributes, kind),) = sample_data.femur()
    assert kind == "image"
    assert pixels.shape[:2] == sample_data.SIZE
    assert attributes["name"] == "phantom femur"


@pytest.mark.parametrize(
    "module",
    [
        "napari_fada.workstation.widget",
        "napari_fada.workstation.sample_data",
        "napari_fada.workstation.reader",
    ],
)
def test_importing_loads_nothing_heavy(module):
    code = f"import sys, {module}; print([m for m in {HEAVY!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_no_scroll_bar_at_1280_by_800(desk):
    window = desk.viewer.window._qt_window
    window.resize(1280, 800)
    desk.qtbot.wait(50)
    from qtpy.QtWidgets import QScrollArea

    area = desk.widget.findChild(QScrollArea)
    for tab in range(desk.widget.tabs.count()):
        desk.widget.tabs.setCurrentIndex(tab)
        desk.qtbot.wait(20)
        # Under the window's 800 px the dock gets about 740.
        assert area.widget().minimumSizeHint().height() <= 740


def test_notice_is_shown(desk):
    from qtpy.QtWidgets import QLabel

    texts = [label.text() for label in desk.widget.findChildren(QLabel)]
    assert "Research and annotation only. Not a medical device." in texts
