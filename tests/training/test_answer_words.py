"""Answers: form, canonical polygons, and one token for every number."""

from __future__ import annotations

import json

import numpy as np
import pytest

from napari_fada.training.contours import canonical_polygon, ellipse, moments
from napari_fada.training.labels import CLASSES, FIELDS, VIEWS
from napari_fada.training.phantoms import SCENES, render_phantom
from napari_fada.training.reports import write_report
from napari_fada.training.samples import Sample, Structure


def test_moments_of_an_ellipse_are_its_axes() -> None:
    axes = np.array([[0.3, 0.05], [0.05, 0.2]])
    centre, found, area = moments(ellipse(np.array([0.4, 0.6]), axes, 720))
    np.testing.assert_allclose(centre, (0.4, 0.6), atol=1e-6)
    np.testing.assert_allclose(found, axes, atol=1e-4)
    assert area == pytest.approx(np.pi * np.linalg.det(axes), rel=1e-3)


def test_the_polygon_lies_on_the_outline_clockwise_from_the_top() -> None:
    axes = np.array([[0.3, 0.0], [0.0, 0.2]])
    polygon = canonical_polygon(ellipse(np.array([0.5, 0.5]), axes, 360))
    np.testing.assert_allclose(polygon[0], (0.5, 0.3), atol=2e-3)
    np.testing.assert_allclose(polygon[3], (0.8, 0.5), atol=2e-3)
    shift = canonical_polygon(np.roll(ellipse(np.array([0.5, 0.5]), axes, 360)[::-1], 77, axis=0))
    np.testing.assert_allclose(shift, polygon, atol=2e-3)


tokenizers = pytest.importorskip("tokenizers")

from napari_fada.training import questions, tokenizer  # noqa: E402


def test_every_number_is_one_token_and_its_own_id() -> None:
    for n in range(1000):
        assert tokenizer.encode(str(n)) == [n]
    ids = tokenizer.encode('[{"bbox_2d":[7,999,0,10],"label":"Brain"}]')
    assert [i for i in ids if i < tokenizer.NUMBERS] == [7, 999, 0, 10]


def _sample(scene: str) -> Sample:
    phantom = render_phantom(scene, 2, 96)
    structures = tuple(
        Structure(s.name, s.outline / 96, None if s.keypoints is None else s.keypoints / 96)
        for s in phantom.structures
    )
    return Sample(phantom.image, 1.0, phantom.view, structures, scene=scene)


@pytest.mark.parametrize("scene", SCENES)
def test_questions_round_trip_and_parse(scene: str) -> None:
    rng = np.random.default_rng(1)
    for _ in range(12):
        q = questions.draw(_sample(scene), rng, 0.2)
        assert tokenizer.tokenizer().decode(list(q.answer), skip_special_tokens=True) == q.text
        read = json.loads(q.text)
        if q.task == "classify":
            assert read["label"] in VIEWS
        elif q.task.startswith("interpret"):
            assert [f for f in FIELDS if f in read] == list(read)
        else:
            assert all(item["label"] in CLASSES for item in read)
        assert len(q.answer) < 330


def test_undecided_classes_are_not_taught() -> None:
    known = Structure("Brain", ellipse(np.array([0.5, 0.5]), np.diag([0.3, 0.2])))
    sample = Sample(np.zeros((8, 8), np.uint8), 1.0, "BPD_PLANE", (known,),
                    frozenset({"CSP", "LV"}), scene="brain")  # fmt: skip
    q = questions.locate(sample, "detect", ("Brain", "CSP", "LV"))
    taught = tokenizer.tokenizer().decode(list(q.answer[: q.taught]))
    assert taught.endswith('"label":"Brain')
    assert questions.locate(sample, "detect", ("Brain",)).taught == len(q.answer)


def test_reports_of_every_scene_are_whole() -> None:
    for scene in SCENES:
        report = write_report(scene, {})
        assert tuple(report) == FIELDS
        assert all(report.values())
