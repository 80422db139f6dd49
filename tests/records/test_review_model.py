"""Any sequence of judgements, and undo and redo of it: states come back exactly."""

from __future__ import annotations

import dataclasses
import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from napari_fada.errors import LockedError
from napari_fada.records import review
from napari_fada.records.project import WHOLE, Project
from record_samples import box, make_reading, make_scan, polygon

SCAN = make_scan()
SHA = SCAN.sha256
pick = st.integers(0, 10**6)


class Review(RuleBasedStateMachine):
    """Keeps a picture of all states after each step, to compare when it is undone."""

    def __init__(self):
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.project = Project.open(Path(self.folder.name) / "p.fada", rater="Anna")
        self.project.add_scan(SCAN)
        self.project.save_reading(make_reading(SCAN, polygon(score=0.9), box(), box("LV", x=90)))
        self.begin = self.project.steps(SHA, 0)[0]
        self.before, self.after = [], []

    def teardown(self):
        assert self.project.check() == []
        self.project.close()
        self.folder.cleanup()

    def picture(self):
        return review.frame_review(self.project, SHA, 0), review.scan_review(self.project, SHA)

    def do(self, act):
        was, steps = self.picture(), self.project.steps(SHA, 0)[0]
        try:
            act()
        except LockedError:
            assert self.picture() == was
        if self.project.steps(SHA, 0)[0] > steps:
            self.before.append(was)
            self.after.clear()
        else:
            assert self.picture() == was

    def one(self, number):
        records = review.frame_review(self.project, SHA, 0).records
        return [records[number % len(records)].uid]

    @rule(number=pick)
    def accept(self, number):
        self.do(lambda: review.accept(self.project, SHA, 0, self.one(number)))

    @rule(number=pick, reason=st.sampled_from(["", "duplicate", "odd"]))
    def reject(self, number, reason):
        self.do(lambda: review.reject(self.project, SHA, 0, self.one(number), reason))

    @rule(number=pick)
    def bring_back(self, number):
        self.do(lambda: review.bring_back(self.project, SHA, 0, self.one(number)))

    @rule(number=pick, locked=st.booleans())
    def lock(self, number, locked):
        self.do(lambda: review.set_locked(self.project, SHA, 0, self.one(number), locked))

    @rule(number=pick, name=st.sampled_from(["CSP", "thorax"]))
    def change_class(self, number, name):
        uid = self.one(number)[0]
        wish = dataclasses.replace(self.project.record(uid), category=name)
        self.do(lambda: self.project.edit(SHA, 0, replace={uid: wish}))

    @rule()
    def finish(self):
        self.do(lambda: review.finish(self.project, SHA, 0))
        assert self.picture()[1].finished
        assert not any(a.status == "proposed" for a in self.picture()[0].records)

    @rule(state=st.sampled_from([review.skip_scan, review.reject_scan, review.reopen]))
    def scan(self, state):
        self.do(lambda: state(self.project, SHA, 0))

    @rule(value=st.sampled_from([None, 1, 2, 3]))
    def score(self, value):
        self.do(lambda: review.set_score(self.project, SHA, 0, "annotation", value))

    @rule(text=st.sampled_from(["", "gain", "shadow"]))
    def comment(self, text):
        self.do(lambda: review.set_comment(self.project, SHA, 0, text))

    @rule()
    def undo(self):
        if self.before:
            now = self.picture()
            assert self.project.undo(SHA, 0) is not None
            assert self.picture() == self.before[-1]
            self.before.pop()
            self.after.append(now)

    @rule()
    def redo(self):
        if self.after:
            now = self.picture()
            assert self.project.redo(SHA, 0) is not None
            assert self.picture() == self.after[-1]
            self.after.pop()
            self.before.append(now)

    @invariant()
    def what_is_locked_stands(self):
        frame, scan = self.picture()
        assert frame.locked <= {a.uid for a in frame.records}
        assert set(frame.reasons) <= {a.uid for a in frame.records if a.status == "rejected"}
        assert ("review" in self.project.state(SHA, WHOLE)) == (scan.state != "proposed")


TestReview = Review.TestCase
TestReview.settings = settings(max_examples=15, stateful_step_count=20, deadline=None)
