"""What is known of the model that is chosen, and what can be done with it."""

from __future__ import annotations

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)
from superqt import QElidingLabel

from napari_fada.workstation.models_panel.rows import Row
from napari_fada.workstation.theme import tone

_PATHS = ("Folder", "Files in")
_BUTTONS = (
    ("use", "Use this model", "Let this model read scans from now on (Enter)"),
    ("download", "Download…", "Get it from the network; you are asked before (Enter)"),
    ("verify", "Verify", "Read every byte of it and compare it with its description"),
    ("pin", "Pin", "Load only these very files under this name"),
    ("folder", "Open folder", "Show its files"),
    ("card", "Card", "Read what its makers say of it"),
    ("remove", "Remove…", "Delete it from this computer; you are asked before (Delete)"),
)


class Details(QWidget):
    """Facts in two columns, the reason of a problem, and buttons.

    Attributes
    ----------
    buttons : dict of str to QPushButton
        By what they do: use, download, verify, pin, folder, card, remove.
    """

    def __init__(self) -> None:
        super().__init__()
        self.buttons: dict[str, QPushButton] = {}
        for name, label, tip in _BUTTONS:
            self.buttons[name] = button = QPushButton(label)
            button.setToolTip(tip)
        self.problem = QLabel()
        self.problem.setWordWrap(True)
        self.problem.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        tone(self.problem, "failed")
        self._facts = QWidget()
        self._grid = QGridLayout(self._facts)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setVerticalSpacing(3)
        self._grid.setColumnStretch(1, 1)
        content = QWidget()
        inner = QVBoxLayout(content)
        inner.setContentsMargins(0, 0, 4, 0)
        inner.addWidget(self.problem)
        inner.addWidget(self._facts)
        inner.addStretch(1)
        scroll = QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QScrollArea.Shape.NoFrame)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        scroll.setWidget(content)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(scroll, 1)
        for names in (("use", "download", "verify", "pin"), ("folder", "card", "remove")):
            line = QHBoxLayout()
            line.setSpacing(4)
            for name in names:
                line.addWidget(self.buttons[name])
            line.addStretch(1)
            layout.addLayout(line)
        self.show_row(None)

    @property
    def texts(self) -> dict[str, str]:
        """The facts that are shown."""
        return dict(self._shown)

    def show_row(self, row: Row | None, *, busy: bool = False) -> None:
        """Show a model; ``busy``: work goes on, so that nothing else can be begun."""
        facts = row.facts if row else {}
        self._shown = facts
        while (item := self._grid.takeAt(0)) is not None:
            if (old := item.widget()) is not None:
                old.hide()
                old.deleteLater()
        for number, (title, text) in enumerate(facts.items()):
            head = QLabel(title)
            tone(head, "skipped")
            self._grid.addWidget(head, number, 0, Qt.AlignmentFlag.AlignTop)
            self._grid.addWidget(_value(title, text), number, 1)
        self.problem.setText(row.problem if row else "")
        self.problem.setVisible(bool(row and row.problem))
        self._offer_what_can_be_done(row, busy)

    def _offer_what_can_be_done(self, row: Row | None, busy: bool) -> None:
        entry = row.entry if row else None
        whole = row is not None and row.state in ("present", "too_large")
        begun = row is not None and row.state == "begun"
        shown = {
            "use": entry is not None,
            "download": row is not None and row.offer is not None,
            "verify": entry is not None and entry.pack is not None,
            "pin": entry is not None and entry.pack is not None and not entry.shadowed,
            "folder": entry is not None,
            "card": entry is not None and entry.pack is not None and bool(entry.pack.card_path),
            "remove": entry is not None and entry.removable,
        }
        for name, button in self.buttons.items():
            button.setVisible(shown[name])
            button.setEnabled(name in ("folder", "card") or not busy)
        if not whole:
            self.buttons["use"].setEnabled(False)
        pinned = entry is not None and entry.pinned
        self.buttons["pin"].setText("Unpin" if pinned else "Pin")
        self.buttons["pin"].setEnabled(not busy and (whole or pinned))
        self.buttons["download"].setText("Go on…" if begun else "Download…")


def _value(title: str, text: str) -> QLabel:
    if title in _PATHS:
        place = QElidingLabel(text)
        place.setElideMode(Qt.TextElideMode.ElideMiddle)
        place.setToolTip(text)
        return place
    label = QLabel(text)
    label.setWordWrap(True)
    label.setTextFormat(Qt.TextFormat.PlainText)
    label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    if title == "Not verified":
        tone(label, "notice")
    return label
