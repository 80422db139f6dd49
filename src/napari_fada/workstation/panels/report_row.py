"""One row of the report: what it is about, how it stands, its text, and what was changed."""

from __future__ import annotations

from html import escape

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QGridLayout, QLabel, QPlainTextEdit, QToolButton, QWidget

from napari_fada.records.word_diff import word_diff
from napari_fada.workstation.panels.told import Told
from napari_fada.workstation.theme import Palette, tone

TITLES = {
    "view": "View",
    "anatomical_structures": "Structures",
    "fetal_orientation": "Orientation",
    "imaging_plane": "Plane",
    "biometric_measurements": "Biometry",
    "gestational_age": "Gest. age",
    "image_quality": "Quality",
    "normality_assessment": "Normality",
    "clinical_recommendations": "Advice",
}

#: How a field stands: its words (a mark first, for those who see no colours), and its tone.
STANDINGS = {
    "unsaved": ("✗ not saved", "failed"),
    "missing": ("! required", "failed"),
    "changed": ("✎ changed", "running"),
    "written": ("✎ yours", "running"),
    "model": ("= model", "done"),
    "empty": ("– empty", "skipped"),
}

PLACEHOLDERS = {"missing": "required by this project", "empty": "nothing written"}


def standing(model: str, expert: str | None, *, required: bool, unsaved: bool = False) -> str:
    """Return the key of ``STANDINGS`` that a field has.

    Parameters
    ----------
    model : str
        What the model wrote.
    expert : str or None
        What the expert wrote; None: nothing else than the model.
    required, unsaved : bool
        Whether the project wants it; whether what was typed could not be kept.
    """
    if unsaved:
        return "unsaved"
    if required and not (model if expert is None else expert).strip():
        return "missing"
    if expert is not None:
        return "changed" if model else "written"
    return "model" if model else "empty"


def diff_html(model: str, text: str, palette: Palette) -> str:
    """Return what was changed, as rich text: struck through or underlined, and coloured."""
    styles = {
        "removed": ("<s style='color:{}'>", "</s>", palette.failed),
        "added": ("<u style='color:{}'><b>", "</b></u>", palette.done),
        "same": ("", "", ""),
    }
    parts = []
    for kind, piece in word_diff(model, text):
        opening, closing, colour = styles[kind]
        shown = escape(piece)
        if kind != "same":
            shown = shown.replace("\n", "⏎\n")  # a line break that is all there is to see
        parts.append(opening.format(colour) + shown.replace("\n", "<br>") + closing)
    return (
        "".join(parts) + f"<br><span style='color:{palette.skipped}'>Model: {escape(model)}</span>"
    )


class _Diff(QLabel):
    """Text that is given its height: where one follows its width Qt makes all fields high."""

    def hasHeightForWidth(self) -> bool:  # noqa: N802
        """Tell the layout that the height is fixed."""
        return False


class ReportRow:
    """Title, standing, buttons and diff of a field (or of the view) in the grid of the form.

    Parameters
    ----------
    key : str
        Of the report, or ``view``.
    edit : QWidget
        What holds the value.
    """

    def __init__(self, key: str, edit: QWidget) -> None:
        self.key, self.edit = key, edit
        self.standing = ""
        self.model = self.text = ""
        self.diff_wanted = False
        self.title = Told()
        self.title.setTextFormat(Qt.TextFormat.PlainText)
        self.back = self._button("↺", "Take back to what the model wrote (Alt-Backspace)")
        self.compare = self._button("±", "Show what was changed (F3)")
        self.compare.setCheckable(True)
        self.diff = _Diff()
        self.diff.setTextFormat(Qt.TextFormat.RichText)
        self.diff.setWordWrap(True)
        self.diff.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.diff.hide()

    def _button(self, text: str, tip: str) -> QToolButton:
        button = QToolButton()
        button.setText(text)
        button.setAutoRaise(True)
        button.setToolTip(tip)
        button.setFocusPolicy(Qt.FocusPolicy.NoFocus)  # Tab goes from field to field
        policy = button.sizePolicy()
        policy.setRetainSizeWhenHidden(True)
        button.setSizePolicy(policy)
        button.hide()
        return button

    def add_to(self, grid: QGridLayout, row: int) -> None:
        """Put the parts into two lines of a grid."""
        top = Qt.AlignmentFlag.AlignTop
        grid.addWidget(self.title, row, 0, top)
        grid.addWidget(self.edit, row, 1)
        if self.key == "view":
            grid.addWidget(self.back, row, 2)
        else:
            grid.addWidget(self.back, row, 2, top)
            grid.addWidget(self.compare, row, 3, top)
            grid.addWidget(self.diff, row + 1, 1, 1, 3)

    def show(self, standing: str, model: str, text: str, palette: Palette) -> None:
        """Show how the field stands."""
        self.standing, self.model, self.text = standing, model, text
        mark, meaning = STANDINGS[standing]
        self.title.setText(f"{mark[0]} {TITLES[self.key]}")
        if isinstance(self.edit, QPlainTextEdit):
            self.edit.setPlaceholderText(PLACEHOLDERS.get(standing, ""))
        tone(self.title, meaning)
        wrote = f"The model wrote: {model}" if model else "The model wrote nothing here."
        self.title.setToolTip(f"{self.key.replace('_', ' ')}: {mark[2:]}. {wrote}")
        changed = standing in ("changed", "written", "unsaved") or model != text
        self.back.setVisible(changed)
        self.compare.setVisible(changed and self.key != "view")
        self.show_diff(self.diff_wanted, palette)

    def show_diff(self, wanted: bool, palette: Palette) -> None:
        """Show or hide what was changed; there is nothing to show where nothing was."""
        self.diff_wanted = wanted
        self.compare.setChecked(wanted)
        shown = wanted and self.model != self.text and self.key != "view"
        if shown:
            self.diff.setText(diff_html(self.model, self.text, palette))
        self.diff.setVisible(shown)
        self.fit()

    def fit(self) -> None:
        """Give what was changed the height that it needs at this width."""
        if self.diff.isVisible():
            self.diff.setFixedHeight(self.diff.heightForWidth(max(180, self.edit.width())))
