"""Accepting a scan: what is said first, and what a second time goes on in spite of."""

from __future__ import annotations

import pytest

from napari_fada.records.review import scan_review
from napari_fada.workstation import signing
from napari_fada.workstation.signing import Objection


@pytest.fixture
def objections(monkeypatch):
    """Objections by name; an absent one is none."""
    found: dict[str, Objection] = {}
    checks = tuple(lambda _closing, name=name: found.get(name) for name in ("first", "second"))
    monkeypatch.setattr(signing, "CHECKS", checks)
    return found


def state(bench):
    return scan_review(bench.session.project, bench.session.scan.sha256).state


def test_what_may_pass_is_said_once_and_in_order(bench, objections):
    objections |= {"first": Objection("It is dark."), "second": Objection("It is late.")}
    accept = bench.session.reviewing.accept_and_next
    assert not accept()
    assert bench.said[-1] == ("It is dark.", "warning")
    assert not accept()
    assert bench.said[-1][0] == "It is late."
    assert state(bench) == "new"
    accept()
    assert state(bench) == "accepted"


def test_what_does_not_pass_is_refused_every_time(bench, objections):
    objections["second"] = Objection("Decide it.", passes=False)
    for _ in range(3):
        assert not bench.session.reviewing.accept_and_next()
        assert bench.said[-1][0] == "Decide it."
    assert state(bench) == "new"
    del objections["second"]
    bench.session.reviewing.accept_and_next()
    assert state(bench) == "accepted"


def test_other_facts_are_said_again(bench, objections):
    accept = bench.session.reviewing.accept_and_next
    objections["first"] = Objection("Three are left.", facts=3)
    accept()
    objections["first"] = Objection("Two are left.", facts=2)
    assert not accept()
    assert bench.said[-1][0] == "Two are left."
    accept()
    assert state(bench) == "accepted"


def test_the_rest_of_a_frame_and_the_scan_are_asked_apart(bench, objections):
    objections["first"] = Objection("It is dark.")
    doing = bench.session.reviewing
    assert not doing.accept_rest()
    assert not doing.accept_and_next()
    assert state(bench) == "new"


def test_a_question_is_withdrawn_when_another_frame_is_shown(clip, objections):
    asked, withdrawn = [], []
    clip.session.question.connect(lambda text, _choices: asked.append(text))
    clip.session.question_over.connect(withdrawn.append)
    offers = (("Look", "Show it", lambda: None),)
    objections["first"] = Objection("It is dark.", offers=offers)
    assert not clip.session.reviewing.accept_and_next()
    assert asked == ["It is dark."]
    clip.session.go_to_frame(4)
    assert withdrawn == [offers]
    assert not clip.session.reviewing.accept_and_next()
    assert state(clip) == "new"
