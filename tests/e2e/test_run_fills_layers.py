"""A run fills the layers, shows each phase, and is in the project when it ends."""

from __future__ import annotations

import numpy as np
import pytest

from napari_fada.workstation.styles import rgba_of


def test_layers_report_and_phases(desk):
    desk.run()
    boxes, polygons = desk.layer("boxes"), desk.layer("polygons")
    assert boxes.features["class"].tolist() == ["Brain", "CSP"]
    assert boxes.text.values.tolist() == ["Brain", "CSP"]
    assert np.allclose(boxes.edge_color[:, :3], [rgba_of("Brain")[:3], rgba_of("CSP")[:3]])
    assert set(boxes.features.columns) >= {"uid", "class", "source", "status", "score"}
    assert all(0 < s <= 1 for s in boxes.features["score"])
    assert len(polygons.data) == 1
    assert desk.layer("masks").data.any()
    # 280 of 1000 on 400 px is edge 112, pixel centre 111.5; 200 of 1000 on 200 px is 40, 39.5
    assert boxes.data[0].min(axis=0).tolist() == pytest.approx([39.5, 111.5])
    assert set(desk.widget.phases.states.values()) == {"done"}
    assert desk.widget.report.view.currentData() == "BPD_PLANE"
    assert "as written" in desk.widget.report.fields["image_quality"].toPlainText()
    assert len(desk.kept()) == 3
    assert "3 proposed" in desk.widget.counts.text()


def test_one_phase_alone(desk):
    desk.run(("interpret",))
    states = desk.widget.phases.states
    assert states["interpret"] == "done"
    assert states["detect"] in ("", "skipped")
    assert desk.kept() == []


def test_the_model_is_loaded_once(desk):
    loaded = []
    loader = desk.widget.runner.engines.loader
    desk.widget.runner.engines.loader = lambda name: (loaded.append(name), loader(name))[1]
    desk.run()
    desk.widget.start(("detect",), "replace")
    desk.wait_for_run()
    assert loaded == ["fada-mini"]


def test_classes_of_the_view_come_first(desk):
    desk.run()
    assert desk.widget.classes.in_order()[0].name == "Brain"
    desk.widget.classes.choose_number(2)
    assert desk.session.active_class == desk.widget.classes.in_order()[1].name
