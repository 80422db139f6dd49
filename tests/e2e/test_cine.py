"""Clips through the window: copy, interpolate, follow, the strip, reviewed frames, the cache."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
from qtpy.QtCore import Qt
from scipy.ndimage import gaussian_filter

from napari_fada.records.annotation import Annotation
from napari_fada.workstation import frame_marks
from napari_fada.workstation.panels.frame_strip import FrameStrip

N, HEIGHT, WIDTH = 40, 200, 320


def square(x, y=60.0, side=60.0):
    return ((x, y), (x + side, y), (x + side, y + side), (x, y + side))


@pytest.fixture(scope="module")
def moving(tmp_path_factory):
    """Write a TIFF of forty frames of speckle that moves 2 px to the right with each."""
    noise = gaussian_filter(np.random.default_rng(4).rayleigh(1.0, (HEIGHT, WIDTH)), 2)
    image = (noise / noise.max() * 255).astype(np.uint8)
    path = tmp_path_factory.mktemp("clip") / "moving.tif"
    tifffile.imwrite(path, np.stack([np.roll(image, 2 * k, 1) for k in range(N)]))
    return path


@pytest.fixture
def clip(open_desk, moving):
    desk = open_desk()
    assert desk.session.open_path(moving)
    return desk


def draw(desk, frame, *records):
    session = desk.session
    session.go_to_frame(frame)
    added = [
        Annotation(name, "polygon", points, source="expert", rater="ann")
        for name, points in records or [("Brain", square(80.0))]
    ]
    session.project.edit(session.scan.sha256, frame, add=added, label="drawn")


def press(target, key):
    from napari.utils.key_bindings import coerce_keybinding

    target.keymap[coerce_keybinding(key)](target)


def finish(desk):
    desk.qtbot.waitUntil(lambda: not desk.widget.carrier.running)
    desk.qtbot.waitUntil(lambda: desk.session.layers.settled)


def strip_of(desk) -> FrameStrip:
    desk.widget.frames.bar.look()
    return desk.widget.frames.bar.strip


def who(desk, frame):
    return int(strip_of(desk).marks.who[frame])


def shown(desk, frame):
    return [v for v in desk.layer("polygons").data if int(v[0][0]) == frame]


def is_shown(desk, widget):
    """Tell whether a widget is shown, in a window that itself is not."""
    return widget.isVisibleTo(desk.viewer.window._qt_window)


def test_the_strip_is_there_for_clips_only(open_desk, moving):
    desk = open_desk()
    assert desk.widget.frames.bar is None
    desk.session.open_path(moving)
    bar = desk.widget.frames.bar
    assert is_shown(desk, bar)
    assert bar.strip.n_frames == N
    desk.session.use_layer(desk.viewer.layers["scan"])
    assert not is_shown(desk, bar)
    desk.session.use_layer(desk.viewer.layers["moving"])
    assert is_shown(desk, bar)


def test_copy_to_the_next_frame(clip):
    draw(clip, 3)
    press(clip.layer("polygons"), "Alt-C")
    assert clip.session.frame == 4
    (copied,) = clip.kept(4)
    assert (copied.source, copied.status, copied.points) == ("copy", "proposed", square(80.0))
    assert len(shown(clip, 4)) == 1
    assert "1 structure copied to frame 5" in clip.widget.message.text
    assert who(clip, 3) == frame_marks.EXPERT
    assert who(clip, 4) == frame_marks.CARRIED
    clip.session.undo()
    assert clip.kept(4) == []
    assert len(clip.kept(3)) == 1
    assert who(clip, 4) == frame_marks.NOTHING


def test_copy_takes_the_selection_and_as_many_frames_as_is_set(clip):
    draw(clip, 5, ("Brain", square(80.0)), ("CSP", square(100.0, side=20.0)))
    layer = clip.layer("polygons")
    clip.viewer.layers.selection.active = layer
    layer.selected_data = {list(layer.features["class"]).index("CSP")}
    clip.widget.frames.bar.reach.setValue(-3)
    assert clip.widget.frames.bar.reach.text() == "previous 3"
    clip.qtbot.mouseClick(clip.widget.frames.bar.buttons["copy_frame"], Qt.MouseButton.LeftButton)
    finish(clip)
    assert [[r.category for r in clip.kept(f)] for f in (1, 2, 3, 4)] == [[], *[["CSP"]] * 3]
    assert clip.session.frame == 5
    assert "3 structures copied to 3 frames (3–5)" in clip.widget.message.text


def test_interpolate_between_key_frames(clip):
    draw(clip, 2, ("Brain", square(40.0)))
    press(clip.viewer, "Alt-V")
    assert "two key frames" in clip.widget.message.text
    assert not clip.widget.carrier.running
    draw(clip, 22, ("Brain", square(140.0)))
    clip.session.go_to_frame(12)
    press(clip.viewer, "Alt-V")
    finish(clip)
    for frame in range(3, 22):
        (made,) = clip.kept(frame)
        assert made.points[0] == (pytest.approx(40 + 5 * (frame - 2)), 60)
        assert (made.source, made.status) == ("interpolation", "proposed")
    (here,) = shown(clip, 12)
    assert here[0].tolist() == [12, 59.5, 89.5]
    assert clip.layer("masks").data[12].any()
    marks = strip_of(clip).marks
    assert marks.who.tolist() == [0, 0, 3, *[2] * 19, 3, *[0] * 17]
    clip.session.undo()
    assert not any(clip.kept(frame) for frame in range(3, 22))
    assert len(clip.kept(2)) == len(clip.kept(22)) == 1
    assert strip_of(clip).marks.who.tolist() == [0, 0, 3, *[0] * 19, 3, *[0] * 17]


def test_flow_carries_structures_along_and_can_be_cancelled(clip):
    draw(clip, 0)
    press(clip.layer("boxes"), "Alt-F")
    finish(clip)
    assert clip.session.frame == 1
    (moved,) = clip.kept(1)
    assert moved.source == "flow"
    assert np.abs(np.array(moved.points) - np.array(square(82.0))).max() < 1
    clip.widget.frames.bar.reach.setValue(30)
    press(clip.viewer, "Alt-F")
    clip.qtbot.waitUntil(lambda: bool(clip.kept(3)))
    assert is_shown(clip, clip.widget.frames.bar.stop)
    clip.qtbot.mouseClick(clip.widget.frames.bar.stop, Qt.MouseButton.LeftButton)
    finish(clip)
    assert "Cancelled; what was done stays." in clip.widget.message.text
    assert clip.kept(3)
    assert not clip.kept(31)


def test_an_experts_word_stands_and_carried_over_ones_can_become_it(clip):
    draw(clip, 0)
    press(clip.viewer, "Alt-C")
    layer = clip.layer("polygons")
    (at,) = [i for i, v in enumerate(layer.data) if int(v[0][0]) == 1]
    data = [np.array(v) for v in layer.data]
    data[at][:, 2] += 7
    layer.data = data
    (mine,) = clip.kept(1)
    assert (mine.source, mine.status, mine.rater) == ("expert", "corrected", "ann")
    assert who(clip, 1) == frame_marks.EXPERT
    clip.session.go_to_frame(0)
    press(clip.viewer, "Alt-C")
    assert clip.kept(1) == [mine]
    assert "an expert's word stands there" in clip.widget.message.text
    assert clip.session.frame == 0


def test_the_strip_goes_where_it_is_clicked_and_says_what_is_there(clip):
    draw(clip, 20)
    strip = strip_of(clip)
    at = strip.place_of(20).toPoint()
    clip.session.go_to_frame(0)
    clip.qtbot.mouseClick(strip, Qt.MouseButton.LeftButton, pos=at)
    assert clip.session.frame == 20
    assert strip.frame == 20
    assert strip._describe(20) == "Frame 21 of 40 — 1 by an expert, in review"
    shift = Qt.KeyboardModifier.ShiftModifier
    clip.qtbot.mouseClick(strip, Qt.MouseButton.LeftButton, shift, strip.place_of(25).toPoint())
    assert clip.session.frame == 20
    assert clip.widget.frames.bar.reach.value() == 5
    picture = strip._drawn()

    def colour(frame):
        return picture.pixelColor(strip.place_of(frame).toPoint()).name()

    assert colour(20) == "#f2b632"
    assert colour(10) == "#3a3f47"


def test_keys_go_to_annotated_frames(clip):
    for frame in (4, 17, 30):
        draw(clip, frame)
    clip.session.go_to_frame(10)
    seen = []
    for key in ("Alt-Down", "Alt-Down", "Alt-Up", "Alt-Up", "Alt-Up"):
        press(clip.layer("masks"), key)
        seen.append(clip.session.frame)
    assert seen == [17, 30, 17, 4, 4]
    assert "No frame before this one is annotated" in clip.widget.message.text


def test_marking_a_frame_as_reviewed_accepts_what_is_open(clip):
    draw(clip, 0)
    press(clip.viewer, "Alt-C")
    bar = clip.widget.frames.bar
    button = bar.buttons["frame_reviewed"]
    clip.qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    assert [r.status for r in clip.kept(1)] == ["accepted"]
    assert strip_of(clip).marks.review[1] == frame_marks.REVIEWED
    assert button.isChecked()
    clip.session.go_to_frame(0)
    assert not button.isChecked()
    press(clip.viewer, "Alt-C")
    assert "1 reviewed frame left alone" in clip.widget.message.text
    clip.session.go_to_frame(1)
    clip.qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    assert strip_of(clip).marks.review[1] == frame_marks.IN_REVIEW


def test_failed_and_proposed_frames_show_in_the_strip(clip):
    from answering import failing

    clip.session.go_to_frame(7)
    clip.run()
    clip.session.go_to_frame(9)
    clip.answer(failing("segment"))
    clip.run()
    marks = strip_of(clip).marks
    assert (marks.who[7], marks.trouble[7]) == (frame_marks.PROPOSED, frame_marks.SOUND)
    assert marks.trouble[9] == frame_marks.FAILED
    assert "a phase failed" in strip_of(clip)._describe(9)


def test_a_jpeg_cine_is_decoded_as_it_is_looked_at(open_desk):
    pytest.importorskip("pydicom")
    from pydicom.data import get_testdata_file

    desk = open_desk()
    path = Path(str(get_testdata_file("examples_ybr_color.dcm", download=False)))
    assert desk.session.open_path(path)
    cache = desk.session.image.data.cache
    for frame in (*range(30), *reversed(range(30))):
        desk.session.go_to_frame(frame)
        here = np.asarray(desk.session.image._slice.image.raw)
        np.testing.assert_array_equal(here, cache.frame(frame))
    assert cache.decodes == 30
    assert cache.nbytes == 30 * 240 * 320 * 3 <= cache.max_bytes
    draw(desk, 3, ("Brain", square(100.0)))
    press(desk.viewer, "Alt-C")
    assert [r.source for r in desk.kept(4)] == ["copy"]
    draw(desk, 9, ("Brain", square(130.0)))
    press(desk.viewer, "Alt-V")
    finish(desk)
    assert [r.source for r in desk.kept(6)] == ["interpolation"]
    assert "0." in strip_of(desk)._describe(6)  # its time in the clip


def test_frames_that_were_never_on_the_screen_are_marked_asked_about_and_recorded(clip):
    session, sha256 = clip.session, clip.session.scan.sha256
    window = clip.viewer.window._qt_window
    window.show()
    draw(clip, 0)
    draw(clip, 20, ("Brain", square(120.0)))
    session.go_to_frame(10)
    clip.widget.carrier.interpolate()
    finish(clip)
    strip = strip_of(clip)
    session.go_to_frame(12)
    clip.qtbot.waitUntil(lambda: strip.marks.looks[12] == frame_marks.SEEN)
    assert strip.marks.looks[5] == frame_marks.NEVER_SEEN
    assert "not looked at yet" in strip._describe(5)
    press(clip.viewer, "N")
    assert "of 21 frames were never on the screen" in clip.widget.message.text
    assert clip.kept(5)[0].status == clip.kept(12)[0].status == "proposed"
    press(clip.viewer, "N")
    assert clip.kept(5)[0].status == clip.kept(12)[0].status == "accepted"
    looks = strip_of(clip).marks.looks
    assert (looks[5], looks[12]) == (frame_marks.SIGNED_UNSEEN, frame_marks.SEEN)
    assert "accepted without being on the screen" in strip._describe(5)
    assert session.project.lines(sha256)[0].label.endswith("frames never on the screen)")
