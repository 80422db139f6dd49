"""The library: several folders, states, pins, removal, and files read to the last byte."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
from small_models import write_pack

from napari_fada.engines.hardware import Memory
from napari_fada.errors import ModelError
from napari_fada.models import find_pack, fitting, preferences
from napari_fada.models.catalogue import check_pin, user_folder
from napari_fada.models.library import Entry, Library, pin, remove, set_prompts, unpin
from napari_fada.models.verifying import Verified, verify_steps


def entries(name: str = "tiny") -> list[Entry]:
    return [e for e in Library().entries() if e.name == name]


def change_one_byte(path: Path) -> None:
    """Change a byte of the weights, and leave size and time as they were."""
    status = path.stat()
    content = bytearray(path.read_bytes())
    content[-3] ^= 1
    path.write_bytes(content)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def test_the_embedded_model_is_there_and_stays() -> None:
    (mini,) = entries("fada-mini")
    assert (mini.state, mini.embedded, mini.removable) == ("present", True, False)
    assert mini.size == mini.pack.size  # type: ignore[union-attr]
    with pytest.raises(ModelError, match="comes with the program"):
        remove(mini)


@pytest.mark.parametrize("name", ["models", "Modelle für Ärzte 2", "モデル"])
def test_an_added_folder_may_be_away_and_be_moved(tmp_path: Path, name: str) -> None:
    stick = tmp_path / name
    write_pack(stick / "p")
    assert entries() == []
    preferences.add_folder(stick)
    preferences.add_folder(stick)
    assert Library().folders.count(stick) == 1
    assert [e.state for e in entries()] == ["present"]
    away = stick.rename(tmp_path / "elsewhere")
    assert entries() == []  # the stick is away: no error, no entry
    preferences.add_folder(away)
    assert [e.home for e in entries()] == [away / "p"]
    preferences.remove_folder(away)
    preferences.remove_folder(stick)
    assert entries() == []
    with pytest.raises(ModelError, match="was not added"):
        preferences.remove_folder(stick)


def test_choices_that_cannot_be_read_are_kept_aside(tmp_path: Path) -> None:
    file = preferences.preferences_file()
    file.parent.mkdir(parents=True)
    file.write_text("{ torn")
    assert preferences.added_folders() == []
    preferences.add_folder(tmp_path)
    assert preferences.added_folders() == [tmp_path]
    assert file.with_suffix(".broken.json").read_text() == "{ torn"


def test_states(monkeypatch: pytest.MonkeyPatch) -> None:
    here = user_folder()
    write_pack(here / "whole", "whole")
    write_pack(here / "lost", "lost")
    (here / "lost" / "vision.gguf").unlink()
    write_pack(here / "cut", "cut")
    with (here / "cut" / "text.gguf").open("r+b") as file:
        file.truncate(500)
    write_pack(here / "torn", "torn")
    (here / "torn" / "pack.json").write_text("{")
    found = {e.name: e for e in Library().entries() if not e.embedded}
    assert {name: e.state for name, e in found.items()} == {
        "whole": "present",
        "lost": "missing",
        "cut": "corrupt",
        "torn": "corrupt",
    }
    assert "vision.gguf" in found["lost"].problem
    assert found["torn"].pack is None
    assert json.loads(json.dumps(found["torn"].to_dict()))["state"] == "corrupt"
    monkeypatch.setattr(fitting, "memory", lambda: Memory(1 << 20, 1 << 20))
    (whole,) = entries("whole")
    assert whole.state == "too_large"
    assert "needs" in whole.problem


def test_of_two_with_one_name_the_first_is_taken(tmp_path: Path) -> None:
    write_pack(user_folder() / "a", version="1")
    write_pack(tmp_path / "more" / "b", version="2")
    preferences.add_folder(tmp_path / "more")
    assert [(e.pack.version, e.shadowed) for e in entries()] == [("1", False), ("2", True)]  # type: ignore[union-attr]
    assert Library().entry("tiny").home == user_folder() / "a"
    assert find_pack("tiny").version == "1"


def test_a_pin_names_the_files_that_are_loaded(tmp_path: Path) -> None:
    ours = write_pack(user_folder() / "a", version="1")
    theirs = tmp_path / "more" / "b"
    write_pack(theirs, version="2")
    change_one_byte(theirs / "text.gguf")
    description = json.loads((theirs / "pack.json").read_text())
    del description["files"]["text"]["sha256"]
    (theirs / "pack.json").write_text(json.dumps(description))
    preferences.add_folder(tmp_path / "more")
    other = next(e for e in entries() if e.shadowed)
    pin(other)
    # What its description does not say is not known before it is read: the pinned one is found
    # by what it does say, and held against the pin when it is loaded.
    assert [(e.home, e.pinned) for e in entries() if not e.shadowed] == [(theirs, True)]
    check_pin(find_pack("tiny"))
    shutil.rmtree(theirs)
    assert find_pack("tiny").folder == ours
    with pytest.raises(ModelError, match=r"is pinned, and text\.gguf is not"):
        check_pin(find_pack("tiny"))
    unpin("tiny")
    check_pin(find_pack("tiny"))
    with pytest.raises(ModelError, match="not pinned"):
        unpin("tiny")


def test_a_damaged_model_cannot_be_pinned() -> None:
    folder = write_pack(user_folder() / "a")
    change_one_byte(folder / "text.gguf")
    with pytest.raises(ModelError, match="not the file it should be"):
        pin(entries()[0])


def test_one_changed_byte_is_found_whatever_is_remembered() -> None:
    folder = write_pack(user_folder() / "a")
    pack = find_pack("tiny")
    pack.verify()
    assert {e.file for e in verify_steps(pack) if isinstance(e, Verified)} == {
        "text.gguf",
        "vision.gguf",
    }
    change_one_byte(folder / "vision.gguf")
    pack.verify()  # size and time are as they were, so this does not see it
    with pytest.raises(ModelError, match=r"vision\.gguf .* not the file it should be"):
        list(verify_steps(pack))
    with pytest.raises(ModelError):
        pack.verify()  # from now on it does


def test_what_is_not_ours_is_not_removed() -> None:
    folder = write_pack(user_folder() / "a")
    assert not entries()[0].removable
    with pytest.raises(ModelError, match="was not put there by napari-fada"):
        remove(entries()[0])
    assert (folder / "text.gguf").is_file()


def test_what_lies_beside_our_files_stays() -> None:
    folder = write_pack(user_folder() / "a", made_by="import")
    notes = folder / "my notes.txt"
    notes.write_text("keep me")
    pin(entries()[0])
    assert remove(entries()[0]) == [notes]
    assert [p.name for p in folder.iterdir()] == ["my notes.txt"]
    assert preferences.pins() == {}
    assert entries() == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_shared_folder_that_cannot_be_written(tmp_path: Path) -> None:
    folder = write_pack(tmp_path / "shared" / "a", made_by="import")
    preferences.add_folder(tmp_path / "shared")
    folder.chmod(0o555)
    try:
        (entry,) = entries()
        assert (entry.state, entry.writable, entry.removable) == ("present", False, False)
    finally:
        folder.chmod(0o755)


def test_prompts_of_a_model() -> None:
    write_pack(user_folder() / "a")
    set_prompts(entries()[0], "napari-fada-general-1")
    assert find_pack("tiny").prompt_set == "napari-fada-general-1"
    assert find_pack("tiny").classes == ("Brain", "fetal_head")
    (mini,) = entries("fada-mini")
    with pytest.raises(ModelError, match="cannot be changed"):
        set_prompts(mini, "napari-fada-general-1")
