"""Over the frames of a clip a box goes with its outline."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from test_cine_carry import speckle

from napari_fada.records import linking
from napari_fada.records.cine.carry import Finished, copy, follow, interpolate
from napari_fada.records.geometry import bounds
from napari_fada.records.project import Project
from napari_fada.records.structures import pairs
from record_samples import box, make_scan, polygon

SCAN = make_scan(n_frames=12)
SHA = SCAN.sha256


@pytest.fixture
def project(tmp_path):
    with Project.open(tmp_path / "p.fada", rater="ann") as opened:
        opened.add_scan(SCAN)
        yield opened
        assert opened.check() == []


def draw(project, frame, *records):
    added = [replace(r, source="expert") for r in records]
    return project.edit(SHA, frame, add=added).added


def brain(x=30.0, y=20.0):
    """Return an outline and the box around it."""
    outline = polygon(x=x, y=y, category="CSP")
    return outline, linking.around(box(), outline)


def found(project, frame):
    return pairs(project.annotations(SHA, frame), linking.unlinked(project.state(SHA, frame)))


def end(events) -> Finished:
    *_, last = events
    return last


@pytest.mark.parametrize("which", [0, 1])
def test_a_copy_takes_both_halves(project, which):
    drawn = draw(project, 0, *brain())
    done = end(copy(project, SHA, 0, [1], uids=[drawn[which].uid]))
    ((outline, frame),) = found(project, 1)
    assert frame.points == bounds(outline) == bounds(drawn[0])
    assert done.text().startswith("1 structure copied to frame 2.")
    wide = replace(outline, points=tuple((2 * x, y) for x, y in outline.points))
    project.edit(SHA, 1, replace={outline.uid: wide})
    ((outline, frame),) = found(project, 1)
    assert frame.points == bounds(outline) == ((60.0, 20.0), (180.0, 70.0))


def test_between_key_frames_the_box_is_that_around_the_outline_of_each(project):
    first, frame = brain()
    last = replace(first, points=((90.0, 30.0), (130.0, 5.0), (170.0, 30.0), (130.0, 55.0)))
    draw(project, 0, first, frame)
    draw(project, 8, last, linking.around(frame, last))
    end(interpolate(project, SHA, [(0, 8)]))
    for at in range(1, 8):
        records = project.annotations(SHA, at)
        assert [a.kind for a in records] == ["polygon", "box"]
        assert project.record(records[1].uid).points == bounds(records[0])


def test_where_only_one_key_frame_has_a_box_none_is_lost(project):
    outline, frame = brain()
    draw(project, 0, outline)
    draw(project, 4, outline, frame)
    done = end(interpolate(project, SHA, [(0, 4)]))
    assert done.lost == ()
    assert len(found(project, 2)) == 1


def test_flow_takes_the_box_along(project):
    image = speckle()
    draw(project, 0, *brain(60.0, 40.0))
    end(follow(project, SHA, 0, [1, 2], lambda k: np.roll(image, 3 * k, axis=1)))
    for at in (1, 2):
        ((outline, frame),) = found(project, at)
        assert project.record(frame.uid).points == bounds(outline)
        assert bounds(outline)[0][0] == pytest.approx(60 + 3 * at, abs=1.5)


def test_a_box_does_not_come_to_an_outline_that_an_expert_drew(project):
    draw(project, 0, *brain())
    (theirs,) = draw(project, 1, polygon(x=36, y=24, category="CSP"))
    end(copy(project, SHA, 0, [1]))
    assert project.annotations(SHA, 1) == [theirs]


def test_a_box_that_was_set_apart_is_so_on_the_other_frames(project):
    outline, frame = draw(project, 0, *brain())
    moved = replace(frame, points=((40.0, 25.0), (100.0, 75.0)))
    project.edit(SHA, 0, replace={frame.uid: moved})
    end(copy(project, SHA, 0, [1]))
    outline, frame = project.annotations(SHA, 1)
    assert frame.points == moved.points
    assert linking.unlinked(project.state(SHA, 1)) == {frame.uid: outline.uid}
    project.undo(SHA, 1)
    assert project.state(SHA, 1) == {}
