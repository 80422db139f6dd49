"""Two raters: box and outline of a structure are compared and decided as one."""

from __future__ import annotations

import shutil
from dataclasses import replace

import pytest
from test_merge import KEY, SCAN, Desk, accept, moved

from napari_fada.records import linking
from napari_fada.records.conflicts import open_conflicts, resolve
from napari_fada.records.geometry import bounds
from napari_fada.records.project import Project
from napari_fada.records.structures import pairs
from record_samples import box, make_reading, polygon

FAR = 60.0
pytestmark = pytest.mark.usefixtures("start")


@pytest.fixture
def desk(tmp_path):
    return Desk(tmp_path)


@pytest.fixture
def start(desk):
    """Give both raters a reading with an outline and a box a pixel beside it."""
    outline = polygon(score=0.9)
    reading = make_reading(SCAN, outline, moved(linking.around(box(score=0.8), outline), 1.5))
    with Project.open(desk.a, rater="Lead") as project:
        project.add_scan(SCAN)
        project.save_reading(reading)
    shutil.copy(desk.a, desk.b)
    return reading


def move(project, by):
    outline = next(a for a in project.annotations(*KEY) if a.kind == "polygon")
    project.edit(*KEY, replace={outline.uid: moved(outline, by)})


def whole(project):
    """Return where the outlines lie whose boxes lie around them; nothing else may stand."""
    found = pairs(project.annotations(*KEY))
    assert len(project.annotations(*KEY)) == 2 * len(found)
    assert all(frame.points == bounds(outline) for outline, frame in found)
    return [outline.points[0][0] for outline, _ in found]


def test_where_both_agree_the_first_ones_box_comes_along(desk):
    with desk.rater("Anna") as a:
        move(a, 2)
    with desk.rater("Ben") as b:
        move(b, 3)
    assert desk.merge().conflicts == ()
    with desk.merged() as c:
        assert whole(c) == [32.0]


@pytest.mark.parametrize(("side", "there"), [("a", 32.0), ("b", 30.0 + FAR)])
def test_a_disputed_structure_is_one_conflict(desk, side, there):
    with desk.rater("Anna") as a:
        move(a, 2)
    with desk.rater("Ben") as b:
        move(b, FAR)
    (conflict,) = desk.merge().conflicts
    with desk.merged() as c:
        assert c.annotations(*KEY) == []
        resolve(c, conflict, side)
        assert whole(c) == [there]
        c.undo(*KEY)
        assert c.annotations(*KEY) == []


def test_drawn_anew_it_has_a_box_of_its_own(desk):
    with desk.rater("Anna") as a:
        move(a, 2)
    with desk.rater("Ben") as b:
        move(b, FAR)
    desk.merge()
    with desk.merged() as c:
        (conflict,) = open_conflicts(c)
        resolve(c, conflict, moved(polygon(), 20))
        assert whole(c) == [50.0]
        assert {(r.status, r.rater) for r in c.annotations(*KEY)} == {("corrected", "Dana")}


def test_nothing_there_rejects_both_halves(desk):
    with desk.rater("Anna") as a:
        a.edit(*KEY, remove=[a.annotations(*KEY)[0].uid])
    with desk.rater("Ben") as b:
        accept(b, b.annotations(*KEY)[0])
    (conflict,) = desk.merge().conflicts
    with desk.merged() as c:
        resolve(c, conflict, "a")
        assert [r.status for r in c.annotations(*KEY, include_rejected=True)] == ["rejected"] * 2
        c.undo(*KEY)
        resolve(c, conflict, "b")
        assert whole(c) == [30.0]


def test_a_box_that_one_rater_set_apart_stays_so(desk):
    with desk.rater("Anna") as a:
        outline, frame = a.annotations(*KEY)
        accept(a, outline)
        frame = a.annotations(*KEY)[1]
        a.edit(*KEY, replace={frame.uid: moved(frame, 5)})
    with desk.rater("Ben") as b:
        accept(b, b.annotations(*KEY)[0])
    assert desk.merge().conflicts == ()
    with desk.merged() as c:
        outline, frame = c.annotations(*KEY)
        assert frame.points[0][0] == 35.0
        assert linking.unlinked(c.state(*KEY)) == {frame.uid: outline.uid}


def test_the_same_reading_under_other_names_is_one(desk, start):
    """Each rater has read the scan alone: the answers are the same, their names are not."""
    desk.b.unlink()
    again = tuple(replace(a, uid=f"{n}" * 32) for n, a in enumerate(start.annotations, 1))
    with Project.open(desk.b, rater="Ben") as b:
        b.add_scan(SCAN)
        b.save_reading(make_reading(SCAN, *again))
        outline, frame = b.annotations(*KEY)
        b.edit(*KEY, replace={frame.uid: moved(frame, 5)})
    assert desk.merge().conflicts == ()
    with desk.merged() as c:
        outline, frame = c.annotations(*KEY)
        assert frame.points[0][0] == 35.0
        assert linking.unlinked(c.state(*KEY)) == {frame.uid: outline.uid}
