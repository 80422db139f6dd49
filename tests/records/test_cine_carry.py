"""Copy, interpolate and follow over frames: proposals, and an expert's word always stands."""

from __future__ import annotations

import threading
from dataclasses import replace

import numpy as np
import pytest

from napari_fada.errors import ScanError
from napari_fada.records import review
from napari_fada.records.annotation import Annotation
from napari_fada.records.cine.carry import (
    Finished,
    Lost,
    Step,
    copy,
    follow,
    gaps_around,
    interpolate,
    key_frames,
)
from napari_fada.records.project import Project
from record_samples import box, make_reading, make_scan, polygon


@pytest.fixture
def scan():
    return make_scan(n_frames=30)


@pytest.fixture
def project(tmp_path, scan):
    with Project.open(tmp_path / "p.fada", rater="ann") as opened:
        opened.add_scan(scan)
        yield opened


def draw(project, scan, frame, *records):
    added = [replace(r, source="expert") for r in records]
    return project.edit(scan.sha256, frame, add=added, label="drawn").added


def end(events) -> Finished:
    *_, last = events
    assert isinstance(last, Finished)
    return last


def classes(project, scan, frame):
    return sorted((a.category, a.source, a.status) for a in project.annotations(scan.sha256, frame))


def test_copies_are_proposals_and_one_step_of_undo(project, scan):
    draw(project, scan, 0, polygon(), box())
    events = list(copy(project, scan.sha256, 0, [1, 2]))
    assert [(e.number, e.total) for e in events if isinstance(e, Step)] == [(1, 2), (2, 2)]
    assert events[-1].text().startswith("4 structures copied to 2 frames (2–3).")
    for frame in (1, 2):
        assert classes(project, scan, frame) == [
            ("Brain", "copy", "proposed"),
            ("CSP", "copy", "proposed"),
        ]
        (entry,) = project.history(scan.sha256, frame)
        assert entry.label == "copied from frame 1"
        assert entry.rater == "ann"
    step = project.undo(scan.sha256, 0)
    assert (step.label, step.frames) == ("copied from frame 1", (1, 2))
    assert classes(project, scan, 1) == classes(project, scan, 2) == []
    assert len(classes(project, scan, 0)) == 2
    assert project.redo(scan.sha256, 2).frames == (1, 2)
    copied = project.annotations(scan.sha256, 1)
    assert {a.points for a in copied} == {polygon().points, box().points}
    assert all(a.parent is None and a.score is None and not a.rater for a in copied)
    assert project.check() == []


def test_a_finished_scan_is_in_review_again_and_it_is_said(project, scan):
    draw(project, scan, 0, box())
    review.finish(project, scan.sha256, 0)
    assert review.scan_review(project, scan.sha256).finished
    again = end(copy(project, scan.sha256, 0, [1]))
    assert "The scan was finished; it is in review again." in again.text()
    assert review.scan_review(project, scan.sha256).state == "in_review"
    once_more = end(copy(project, scan.sha256, 0, [2]))
    assert "in review again" not in once_more.text()
    review.finish(project, scan.sha256, 0)
    nothing = end(copy(project, scan.sha256, 0, [1, 2]))  # reviewed frames are left alone
    assert nothing.added == 0
    assert review.scan_review(project, scan.sha256).finished


def test_only_what_was_chosen_is_copied(project, scan):
    brain, _ = draw(project, scan, 0, polygon(), box())
    end(copy(project, scan.sha256, 0, [1], uids=[brain.uid]))
    assert classes(project, scan, 1) == [("Brain", "copy", "proposed")]


def test_an_experts_word_stands(project, scan):
    draw(project, scan, 0, polygon(), box())
    (theirs,) = draw(project, scan, 1, polygon(x=80))
    done = end(copy(project, scan.sha256, 0, [1]))
    assert project.record(theirs.uid) in project.annotations(scan.sha256, 1)
    assert classes(project, scan, 1) == [
        ("Brain", "expert", "accepted"),
        ("CSP", "copy", "proposed"),
    ]
    assert "1 structure left out: an expert's word stands there." in done.text()


def test_what_an_expert_rejected_is_not_proposed_again(project, scan):
    draw(project, scan, 0, box(), box(x=120))
    project.save_reading(make_reading(scan, box(x=22), frame=1))
    (wrong,) = project.annotations(scan.sha256, 1)
    project.edit(scan.sha256, 1, remove=[wrong.uid])
    end(copy(project, scan.sha256, 0, [1]))
    assert [a.points[0][0] for a in project.annotations(scan.sha256, 1)] == [120]


def test_untouched_proposals_make_room_and_are_not_rejected(project, scan):
    draw(project, scan, 0, polygon())
    project.save_reading(make_reading(scan, polygon(x=50), box(), frame=1))
    done = end(copy(project, scan.sha256, 0, [1]))
    assert "1 untouched proposal made room." in done.text()
    assert classes(project, scan, 1) == [
        ("Brain", "copy", "proposed"),
        ("CSP", "model", "proposed"),
    ]
    everything = project.annotations(scan.sha256, 1, include_rejected=True)
    assert all(a.status == "proposed" for a in everything)
    project.undo(scan.sha256, 1)
    assert {a.source for a in project.annotations(scan.sha256, 1)} == {"model"}


def test_again_takes_the_place_of_the_first_time(project, scan):
    draw(project, scan, 0, polygon())
    end(copy(project, scan.sha256, 0, [1]))
    end(copy(project, scan.sha256, 0, [1]))
    assert len(project.annotations(scan.sha256, 1)) == 1


def test_locked_structures_and_closed_frames_stay(project, scan):
    draw(project, scan, 0, polygon())
    project.save_reading(make_reading(scan, polygon(x=50), frame=1))
    (model,) = project.annotations(scan.sha256, 1)
    project.set_state(scan.sha256, 1, {f"lock/{model.uid}": "1"})
    project.set_state(scan.sha256, 2, {"review": "accepted"})
    project.set_state(scan.sha256, 3, {"lock": "1"})
    project.set_state(scan.sha256, 4, {"review": "in_review"})
    done = end(copy(project, scan.sha256, 0, [1, 2, 3, 4]))
    assert project.annotations(scan.sha256, 1) == [model]
    assert classes(project, scan, 2) == classes(project, scan, 3) == []
    assert len(classes(project, scan, 4)) == 1
    assert "1 reviewed frame left alone. 1 locked frame left alone." in done.text()


def test_accepting_and_correcting_a_derived_proposal(project, scan):
    draw(project, scan, 0, polygon(), box())
    end(copy(project, scan.sha256, 0, [1]))
    brain, csp = project.annotations(scan.sha256, 1)
    project.edit(
        scan.sha256,
        1,
        replace={
            brain.uid: replace(brain, status="accepted"),
            csp.uid: replace(csp, points=((5, 5), (9, 9))),
        },
    )
    assert classes(project, scan, 1) == [
        ("Brain", "copy", "accepted"),
        ("CSP", "expert", "corrected"),
    ]
    for record in project.annotations(scan.sha256, 1):
        assert Annotation.from_dict(record.to_dict()) == record


def test_only_untouched_derived_proposals_are_taken(project, scan):
    for wrong in (polygon(), replace(polygon(), source="copy", status="accepted")):
        with pytest.raises(ValueError, match="derived"):
            project.derive(scan.sha256, 1, [wrong], label="x")


def test_interpolation_fills_the_frames_between(project, scan):
    draw(project, scan, 0, box(x=0), polygon())
    draw(project, scan, 4, box(x=40))
    keys = key_frames(project.annotations_by_frame(scan.sha256))
    assert list(keys) == [0, 4]
    events = list(interpolate(project, scan.sha256, gaps_around(keys, 2)))
    for frame in (1, 2, 3):
        (made,) = project.annotations(scan.sha256, frame)
        assert (made.points[0][0], made.source) == (10 * frame, "interpolation")
        (entry,) = project.history(scan.sha256, frame)
        assert entry.label == "interpolated between frames 1 and 5"
    (lost,) = (e for e in events if isinstance(e, Lost))
    assert (lost.record.category, lost.frame) == ("Brain", 4)
    assert "no partner" in end(events).text()
    assert classes(project, scan, 0)[0][1:] == ("expert", "accepted")


def test_only_an_experts_word_makes_a_key_frame(project, scan):
    draw(project, scan, 0, box())
    project.save_reading(make_reading(scan, frame=4))
    end(copy(project, scan.sha256, 0, [8]))
    records = project.annotations_by_frame(scan.sha256)
    assert list(key_frames(records)) == [0]


def test_gaps():
    keys = [0, 10, 11, 20]
    assert gaps_around(keys, 5) == [(0, 10)]
    assert gaps_around(keys, 10) == [(0, 10)]
    assert gaps_around(keys, 11) == [(11, 20)]
    assert gaps_around([0, 10, 20], 10) == [(0, 10), (10, 20)]
    assert gaps_around(keys, 25) == gaps_around([], 3) == gaps_around([4], 4) == []


def test_cancelling_keeps_what_is_done(project, scan):
    draw(project, scan, 0, box())
    cancel = threading.Event()
    events = copy(project, scan.sha256, 0, range(1, 20), cancel=cancel)
    next(events)
    cancel.set()
    done = end(events)
    assert done.cancelled
    assert "Cancelled" in done.text()
    assert len(project.annotations(scan.sha256, 1)) == 1
    assert project.annotations(scan.sha256, 2) == []


def speckle():
    from scipy.ndimage import gaussian_filter

    noise = gaussian_filter(np.random.default_rng(0).rayleigh(1.0, (160, 260)), 2)
    return (noise / noise.max() * 255).astype(np.uint8)


def test_following_goes_on_from_where_an_expert_put_it(project, scan):
    image = speckle()
    draw(project, scan, 0, box(x=60, y=40, size=50))
    draw(project, scan, 2, box(x=90, y=40, size=50))
    decode = lambda k: np.roll(image, 3 * k, axis=1)  # noqa: E731
    done = end(follow(project, scan.sha256, 0, [1, 2, 3], decode))
    x = {f: project.annotations(scan.sha256, f)[0].points[0][0] for f in (1, 2, 3)}
    assert x == {1: pytest.approx(63, abs=1), 2: 90, 3: pytest.approx(93, abs=1)}
    (entry,) = project.history(scan.sha256, 3)
    assert entry.label == "followed from frame 1"
    assert "2 structures followed" in done.text()
    assert "1 structure left out" in done.text()


def test_following_stops_at_another_scene(project, scan):
    image = speckle()
    draw(project, scan, 0, box(x=60, y=40, size=50))
    frames = [image, np.roll(image, 2, 1), np.random.default_rng(5).permutation(image.ravel())]
    frames[2] = frames[2].reshape(image.shape)
    done = end(follow(project, scan.sha256, 0, range(1, 20), lambda k: frames[min(k, 2)]))
    assert [o.frame for o in done.outcomes] == [1, 2]
    assert "CSP stops before frame 3" in done.text()
    assert project.annotations(scan.sha256, 2) == []
    assert len(project.annotations(scan.sha256, 1)) == 1


def test_a_frame_that_cannot_be_decoded_ends_it_with_a_reason(project, scan):
    image = speckle()
    draw(project, scan, 0, box(x=60, y=40, size=50))

    def decode(k):
        if k > 1:
            raise ScanError("Frame 2 cannot be decoded.", todo="Export it again.")
        return image

    done = end(follow(project, scan.sha256, 0, [1, 2, 3], decode))
    assert "Frame 2 cannot be decoded." in done.text()
    assert len(project.annotations(scan.sha256, 1)) == 1


def test_a_guess_that_was_taken_away_is_no_judgement_and_is_carried_over_again(project, scan):
    draw(project, scan, 0, polygon())
    end(copy(project, scan.sha256, 0, [1]))
    (guess,) = project.annotations(scan.sha256, 1)
    done = project.edit(scan.sha256, 1, remove=[guess.uid])
    assert dict(done.rejected) == {}
    assert project.annotations(scan.sha256, 1, include_rejected=True) == []
    end(copy(project, scan.sha256, 0, [1]))
    (again,) = project.annotations(scan.sha256, 1)
    assert (again.source, again.status) == ("copy", "proposed")
    review.reject(project, scan.sha256, 1, [again.uid], "wrong class")  # that is one
    end(copy(project, scan.sha256, 0, [1]))
    assert project.annotations(scan.sha256, 1) == []


def test_a_guess_that_was_accepted_and_taken_away_says_nothing_either(project, scan):
    draw(project, scan, 0, polygon())
    end(copy(project, scan.sha256, 0, [1]))
    (guess,) = project.annotations(scan.sha256, 1)
    review.accept(project, scan.sha256, 1, [guess.uid])
    (word,) = project.annotations(scan.sha256, 1)
    project.edit(scan.sha256, 1, remove=[word.uid])
    assert project.annotations(scan.sha256, 1, include_rejected=True) == []
