"""One spelling for each key, and which keys are not ours to give away.

A key is written as in ``Alt-Shift-X``: modifiers in one order, then the key. What people write
(``alt+x``, ``X-Alt``, ``ctrl s``) is brought to that form before it is compared or kept.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from napari_fada.workstation import napari_private as private

#: In the order in which they are written, with other names that people give them.
MODIFIERS = {
    "Meta": ("meta", "cmd", "command", "super", "win", "windows"),
    "Control": ("control", "ctrl"),
    "Alt": ("alt", "option", "opt"),
    "Shift": ("shift",),
}
#: Keys with names, with other names that people give them.
NAMED = {
    **{name: (name.lower(),) for name in ("Up", "Down", "Left", "Right", "Home", "End", "Tab")},
    **{f"F{i}": (f"f{i}",) for i in range(1, 13)},
    "PageUp": ("pageup", "pgup"),
    "PageDown": ("pagedown", "pgdown", "pgdn"),
    "Insert": ("insert", "ins"),
    "Delete": ("delete", "del"),
    "Backspace": ("backspace",),
    "Escape": ("escape", "esc"),
    "Space": ("space", "spacebar"),
    "Enter": ("enter", "return"),
}
#: Signs that napari hears as keys. A question mark is heard, too, but not beside a modifier.
SIGNS = "`-=[]\\;',./"
#: Delete in any combination removes something somewhere: shapes, layers, rows, text.
DELETING = ("Delete", "Backspace")
#: Without Alt or Control these belong to lists, sliders, dialogs and napari's layers.
PLAIN = {
    **dict.fromkeys(
        ("Up", "Down", "Left", "Right", "Home", "End", "PageUp", "PageDown"),
        "moves in lists, frames and text",
    ),
    **dict.fromkeys(map(str, range(10)), "changes the mode of a layer"),
    "Space": "moves the view while it is held",
    "Tab": "goes to the next field",
    "Enter": "finishes what is drawn or written",
    "Escape": "leaves what is drawn or written",
}
#: Everybody's, on one of the systems at least; napari's menus have more once there is a window.
SYSTEM = {
    "Alt-F4": "closes the window",
    "Alt-Tab": "goes to another program",
    "Alt-Shift-Tab": "goes to another program",
    "Alt-Space": "opens the window's menu",
    "Control-S": "saves layers",
    "Control-O": "opens files",
    "Control-N": "opens what was copied",
    "Control-W": "closes the window",
    "Control-Q": "ends the program",
    "Control-X": "cuts",
    "Control-C": "copies",
    "Control-V": "pastes",
    "Control-A": "selects all",
}


def spelled(text: str) -> str:
    """Return a key as it is kept.

    Parameters
    ----------
    text : str
        As somebody wrote it: any case, ``-``, ``+`` or a blank between, in any order.

    Raises
    ------
    ValueError
        In words, if it is no key that can be pressed.
    """
    wrong = ValueError(f"“{text}” is no key; write for instance Alt-G.")
    if text.strip() == "?":
        return "?"
    modifiers, keys = set(), []
    for word in _words(text):
        modifier = next((m for m, names in MODIFIERS.items() if word.lower() in names), None)
        if modifier:
            modifiers.add(modifier)
        else:
            keys.append(word)
    if len(keys) != 1:
        raise wrong
    key = _key(keys[0])
    if key is None:
        raise wrong
    if "Shift" in modifiers and key not in NAMED and not key.isalpha():
        raise ValueError(f"Shift makes another sign of {key}; take a letter, or F1 to F12.")
    return "-".join([*(m for m in MODIFIERS if m in modifiers), key])


def refusal(key: str, ours: Iterable[str]) -> str:
    """Return why a key is not for us to give to something, in words; empty if it is.

    Parameters
    ----------
    key : str
        As :func:`spelled` gives it.
    ours : iterable of str
        Keys that the defaults take: they are taken from napari on purpose.
    """
    if key in ours:
        return ""
    *modifiers, last = key.split("-") if not key.endswith("-") else [*key[:-1].split("-"), "-"]
    if last in DELETING:
        return f"{key} deletes: give this another key, which is not pressed by mistake."
    why = SYSTEM.get(key) or (PLAIN.get(last, "") if set(modifiers) <= {"Shift"} else "")
    why = why or _naparis().get(key, "")
    return f"{key} belongs to napari or the system ({why}); take another key." if why else ""


def _naparis() -> dict[str, str]:
    """Give what napari's own keys do, by key as we spell it."""
    found: dict[str, str] = {}
    for written, what in private.own_keys():
        try:
            found.setdefault(spelled(written), what)
        except ValueError:  # a sign that we have no key for
            continue
    return found


def _words(text: str) -> list[str]:
    """Split what was written; a minus that stands last is a key."""
    text = text.strip()
    last = [text[-1]] if len(text) > 1 and text[-1] == "-" and text[-2] in "-+ " else []
    if text == "-":
        return ["-"]
    return [w for w in re.split(r"[-+\s]+", text[: -len(last)] if last else text) if w] + last


def _key(word: str) -> str | None:
    if len(word) == 1 and word.isascii():
        return word.upper() if word.isalnum() or word in SIGNS else None
    return next((name for name, names in NAMED.items() if word.lower() in names), None)
