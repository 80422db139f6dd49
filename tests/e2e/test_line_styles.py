"""Proposals are dashed, what an expert made is not; the model's own can be seen beneath."""

from __future__ import annotations

import numpy as np
import pytest

from napari_fada.workstation.layers import role_of


@pytest.fixture
def read(desk):
    desk.run()
    return desk


def lines(desk, role="marks"):
    return desk.session.layers.companions[role].layer


def near(layer, box):
    """Return how many line pieces begin on the edge of a box of a Shapes layer."""
    (top, left), (bottom, right) = np.min(box, axis=0), np.max(box, axis=0)
    starts = layer.data[:, 0]
    rows, columns = starts[:, 0], starts[:, 1]
    on_rows = np.isclose(rows, top, atol=0.01) | np.isclose(rows, bottom, atol=0.01)
    on_columns = np.isclose(columns, left, atol=0.01) | np.isclose(columns, right, atol=0.01)
    inside = (rows > top - 1) & (rows < bottom + 1) & (columns > left - 1) & (columns < right + 1)
    return int(((on_rows | on_columns) & inside).sum())


def press(desk, key):
    from napari.utils.key_bindings import coerce_keybinding

    desk.viewer.keymap[coerce_keybinding(key)](desk.viewer)


def test_dashes_go_when_a_proposal_is_corrected_and_come_back(read):
    boxes = read.layer("boxes")
    before = np.array(boxes.data[1])
    assert near(lines(read), before) > 3
    assert (boxes.edge_color[:, 3] < 0.5).all()
    boxes.data = [boxes.data[0], before + 30]
    assert near(lines(read), before) == 0
    assert boxes.edge_color[1, 3] == 1
    read.session.undo()
    assert near(lines(read), before) > 3


def test_dashes_are_in_the_colour_of_the_class(read):
    colours = {tuple(np.round(c[:3], 2)) for c in lines(read).edge_color}
    wanted = {tuple(np.round(c[:3], 2)) for c in read.layer("boxes").edge_color}
    assert colours == wanted


def test_what_is_locked_has_marks(read):
    read.session.reviewing.choose([read.kept()[0].uid])
    before = len(lines(read).data)
    press(read, "Alt-L")
    assert len(lines(read).data) > before
    assert (lines(read).edge_color[:, :3] == 1).all(axis=1).any()
    press(read, "Alt-L")
    assert len(lines(read).data) == before


def test_the_proposal_is_shown_beneath_the_correction(read):
    boxes = read.layer("boxes")
    before = np.array(boxes.data[1])
    boxes.data = [boxes.data[0], before + 30]
    assert len(lines(read, "originals").data) == 0
    press(read, "Alt-P")
    assert near(lines(read, "originals"), before) > 3
    boxes.data = [boxes.data[0], boxes.data[1] + 5]  # corrected again: the first is shown
    assert near(lines(read, "originals"), before) > 3
    assert not read.session.layers.companions["originals"].selected_uids()
    press(read, "Alt-P")
    assert len(lines(read, "originals").data) == 0


def test_companions_are_known_by_their_token_and_go_with_the_scan(read):
    layers = [lines(read), lines(read, "originals")]
    assert [role_of(layer) for layer in layers] == ["marks", "originals"]
    layers[0].name = "something else"
    read.session.close_scan()
    assert not any(layer in read.viewer.layers for layer in layers)


def test_lines_belong_to_their_frame(open_desk):
    pixels = np.random.default_rng(0).integers(0, 99, (3, 200, 400), np.uint8)
    desk = open_desk(pixels)
    desk.run()
    here = desk.session.frame
    assert set(lines(desk).data[:, 0, 0]) == {float(here)}
    desk.session.go_to_frame(here - 1)
    assert len(lines(desk).data) == 0
    desk.session.go_to_frame(here)
    assert len(lines(desk).data)
