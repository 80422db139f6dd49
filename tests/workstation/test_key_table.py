"""The table of keys: one spelling, one command for each key, and napari's keys stay napari's."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from napari_fada.workstation.key_names import spelled
from napari_fada.workstation.keys import ACTIONS, Keys, KeyTable


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        *((w, "Alt-A") for w in ("alt-a", "Alt+A", "ALT-a", "A-Alt", " alt + a ", "Option-A")),
        *((w, "Alt-Shift-X") for w in ("Shift-Alt-x", "Alt-Shift-X", "x+shift+ALT", "alt shift x")),
        ("ctrl+shift+z", "Control-Shift-Z"),
        ("CMD-k", "Meta-K"),
        ("f12", "F12"),
        ("alt-pgdn", "Alt-PageDown"),
        ("Alt--", "Alt--"),
        ("alt + -", "Alt--"),
        ("-", "-"),
        ("return", "Enter"),
        (" ? ", "?"),
    ],
)
def test_one_spelling(written, kept):
    assert spelled(written) == kept
    assert spelled(kept) == kept


@pytest.mark.parametrize(
    "written", ["", "Alt", "Alt-", "Alt-A-B", "A B", "é", "Alt-§", "Hyper-A", "F13", "Alt-?", "++"]
)
def test_no_key(written):
    with pytest.raises(ValueError, match="is no key"):
        spelled(written)


def test_every_default_is_spelled_so():
    assert [a.default for a in ACTIONS if a.default and spelled(a.default) != a.default] == []


@pytest.fixture
def table(tmp_path: Path) -> KeyTable:
    return KeyTable(tmp_path / "keys.json")


@pytest.mark.parametrize("key", ["Alt-A", "alt-a", "ALT+A", "A-Alt"])
def test_two_commands_never_share_a_key(table, key):
    with pytest.raises(ValueError, match="already does: Accept the chosen structures"):
        table.change("reject", key)
    assert table["reject"] == "Alt-R"


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        ("del", "Delete deletes"),
        ("shift-backspace", "deletes"),
        ("Ctrl-S", "saves layers"),
        ("3", "mode of a layer"),
        ("9", "mode of a layer"),
        ("space", "moves the view"),
        ("left", "moves"),
        ("Esc", "leaves"),
        ("Return", "finishes"),
        ("shift-tab", "next field"),
        ("alt+f4", "closes"),
        ("m", "new label"),
        ("ctrl-e", "roll axes"),
        ("shift-up", "moves in lists"),
        ("ctrl-up", "select layer above"),
        ("Alt-Shift-1", "another sign"),
    ],
)
def test_keys_that_are_not_ours_are_refused_with_the_reason(table, key, reason):
    with pytest.raises(ValueError, match=reason):
        table.change("finish", key)
    assert table["finish"] == "N"


def test_a_key_that_napari_was_given_by_its_user_is_refused(table, monkeypatch):
    from napari.settings import get_settings

    shortcuts = get_settings().shortcuts.shortcuts
    monkeypatch.setitem(shortcuts, "napari:reset_view", ["Alt+Shift+K"])
    with pytest.raises(ValueError, match="reset view"):
        table.change("finish", "Alt-Shift-K")


def test_a_key_of_ours_may_move(table, tmp_path):
    table.change("paint", "Alt-Shift-P")
    table.change("run", "y")  # napari's on an image in 3D; the default of painting until now
    assert KeyTable(tmp_path / "keys.json")["run"] == "Y"
    table.change("run", "")
    assert KeyTable(tmp_path / "keys.json")["run"] == ""


def written(tmp_path: Path, **keys: object) -> KeyTable:
    (tmp_path / "keys.json").write_text(json.dumps(keys))
    return KeyTable(tmp_path / "keys.json")


def test_a_file_in_another_spelling_is_read(tmp_path):
    table = written(tmp_path, box="alt+shift+x", accept="alt-r", reject="a-ALT")
    assert table.problem == ""
    assert (table["box"], table["accept"], table["reject"]) == ("Alt-Shift-X", "Alt-R", "Alt-A")


def test_what_cannot_be_taken_from_a_file_is_told_and_the_default_stays(tmp_path):
    table = written(
        tmp_path, finish="Delete", box="alt-a", polygon="Alt-Shift-9", run="Alt-Shift-K", skip=None
    )
    assert table.problem.startswith("4 of the keys")
    for said in ("Delete deletes", "Alt-A is given to two: Draw a box, Accept", "“None” is no key"):
        assert said in table.problem
    assert [table[n] for n in ("finish", "box", "polygon", "run", "skip", "accept")] == [
        *("N", "J", "U", "Alt-Shift-K", "Alt-S", "Alt-A")
    ]


def test_no_file_gives_two_commands_one_key(tmp_path):
    """Two in the file, one of which goes back to a default that a third has taken."""
    table = written(tmp_path, box="Alt-Shift-K", polygon="alt+shift+k", paint="U")
    keys = [key for _, key in table.items() if key]
    assert len(set(keys)) == len(keys)
    assert (table["box"], table["polygon"], table["paint"]) == ("Alt-Shift-K", "U", "Y")


def test_what_another_window_changed_is_kept(table, tmp_path):
    other = KeyTable(tmp_path / "keys.json")
    other.change("box", "Alt-Shift-X")
    with pytest.raises(ValueError, match="already does: Draw a box"):
        table.change("run", "Alt-Shift-X")
    table.change("run", "Alt-Shift-K")
    again = KeyTable(tmp_path / "keys.json")
    assert (again["box"], again["run"]) == ("Alt-Shift-X", "Alt-Shift-K")


def test_a_key_that_was_given_away_does_nothing_any_more(table):
    from napari.components import ViewerModel
    from napari.utils.key_bindings import coerce_keybinding

    viewer, done = ViewerModel(), []
    viewer.bind_key("Alt-Shift-Q", lambda _: done.append("another's"))
    keys = Keys(table, {"box": lambda: done.append("box"), "run": lambda: done.append("run")})
    keys.bind(viewer)
    table.change("box", "Alt-Shift-X")
    table.change("run", "")
    keys.bind(viewer)
    assert coerce_keybinding("J") not in viewer.keymap
    assert coerce_keybinding("G") not in viewer.keymap
    for key in ("Alt-Shift-X", "Alt-Shift-Q"):
        viewer.keymap[coerce_keybinding(key)](viewer)
    assert done == ["box", "another's"]
