"""Which of two structures of a class is which, over the frames of a clip."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from napari_fada.records import review
from napari_fada.records.annotation import Annotation
from napari_fada.records.cine.carry import Finished, copy, follow, interpolate
from napari_fada.records.cine.identity import numbers, swapped
from napari_fada.records.cine.matching import pairs, unsure
from napari_fada.records.project import Project
from napari_fada.records.structures import structures
from record_samples import make_scan

SCAN = make_scan(n_frames=30, width=300)
SHA = SCAN.sha256


def ventricle(x: float, y: float = 40.0, size: float = 24.0, kind: str = "polygon") -> Annotation:
    corners = ((x, y), (x + size, y), (x + size, y + size), (x, y + size))
    points = corners if kind == "polygon" else (corners[0], corners[2])
    return Annotation("LV", kind, points, source="expert")


@pytest.fixture
def project(tmp_path):
    with Project.open(tmp_path / "p.fada", rater="ann") as opened:
        opened.add_scan(SCAN)
        yield opened


def draw(project, frame, *records):
    return project.edit(SHA, frame, add=records).added


def move(project, frame, record, x):
    wish = replace(record, points=ventricle(x, kind=record.kind).points)
    return project.edit(SHA, frame, replace={record.uid: wish}).replaced[record.uid]


def end(events) -> Finished:
    *_, last = events
    return last


def places(project, frame, kind="polygon"):
    """Return where each structure lies, by its identity."""
    here = [a for a in project.annotations(SHA, frame) if a.kind == kind]
    return {a.identity: min(x for x, _ in a.points) for a in here}


def test_two_that_cross_after_a_copy_stay_what_they_are(project):
    a, b = draw(project, 0, ventricle(95), ventricle(155))
    end(copy(project, SHA, 0, [20]))
    first, second = project.annotations(SHA, 20)
    move(project, 20, first, 155)
    move(project, 20, second, 95)
    done = end(interpolate(project, SHA, [(0, 20)]))
    assert places(project, 20) == {a.uid: 155, b.uid: 95}
    assert places(project, 10) == {a.uid: pytest.approx(125), b.uid: pytest.approx(125)}
    assert places(project, 5) == {a.uid: pytest.approx(110), b.uid: pytest.approx(140)}
    assert done.unsure == ()


def test_it_lasts_through_every_kind_of_edit_and_undo(project):
    (a,) = draw(project, 0, ventricle(95))
    end(copy(project, SHA, 0, [1]))
    (one,) = project.annotations(SHA, 1)
    assert one.track == a.uid
    one = review.accept(project, SHA, 1, [one.uid]).replaced[one.uid]
    one = project.edit(SHA, 1, replace={one.uid: replace(one, category="CM")}).replaced[one.uid]
    fresh = replace(ventricle(100), category="CM")  # as the brush makes it, without a track
    one = project.edit(SHA, 1, replace={one.uid: fresh}).replaced[one.uid]
    assert one.identity == a.uid
    project.undo(SHA, 1)
    assert [r.identity for r in project.annotations(SHA, 1)] == [a.uid]
    assert Annotation.from_dict(one.to_dict()) == one
    assert "track" not in a.to_dict()


def test_a_pasted_copy_is_another_one_here_and_the_same_one_there(project):
    (a,) = draw(project, 0, ventricle(95))
    (here,) = draw(project, 0, a)
    (there,) = draw(project, 3, a)
    (again,) = draw(project, 3, replace(there, uid="0" * 32))
    assert here.identity == here.uid != a.uid
    assert there.identity == a.uid
    assert again.identity == again.uid


def test_boxes_go_with_their_outlines(project):
    a, _, b, _ = draw(
        project,
        0,
        *(ventricle(95), ventricle(95, kind="box"), ventricle(155), ventricle(155, kind="box")),
    )
    end(copy(project, SHA, 0, [20]))
    there = {r.points[0][0]: r for r in project.annotations(SHA, 20) if r.kind == "polygon"}
    move(project, 20, there[95], 200)  # its box follows
    move(project, 20, there[155], 95)
    there = [r for r in project.annotations(SHA, 20) if r.identity == a.uid and r.kind == "polygon"]
    move(project, 20, there[0], 155)
    end(interpolate(project, SHA, [(0, 20)]))
    for kind in ("polygon", "box"):
        assert places(project, 5, kind) == {a.uid: pytest.approx(110), b.uid: pytest.approx(140)}


@pytest.mark.parametrize(
    ("xs", "told"),
    [
        ((155, 95), True),  # drawn in another order: perhaps they crossed
        ((95, 155), False),
        ((100, 150), False),
        ((122, 128), True),  # half way: who is who cannot be seen
    ],
)
def test_drawn_anew_the_nearest_are_taken_and_doubt_is_told(project, xs, told):
    a, b = draw(project, 0, ventricle(95), ventricle(155))
    draw(project, 20, *map(ventricle, xs))
    done = end(interpolate(project, SHA, [(0, 20)]))
    low, high = (95 + min(xs)) / 2, (155 + max(xs)) / 2
    assert places(project, 10) == {a.uid: pytest.approx(low), b.uid: pytest.approx(high)}
    words = "Nothing says which LV of frame 1 is which on frame 21: the nearest were taken."
    assert (words in done.text()) == told
    assert ("(Alt-9)" in done.text("Alt-9")) == told


def test_an_expert_says_which_is_which(project):
    a, b = draw(project, 0, ventricle(95), ventricle(155))
    draw(project, 20, ventricle(155), ventricle(95))
    end(interpolate(project, SHA, [(0, 20)]))
    here = project.annotations(SHA, 20)
    found = swapped(here, [r.uid for r in here], [project.annotations(SHA, 0)])
    new = project.edit(SHA, 20, replace=found, label="swapped").replaced
    assert places(project, 20) == {a.uid: 155, b.uid: 95}
    assert {(r.status, r.rater, r.source) for r in new.values()} == {("accepted", "ann", "expert")}
    done = end(interpolate(project, SHA, [(0, 20)]))
    assert done.unsure == ()
    assert places(project, 10) == {a.uid: pytest.approx(125), b.uid: pytest.approx(125)}
    assert len(project.annotations(SHA, 10)) == 2
    # And once more it is the other way round.
    here = project.annotations(SHA, 20)
    found = swapped(here, [r.uid for r in here], [project.annotations(SHA, 0)])
    project.edit(SHA, 20, replace=found)
    assert places(project, 20) == {a.uid: 95, b.uid: 155}
    assert project.check() == []


def test_only_two_of_one_class_can_be_swapped(project):
    here = draw(project, 0, ventricle(20), ventricle(95), replace(ventricle(155), category="CM"))
    assert swapped(here, [here[0].uid], []) == {}
    assert swapped(here, [here[0].uid, here[2].uid], []) == {}
    found = swapped(here, [here[0].uid, here[1].uid], [])
    assert [found[r.uid].track for r in here[:2]] == [here[1].uid, here[0].uid]


def test_flow_goes_on_with_the_same_one_where_an_expert_moved_it(project):
    a, b = draw(project, 0, ventricle(95), ventricle(155))
    end(copy(project, SHA, 0, [2]))
    first, second = project.annotations(SHA, 2)
    move(project, 2, first, 155)
    move(project, 2, second, 95)
    still = np.random.default_rng(0).integers(0, 99, (100, 300), np.uint8)
    end(follow(project, SHA, 0, [1, 2, 3], lambda _frame: still))
    assert places(project, 1) == {a.uid: pytest.approx(95, abs=1), b.uid: pytest.approx(155, abs=1)}
    assert places(project, 3) == {a.uid: pytest.approx(155, abs=1), b.uid: pytest.approx(95, abs=1)}


def test_a_number_is_the_same_structure_on_every_frame(project):
    a, b = draw(project, 0, ventricle(95), ventricle(155))
    draw(project, 3, ventricle(20))
    end(copy(project, SHA, 0, [20]))
    drawn = draw(project, 25, ventricle(40), ventricle(80))
    clip = project.annotations_by_frame(SHA)
    by_identity = {
        frame: {
            r.identity: n
            for r in clip[frame]
            if (n := numbers(clip, structures(clip[frame])).get(r.uid))
        }
        for frame in clip
    }
    assert by_identity[0] == by_identity[20] == {a.uid: 1, b.uid: 2}
    assert by_identity[3] == {}  # there is only one
    assert by_identity[25] == {drawn[0].uid: 4, drawn[1].uid: 5}


def test_known_ones_are_paired_before_the_nearest_are():
    a, b, c = ventricle(0), ventricle(50), ventricle(100)
    there = [replace(ventricle(100), track=a.uid), ventricle(2), ventricle(52)]
    assert [(p, there.index(q)) for p, q in pairs([a, b, c], there)] == [(a, 0), (b, 2), (c, 1)]
    assert unsure([a], [ventricle(300)]) == []
    assert unsure([a], [ventricle(10), ventricle(-11)]) == ["LV"]
