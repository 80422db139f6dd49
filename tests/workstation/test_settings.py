"""The user's settings: typed, kept at once, and never in the way when a file is damaged."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path

import pytest
import yaml
from napari.components import ViewerModel

import napari_fada
from napari_fada.workstation.session import Session
from napari_fada.workstation.settings import (
    CATEGORY,
    PLUGIN,
    FileKeeper,
    NapariKeeper,
    Settings,
    SettingsStore,
    settings,
    settings_path,
    settings_store,
    use_keeper,
)

MANIFEST = Path(napari_fada.__file__).with_name("napari.yaml")


def test_what_is_set_is_there_at_the_next_start(tmp_path):
    path = tmp_path / "deep" / "settings.json"
    first = SettingsStore(FileKeeper(path)).settings
    assert first == Settings()
    first.rater = "Anna Ødegård"
    first.text_percent = 125
    again = SettingsStore(FileKeeper(path)).settings
    assert (again.rater, again.text_percent, again.prepare_next) == ("Anna Ødegård", 125, True)


def test_a_change_is_told_once(tmp_path):
    store = SettingsStore(FileKeeper(tmp_path / "settings.json"))
    heard: list[object] = []
    store.settings.events.prepare_next.connect(heard.append)
    store.settings.prepare_next = False
    store.settings.prepare_next = False
    assert heard == [False]


@pytest.mark.parametrize(
    ("name", "value"),
    [("text_percent", 20), ("text_percent", True), ("mode", "sideways"), ("rater", None)],
)
def test_what_is_not_allowed_changes_nothing(tmp_path, name, value):
    store = SettingsStore(FileKeeper(tmp_path / "settings.json"))
    with pytest.raises(ValueError, match="cannot be"):
        setattr(store.settings, name, value)
    assert store.settings == Settings()


@pytest.mark.parametrize("content", ["{", "[1]", '\x00"', '{"rater": "A", "text_percent": 9999}'])
def test_a_damaged_file_gives_the_defaults_and_a_word(tmp_path, content):
    path = tmp_path / "settings.json"
    path.write_text(content, encoding="utf-8")
    store = SettingsStore(FileKeeper(path))
    assert store.settings.text_percent == 100
    assert store.problem
    store.settings.mode = "step by step"
    assert json.loads(path.read_text(encoding="utf-8"))["mode"] == "step by step"


def test_a_folder_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    store = SettingsStore(FileKeeper(tmp_path / "file" / "settings.json"))
    store.settings.rater = "Anna"
    assert store.settings.rater == "Anna"
    assert "cannot be kept" in store.problem or "cannot be read" in store.problem


def test_the_manifest_says_the_same():
    manifest = yaml.safe_load(MANIFEST.read_text(encoding="utf-8"))
    stated = manifest["contributions"]["configurations"][CATEGORY]["properties"]
    kinds = {bool: "boolean", int: "integer", str: "string"}
    assert list(stated) == [f.name for f in fields(Settings)]
    for f in fields(Settings):
        said = stated[f.name]
        assert (said["default"], said["type"]) == (f.default, kinds[type(f.default)])
        assert (said["title"], said["description"]) == (f.metadata["title"], f.metadata["tip"])
        assert tuple(said.get("enum", ())) == f.metadata.get("enum", ())
        for limit in ("minimum", "maximum"):
            assert said.get(limit) == f.metadata.get(limit)


@pytest.mark.usefixtures("plugin_settings")
def test_naparis_preferences_are_the_same_settings(npe2pm):
    """A change of ours is in napari's file, and a change in its preferences is heard."""
    from napari.settings import get_plugin_settings
    from npe2 import PluginManifest

    npe2pm.register(PluginManifest.from_file(MANIFEST))
    store = SettingsStore(NapariKeeper())
    store.settings.rater = "Anna"
    theirs = get_plugin_settings(PLUGIN)
    assert "rater: Anna" in theirs.config_path.read_text()
    heard: list[int] = []
    store.settings.events.text_percent.connect(heard.append)
    theirs.workstation.text_percent = 150
    assert heard == [150]
    assert store.settings.text_percent == 150


@pytest.mark.usefixtures("npe2pm")
def test_without_naparis_settings_a_file_of_ours_is_used():
    use_keeper(None)
    settings().rater = "Anna"
    assert settings_store().problem == ""
    assert json.loads(settings_path().read_text(encoding="utf-8"))["rater"] == "Anna"


def test_the_last_project_and_the_rater_come_back(bench, tmp_path):
    chosen = tmp_path / "study.fada"
    bench.session.rater = "Anna"
    assert bench.session.open_project(chosen)
    bench.session.close()
    again = Session(ViewerModel())
    assert again.project.path == chosen
    assert (again.rater, again.project.rater) == ("Anna", "Anna")
    again.close()


def test_a_last_project_that_is_gone_is_told(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    settings().last_project = str(tmp_path / "gone.fada")
    viewer = ViewerModel()
    session = Session(viewer)
    said: list[str] = []
    session.message.connect(lambda text, _level: said.append(text))
    assert session.project.path.parent == tmp_path / "data" / "napari-fada"
    assert "gone.fada" in said[0]
    assert not (tmp_path / "gone.fada").exists()
    session.close()
