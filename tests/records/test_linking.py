"""Box and outline of a structure are one: what is done to one of them is done to both."""

from __future__ import annotations

import dataclasses

import pytest

from napari_fada.errors import LockedError
from napari_fada.records import history, linking, review, tables
from napari_fada.records.annotation import Annotation
from napari_fada.records.geometry import bounds
from napari_fada.records.project import Project
from napari_fada.records.rows import Act
from napari_fada.records.structures import pairs, structures
from napari_fada.records.waiting import WaitingEdit, WaitingRule, over_records
from record_samples import make_reading, make_scan

SCAN = make_scan()
KEY = (SCAN.sha256, 0)
RING = ((30.0, 20.0), (90.0, 20.0), (90.0, 60.0), (30.0, 70.0))
FAR = ((10.0, 10.0), (190.0, 12.0), (188.0, 95.0), (12.0, 90.0))


def outline(points=RING, category="Brain", **more) -> Annotation:
    return Annotation(category, "polygon", points, **more)


def box(x1=32.0, y1=18.0, x2=92.0, y2=71.0, category="Brain", **more) -> Annotation:
    return Annotation(category, "box", ((x1, y1), (x2, y2)), **more)


def shift(record, dx=0.0, dy=0.0):
    return dataclasses.replace(record, points=tuple((x + dx, y + dy) for x, y in record.points))


@pytest.fixture
def project(tmp_path):
    with Project.open(tmp_path / "p.fada", rater="Anna") as opened:
        opened.add_scan(SCAN)
        yield opened
        assert opened.check() == []


@pytest.fixture
def read(project):
    """Show a reading whose box lies two pixels beside its outline."""
    project.save_reading(make_reading(SCAN, outline(score=0.9), box(score=0.8)))
    return project


def both(project, category="Brain"):
    found = {a.kind: a for a in project.annotations(*KEY) if a.category == category}
    return found.get("polygon"), found.get("box")


def sign_apart(project):
    """Put a signed pair into the project as an earlier version left it: the box lies off."""
    said = {"source": "expert", "status": "accepted", "rater": "Anna"}
    shape, frame = outline(**said), box(**said)
    with project._store.write() as c:
        for record in (shape, frame):
            tables.put_record(c, *KEY, record)
        cells = {f"record/{record.uid}": "1" for record in (shape, frame)}
        history.do(c, *KEY, cells, label="as it was", rater="Anna")
    return shape.uid, frame.uid


# What is read


def test_a_proposed_box_is_that_around_its_outline_and_the_answer_is_kept(read):
    _, frame = both(read)
    assert frame.points == ((30.0, 20.0), (90.0, 70.0))
    assert (frame.status, frame.source, frame.score) == ("proposed", "model", 0.8)
    assert read.record(frame.uid).points == ((32.0, 18.0), (92.0, 71.0))
    (reading,) = read.readings(*KEY)
    assert reading.annotations[1].points == ((32.0, 18.0), (92.0, 71.0))


def test_accepted_as_it_is_shown_the_box_is_no_correction(read):
    assert review.finish(read, *KEY) == "accepted"
    _, frame = both(read)
    assert (frame.status, frame.source) == ("accepted", "model")
    assert read.record(frame.uid).points == ((30.0, 20.0), (90.0, 70.0))


def test_what_was_judged_is_not_proposed_again_by_another_look_at_the_reading(read):
    ((identifier, _),) = read.readings_by_id(*KEY)
    shape, _ = both(read)
    read.edit(*KEY, replace={shape.uid: outline(FAR)})
    read.replace_proposals(*KEY, identifier)
    assert [a.status for a in read.annotations(*KEY)] == ["corrected", "corrected"]
    read.add_proposals(*KEY, identifier)
    assert len(read.annotations(*KEY)) == 2


def test_a_look_back_shows_what_was_shown(read):
    (first,) = read.history(*KEY)
    shape, frame = both(read)
    read.edit(*KEY, replace={shape.uid: outline(FAR)})
    past = {a.kind: a for a in read.at(*KEY, first.id).records}
    assert past["box"] == frame


# The box follows


def test_the_box_follows_a_corner_in_the_same_step(read):
    shape, frame = both(read)
    wide = (*RING[:1], (110.0, 15.0), *RING[2:])
    done = read.edit(*KEY, replace={shape.uid: outline(wide)})
    assert done.entry.label == "Brain corrected (1 vertex moved)"
    assert set(done.replaced) == {shape.uid, frame.uid}
    shape, frame = both(read)
    assert frame.points == ((30.0, 15.0), (110.0, 70.0))
    assert (frame.status, frame.source, frame.rater) == ("corrected", "expert", "Anna")
    read.undo(*KEY)
    assert both(read)[1].points == ((30.0, 20.0), (90.0, 70.0))
    read.redo(*KEY)
    assert both(read)[1].points == ((30.0, 15.0), (110.0, 70.0))
    read.restore(*KEY, read.history(*KEY)[0].id)
    assert both(read)[1].points == ((30.0, 20.0), (90.0, 70.0))


def test_a_great_change_keeps_the_pair(read):
    shape, _ = both(read)
    small = ((31.0, 21.0), (36.0, 21.0), (36.0, 25.0))
    shape = read.edit(*KEY, replace={shape.uid: outline(small)}).replaced[shape.uid]
    assert both(read)[1].points == ((31.0, 21.0), (36.0, 25.0))
    read.edit(*KEY, replace={shape.uid: shift(outline(small), 120, 60)})
    assert both(read)[1].points == ((151.0, 81.0), (156.0, 85.0))


def test_all_rings_count(read):
    shape, _ = both(read)
    part = ((100.0, 80.0), (120.0, 80.0), (120.0, 90.0))
    read.edit(*KEY, replace={shape.uid: dataclasses.replace(shape, rings=(part,))})
    assert both(read)[1].points == ((30.0, 20.0), (120.0, 90.0))


def test_a_box_that_need_not_move_is_judged_with_its_outline(read):
    shape, _ = both(read)
    inner = (*RING[:2], (89.0, 60.0), *RING[3:])
    read.edit(*KEY, replace={shape.uid: outline(inner)})
    shape, frame = both(read)
    assert (shape.status, frame.status, frame.source) == ("corrected", "accepted", "model")


def test_two_of_a_class_do_not_swap_their_boxes(project):
    near = shift(outline(), 8, 4)
    mine, yours = box(30, 20, 90, 70), box(38, 24, 98, 74)
    project.edit(*KEY, add=[near, outline(), mine, yours])
    first, second, *_ = project.annotations(*KEY)
    project.edit(*KEY, replace={second.uid: shift(second, 8, 4)})  # onto the other one
    _, second, *_ = project.annotations(*KEY)
    project.edit(*KEY, replace={second.uid: shift(second, 60, 10)})
    found = project.annotations(*KEY)
    assert [(o.points, b.points) for o, b in pairs(found)] == [
        (near.points, bounds(near)),
        (shift(outline(), 68, 14).points, ((98.0, 34.0), (158.0, 84.0))),
    ]
    assert first.uid in {a.uid for a in found}


def test_a_class_is_that_of_both_whichever_is_named(read):
    _, frame = both(read)
    read.edit(*KEY, replace={frame.uid: dataclasses.replace(frame, category="H")})
    shape, frame = both(read, "H")
    assert frame.points == bounds(shape)
    read.edit(*KEY, replace={shape.uid: dataclasses.replace(shape, category="LV")})
    assert None not in both(read, "LV")


def test_pieces_of_an_outline_have_a_box_each(read):
    shape, _ = both(read)
    left, right = (
        ((30.0, 20.0), (60.0, 20.0), (30.0, 70.0)),
        ((60.0, 20.0), (90.0, 20.0), (90.0, 60.0)),
    )
    piece = outline(right, source="expert", parent=shape.uid)
    read.edit(*KEY, replace={shape.uid: outline(left)}, add=[piece])
    assert [(o.points, b.points) for o, b in pairs(read.annotations(*KEY))] == [
        (left, ((30.0, 20.0), (60.0, 70.0))),
        (right, ((60.0, 20.0), (90.0, 60.0))),
    ]


def test_what_is_merged_has_one_box(read):
    other = outline(shift(outline(), 50).points, source="expert")
    read.edit(*KEY, add=[other, box(80, 20, 140, 70, source="expert")])
    shape = both(read)[0] if both(read)[0].uid != other.uid else read.annotations(*KEY)[0]
    read.edit(*KEY, replace={shape.uid: outline(FAR)}, remove=[other.uid])
    assert [(a.kind, bounds(a)) for a in read.annotations(*KEY)] == [
        ("polygon", ((10.0, 10.0), (190.0, 95.0))),
        ("box", ((10.0, 10.0), (190.0, 95.0))),
    ]


# What is judged is judged on both


@pytest.mark.parametrize("which", [0, 1])
def test_one_half_is_judged_as_the_other(read, which):
    review.reject(read, *KEY, [both(read)[which].uid], "wrong_place")
    found = read.annotations(*KEY, include_rejected=True)
    assert [a.status for a in found] == ["rejected", "rejected"]
    review.bring_back(read, *KEY, [found[which].uid])
    assert [a.status for a in read.annotations(*KEY)] == ["proposed", "proposed"]
    review.accept(read, *KEY, [both(read)[which].uid])
    assert [a.status for a in read.annotations(*KEY)] == ["accepted", "accepted"]
    read.edit(*KEY, remove=[both(read)[which].uid])
    assert read.annotations(*KEY) == []
    read.undo(*KEY)
    assert len(read.annotations(*KEY)) == 2


@pytest.mark.parametrize("which", [0, 1])
def test_a_locked_half_locks_both(read, which):
    review.set_locked(read, *KEY, [both(read)[which].uid], True)
    shape, frame = both(read)
    for act in ({"replace": {shape.uid: outline(FAR)}}, {"remove": [frame.uid]}):
        with pytest.raises(LockedError, match="Brain"):
            read.edit(*KEY, **act)
    review.set_locked(read, *KEY, [both(read)[1 - which].uid], False)
    read.edit(*KEY, replace={shape.uid: outline(FAR)})
    assert both(read)[1].points == bounds(outline(FAR))


# Set apart, and linked again


def test_a_box_that_is_dragged_is_set_apart_until_it_fits_again(read):
    shape, frame = both(read)
    done = read.edit(*KEY, replace={frame.uid: shift(frame, 3)})
    assert [a.points for a in done.apart] == [((33.0, 20.0), (93.0, 70.0))]
    shape, frame = both(read)
    assert linking.unlinked(read.state(*KEY)) == {frame.uid: shape.uid}
    read.edit(*KEY, replace={shape.uid: outline(FAR)})
    shape, frame = both(read)
    assert frame.points == ((33.0, 20.0), (93.0, 70.0))
    assert linking.unlinked(read.state(*KEY)) == {frame.uid: shape.uid}
    assert [s.uids for s in structures(read.annotations(*KEY), {frame.uid: shape.uid})] == [
        (shape.uid, frame.uid)
    ]
    read.edit(*KEY, remove=[frame.uid])
    assert both(read) == (shape, None)
    read.undo(*KEY)
    read.edit(*KEY, replace={both(read)[1].uid: linking.around(frame, shape)})
    assert linking.unlinked(read.state(*KEY)) == {}
    read.edit(*KEY, replace={shape.uid: outline()})
    assert both(read)[1].points == bounds(outline())
    for _ in range(2):
        read.undo(*KEY)
    assert list(linking.unlinked(read.state(*KEY))) == [both(read)[1].uid]


def test_linked_again_by_its_cell_the_box_follows_at_once(read):
    _, frame = both(read)
    read.edit(*KEY, replace={frame.uid: shift(frame, 3)})
    shape, frame = both(read)
    read.set_state(*KEY, {linking.UNLINKED + frame.uid: None})
    assert both(read)[1].points == bounds(shape)


def test_the_mark_goes_with_the_structure(read):
    shape, frame = both(read)
    read.edit(*KEY, replace={frame.uid: shift(frame, 3)})
    shape, frame = both(read)
    read.edit(*KEY, remove=[shape.uid, frame.uid])
    assert len(linking.unlinked(read.state(*KEY))) == 1  # both are rejections now
    new = outline(source="expert")
    read.edit(*KEY, add=[new])
    mine = read.edit(*KEY, add=[box(31, 21, 91, 71, source="expert")])
    assert [a.points for a in mine.fitted] == [bounds(new)]


# Drawn beside each other


def test_a_box_drawn_around_an_outline_and_an_outline_drawn_in_a_box(project):
    shape = outline(source="expert")
    project.edit(*KEY, add=[shape])
    done = project.edit(*KEY, add=[box(source="expert")])
    assert [a.points for a in done.fitted] == [bounds(shape)]
    other = box(120, 20, 180, 70, category="CSP", source="model")
    project.edit(*KEY, add=[other])
    ring = ((121.0, 21.0), (178.0, 22.0), (150.0, 75.0))
    project.edit(*KEY, add=[outline(ring, "CSP", source="expert")])
    shape, frame = both(project, "CSP")
    assert (frame.points, frame.status) == (((121.0, 21.0), (178.0, 75.0)), "corrected")


def test_alone_they_stay_as_they_are(project):
    project.edit(*KEY, add=[outline(source="expert"), box(150, 10, 190, 40, source="expert")])
    shape, frame = both(project)
    project.edit(*KEY, replace={shape.uid: shift(shape, 3)})
    shape, frame = both(project)
    assert frame.points == ((150.0, 10.0), (190.0, 40.0))
    project.edit(*KEY, remove=[frame.uid])
    assert both(project) == (shape, None)


def test_a_locked_box_is_not_moved_by_an_outline_that_is_drawn_in_it(project):
    frame = box(source="expert")
    project.edit(*KEY, add=[frame])
    review.set_locked(project, *KEY, [frame.uid], True)
    project.edit(*KEY, add=[outline(source="expert")])
    shape, now = both(project)
    assert now == project.record(frame.uid)
    assert linking.unlinked(project.state(*KEY)) == {now.uid: shape.uid}


# What earlier versions left


def test_what_was_signed_apart_is_not_changed_until_its_outline_is(project):
    shape, frame = sign_apart(project)
    before = project.annotations(*KEY)
    assert before[1].points == ((32.0, 18.0), (92.0, 71.0))
    ((o, b),) = linking.apart(before)
    assert (o.uid, b.uid, linking.distance(o, b)) == (shape, frame, 2.0)
    review.finish(project, *KEY)
    assert project.annotations(*KEY) == before
    project.edit(*KEY, replace={shape: outline(FAR)})
    assert both(project)[1].points == bounds(outline(FAR))


def test_only_what_has_no_other_half_is_in_doubt():
    outline = Annotation("LV", "polygon", ((0.0, 0.0), (40.0, 0.0), (40.0, 20.0), (0.0, 20.0)))
    beside = Annotation("LV", "box", ((12.0, 10.0), (52.0, 30.0)))
    own = Annotation("LV", "box", ((1.0, 0.0), (41.0, 20.0)))
    other = Annotation("CSP", "box", beside.points)
    away = Annotation("LV", "box", ((39.0, 19.0), (79.0, 39.0)))
    assert linking.meeting([outline, beside]) == [(outline, beside)]
    assert linking.meeting([outline, beside, own]) == []
    assert linking.meeting([outline, other, away]) == []
    assert linking.meeting([outline, beside], {beside.uid: outline.uid}) == []


def test_less_than_a_pixel_is_not_told():
    assert linking.apart([outline(), box(30.5, 20, 90, 70.9)]) == []
    assert linking.apart([outline(), box(30.5, 20, 90, 71.1)]) != []


def test_a_proposed_outline_does_not_move_a_box_that_was_signed(project):
    frame = box(source="expert")
    project.edit(*KEY, add=[frame])
    project.save_reading(make_reading(SCAN, outline(score=0.9)))
    assert both(project)[1] == project.record(frame.uid)
    review.accept(project, *KEY, [both(project)[0].uid])
    assert both(project)[1].points == frame.points
    assert len(linking.apart(project.annotations(*KEY))) == 1


# While the file takes nothing


def test_waiting_edits_show_what_will_be(read):
    records = read.annotations(*KEY, include_rejected=True)
    shape, frame = records
    moved = dataclasses.replace(outline(FAR), status="corrected", parent=shape.uid)
    edits = [WaitingEdit(*KEY, replace={shape.uid: moved})]
    shown = over_records(edits, *KEY, records)
    assert [bounds(a) for a in shown] == [bounds(moved)] * 2
    edits.append(WaitingEdit(*KEY, replace={frame.uid: shift(shown[1], 4)}))
    edits.append(WaitingEdit(*KEY, replace={moved.uid: shift(moved, 0, 2)}))
    shown = over_records(edits, *KEY, records)
    assert [bounds(a) for a in shown] == [
        ((10.0, 12.0), (190.0, 97.0)),
        ((14.0, 10.0), (194.0, 95.0)),
    ]
    edits.append(WaitingRule(*KEY, "reject", ((shown[0].uid,),)))
    now: dict[str, str] = {}
    for one in edits[:3]:
        now |= one.renamed(now).make(read)
    assert [bounds(a) for a in read.annotations(*KEY)] == [bounds(a) for a in shown]
    one = WaitingRule(*KEY, "reject", ((frame.uid,),))
    assert {a.status for a in over_records([one], *KEY, records)} == {"rejected"}


def test_an_import_links_what_comes_and_what_is_there(project):
    signed = {"source": "import", "status": "accepted", "rater": "Ben"}
    act = Act(0, [outline(**signed), box(**signed)], by_person=False)
    (done,) = project.act(SCAN.sha256, act)
    assert [a.points for a in done.fitted] == [bounds(outline())]
    assert both(project)[1].points == bounds(outline())
    assert {a.rater for a in project.annotations(*KEY)} == {"Ben"}


def test_what_waited_and_is_made_already_is_passed_over(read):
    records = read.annotations(*KEY, include_rejected=True)
    gone = WaitingEdit(*KEY, replace={"f" * 32: outline(FAR)}, remove=("e" * 32,))
    assert over_records([gone], *KEY, records) == records
