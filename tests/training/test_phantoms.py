"""Phantoms: every view can be rendered, and what is labelled lies in the image."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from napari_fada.training.labels import CLASSES, FIELDS, KEYPOINT_CLASSES, MASK_CLASSES, VIEWS
from napari_fada.training.phantoms import SCENES, render_phantom


@pytest.mark.parametrize("scene", SCENES)
def test_labels_lie_in_the_image(scene: str) -> None:
    for seed in range(3):
        phantom = render_phantom(scene, seed, (120, 160))
        assert phantom.image.shape == (120, 160)
        assert phantom.image.dtype == np.uint8
        assert phantom.image.std() > 3
        assert phantom.view == SCENES[scene][0]
        assert tuple(phantom.interpretation) == FIELDS
        for s in phantom.structures:
            x1, y1, x2, y2 = s.box
            assert s.name in CLASSES
            assert 0 <= x1 < x2 <= 160
            assert 0 <= y1 < y2 <= 120
            assert (s.polygon is not None) == (s.name in MASK_CLASSES)
            assert (s.keypoints is not None) == (s.name in KEYPOINT_CLASSES)
            np.testing.assert_allclose(s.outline.min(axis=0), (x1, y1))
            np.testing.assert_allclose(s.outline.max(axis=0), (x2, y2))


def test_every_view_label_has_a_phantom() -> None:
    assert {render_phantom(view, 1, 64).view for view in VIEWS} == set(VIEWS)


def test_the_same_seed_gives_the_same_scan() -> None:
    one, two = (render_phantom("Flows", 5, (96, 128)) for _ in range(2))
    np.testing.assert_array_equal(one.image, two.image)
    assert not np.array_equal(one.image, render_phantom("Flows", 6, (96, 128)).image)


def test_an_unknown_view_names_those_that_exist() -> None:
    with pytest.raises(ValueError, match="four_chamber"):
        render_phantom("moon", 0)


def test_rendering_needs_no_torch() -> None:
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "import napari_fada.training\n"
        "from napari_fada.training.phantoms import render_phantom\n"
        "render_phantom('BPD_PLANE', 0, 64)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
