"""The session: edits land in the file, refusals lose nothing, scans come back."""

from __future__ import annotations

import os

import numpy as np
import pytest
from napari.components import ViewerModel
from PIL import Image

from napari_fada.errors import ProjectError
from napari_fada.exchange.overlay import to_png
from napari_fada.records.annotation import Annotation
from napari_fada.records.project import Project
from napari_fada.workstation.desk import Edit
from napari_fada.workstation.layers import MARK, role_of
from napari_fada.workstation.scan_layers import image_layers
from napari_fada.workstation.session import Session, session_of

BOX = ((100.0, 100.0), (300.0, 200.0))
RING = ((100.0, 100.0), (300.0, 100.0), (200.0, 300.0))


def test_layers_are_known_by_token_not_by_name(bench):
    for role in ("boxes", "polygons", "keypoints", "masks"):
        bench.layer(role).name = "renamed"
        assert role_of(bench.layer(role)) == role
    stranger = bench.viewer.add_shapes(name="FADA boxes")
    assert role_of(stranger) is None
    stranger.add([[0, 0], [0, 9], [9, 9], [9, 0]], shape_type="rectangle")
    assert bench.kept() == []
    bench.propose(Annotation("Brain", "box", BOX))
    assert len(bench.layer("boxes").data) == 1


def test_records_stay_in_pixels_on_a_scaled_scan(tmp_path):
    viewer = ViewerModel()
    image = viewer.add_image(np.zeros((200, 300), np.uint8), scale=(0.1, 0.2), units=("mm", "mm"))
    session = Session(viewer, Project.open(tmp_path / "p.fada"))
    assert session.use_layer(image)
    assert (session.scan.spacing.y, session.scan.spacing.x) == pytest.approx((0.1, 0.2))
    for layer in session.layers.layers:
        assert layer.scale.tolist() == pytest.approx([0.1, 0.2])
    boxes = session.layers.bindings["boxes"].layer
    boxes.add([[10, 20], [10, 60], [40, 60], [40, 20]], shape_type="rectangle")
    (record,) = session.project.annotations(session.scan.sha256)
    assert record.points == ((20.5, 10.5), (60.5, 40.5))
    session.close()


def test_reopening_brings_everything_back(bench, tmp_path):
    bench.propose(Annotation("Brain", "box", BOX), Annotation("LV", "polygon", RING))
    layer = bench.layer("boxes")
    layer.data = [layer.data[0] + 10]
    bench.session.set_report(fields={"image_quality": "good"}, view="Other")
    before, pixels = bench.kept(), bench.session.image.data
    bench.session.close()

    viewer = ViewerModel()
    session = Session(viewer, Project.open(tmp_path / "project.fada"))
    assert session.use_layer(viewer.add_image(pixels, name="another name"))
    assert session.records[0] == before
    assert session.report().fields["image_quality"] == "good"
    assert session.report().view == "Other"
    assert len(session.layers.bindings["boxes"].layer.data) == 1
    assert session.layers.bindings["masks"].layer.data.any()
    session.close()


def test_a_refused_edit_is_put_back_and_said(bench, monkeypatch):
    bench.propose(Annotation("Brain", "box", BOX))
    layer = bench.layer("boxes")
    before = np.array(layer.data[0])

    def full(*_args, **_kwargs):
        raise ProjectError("There is no space left.", kept="All earlier edits are kept.")

    monkeypatch.setattr(bench.session.project, "edit", full)
    layer.data = [before + 50]
    assert np.array_equal(layer.data[0], before)
    layer.selected_data = {0}
    layer.remove_selected()
    assert np.array_equal(layer.data[0], before)
    assert ("There is no space left. All earlier edits are kept.", "error") in bench.said


def test_class_of_a_selection(bench):
    bench.propose(Annotation("Brain", "box", BOX), Annotation("LV", "polygon", RING))
    bench.viewer.layers.selection.active = bench.layer("boxes")
    bench.layer("boxes").selected_data = {0}
    assert bench.session.reclass_selection("CSP")
    assert [r.category for r in bench.kept()] == ["CSP", "LV"]
    assert bench.layer("boxes").features["class"].tolist() == ["CSP"]
    assert bench.layer("boxes").text.values.tolist() == ["CSP"]
    bench.session.undo()
    assert [r.category for r in bench.kept()] == ["Brain", "LV"]


def test_undo_and_redo_walk_all_layers(bench):
    layer = bench.layer("polygons")
    bench.propose(Annotation("LV", "polygon", RING))
    layer.selected_data = {0}
    layer.remove_selected()
    assert bench.kept() == []
    assert not bench.layer("masks").data.any()
    bench.session.undo()
    assert len(layer.data) == 1
    assert bench.layer("masks").data.any()
    bench.session.redo()
    assert len(layer.data) == 0


def test_shapes_lie_on_their_frame(clip):
    clip.propose(Annotation("Brain", "box", BOX), frame=4)
    layer = clip.layer("boxes")
    assert layer.ndim == 3
    assert np.unique(layer.data[0][:, 0]).tolist() == [4]
    layer.data = [layer.data[0] + [0, 10, 10]]
    assert clip.one(4).points == ((110.0, 110.0), (310.0, 210.0))
    assert clip.kept(0) == []


def test_a_polygon_with_a_hole_takes_two_rows(bench):
    hole = ((150.0, 120.0), (250.0, 120.0), (200.0, 180.0))
    bench.propose(Annotation("thorax", "polygon", RING, rings=(hole,)))
    layer = bench.layer("polygons")
    assert layer.features["part"].tolist() == [0, 1]
    layer.data = [layer.data[0], layer.data[1] + 5]
    assert bench.one().points == RING
    assert bench.one().rings[0][0] == pytest.approx((155.0, 125.0))
    layer.selected_data = {1}
    layer.remove_selected()
    assert bench.one().rings == ()
    layer.selected_data = {0}
    layer.remove_selected()
    assert bench.kept() == []


def test_deleting_one_of_our_layers_deletes_no_record(bench):
    bench.propose(Annotation("Brain", "box", BOX))
    image = bench.session.image
    bench.viewer.layers.remove(bench.layer("boxes"))
    assert bench.session.scan is None
    assert "nothing was deleted" in bench.texts()
    assert bench.session.use_layer(image)
    assert len(bench.layer("boxes").data) == 1


def test_closing_the_image_closes_the_scan(bench):
    bench.viewer.layers.remove(bench.session.image)
    assert bench.session.scan is None
    assert len(bench.viewer.layers) == 0


def test_drawn_outside_is_moved_in(bench):
    layer = bench.layer("boxes")
    layer.add([[-50, -50], [-50, 100], [100, 100], [100, -50]], shape_type="rectangle")
    assert bench.one().points == ((0.0, 0.0), (100.5, 100.5))
    layer.add([[-90, -90], [-90, -50], [-50, -50], [-50, -90]], shape_type="rectangle")
    assert len(bench.kept()) == 1
    assert len(layer.data) == 1


def test_an_ellipse_becomes_a_polygon(bench):
    layer = bench.layer("polygons")
    layer.add([[100, 100], [100, 300], [200, 300], [200, 100]], shape_type="ellipse")
    record = bench.one()
    assert len(record.points) == 64
    assert layer.shape_type == ["polygon"]


@pytest.mark.parametrize("drawn", [True, False])
def test_what_is_no_scan_is_told_when_it_is_opened(bench, tmp_path, drawn):
    """A name that is no text, or a picture that we drew: by any way into the window."""
    picture = to_png(np.zeros((90, 120), np.uint8), for_looking=drawn)
    path = tmp_path / ("talk.png" if drawn else os.fsdecode(b"caf\xe9.png"))
    path.write_bytes(picture)
    before = bench.session.scan.sha256
    assert not bench.session.open_path(path)
    assert ("written by napari-fada" if drawn else "name that is no text") in bench.texts()
    assert bench.session.scan.sha256 == before
    if drawn:
        layer = bench.viewer.add_image(
            np.asarray(Image.open(path)), metadata={MARK: {"path": path}}
        )
        assert not bench.session.use_layer(layer)
        assert bench.session.scan.sha256 == before


def test_one_session_for_each_viewer():
    a, b = ViewerModel(), ViewerModel()
    assert session_of(a) is session_of(a)
    assert session_of(a) is not session_of(b)


def test_what_is_coming_cannot_be_edited_and_is_not_lost(bench, qtbot):
    coming = Annotation("Brain", "box", BOX)
    bench.session.preview(0, [coming], instead=True)
    layer = bench.layer("boxes")
    qtbot.waitUntil(lambda: len(layer.data) == 1)
    layer.selected_data = {0}
    layer.remove_selected()
    assert len(layer.data) == 1
    bench.session.end_preview()
    qtbot.waitUntil(lambda: len(layer.data) == 0)


def test_the_scan_that_is_opened_is_the_one_that_is_seen(bench, tmp_path):
    paths = [tmp_path / "one.png", tmp_path / "two.png"]
    for i, path in enumerate(paths):
        Image.fromarray(np.full((60, 90), 50 * i, np.uint8)).save(path)
    seen = []
    for path in (*paths, paths[0]):
        assert bench.session.open_path(path)
        scans = [layer for layer in image_layers(bench.viewer) if layer.name != "scan"]
        (shown,) = [layer for layer in scans if layer.visible]
        assert shown is bench.session.image
        seen.append(int(shown.data.max()))
    assert seen == [0, 50, 0]


def drawn_box(x):
    return Annotation("CSP", "box", ((x, 10.0), (x + 20, 30.0)), source="expert")


def test_a_name_that_is_given_later_signs_this_session_and_no_other(bench, tmp_path):
    session, sha256 = bench.session, bench.session.scan.sha256
    with Project.open(tmp_path / "project.fada") as other:
        other.edit(sha256, 0, add=[drawn_box(10)])  # by somebody else without a name
    session.give_name("")
    assert session.commit(Edit(0, add=[drawn_box(50)]))
    assert session.set_report(view="ABDOMEN")
    assert session.give_name("Eva") == 2
    assert [r.rater for r in session.records[0]] == ["", "Eva"]
    assert session.project.raters(sha256) == ["", "Eva"]
    session.give_name("")
    assert session.commit(Edit(0, add=[drawn_box(90)]))
    assert session.give_name("Bo") == 1
    assert [r.rater for r in bench.kept()] == ["", "Eva", "Bo"]


def test_a_project_that_was_left_without_a_name_is_signed_when_it_is_open_again(bench, tmp_path):
    session = bench.session
    session.give_name("")
    assert session.commit(Edit(0, add=[drawn_box(50)]))
    assert session.open_project(tmp_path / "another.fada")
    assert session.give_name("Eva") == 0
    assert session.open_project(tmp_path / "project.fada")
    assert bench.one().rater == "Eva"
    assert session.records[0][0].rater == "Eva"
