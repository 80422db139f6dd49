"""Clips: results and edits belong to the frame that was shown."""

from __future__ import annotations

import numpy as np
import pytest
from answering import slow


@pytest.fixture
def clip(open_desk):
    return open_desk(np.random.default_rng(1).integers(0, 99, (4, 200, 400), np.uint8))


def test_results_lie_on_their_frame(clip):
    clip.viewer.dims.set_point(0, 2)
    assert clip.session.frame == 2
    clip.run()
    assert [len(clip.kept(f)) for f in range(4)] == [0, 0, 3, 0]
    for role in ("boxes", "polygons"):
        assert {int(v[0][0]) for v in clip.layer(role).data} == {2}
    masks = clip.layer("masks").data
    assert [bool(masks[f].any()) for f in range(4)] == [False, False, True, False]
    assert "frame 3 of 4" in clip.widget.counts.text()
    clip.viewer.dims.set_point(0, 0)
    assert clip.widget.phases.states["detect"] == ""
    assert clip.widget.report.fields["image_quality"].toPlainText() == ""
    clip.viewer.dims.set_point(0, 2)
    assert clip.widget.phases.states["detect"] == "done"


def test_scrolling_during_a_run(clip, qtbot):
    clip.answer(slow(0.005))
    clip.viewer.dims.set_point(0, 1)
    clip.widget.run()
    qtbot.waitUntil(lambda: clip.widget.phases.states["interpret"] == "running")
    clip.viewer.dims.set_point(0, 3)
    clip.wait_for_run()
    assert [len(clip.kept(f)) for f in range(4)] == [0, 3, 0, 0]
