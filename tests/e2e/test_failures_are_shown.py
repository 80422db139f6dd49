"""A phase that fails says why; it is never shown as "nothing found", and nothing is lost."""

from __future__ import annotations

import os
import signal
from dataclasses import replace

import numpy as np
from answering import answers, failing, hosted_slow_engine

from napari_fada.engines.scripted import Script, ScriptedEngine
from napari_fada.errors import ModelError
from napari_fada.records.annotation import Annotation
from napari_fada.workstation.runner import Engines


def test_a_failed_phase(desk):
    desk.answer(failing("detect"))
    desk.run()
    phases = desk.widget.phases
    assert phases.states["detect"] == "failed"
    assert "nothing" not in phases._labels["detect"].text()
    assert "out of memory" in phases._labels["detect"].toolTip()
    phases.look_at("detect")
    assert "bbox_2d" in phases.answer.toPlainText()
    assert desk.widget.message.level == "error"
    assert "memory" in desk.widget.message.text


def test_nothing_found_is_another_state(desk):
    desk.answer(answers(detect="[]", segment="[]"))
    desk.run()
    assert desk.widget.phases.states["detect"] == "empty"
    assert "nothing found" in desk.widget.phases._labels["detect"].text()


def test_what_a_model_cannot_do_is_said(desk):
    """A family that gives no places: its phases are skipped, with the reason in sight."""
    table = answers()
    plain = ScriptedEngine(table).info
    info = replace(plain, tasks=("interpret", "classify"), refusal="no places: not taught")
    desk.widget.runner.engines = Engines(lambda _name: ScriptedEngine(table, info=info))
    desk.run()
    phases = desk.widget.phases
    assert phases.states["interpret"] == "done"
    assert phases.states["detect"] == phases.states["segment"] == "skipped"
    assert "no places" in phases._labels["detect"].text()
    phases.look_at("segment")
    assert "no places: not taught" in phases.answer.toPlainText()


def test_a_model_that_cannot_be_loaded(desk):
    def broken(_name):
        raise ModelError("x.gguf is truncated.", todo="Download it again.")

    desk.widget.runner.engines = Engines(broken)
    desk.run()
    assert desk.widget.message.text == "x.gguf is truncated. Download it again."
    assert desk.widget.phases.run_button.isEnabled()
    assert set(desk.widget.phases.states.values()) == {""}


def test_the_childs_process_is_killed(desk, qtbot):
    """The run fails with its reason, the viewer and all edits live on, the next run works."""
    mine = Annotation("CSP", "box", ((10.0, 10.0), (50.0, 50.0)), source="expert")
    desk.session.project.edit(desk.session.scan.sha256, 0, add=[mine])
    desk.widget.runner.engines = Engines(lambda _name: hosted_slow_engine())
    desk.widget.start(("interpret", "classify", "map", "detect", "segment"), "add")
    qtbot.waitUntil(lambda: "as" in desk.widget.phases.answer.toPlainText())
    engine = desk.widget.runner.engines.current
    os.kill(engine.pid, signal.SIGKILL)
    desk.wait_for_run()
    assert "failed" in desk.widget.phases.states.values()
    assert desk.widget.message.level == "error"
    assert [r.category for r in desk.kept() if r.source == "expert"] == ["CSP"]
    layer = desk.layer("boxes")
    layer.add([[100, 100], [100, 150], [150, 150], [150, 100]], shape_type="rectangle")
    assert len([r for r in desk.kept() if r.source == "expert"]) == 2

    desk.widget.start(("interpret", "classify"), "add")
    qtbot.waitUntil(lambda: desk.widget.phases.states["classify"] == "done")
    desk.wait_for_run()


def test_an_unexpected_error_is_said(desk):
    def odd(_image, _prompt):
        raise ZeroDivisionError("surprise")

    desk.widget.runner.engines = Engines(lambda _name: ScriptedEngine(odd))
    desk.run()
    assert not desk.widget.runner.running
    assert desk.widget.message.level == "error"
    assert desk.widget.phases.run_button.isEnabled()


def test_editing_goes_on_during_a_run(desk, qtbot):
    table = answers()
    table["segment"] = Script(table["segment"], delay=0.02)
    desk.answer(table)
    desk.widget.run()
    qtbot.waitUntil(lambda: desk.widget.phases.states["segment"] == "running")
    layer = desk.layer("polygons")
    layer.add(np.array([[10, 10], [10, 60], [60, 10]]), shape_type="polygon")
    assert [r.source for r in desk.kept()] == ["expert"]
    desk.wait_for_run()
    assert sorted(r.source for r in desk.kept()) == ["expert", "model", "model", "model"]
