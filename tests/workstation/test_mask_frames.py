"""Masks of a clip: drawn when looked at, few at a time, and what is painted stays."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_fada.records.annotation import Annotation
from napari_fada.workstation import raster
from napari_fada.workstation.mask_frames import MaskFrames

SHAPE = (30, 8, 9)


def numbered(most=5):
    drawn = []

    def draw(frame):
        drawn.append(frame)
        return np.full(SHAPE[1:], frame, np.uint16)

    frames = MaskFrames(SHAPE, most)
    frames.draw = draw
    return frames, drawn


index = st.one_of(
    st.integers(-30, 29),
    st.slices(30),
    st.just(np.array([3, 3, 4])),
)


@given(index, st.sampled_from([(), (2,), (slice(1, 4), slice(2, 7)), (np.array([0, 1, 7]),) * 2]))
def test_it_reads_and_writes_like_an_array(first, rest):
    arrays = bool(rest) and isinstance(rest[0], np.ndarray)
    if isinstance(first, np.ndarray) != arrays and not (arrays and isinstance(first, int)):
        return  # napari chooses by slices or by arrays, not by both
    frames, _ = numbered(most=50)
    whole = np.array(frames)
    key = (first, *rest)
    np.testing.assert_array_equal(frames[key], whole[key])
    frames[key] = 77
    whole[key] = 77
    np.testing.assert_array_equal(np.asarray(frames), whole)
    values = np.arange(whole[key].size, dtype=np.uint16).reshape(whole[key].shape)
    frames[key] = values
    whole[key] = values
    np.testing.assert_array_equal(np.asarray(frames), whole)


def test_few_are_kept_and_painted_ones_stay():
    frames, drawn = numbered(most=5)
    frames[3, 0, 0] = 9
    for k in range(30):
        frames[k]
    assert frames.nbytes <= 6 * 8 * 9 * 2
    assert frames[3, 0, 0] == 9
    assert drawn.count(3) == 1
    frames.forget(3)
    assert frames[3, 0, 0] == 3
    assert frames.painted == set()
    with pytest.raises(IndexError):
        frames[30]


def square(x, y, side):
    return ((x, y), (x + side, y), (x + side, y + side), (x, y + side))


def test_a_long_clip_costs_what_is_looked_at(long_clip):
    for frame in range(300):
        long_clip.propose(Annotation("Brain", "polygon", square(20.0, 20.0, 40.0)), frame=frame)
    long_clip.session.refresh()
    layer = long_clip.layer("masks")
    for frame in range(0, 300, 5):
        long_clip.session.go_to_frame(frame)
        assert (np.asarray(layer.data[frame]) > 0).sum() == 1600
    assert layer.data.nbytes <= 24 * 120 * 160 * 2


def test_painting_on_a_clip_makes_records_of_its_frame(long_clip):
    layer = long_clip.layer("masks")
    long_clip.session.go_to_frame(250)
    layer.brush_size = 11
    with layer.block_history():
        layer.paint((250, 60, 80), raster.class_id("Brain"))
    assert long_clip.one(250).category == "Brain"
    assert layer.data[250].any()
    long_clip.session.go_to_frame(10)
    assert not layer.data[10].any()
    long_clip.session.go_to_frame(250)
    long_clip.session.undo()
    assert long_clip.kept(250) == []
    assert not layer.data[250].any()


def test_a_brush_that_was_set_to_reach_over_frames_writes_on_one(long_clip):
    layer = long_clip.layer("masks")
    long_clip.session.go_to_frame(100)
    layer.n_edit_dimensions = 3
    layer.brush_size = 5
    with layer.block_history():
        layer.paint((100, 60, 80), raster.class_id("Brain"))
    assert long_clip.one(100).category == "Brain"
    assert long_clip.session.project.frames(long_clip.session.scan.sha256) == [100]
