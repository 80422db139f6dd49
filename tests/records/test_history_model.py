"""Undo and redo against a model: any sequence of edits, undos and reopenings."""

from __future__ import annotations

import copy
import dataclasses
import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from napari_fada.records.project import Project
from record_samples import box, make_reading, make_scan

SCAN = make_scan()
FRAMES = st.sampled_from([0, 1])
CLASSES = st.sampled_from(["Brain", "CSP", "LV"])
pick = st.integers(0, 10**6)


class History(RuleBasedStateMachine):
    """The model of a frame: its records by uid, its view, and two stacks of such states."""

    def __init__(self):
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name) / "p.fada"
        self.project = Project.open(self.path, rater="Anna")
        self.project.add_scan(SCAN)
        self.now = {f: {"records": {}, "view": None} for f in (0, 1)}
        self.before = {0: [], 1: []}
        self.after = {0: [], 1: []}
        self.entries = 0

    def teardown(self):
        assert self.project.check() == []
        self.project.close()
        self.folder.cleanup()

    def step(self, frame, records=None, **changes):
        self.before[frame].append(copy.deepcopy(self.now[frame]))
        self.after[frame].clear()
        self.entries += 1
        if records is not None:
            changes["records"] = records
        self.now[frame] |= changes

    def chosen(self, frame, number):
        standing = [a for a in self.now[frame]["records"].values() if a.status != "rejected"]
        return standing[number % len(standing)] if standing else None

    @initialize()
    def read_by_a_model(self):
        reading = make_reading(SCAN)
        self.project.save_reading(reading)
        self.entries += 1  # what a model says first is no step
        self.now[0] = {"records": {a.uid: a for a in reading.annotations}, "view": "BPD_PLANE"}

    @rule(frame=FRAMES, category=CLASSES)
    def draw(self, frame, category):
        drawn = self.project.edit(SCAN.sha256, frame, add=[box(category, source="expert")]).added
        self.step(frame, {**self.now[frame]["records"], drawn[0].uid: drawn[0]})

    @rule(frame=FRAMES, number=pick, category=CLASSES)
    def change_class(self, frame, number, category):
        old = self.chosen(frame, number)
        if old is None or old.category == category:
            return
        wish = dataclasses.replace(old, category=category)
        new = self.project.edit(SCAN.sha256, frame, replace={old.uid: wish}).replaced[old.uid]
        assert new.category == category
        assert new.parent == old.uid
        rest = {u: a for u, a in self.now[frame]["records"].items() if u != old.uid}
        self.step(frame, {**rest, new.uid: new})

    @rule(frame=FRAMES, number=pick)
    def remove(self, frame, number):
        old = self.chosen(frame, number)
        if old is None:
            return
        done = self.project.edit(SCAN.sha256, frame, remove=[old.uid])
        rest = {u: a for u, a in self.now[frame]["records"].items() if u != old.uid}
        self.step(frame, rest | {a.uid: a for a in done.rejected.values()})

    @rule(frame=FRAMES, view=st.sampled_from(["AC_PLANE", "Other", "liver"]))
    def name_view(self, frame, view):
        if self.project.set_report(SCAN.sha256, frame, view=view) is None:
            assert self.now[frame]["view"] == view
        else:
            self.step(frame, view=view)

    @rule(frame=FRAMES)
    def undo(self, frame):
        entry = self.project.undo(SCAN.sha256, frame)
        assert (entry is None) == (not self.before[frame])
        if entry is not None:
            self.entries += 1
            self.after[frame].append(self.now[frame])
            self.now[frame] = self.before[frame].pop()

    @rule(frame=FRAMES)
    def redo(self, frame):
        entry = self.project.redo(SCAN.sha256, frame)
        assert (entry is None) == (not self.after[frame])
        if entry is not None:
            self.entries += 1
            self.before[frame].append(self.now[frame])
            self.now[frame] = self.after[frame].pop()

    @rule()
    def reopen(self):
        self.project.close()
        self.project = Project.open(self.path, rater="Anna")

    @invariant()
    def state_equals_the_model(self):
        for frame, state in self.now.items():
            found = self.project.annotations(SCAN.sha256, frame, include_rejected=True)
            assert {a.uid: a for a in found} == state["records"]
            assert self.project.report(SCAN.sha256, frame).view == state["view"]
            steps = (len(self.before[frame]), len(self.after[frame]))
            assert self.project.steps(SCAN.sha256, frame) == steps
        assert len(self.project.history()) == self.entries


TestHistory = History.TestCase
TestHistory.settings = settings(max_examples=25, stateful_step_count=25, deadline=None)
