"""The dock "FADA models": what is here, what can be had, and everything done with it."""

from __future__ import annotations

import json
import shutil
from collections import deque
from collections.abc import Iterator
from pathlib import Path

import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFileDialog, QMenu
from test_theme_switch import best_contrast, written

from hub_server import Hub
from napari_fada.models import find_pack
from napari_fada.models.preferences import pins
from napari_fada.workstation import napari_private as private
from napari_fada.workstation.models_panel.docking import find_models, show_models
from napari_fada.workstation.models_panel.jobs import duration
from napari_fada.workstation.models_panel.model_list import USED
from napari_fada.workstation.models_panel.widget import WIDTH
from napari_fada.workstation.runner import Engines

MINI = find_pack("fada-mini").folder
TEXT, VISION = "fada-mini-f16.gguf", "mmproj-fada-mini-f16.gguf"
CATALOGUE = f"""
schema = "fada-catalogue/1"
[[model]]
name = "mirrored"
title = "Mirrored model"
kind = "gguf"
licence = "MIT"
size = 9_600_000
[[model.source]]
repository = "someone/some-model"
revision = "main"
file = [{{ role = "text", name = "{TEXT}" }}, {{ role = "vision", name = "{VISION}" }}]
"""


def copy(folder: Path, name: str, **changes: object) -> Path:
    """Put a copy of fada-mini into a folder under another name."""
    (folder / name).mkdir(parents=True)
    for file in (TEXT, VISION, "CARD.md"):
        shutil.copy(MINI / file, folder / name / file)
    described = json.loads((MINI / "pack.json").read_text())
    described |= {"name": name, "full": "", **changes}
    (folder / name / "pack.json").write_text(json.dumps(described))
    return folder / name


@pytest.fixture
def stick(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a folder with models in each state."""
    folder = tmp_path / "stick"
    copy(folder, "whole", made_by="import", licence="Apache-2.0")
    (copy(folder, "half") / VISION).unlink()
    cut = copy(folder, "cut") / TEXT
    cut.write_bytes(cut.read_bytes()[:-100])
    (folder / "nonsense").mkdir()
    (folder / "nonsense" / "pack.json").write_text("{")
    monkeypatch.setenv("NAPARI_FADA_MODELS", str(folder))
    return folder


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    made = Hub({name: (MINI / name).read_bytes() for name in (TEXT, VISION)})
    (tmp_path / "catalogue.toml").write_text(CATALOGUE)
    monkeypatch.setenv("NAPARI_FADA_CATALOGUE", str(tmp_path / "catalogue.toml"))
    monkeypatch.setenv("HF_ENDPOINT", made.url)
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    yield made
    made.close()


@pytest.fixture(autouse=True)
def _window_is_seen(desk):
    private.main_window(desk.viewer).show()


@pytest.fixture
def panel(desk, stick, hub):  # noqa: ARG001 - the folders are there before the panel looks
    made = show_models(desk.viewer)
    rest(desk, made)
    yield made
    made.stop()


def rest(desk, panel) -> None:
    desk.qtbot.waitUntil(lambda: panel.at_rest and bool(panel.list.rows.rows))


def states(panel) -> dict[str, str]:
    return {row.name: row.state for row in panel.list.rows.rows}


def press(desk, panel, button: str) -> None:
    desk.qtbot.mouseClick(panel.details.buttons[button], Qt.MouseButton.LeftButton)


def answer(desk, panel, label: str) -> None:
    button = next(b for b in panel.message.buttons if b.text() == label)
    desk.qtbot.mouseClick(button, Qt.MouseButton.LeftButton)


def test_every_model_with_its_state(panel, hub, stick):
    assert states(panel) == {
        "whole": "present", "half": "missing", "cut": "corrupt", "nonsense": "corrupt",
        "fada-mini": "present", "mirrored": "offered", "fada-mobile": "offered",
        "fada-skd-4b": "offered",
    }  # fmt: skip
    assert hub.asked == []  # looking uses no network
    assert "<b>5 models</b>" in panel.summary.text()
    panel.list.choose("whole")
    facts = panel.details.texts
    assert facts["Licence"] == "Apache-2.0"
    assert facts["Size"] == "10 MB in 2 files"
    assert facts["Folder"] == str(stick / "whole")
    assert facts["Prompts"] == "napari-fada-1"
    assert facts["Memory"].startswith("Needs ")
    assert "you have" in facts["Memory"]
    panel.list.choose("cut")
    assert "bytes instead of" in panel.details.problem.text()
    assert not panel.details.buttons["use"].isEnabled()
    panel.list.choose("fada-mobile")
    assert "mshz88/FADA-Mobile-GGUF" in panel.details.texts["From"]
    assert panel.details.texts["Not verified"]
    assert panel.details.buttons["use"].isHidden()


def test_reached_from_the_model_row(desk, stick):  # noqa: ARG001
    menus = desk.widget.source.findChildren(QMenu)
    (action,) = [a for menu in menus for a in menu.actions() if a.text() == "All models…"]
    action.trigger()
    found = find_models(desk.viewer)
    assert found is not None
    assert found.isVisible()
    rest(desk, found)
    assert find_models(desk.viewer) is show_models(desk.viewer)
    found.stop()


def test_use(desk, panel):
    panel.list.choose("whole")
    press(desk, panel, "use")
    assert desk.widget.source.model == "whole"
    index = panel.list.rows.index(panel.list.currentIndex().row())
    assert panel.list.rows.data(index, USED)
    assert "whole reads scans" in panel.message.text


def test_keys(desk, panel):
    panel.list.setFocus()
    panel.list.choose("whole")
    desk.qtbot.keyClick(panel.list, Qt.Key.Key_Return)
    assert desk.widget.source.model == "whole"
    desk.qtbot.keyClick(panel.list, Qt.Key.Key_Delete)
    assert "Delete whole" in panel.message.text
    answer(desk, panel, "Keep")
    panel.list.choose("mirrored")
    desk.qtbot.keyClick(panel.list, Qt.Key.Key_Return)
    assert "download Mirrored model" in panel.message.text


def test_download(desk, panel, hub):
    panel.list.choose("mirrored")
    press(desk, panel, "download")
    assert "about 10 MB, licence MIT" in panel.message.text
    assert hub.asked == []
    answer(desk, panel, "Cancel")
    assert hub.asked == []
    press(desk, panel, "download")
    answer(desk, panel, "Download")
    assert panel.work.isVisible()
    assert not panel.details.buttons["download"].isEnabled()
    rest(desk, panel)
    assert states(panel)["mirrored"] == "present"
    assert panel.list.row.name == "mirrored"
    assert "whole and checked" in panel.message.text
    assert not panel.work.isVisible()
    listed = desk.widget.source.models
    assert listed.findData("mirrored") >= 0


def test_cancel_a_download_and_go_on(desk, panel, hub):
    hub.faults[TEXT] = deque([("hang", 2_000_000)])
    panel.list.choose("mirrored")
    press(desk, panel, "download")
    answer(desk, panel, "Download")
    desk.qtbot.waitUntil(lambda: "of 10 MB" in panel.work.text.text())
    desk.qtbot.waitUntil(lambda: panel.work.text.text().startswith("2 MB"))
    desk.qtbot.mouseClick(panel.work.cancel, Qt.MouseButton.LeftButton)
    rest(desk, panel)
    assert "goes on from there" in panel.message.text
    assert states(panel)["mirrored"] == "begun"
    assert panel.details.buttons["download"].text() == "Go on…"
    hub.let_go.set()
    press(desk, panel, "download")
    answer(desk, panel, "Download")
    rest(desk, panel)
    assert states(panel)["mirrored"] == "present"
    assert hub.gets(TEXT)[-1].headers["Range"].startswith("bytes=19")


def test_a_download_that_fails_says_why(desk, panel, hub):
    del hub.files[VISION]
    panel.list.choose("mirrored")
    press(desk, panel, "download")
    answer(desk, panel, "Download")
    rest(desk, panel)
    assert panel.message.level == "error"
    assert "HTTP 404" in panel.message.text
    assert states(panel)["mirrored"] == "offered"


def test_verify_finds_one_changed_byte(desk, panel, stick):
    panel.list.choose("whole")
    press(desk, panel, "verify")
    rest(desk, panel)
    assert "every byte was read" in panel.message.text
    file = stick / "whole" / TEXT
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)
    press(desk, panel, "verify")
    rest(desk, panel)
    assert panel.message.level == "error"
    assert states(panel)["whole"] == "corrupt"
    assert "SHA-256" in panel.details.problem.text()
    data[-1] ^= 1
    file.write_bytes(data)
    press(desk, panel, "verify")
    rest(desk, panel)
    assert states(panel)["whole"] == "present"


def test_pin_and_unpin(desk, panel):
    panel.list.choose("whole")
    press(desk, panel, "pin")
    rest(desk, panel)
    assert "whole" in pins()
    assert panel.details.buttons["pin"].text() == "Unpin"
    assert "Pinned" in panel.details.texts
    press(desk, panel, "pin")
    rest(desk, panel)
    assert "whole" not in pins()


def test_remove_asks_and_keeps_what_is_not_ours(desk, panel, stick):
    panel.list.choose("fada-mini")
    assert panel.details.buttons["remove"].isHidden()
    desk.qtbot.keyClick(panel.list, Qt.Key.Key_Delete)
    assert "not removed" in panel.message.text
    (stick / "whole" / "my notes.txt").write_text("mine")
    panel.list.choose("whole")
    press(desk, panel, "use")
    press(desk, panel, "remove")
    answer(desk, panel, "Remove")
    rest(desk, panel)
    assert "whole" not in states(panel)
    assert [p.name for p in (stick / "whole").iterdir()] == ["my notes.txt"]
    assert "kept" in panel.message.text
    assert desk.widget.source.model == "fada-mini"  # what was in use is gone


def test_a_model_that_reads_is_not_removed(desk, panel, monkeypatch):
    panel.list.choose("whole")
    press(desk, panel, "use")
    monkeypatch.setattr(Engines, "has", lambda *_: True)
    monkeypatch.setattr(type(desk.widget.runner), "running", property(lambda _: True))
    press(desk, panel, "remove")
    answer(desk, panel, "Remove")
    assert "reads a scan right now" in panel.message.text
    monkeypatch.undo()


@pytest.mark.parametrize("in_place", [False, True])
def test_import(desk, panel, tmp_path, monkeypatch, in_place):
    mine = tmp_path / "mine"
    mine.mkdir()
    shutil.copy(MINI / TEXT, mine / "mine-f16.gguf")
    shutil.copy(MINI / VISION, mine / "mmproj-mine-f16.gguf")
    files = [str(mine / name) for name in ("mine-f16.gguf", "mmproj-mine-f16.gguf")]
    monkeypatch.setattr(QFileDialog, "getOpenFileNames", lambda *_a, **_k: (files, ""))
    panel.in_place.setChecked(in_place)
    panel.import_button.menu().actions()[0].trigger()
    rest(desk, panel)
    assert "imported" in panel.message.text
    name = panel.list.row.name
    assert states(panel)[name] == "present"
    assert ("Files in" in panel.details.texts) == in_place
    assert desk.widget.source.models.findData(name) >= 0
    assert all(Path(file).exists() for file in files)


def test_readable_in_both_themes_and_not_wider(desk, panel):
    window = private.main_window(desk.viewer)
    window.resize(1280, 800)
    panel.message.say("Something went wrong.", "error")
    for theme in ("light", "dark"):
        desk.viewer.theme = theme
        for name in ("whole", "cut", "fada-mobile"):
            panel.list.choose(name)
            desk.qtbot.wait(10)
            poor = [(w.text(), best_contrast(w)) for w in written(panel) if w.width() > 5]
            assert len(poor) > 5
            assert [p for p in poor if p[1] < 4.5] == [], (theme, name)
    assert panel.minimumSizeHint().width() <= WIDTH
    assert window.width() == 1280


@pytest.mark.parametrize(
    ("seconds", "said"), [(0.2, "1 s"), (59, "59 s"), (61, "2 min"), (5400, "1 h 30 min")]
)
def test_durations(seconds, said):
    assert duration(seconds) == said
