"""On the canvas box and outline of a structure are one."""

from __future__ import annotations

import numpy as np
import pytest

from napari_fada.records import history, tables
from napari_fada.records.annotation import Annotation
from napari_fada.records.geometry import bounds
from napari_fada.workstation.shape_tools import ShapeTools

RING = ((100.0, 100.0), (300.0, 100.0), (300.0, 250.0), (100.0, 250.0))
BOX = ((104.0, 97.0), (310.0, 252.0))
SIGNED = {"source": "expert", "status": "accepted", "rater": "ann"}


@pytest.fixture
def read(bench):
    """Show a reading whose box lies beside its outline."""
    bench.propose(Annotation("Brain", "polygon", RING), Annotation("Brain", "box", BOX))
    return bench


def sign_apart(bench, *records):
    """Put signed records into the project as an earlier version left them."""
    with bench.session.project._store.write() as c:
        for record in records:
            tables.put_record(c, bench.session.scan.sha256, 0, record)
        cells = {f"record/{record.uid}": "1" for record in records}
        history.do(c, bench.session.scan.sha256, 0, cells, label="as it was", rater="ann")
    bench.session.refresh()


def shown(bench, role):
    return [
        ((x.min(), y.min()), (x.max(), y.max()))
        for y, x in (data[:, -2:].T + 0.5 for data in bench.layer(role).data)
    ]


def kept(bench, kind):
    return [bounds(a) for a in bench.kept() if a.kind == kind]


def put(bench, role, vertices, index=0):
    layer = bench.layer(role)
    data = [np.array(d) for d in layer.data]
    data[index] = vertices(data[index])
    layer.data = data


def drag_corner(bench, by=(-20.0, 30.0)):
    def moved(corners):
        corners[1, -2:] += by
        return corners

    put(bench, "polygons", moved)


def test_what_is_shown_is_what_a_signature_records(read):
    assert shown(read, "boxes") == kept(read, "box") == [((100.0, 100.0), (300.0, 250.0))]
    assert read.session.reviewing.accept_and_next()
    assert [(a.kind, a.status, a.source) for a in read.kept()] == [
        ("polygon", "accepted", "model"),
        ("box", "accepted", "model"),
    ]
    assert kept(read, "box") == [((100.0, 100.0), (300.0, 250.0))]


def test_a_corner_takes_the_box_along_and_one_undo_brings_both_back(read):
    drag_corner(read)
    around = kept(read, "polygon")
    assert around != [((100.0, 100.0), (300.0, 250.0))]
    assert shown(read, "boxes") == kept(read, "box") == around
    read.session.undo()
    assert shown(read, "boxes") == kept(read, "box") == [((100.0, 100.0), (300.0, 250.0))]


def test_the_brush_takes_the_box_along(read):
    masks = read.layer("masks")
    masks.brush_size = 30
    with masks.block_history():
        masks.paint((250.0, 200.0), int(masks.data[200, 200]))
    assert kept(read, "polygon")[0][1][1] > 260
    assert shown(read, "boxes") == kept(read, "box") == kept(read, "polygon")


def test_a_dragged_box_is_set_apart_with_a_word_and_the_tool_links_it_again(read):
    put(read, "boxes", lambda corners: corners + 10)
    assert "no longer follows its outline" in read.said[-1][0]
    assert "Alt-Shift-J" in read.said[-1][0]
    drag_corner(read)
    assert kept(read, "box") == [((110.0, 110.0), (310.0, 260.0))]
    (outline,) = (a for a in read.kept() if a.kind == "polygon")
    tools = ShapeTools(read.session)
    read.session.layers.select([a.uid for a in read.kept() if a.kind == "box"])
    tools.to_box()
    assert kept(read, "box") == [bounds(outline)]
    drag_corner(read, by=(0.0, 25.0))
    assert kept(read, "box") == kept(read, "polygon")


def test_deleting_one_half_deletes_the_structure_with_a_word(read):
    layer = read.layer("boxes")
    read.viewer.layers.selection.active = layer
    layer.selected_data = {0}
    layer.remove_selected()
    assert read.kept() == []
    assert len(read.layer("polygons").data) == 0
    assert "both were removed" in read.said[-1][0]
    read.session.undo()
    assert [a.status for a in read.kept()] == ["proposed", "proposed"]


def test_a_signature_names_a_box_off_its_outline_once_and_offers_to_let_it_follow(bench):
    asked = []
    bench.session.question.connect(lambda text, choices: asked.append((text, choices)))
    sign_apart(bench, Annotation("Brain", "polygon", RING, **SIGNED))
    sign_apart(bench, Annotation("Brain", "box", BOX, **SIGNED))
    before = bench.kept()
    reviewing = bench.session.reviewing
    assert not reviewing.accept_and_next()
    assert "The box of Brain lies 10 px off its outline" in bench.said[-1][0]
    assert not reviewing.scan_review().finished
    assert bench.kept() == before
    ((_, ((name, _, follow),)),) = asked
    assert name == "Let the box follow"
    assert follow()
    assert kept(bench, "box") == [((100.0, 100.0), (300.0, 250.0))]
    assert reviewing.accept_and_next()
    bench.session.undo()
    bench.session.undo()
    assert bench.kept() == before
    reviewing.accept_and_next()
    assert reviewing.accept_and_next()  # asked twice, it is signed as it is
    assert bench.kept() == before


SMALL = ((200.0, 150.0), (240.0, 150.0), (240.0, 170.0), (200.0, 170.0))
BESIDE = ((212.0, 160.0), (252.0, 180.0))  # an overlap of 0.16: not told as one structure


def test_a_small_structure_whose_box_hardly_meets_it_is_asked_about(bench):
    asked = []
    bench.session.question.connect(lambda text, choices: asked.append((text, choices)))
    sign_apart(bench, Annotation("CSP", "polygon", SMALL, **SIGNED))
    sign_apart(bench, Annotation("CSP", "box", BESIDE, **SIGNED))
    before = bench.kept()
    reviewing = bench.session.reviewing
    assert not reviewing.accept_and_next()
    assert "A box of CSP lies 12 px off an outline of CSP. One structure?" in bench.said[-1][0]
    assert bench.kept() == before
    ((_, ((_, _, follow),)),) = asked
    assert follow()
    assert kept(bench, "box") == kept(bench, "polygon") == [((200.0, 150.0), (240.0, 170.0))]
    assert reviewing.accept_and_next()
    bench.session.undo()
    bench.session.undo()
    assert bench.kept() == before
    reviewing.accept_and_next()
    assert reviewing.accept_and_next()  # asked twice, they are two
    assert bench.kept() == before


def test_what_a_run_has_found_so_far_is_shown_as_it_will_stand(bench):
    coming = (Annotation("Brain", "polygon", RING), Annotation("Brain", "box", BOX))
    bench.session.preview(0, coming, instead=True)
    assert shown(bench, "boxes") == [((100.0, 100.0), (300.0, 250.0))]


@pytest.mark.parametrize("active", ["polygons", "boxes"])
def test_merged_structures_have_one_box_whatever_is_chosen(bench, active):
    other = tuple((x + 150, y + 10) for x, y in RING)
    bench.propose(
        *(Annotation("Brain", "polygon", ring) for ring in (RING, other)),
        *(
            Annotation("Brain", "box", bounds(Annotation("Brain", "polygon", r)))
            for r in (RING, other)
        ),
    )
    bench.viewer.layers.selection.active = bench.layer(active)
    bench.session.reviewing.choose([a.uid for a in bench.kept()])
    ShapeTools(bench.session).merge()
    assert [a.kind for a in bench.kept()] == ["polygon", "box"]
    assert kept(bench, "box") == kept(bench, "polygon") == [((100.0, 100.0), (450.0, 260.0))]
    assert [text for text, _ in bench.said if "removed" in text] == []


def test_while_the_file_takes_nothing_the_box_is_shown_to_follow(read, monkeypatch):
    from napari_fada.errors import NotWrittenError

    project = read.session.project
    before = read.kept()

    def full(*_args, **_kwargs):
        raise NotWrittenError("There is no space left.", kept="Earlier edits are kept.")

    with monkeypatch.context() as patch:
        patch.setattr(project, "edit", full)
        drag_corner(read)
    around = shown(read, "polygons")
    assert around != [((100.0, 100.0), (300.0, 250.0))]
    assert shown(read, "boxes") == around
    assert read.kept() == before
    drag_corner(read, by=(5.0, 30.0))
    around = shown(read, "polygons")
    assert shown(read, "boxes") == around
    assert read.session.safety.try_again()
    assert kept(read, "box") == kept(read, "polygon") == shown(read, "boxes")
