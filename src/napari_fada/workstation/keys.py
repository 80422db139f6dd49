"""The one table of keys: what they do, which they are, and how to change them.

Each is bound on the viewer and on our layers, because a layer's own keys win over the
viewer's. The defaults are keys that napari leaves free.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import platformdirs

from napari_fada.vocabulary import vocabulary
from napari_fada.workstation.key_names import refusal, spelled


@dataclass(frozen=True, slots=True)
class Action:
    """Something a key does.

    ``name`` is how it is kept, ``text`` how it is shown.
    """

    name: str
    text: str
    default: str


ACTIONS: tuple[Action, ...] = (
    Action("run", "Run all phases", "G"),
    Action("cancel", "Cancel the run", "Alt-G"),
    Action("gate_back", "Back to what was asked before (a run that waits)", "Shift-G"),
    Action("box", "Draw a box", "J"),
    Action("polygon", "Draw a polygon", "U"),
    Action("keypoint", "Place keypoints", "W"),
    Action("paint", "Paint the mask of a structure", "Y"),
    Action("paint_new", "Paint another structure of the class", "Alt-Y"),
    Action("edit", "Select and move", "Q"),
    Action("vertices", "Move single corners", "Alt-Q"),
    Action("class", "Search for a class", "O"),
    Action("reclass", "Give the selection the active class", "K"),
    Action("hide", "Hide or show the annotations", "H"),
    Action("copy_frame", "Copy the selection, else all, to the next frame", "Alt-C"),
    Action("interpolate", "Interpolate between the key frames around this one", "Alt-V"),
    Action("flow", "Carry the selection, else all, to the next frame by optical flow", "Alt-F"),
    Action("swap", "Swap which of two chosen structures of a class is which", "Alt-Shift-V"),
    Action("previous_annotated", "Show the annotated frame before this one", "Alt-Up"),
    Action("next_annotated", "Show the annotated frame after this one", "Alt-Down"),
    Action("split", "Split along a line", "Alt-X"),
    Action("merge", "Merge the selected structures", "Alt-E"),
    Action("part", "Add a part or a hole", "Alt-B"),
    Action("cut", "Cut a piece away", "Alt-Shift-B"),
    Action("erase_corners", "Erase corners by dragging over them", "Alt-D"),
    Action("simplify", "Simplify the outline", "Alt-I"),
    Action("smooth", "Smooth the outline", "Alt-O"),
    Action("ellipse", "Make it an ellipse", "Alt-U"),
    Action("snap", "Snap the outline to the edge", "Alt-K"),
    Action("to_box", "Box from the outline", "Alt-Shift-J"),
    Action("to_polygon", "Outline from the box", "Alt-Shift-U"),
    Action("calipers", "Drag calipers and ellipses of measurements", "Alt-Shift-M"),
    Action("visibility", "Keypoint visible, hidden, absent", "Alt-T"),
    Action("earlier", "Keypoint earlier in the order", "Alt-Shift-T"),
    Action("finish", "Accept all that is open and go to the next scan", "N"),
    Action("accept_rest", "Accept all that is open on this frame", "Alt-N"),
    Action("accept", "Accept the chosen structures", "Alt-A"),
    Action("reject", "Reject the chosen structures, or bring them back", "Alt-R"),
    Action("lock", "Lock or unlock the chosen structures", "Alt-L"),
    Action("comment", "Comment on the scan", "Alt-M"),
    Action("originals", "Show the model's proposals beneath corrections", "Alt-P"),
    Action("skip", "Skip the scan", "Alt-S"),
    Action("reject_scan", "Reject the scan", "Alt-J"),
    Action("next", "Next scan that waits for review", "Alt-Right"),
    Action("previous", "Previous scan that waits for review", "Alt-Left"),
    Action("last_scan", "The scan that was looked at before this one", "Alt-Shift-Left"),
    Action("search_scan", "Search in the worklist", "Alt-W"),
    Action("back", "Back to my project, from what is only to look at", "Alt-Home"),
    Action("undo", "Undo the last step", "Control-Z"),
    Action("redo", "Redo what was undone", "Control-Shift-Z"),
    Action("report", "First field of the report", "F2"),
    Action("history", "History: who did what when", "Alt-H"),
    Action("cheat_sheet", "Show all keys", "?"),
    Action("help", "Show all keys, from a text field too", "F1"),
    Action("fold", "Fold or unfold the phases", "Alt-Z"),
    Action("side_a", "Let rater A's word count", "F3"),
    Action("side_b", "Let rater B's word count", "F4"),
    Action("both_sides", "Let both stand", "F5"),
    Action("redraw", "Draw it anew, or take what was drawn", "F6"),
    Action("next_conflict", "Look at the next conflict", "F7"),
    Action("previous_conflict", "Look at the conflict before", "Shift-F7"),
    *(
        Action(f"class_{i}", f"Choose class {i} of this view", f"Alt-{i % 10}")
        for i in range(1, 11)
    ),
    *(Action(f"class:{c.name}", f"Choose the class {c.name}", "") for c in vocabulary().categories),
)

GROUPS: dict[str, tuple[str, ...]] = {
    "Model": ("run", "cancel", "gate_back"),
    "Review": (
        *("finish", "accept_rest", "accept", "reject", "lock", "comment", "originals", "skip"),
        "reject_scan",
    ),
    "Worklist": ("next", "previous", "last_scan", "search_scan", "back"),
    "Draw": ("box", "polygon", "keypoint", "paint", "paint_new", "edit", "vertices"),
    "Shape": (
        *("split", "merge", "part", "cut", "erase_corners", "simplify", "smooth", "ellipse"),
        *("snap", "to_box", "to_polygon", "visibility", "earlier"),
    ),
    "Classes": (
        "class",
        "reclass",
        *(a.name for a in ACTIONS if a.name.startswith("class_")),
        *(a.name for a in ACTIONS if a.name.startswith("class:")),
    ),
    "Measure": ("calipers",),
    "Frames": (
        *("copy_frame", "interpolate", "flow", "swap", "previous_annotated", "next_annotated"),
    ),
    "History": ("undo", "redo", "history"),
    "Two raters (FADA adjudicate)": (
        *("side_a", "side_b", "both_sides", "redraw", "next_conflict", "previous_conflict"),
    ),
    "Report": ("report",),
    "Window": ("hide", "fold", "cheat_sheet", "help"),
}
"""What the actions are for, as the sheet of keys shows them."""

CHANGING = (
    *(name for name in GROUPS["Draw"] if name != "edit"),
    *GROUPS["Shape"],
    *("reclass", "calipers", "copy_frame", "interpolate", "flow"),
)
"""Actions that begin to change structures: none does where one may only look."""


_DEFAULTS = {a.name: a.default for a in ACTIONS}
_TEXTS = {a.name: a.text for a in ACTIONS}


def group_of(name: str) -> str:
    """Return what an action is for."""
    return next((group for group, names in GROUPS.items() if name in names), "More")


def settings_path() -> Path:
    """Return the file in which changed keys are kept."""
    folder = platformdirs.user_config_dir("napari-fada", appauthor=False)
    return Path(folder) / "keys.json"


class KeyTable:
    """Which key does what. Changed keys are kept in a file of the user's.

    Parameters
    ----------
    path : Path, optional
        The file; the user's own settings by default.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path or settings_path()
        self.problem = ""
        self._keys = self._read()

    def __getitem__(self, name: str) -> str:
        return self._keys[name]

    def items(self) -> list[tuple[Action, str]]:
        """Return every action with its key."""
        return [(a, self._keys[a.name]) for a in ACTIONS]

    def change(self, name: str, key: str) -> None:
        """Give an action another key and keep that; no key at all if it is empty.

        Raises
        ------
        ValueError
            In words, if another action has the key, napari has it, or it is none.
        """
        keys = self._read()  # another window may have changed some meanwhile
        if key := spelled(key) if key.strip() else "":
            other = next((a for a in ACTIONS if keys[a.name] == key and a.name != name), None)
            if other is not None:
                raise ValueError(f"{key} already does: {other.text}.")
            if reason := refusal(key, _DEFAULTS.values()):
                raise ValueError(reason)
        self._keys = keys | {name: key}
        changed = {a.name: k for a, k in self.items() if k != a.default}
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._path.write_text(json.dumps(changed, indent=2), encoding="utf-8")

    def reset(self) -> None:
        """Go back to the defaults."""
        self._keys = dict(_DEFAULTS)
        self._path.unlink(missing_ok=True)

    def _read(self) -> dict[str, str]:
        """Return all keys, those of the file where they can be taken; else ``problem`` says so."""
        self.problem = ""
        try:
            found = json.loads(self._path.read_text(encoding="utf-8"))
            wanted = {str(k): str(v) for k, v in found.items() if k in _DEFAULTS}
        except FileNotFoundError:
            return dict(_DEFAULTS)
        except (OSError, ValueError, AttributeError) as error:
            self.problem = f"The key settings in {self._path} cannot be read ({error})."
            return dict(_DEFAULTS)
        refused: list[str] = []
        for name, written in list(wanted.items()):
            try:
                wanted[name] = spelled(written) if written.strip() else ""
                reason = refusal(wanted[name], _DEFAULTS.values())
            except ValueError as error:
                reason = str(error)
            if reason:
                del wanted[name]
                refused.append(reason)
        while clash := _clash(wanted):
            refused.append(
                f"{wanted[clash[0]]} is given to two: {_TEXTS[clash[0]]}, {_TEXTS[clash[1]]}."
            )
            del wanted[clash[0]]
        if refused:
            self.problem = (
                f"{len(refused)} of the keys in {self._path} {'is' if len(refused) == 1 else 'are'}"
                f" not taken; the default stays there. {' '.join(refused)}"
            )
        return _DEFAULTS | wanted


def _clash(wanted: dict[str, str]) -> tuple[str, str] | None:
    """Give a wanted action whose key another has, with that one; None if no two share a key."""
    keys = _DEFAULTS | wanted
    for name in reversed(list(wanted)):
        for other, key in keys.items():
            if key and key == keys[name] and other != name:
                return name, other
    return None


class Keys:
    """Binds a table to a viewer and to layers.

    Parameters
    ----------
    table : KeyTable
        Which key does what.
    does : mapping of action name to callable
        Called without arguments.
    """

    def __init__(self, table: KeyTable, does: Mapping[str, Callable[[], object]]) -> None:
        self.table = table
        self._does = does

    def bind(self, *targets: Any) -> None:
        """Bind the keys of what is done here on viewers or layers, and no others any more."""
        for target in targets:
            for key, does in list(target.keymap.items()):
                if getattr(does, "table_of_keys", None) is self:  # as it was before a change
                    target.bind_key(key, None)
            for action, key in self.table.items():
                if key and action.name in self._does:
                    target.bind_key(key, self._caller(action.name), overwrite=True)

    def _caller(self, name: str) -> Callable[[Any], None]:
        def call(_target: Any) -> None:
            self._does[name]()

        call.table_of_keys = self  # type: ignore[attr-defined]
        return call
