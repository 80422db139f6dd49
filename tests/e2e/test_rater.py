"""Who edits is asked once, at the first edit without a name, and remembered."""

from __future__ import annotations

import numpy as np
import pytest
from qtpy.QtWidgets import QApplication

from napari_fada.workstation.settings import settings

SQUARE = np.array([[20, 20], [20, 60], [60, 60], [60, 20]], float)


@pytest.fixture
def nobody(desk):
    desk.session.rater = ""
    return desk


def test_asked_once_without_taking_the_keys(nobody):
    strip = nobody.widget.rater
    nobody.run()
    assert not strip.isVisibleTo(nobody.widget)  # what a model says needs no name
    before = QApplication.focusWidget()
    nobody.layer("polygons").add(SQUARE, shape_type="polygon")
    assert strip.isVisibleTo(nobody.widget)
    assert QApplication.focusWidget() is before
    strip.later.click()
    nobody.layer("polygons").add(SQUARE + 70, shape_type="polygon")
    assert not strip.isVisibleTo(nobody.widget)


def test_the_name_signs_what_was_done_and_what_follows_and_is_remembered(nobody):
    nobody.layer("polygons").add(SQUARE, shape_type="polygon")
    nobody.widget.rater.name.setText(" Eva ")
    nobody.widget.rater.take.click()
    nobody.layer("polygons").add(SQUARE + 70, shape_type="polygon")
    assert [r.rater for r in nobody.kept()] == ["Eva", "Eva"]
    assert {r.rater for r in nobody.session.records[0]} == {"Eva"}
    assert "(1 edit) is signed, too" in nobody.widget.message.text
    assert settings().rater == "Eva"


def test_a_report_field_asks_too(nobody):
    nobody.session.set_report(fields={"image_quality": "good"})
    assert nobody.widget.rater.isVisibleTo(nobody.widget)
