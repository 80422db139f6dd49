"""What does not fit: a badge in the worklist, an order by it, named in words, and the age kept."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image
from qtpy.QtCore import Qt

from napari_fada.measure import GestationalAge, Scale
from napari_fada.notice import NOTICE
from napari_fada.records.annotation import Annotation
from napari_fada.records.ellipse import Ellipse
from napari_fada.records.project import WHOLE
from napari_fada.workstation.settings import settings
from napari_fada.workstation.worklist.docking import show_worklist
from napari_fada.workstation.worklist.table_model import SCAN

NAMES = ("a.png", "b.png", "c.png")


@pytest.fixture
def odd(desk, tmp_path):
    """Three listed scans with the same head of 17 weeks; the report of the third says 30."""
    folder = tmp_path / "scans"
    folder.mkdir()
    for k, name in enumerate(NAMES):
        Image.fromarray(np.full((160, 200), 9 * k, np.uint8)).save(folder / name)
    settings().prepare_next = False
    worklist = show_worklist(desk.viewer)
    worklist.add([folder])
    settle(desk, worklist)
    project = desk.session.project
    ring = Ellipse(100, 80, 50, 40, 0.0).polygon()
    for row in project.scans():
        if row.name in NAMES:
            record = Annotation("head", "polygon", ring, source="expert", status="accepted")
            project.edit(row.sha256, 0, add=[record])
            told = json.dumps(Scale(0.5, 0.5, "user").to_dict())
            project.set_state(row.sha256, WHOLE, {"scale": told})
    say(desk, "c.png", "30 weeks")
    settle(desk, worklist)
    return worklist


def settle(desk, worklist):
    ahead = desk.widget.ahead
    desk.qtbot.waitUntil(lambda: worklist.at_rest and ahead.at_rest)


def say(desk, name, text):
    project = desk.session.project
    row = next(r for r in project.scans() if r.name == name)
    project.set_report(row.sha256, 0, fields={"gestational_age": text})


def item(worklist, name):
    return next(i for i in worklist.model.items if i.name == name)


def cell(worklist, name):
    row = [i.name for i in worklist.model.items].index(name)
    return worklist.model.index(row, SCAN)


def choose(combo, value):
    found = next(i for i in range(combo.count()) if combo.itemData(i) == value)
    combo.setCurrentIndex(found)
    combo.activated.emit(found)


def badge(worklist, name):
    """Return how many pixels of the row have the colour of the badge."""
    from napari_fada.workstation.theme import MESSAGES

    rect = worklist.table.visualRect(cell(worklist, name))
    image = worklist.table.viewport().grab(rect).toImage()
    colour = MESSAGES["warning"]
    return sum(
        image.pixelColor(x, y).name() == colour
        for x in range(image.width())
        for y in range(image.height())
    )


def test_the_scan_that_does_not_fit_has_a_badge_and_says_why(desk, odd):
    assert [bool(item(odd, name).odd) for name in NAMES] == [False, False, True]
    assert badge(odd, "c.png") > 20
    assert badge(odd, "a.png") == 0
    tip = cell(odd, "c.png").data(Qt.ItemDataRole.ToolTipRole)
    assert "Does not fit:" in tip
    assert "The report says “30 weeks”" in tip
    assert NOTICE in tip
    spoken = cell(odd, "c.png").data(Qt.ItemDataRole.AccessibleTextRole)
    assert "does not fit" in spoken
    # Mended: the badge goes without being asked for.
    say(desk, "c.png", "17 weeks")
    desk.qtbot.waitUntil(lambda: not item(odd, "c.png").odd)
    settle(desk, odd)
    assert badge(odd, "c.png") == 0


def test_odd_first_is_an_order_of_the_list(desk, odd):
    say(desk, "a.png", "20 weeks")
    settle(desk, odd)
    choose(odd.filters.order, "plausibility")
    settle(desk, odd)
    shown = [i.name for i in odd.model.items if i.name in NAMES]
    assert shown == ["c.png", "a.png", "b.png"]


def test_an_age_is_kept_with_the_scan_and_looked_at_first(desk, odd):
    session, panel = desk.session, desk.widget.measures
    assert session.open_path(item(odd, "b.png").path)
    desk.widget.tabs.setCurrentWidget(panel)
    panel.measure()
    assert panel.odd.text() == ""
    dialog = panel.show_growth()
    dialog.entry.weeks.setValue(30)
    assert dialog.keep.text() == "Keep with the scan"
    dialog.keep.click()
    assert panel.age() == GestationalAge(210, "typed")
    assert panel.told_age.text() == "Age 30+0 weeks (typed)"
    assert "HC 141.8 mm lies below" in panel.odd.text()
    desk.qtbot.waitUntil(lambda: bool(item(odd, "b.png").odd))
    dialog = panel.show_growth()
    assert dialog.entry.origin.currentText() == "kept with the scan"
    assert dialog.entry.age == GestationalAge(210, "typed")
    dialog.keep.click()  # forgets it
    assert panel.age() is None
    assert panel.told_age.text() == ""
    desk.qtbot.waitUntil(lambda: not item(odd, "b.png").odd)


def test_no_date_is_kept(desk, odd):
    panel = desk.widget.measures
    assert desk.session.open_path(item(odd, "b.png").path)
    dialog = panel.show_growth()
    choose(dialog.entry.origin, "lmp")
    assert not dialog.keep.isEnabled()  # no day was given yet
    dialog.entry.period.setDate(dialog.entry.examined.date().addDays(-140))
    dialog.keep.click()
    kept = desk.session.project.told_age(desk.session.scan.sha256)
    assert kept["origin"] == "lmp"
    assert not any(c.isdigit() for c in kept["note"])


def test_a_full_disk_is_told_once(desk, odd, monkeypatch):
    from napari_fada.errors import NotWrittenError

    def full(*_args):
        raise NotWrittenError("The disk is full.")

    monkeypatch.setattr("napari_fada.records.worklist.plausibility.keep", full)
    told = []
    desk.session.message.connect(lambda text, _level: told.append(text))
    for weeks in (21, 22):
        say(desk, "a.png", f"{weeks} weeks")
        settle(desk, odd)
    assert sum("The disk is full" in text for text in told) == 1
