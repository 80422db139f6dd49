"""The list of open conflicts, and what the two raters say of the one that is looked at."""

from __future__ import annotations

import difflib
import html
from collections.abc import Callable

from qtpy.QtCore import QAbstractListModel, QModelIndex, QObject, Qt
from qtpy.QtWidgets import QLabel

from napari_fada.records.annotation import Annotation
from napari_fada.records.merge import Conflict
from napari_fada.workstation.panels.told import Told


class ConflictModel(QAbstractListModel):
    """Open conflicts as a list; a row is made only when it is seen.

    Parameters
    ----------
    name_of : callable
        Gives the name of a scan for its sha256.
    parent : QObject
        Keeps the model.
    """

    def __init__(self, name_of: Callable[[str], str], parent: QObject) -> None:
        super().__init__(parent)
        self._name_of = name_of
        self.conflicts: list[Conflict] = []

    def put(self, conflicts: list[Conflict]) -> None:
        """Show these."""
        self.beginResetModel()
        self.conflicts = list(conflicts)
        self.endResetModel()

    def at(self, row: int) -> Conflict | None:
        """Return the conflict of a row."""
        return self.conflicts[row] if 0 <= row < len(self.conflicts) else None

    def rowCount(self, _parent: QModelIndex | None = None) -> int:  # noqa: N802
        """Return how many there are."""
        return len(self.conflicts)

    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        """Return the text of a row."""
        if role == Qt.ItemDataRole.DisplayRole and index.isValid():
            return row_text(self.conflicts[index.row()], self._name_of)
        return None


def row_text(conflict: Conflict, name_of: Callable[[str], str]) -> str:
    """Return what the list says of a conflict."""
    frame = f", frame {conflict.frame + 1}" if conflict.frame > 0 else ""
    what = conflict.name.replace("_", " ")
    if conflict.what == "structure":
        what += f" · {kind_of_difference(conflict)}"
    return f"{what} — {name_of(conflict.scan)}{frame}"


def kind_of_difference(conflict: Conflict) -> str:
    """Say in a few words how two structures differ."""
    a, b = conflict.rater_a or "A", conflict.rater_b or "B"
    if conflict.a is None:
        return f"only {b}"
    if conflict.b is None:
        return f"only {a}"
    return f"IoU {conflict.iou:.2f}" if conflict.iou is not None else "not comparable"


def side_text(conflict: Conflict, side: str, found: Annotation | None) -> str:
    """Return what one rater says, as rich text; words that the other lacks are underlined."""
    text, other = (conflict.a, conflict.b) if side == "a" else (conflict.b, conflict.a)
    if conflict.what == "structure":
        if found is None:
            return "nothing there"
        verdict = "rejected" if found.status == "rejected" else found.status
        return html.escape(f"{found.category}, {found.kind}, {verdict}")
    if text is None:
        return "<i>nothing</i>"
    return underlined(text, other or "")


def underlined(text: str, other: str) -> str:
    """Return a text with the words underlined that the other does not have in their place."""
    words, others = text.split(), other.split()
    out = []
    matcher = difflib.SequenceMatcher(None, others, words, autojunk=False)
    for tag, _, _, start, end in matcher.get_opcodes():
        part = html.escape(" ".join(words[start:end]))
        if part:
            out.append(part if tag == "equal" else f"<u><b>{part}</b></u>")
    return " ".join(out)


def side_label(tip: str) -> QLabel:
    """Return a label for one side."""
    label = Told()
    label.setWordWrap(True)
    label.setTextFormat(Qt.TextFormat.RichText)
    label.setAlignment(Qt.AlignmentFlag.AlignTop)
    label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    label.setToolTip(tip)
    return label
