"""Every button, field and list of ours says what it is for, and which key does the same."""

from __future__ import annotations

import pytest
from qtpy.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QAbstractSlider,
    QAbstractSpinBox,
    QComboBox,
    QHeaderView,
    QLineEdit,
    QPlainTextEdit,
    QScrollBar,
    QTextEdit,
    QWidget,
)

from napari_fada.workstation.adjudicate_widget import AdjudicateWidget

USED = (
    *(QAbstractButton, QAbstractItemView, QAbstractSlider, QAbstractSpinBox, QComboBox),
    *(QLineEdit, QPlainTextEdit, QTextEdit),
)


def used(root: QWidget) -> list[QWidget]:
    """Return what can be used in a widget, without what Qt builds into its own."""
    found = []
    for part in root.findChildren(QWidget):
        if not isinstance(part, USED) or isinstance(part, QScrollBar | QHeaderView):
            continue
        above = part.parentWidget()
        owned = isinstance(above, QLineEdit | QAbstractSpinBox | QComboBox)
        module = _kind(above) in ("QTabBar", "QComboBoxPrivateContainer")
        corner = type(part) is QAbstractButton and isinstance(above, QAbstractItemView)
        if not (owned or module or corner or part.objectName().startswith("qt_")):
            found.append(part)
    return found


def _kind(part: QWidget | None) -> str:
    meta = part.metaObject() if part is not None else None
    return meta.className() if meta is not None else ""


def told(part: QWidget) -> str:
    text = getattr(part, "text", lambda: "")()
    return f"{type(part).__name__} {text or part.objectName()!r}: {part.toolTip()!r}"


@pytest.fixture
def roots(desk):
    adjudicate = AdjudicateWidget(desk.viewer)
    desk.qtbot.addWidget(adjudicate)
    desk.widget.comfort.show_keys()
    docks = desk.viewer.window.dock_widgets
    others = [w for name, w in docks.items() if name.startswith("FADA") and w is not desk.widget]
    yield [desk.widget, desk.widget.comfort.sheet, desk.widget.message, adjudicate, *others]
    adjudicate.close_session()


def test_everything_has_a_tooltip_of_more_than_two_words(desk, roots):
    desk.widget.message.ask("Well?", [("Yes", "Say yes to this", lambda: None)])
    parts = [part for root in roots for part in used(root)]
    assert len(parts) > 60
    poor = sorted({told(p) for p in parts if len(p.toolTip().split()) <= 2})
    assert not poor, "\n".join(poor)


def test_buttons_of_keys_name_them(desk):
    """After a key was changed, too."""
    table = desk.widget.keys.table
    table.change("box", "Alt-Shift-F9")
    table.change("cancel", "Alt-Shift-F11")
    desk.widget._bind_keys()
    for name, button in desk.widget.tools.buttons.items():
        assert table[name] in button.toolTip(), name
    for name, button in (
        ("run", desk.widget.phases.run_button),
        ("cancel", desk.widget.phases.cancel_button),
        ("fold", desk.widget.phases.fold_button),
        ("reclass", desk.widget.classes.reclass),
        ("class", desk.widget.classes.search),
    ):
        assert table[name] in button.toolTip(), name
