"""Our colours in napari's dark and light themes, and the size of our texts.

Panels name what a text *means* (``tone(label, "failed")``), never a colour: the style sheet of
the dock has one for each theme, with a contrast of at least 4.5 to what lies behind it (WCAG 2,
level AA; `tests/workstation/test_theme.py` computes it). When the theme or the text size is
changed, each dock gets another style sheet and nothing has to be built anew.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from napari.settings import get_settings
from napari.utils.theme import get_theme
from qtpy.QtCore import QObject
from qtpy.QtWidgets import QWidget

TONE = "fada-tone"


@dataclass(frozen=True, slots=True)
class Palette:
    """Colours of texts by what they mean, on the background of a theme.

    ``focus`` and ``edge`` are lines: three to one is enough for them. ``field`` is what lies
    behind a text that can be written in.
    """

    running: str
    done: str
    empty: str
    failed: str
    skipped: str
    notice: str
    field: str
    locked_field: str
    tool: str
    tool_hover: str
    edge: str
    focus: str


DARK = Palette(
    running="#6fb5f0",
    done="#6fcf80",
    empty="#e0bb52",
    failed="#ff8f85",
    skipped="#aeb4ba",
    notice="#e0bb52",
    field="#3a3c45",
    locked_field="#1a1b20",
    tool="#41444d",
    tool_hover="#565a66",
    edge="#7d828c",
    focus="#6fb5f0",
)
LIGHT = Palette(
    running="#0a5296",
    done="#155f28",
    empty="#6b4900",
    failed="#a01b14",
    skipped="#4c5055",
    notice="#6b4900",
    field="#ffffff",
    locked_field="#d6d2d0",
    tool="#cfccca",
    tool_hover="#bab7b4",
    edge="#77736f",
    focus="#0a5296",
)
TONES = ("running", "done", "empty", "failed", "skipped", "notice")
MESSAGES = {"info": "#2f5f93", "warning": "#855500", "error": "#a8322a", "question": "#5b4a9c"}
"""Backgrounds of messages, in both themes: their text is white."""
CHIPS = {
    "new": "#5f6671",
    "proposed": "#2f6ca8",
    "imported": "#456075",
    "in_review": "#7a4fb5",
    "accepted": "#237a3b",
    "corrected": "#187070",
    "rejected": "#ab362d",
    "skipped": "#8a5d12",
}
"""Backgrounds of the states of a scan, in both themes: their text is white."""
PAST = MESSAGES["warning"]
"""Behind what shows an earlier state, in both themes: its text is white."""
TICKED = CHIPS["proposed"]
"""Fills a box that is ticked, in both themes."""


def is_dark(theme: str) -> bool:
    """Tell whether a theme of napari is a dark one, by its background."""
    return luminance(get_theme(theme).background.as_hex(format="long")) < 0.2


def palette_of(theme: str) -> Palette:
    """Return our colours for a theme of napari's, a user's own themes included."""
    return DARK if is_dark(theme) else LIGHT


def palette_on(widget: QWidget) -> Palette:
    """Return our colours for where a widget stands, by the colour of its texts."""
    return DARK if widget.palette().text().color().lightness() > 128 else LIGHT


def luminance(colour: str) -> float:
    """Return the relative luminance of ``#rrggbb``, 0 for black and 1 for white (WCAG 2)."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    """Return the contrast of two colours: 1 for none, 21 for black on white (WCAG 2)."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def tone(widget: QWidget, name: str) -> None:
    """Say what the text of a widget means: one of ``TONES``, or "" for plain text."""
    if widget.property(TONE) == name:
        return
    widget.setProperty(TONE, name)
    style = widget.style()
    if style is not None:  # a style sheet looks at properties only when it is put on
        style.unpolish(widget)
        style.polish(widget)


def stylesheet(palette: Palette, points: float | None = None) -> str:
    """Return the style sheet of our docks.

    Parameters
    ----------
    palette : Palette
        Colours of the theme.
    points : float, optional
        Size of the texts; napari's own by default.
    """
    size = f"QWidget {{ font-size: {points:g}pt; }}\n" if points else ""
    tones = "".join(f'*[{TONE}="{t}"] {{ color: {getattr(palette, t)}; }}\n' for t in TONES)
    ticked = f"QTreeView::indicator:checked {{ background: {TICKED}; }}\n"
    return size + tones + _RULES.format(**asdict(palette)) + ticked


# napari's theme shows nothing where there is no tick: one could not tell where to click.
# Text fields of napari's theme have no edge: one could not tell where to write. Buttons keep
# their size when they get the focus: the line that shows it is there before, unseen.
_RULES = """
#fada-reason, #fada-gate {{ border: 1px solid {focus}; border-radius: 4px; }}
#fada-offers {{ border: 1px solid {edge}; }}
#fada-past {{ border-radius: 4px; }}
#fada-past QLabel {{ color: white; background: transparent; }}
QTreeView::indicator {{ width: 12px; height: 12px; border: 1px solid {edge}; border-radius: 2px; }}
QPlainTextEdit, QTextEdit {{ background: {field}; border: 1px solid {edge}; border-radius: 3px;
                             padding: 1px; }}
QPlainTextEdit:read-only {{ background: {locked_field}; }}
QLineEdit {{ border: 1px solid {edge}; border-radius: 3px; }}
QPlainTextEdit:focus, QTextEdit:focus, QLineEdit:focus, QComboBox:focus, QAbstractItemView:focus
    {{ border: 1px solid {focus}; }}
QComboBox {{ border: 1px solid transparent; }}
QAbstractItemView {{ border: 1px solid transparent; }}
QPushButton, QToolButton {{ border: 1px solid transparent; border-radius: 3px; }}
QPushButton:focus, QToolButton:focus {{ border: 1px solid {focus}; }}
QCheckBox, QRadioButton {{ border: 1px solid transparent; }}
QCheckBox:focus, QRadioButton:focus, QTabBar:focus {{ border: 1px solid {focus}; }}
QToolButton#fada-tool {{ padding: 3px 1px; background: {tool}; }}
QToolButton#fada-tool:hover {{ background: {tool_hover}; }}
QToolButton#fada-tool:checked {{ border: 1px solid {focus}; font-weight: bold; }}
"""


class Dress(QObject):
    """Keeps the style sheet of one of our docks in step with theme and text size.

    Parameters
    ----------
    widget : QWidget
        The widget in the dock.
    viewer : napari viewer
        Has the theme.
    extra : str
        Style rules of this dock alone.
    """

    def __init__(self, widget: QWidget, viewer: Any, extra: str = "") -> None:
        super().__init__(widget)
        self._widget, self._viewer, self._extra = widget, viewer, extra
        self.percent = 100
        viewer.events.theme.connect(self.put_on)
        get_settings().appearance.events.font_size.connect(self.put_on)
        widget.destroyed.connect(self.take_off)
        self.put_on()

    def put_on(self, _event: Any = None) -> None:
        """Use the colours of the theme and the size of texts of this moment."""
        points = None
        if self.percent != 100:
            points = get_settings().appearance.font_size * self.percent / 100
        self._widget.setStyleSheet(stylesheet(palette_of(self._viewer.theme), points) + self._extra)

    def scale(self, percent: int) -> None:
        """Show texts at this size, in hundredths of napari's own."""
        if percent != self.percent:
            self.percent = percent
            self.put_on()

    def take_off(self, _object: Any = None) -> None:
        """Stop listening; the dock is gone."""
        self._viewer.events.theme.disconnect(self.put_on)
        get_settings().appearance.events.font_size.disconnect(self.put_on)
