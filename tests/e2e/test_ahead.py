"""Work done ahead: the next scan is opened and read, and a batch is read, paused and resumed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from answering import answers, failing, slow
from PIL import Image

from napari_fada.workstation.settings import settings
from napari_fada.workstation.worklist.docking import show_worklist

NAMES = [f"scan{i}.png" for i in range(4)]


@pytest.fixture
def listed(desk, tmp_path: Path):
    """Open the window with four new scans in its list, in the order of their names."""
    settings().prepare_next = False
    folder = tmp_path / "scans"
    folder.mkdir()
    for i, name in enumerate(NAMES):
        Image.fromarray(np.full((60, 90), 10 * i, np.uint8)).save(folder / name)
    worklist = show_worklist(desk.viewer)
    desk.session.look_for(order="name")
    worklist.add([folder])
    settle(desk, worklist)
    return worklist


def settle(desk, worklist) -> None:
    ahead = desk.widget.ahead
    desk.qtbot.waitUntil(lambda: worklist.at_rest and ahead.at_rest)


def states(worklist) -> dict[str, str]:
    return {item.name: item.state for item in worklist.model.items if item.name in NAMES}


def show(desk, worklist, name: str) -> None:
    at = [item.name for item in worklist.model.items].index(name)
    worklist.table.open_row(at)
    desk.qtbot.waitUntil(lambda: desk.session.scan.name == name)
    settle(desk, worklist)


def press(target, key) -> None:
    from napari.utils.key_bindings import coerce_keybinding

    target.keymap[coerce_keybinding(key)](target)


def test_the_next_scan_is_opened_and_read_while_this_one_is_looked_at(desk, listed):
    settings().prepare_next = True
    show(desk, listed, NAMES[0])
    assert states(listed)[NAMES[1]] == "proposed"
    assert desk.widget.ahead.coming.name == NAMES[1]
    assert desk.widget.ahead.coming.id in desk.session.prepared
    assert states(listed)[NAMES[2]] == "new"  # one ahead, not all


def test_accept_and_next_shows_it_at_once_with_its_proposals(desk, listed):
    settings().prepare_next = True
    show(desk, listed, NAMES[0])
    desk.run()
    settle(desk, listed)
    press(desk.viewer, "N")
    assert desk.session.scan.name == NAMES[1]  # no thread was waited for
    assert desk.session.records[0]
    settle(desk, listed)
    assert states(listed)[NAMES[0]] == "accepted"


def test_nothing_is_read_ahead_if_that_is_not_wanted(desk, listed):
    show(desk, listed, NAMES[0])
    assert states(listed)[NAMES[1]] == "new"
    listed.batch.next.click()
    assert settings().prepare_next
    settle(desk, listed)
    assert states(listed)[NAMES[1]] == "proposed"


def test_a_run_of_the_user_comes_first(desk, listed):
    ahead = desk.widget.ahead
    desk.answer(slow())
    show(desk, listed, NAMES[0])
    settings().prepare_next = True
    ahead.look()
    desk.qtbot.waitUntil(lambda: ahead._reading.running)
    assert desk.widget.start(("classify",), "replace")
    assert ahead._reading.cancelled.is_set()
    desk.wait_for_run()
    assert desk.session.project.readings(desk.session.scan.sha256, 0)
    assert states(listed)[NAMES[1]] == "new"
    desk.answer()
    ahead.look()
    settle(desk, listed)
    assert states(listed)[NAMES[1]] == "proposed"


def test_the_question_of_a_run_goes_with_its_scan(desk, listed):
    show(desk, listed, NAMES[0])
    desk.run()
    desk.widget.run()
    assert desk.widget.message.buttons
    desk.widget.steps.buttons["next"].click()
    desk.qtbot.waitUntil(lambda: desk.session.scan.name == NAMES[1])
    assert not desk.widget.message.buttons
    settle(desk, listed)


def test_a_batch_reads_all_that_is_new(desk, listed):
    said = []
    desk.session.message.connect(lambda text, _level: said.append(text))
    show(desk, listed, NAMES[0])
    assert listed.batch.run.text() == "Run on 5 without a reading"  # the layer's scan has no file
    listed.batch.run.click()
    settle(desk, listed)
    assert set(states(listed).values()) == {"proposed"}
    assert any("4 scans were read" in text for text in said)
    assert desk.session.records[0]  # what is shown got its proposals, too


def test_a_batch_is_paused_resumed_and_stopped(desk, listed):
    desk.answer(slow())
    queue = desk.widget.ahead.queue
    listed.batch.run.click()
    desk.qtbot.waitUntil(lambda: queue.current is not None)
    listed.batch.pause.click()
    settle(desk, listed)
    assert queue.active
    assert queue.current is None
    assert "paused" in listed.batch.label.text()
    before = states(listed)
    desk.answer()
    listed.batch.pause.click()
    desk.qtbot.waitUntil(lambda: not queue.active)
    settle(desk, listed)
    assert "new" in before.values()
    assert set(states(listed).values()) == {"proposed"}


def test_a_stopped_batch_leaves_the_rest_new(desk, listed):
    desk.answer(slow())
    queue = desk.widget.ahead.queue
    listed.batch.run.click()
    desk.qtbot.waitUntil(lambda: queue.current is not None)
    listed.batch.stop.click()
    settle(desk, listed)
    assert not queue.active
    assert not listed.batch.pause.isVisibleTo(listed.batch)
    assert "new" in states(listed).values()


def test_what_fails_in_a_batch_is_named_and_does_not_stop_it(desk, listed):
    desk.answer(failing("segment"))
    listed.batch.run.click()
    settle(desk, listed)
    assert len(desk.widget.ahead.queue.failures) == 4
    assert NAMES[3] in listed.batch.failures.text()
    assert "segment failed" in listed.batch.failures.text()


def test_a_model_that_answers_nothing_pauses_the_batch(desk, listed):
    broken = {task: failing(task)[task] for task in answers()}
    desk.answer(broken)
    listed.batch.run.click()
    settle(desk, listed)
    assert desk.widget.ahead.queue.paused
    assert len(desk.widget.ahead.queue.failures) == 3
