"""What is to be exported and how: the choices of an export as a form."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, cast, get_args

from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QSpinBox,
    QWidget,
)

from napari_fada.errors import ExchangeError
from napari_fada.exchange.request import ExportRequest, Selection
from napari_fada.exchange.splits import Grouping
from napari_fada.exchange.writers import MODULES, Format, load_format
from napari_fada.pipeline import PromptSet
from napari_fada.workstation.theme import tone

SIDES = ("train", "val", "test")
PROMPTS = "napari-fada-1"
ANY = "any"


def _check(text: str, tip: str, on: bool) -> QCheckBox:
    box = QCheckBox(text)
    box.setToolTip(tip)
    box.setChecked(on)
    return box


def _combo(items: Iterable[str], tip: str) -> QComboBox:
    combo = QComboBox()
    combo.addItems(list(items))
    combo.setToolTip(tip)
    return combo


def _line(tip: str, text: str = "", hint: str = "") -> QLineEdit:
    line = QLineEdit(text)
    line.setToolTip(tip)
    line.setPlaceholderText(hint)
    return line


class ExportForm(QWidget):
    """The form; ``request`` gives what it says.

    Parameters
    ----------
    raters, views, categories : iterables of str
        What the project has, to choose from.
    """

    def __init__(
        self, raters: Iterable[str], views: Iterable[str], categories: Iterable[str]
    ) -> None:
        super().__init__()
        self._formats: list[Format] = []
        self.form = QComboBox()
        self.form.setToolTip("The form of the data set")
        for name in MODULES:
            try:
                found = load_format(name)
            except ExchangeError:
                continue  # what it needs is not installed; the command line says what
            if found.writer is not None:
                self._formats.append(found)
                self.form.addItem(found.title)
        self.choices = QWidget()
        self._choices = QFormLayout(self.choices)
        self._choices.setContentsMargins(0, 0, 0, 0)
        self._combos: dict[str, QComboBox] = {}
        self.prompt_set = _line("Name or file of the wording of questions", PROMPTS)

        self.proposals = _check(
            "Proposals too", "Also what nobody has judged; never what was rejected", False
        )
        self.reviewed = _check("Reviewed frames only", "Only frames whose review is closed", False)
        self.negatives = _check(
            "Frames without structures", "Reviewed frames on which nothing stands: negatives", True
        )
        self.seen = _check(
            "Seen frames only",
            "Without frames that were accepted though they were never on the screen",
            False,
        )
        self.rater = _combo((ANY, *raters), "Only structures that this person made or judged")
        self.view = _combo((ANY, *views), "Only frames with this view")
        self.category = _combo((ANY, *categories), "Only structures of this class")

        self.split = _check("Split into sides", "Frames of one group never stand on two", False)
        self.shares: dict[str, QSpinBox] = {}
        for side, share in zip(SIDES, (80, 10, 10), strict=True):
            spin = QSpinBox()
            spin.setRange(0, 100)
            spin.setValue(share)
            spin.setSuffix(" %")
            spin.setToolTip(f"Share of frames for {side}; the three make 100 %")
            self.shares[side] = spin
        self.by = _combo(get_args(Grouping), "What stays on one side")
        self.pattern = _line(
            "What in a file name is the group, as a regular expression", hint=r"like ^(\d+)_"
        )
        self.seed = QSpinBox()
        self.seed.setRange(0, 2**31 - 1)
        self.seed.setToolTip("Another seed gives other sides")
        self.force = _check("Even with a leak", "Write although two sides know each other", False)

        self.images = _check("Images", "Write the images, encoded anew without metadata", True)
        self.outside = _check(
            "Black outside the scan", "Outside the regions that DICOM states", True
        )
        self.blackout = _check("Black out text", "Also what looks like text inside", False)
        self.keep_names = _check(
            "Keep names", "Names of files and raters; they may name people", False
        )
        self.warning = QLabel("Names of files and raters will leave with the data set.")
        self.warning.setWordWrap(True)
        tone(self.warning, "notice")
        self.keep_names.toggled.connect(self.warning.setVisible)
        self.warning.hide()
        self.name = _line("Name of the data set, for its files")
        self.licence = _line("Licence of the data set", hint="like CC BY 4.0")

        self.rows = layout = QFormLayout(self)
        layout.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        layout.addRow("Form", self.form)
        layout.addRow("", self.choices)
        layout.addRow("Records", _row(self.proposals, self.reviewed))
        layout.addRow("", _row(self.negatives, self.seen))
        layout.addRow("Rater", self.rater)
        layout.addRow("View", self.view)
        layout.addRow("Class", self.category)
        layout.addRow("Sides", _row(self.split, self.force))
        layout.addRow("Shares", _row(*self.shares.values()))
        layout.addRow("Together", _row(self.by, self.pattern))
        layout.addRow("Seed", self.seed)
        layout.addRow("What leaves", _row(self.images, self.outside))
        layout.addRow("", _row(self.blackout, self.keep_names))
        layout.addRow("", self.warning)
        layout.addRow("Name", self.name)
        layout.addRow("Licence", self.licence)
        layout.addRow("Questions", self.prompt_set)
        self.form.currentIndexChanged.connect(self._on_form)
        self.split.toggled.connect(self._on_split)
        self._on_form()
        self._on_split(False)

    @property
    def form_name(self) -> str:
        """The form that is chosen."""
        return self._formats[self.form.currentIndex()].name

    def choose(self, name: str) -> None:
        """Choose a form by its name."""
        places = [f.name for f in self._formats]
        if name in places:
            self.form.setCurrentIndex(places.index(name))

    def request(self) -> ExportRequest:
        """Return what the form says.

        Raises
        ------
        ExchangeError, ModelError
            If something in it cannot be.
        """
        shares = None
        if self.split.isChecked():
            shares = {side: spin.value() / 100 for side, spin in self.shares.items()}
            if abs(sum(shares.values()) - 1) > 1e-6:
                raise ExchangeError("The shares do not make 100 %.", todo="Change one of them.")
        return ExportRequest(
            selection=Selection(
                *(self.proposals.isChecked(), _one(self.rater), _one(self.view)),
                *(_one(self.category), self.reviewed.isChecked(), self.negatives.isChecked()),
                seen=self.seen.isChecked(),
            ),
            by=cast(Grouping, self.by.currentText()),
            group_pattern=self.pattern.text().strip(),
            shares=shares,
            seed=self.seed.value(),
            force=self.force.isChecked(),
            images="write" if self.images.isChecked() else "none",
            mask_outside=self.outside.isChecked(),
            blackout=self.blackout.isChecked(),
            keep_names=self.keep_names.isChecked(),
            licence=self.licence.text().strip(),
            dataset=self.name.text().strip(),
            prompts=PromptSet.load(self.prompt_set.text().strip() or PROMPTS),
            choices={name: combo.currentText() for name, combo in self._combos.items()},
        )

    def state(self) -> dict[str, Any]:
        """Return what is worth remembering, JSON-ready."""
        checks = {name: box.isChecked() for name, box in self._checks().items()}
        lines = {name: line.text() for name, line in self._lines().items()}
        shares = [spin.value() for spin in self.shares.values()]
        more = {"form": self.form_name, "shares": shares, "by": self.by.currentText()}
        return {**checks, **lines, **more, "seed": self.seed.value()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Set what was remembered; anything odd is left aside."""
        self.choose(str(state.get("form", "")))
        for name, box in self._checks().items():
            if isinstance(state.get(name), bool):
                box.setChecked(state[name])
        for name, line in self._lines().items():
            if isinstance(state.get(name), str):
                line.setText(state[name])
        shares = state.get("shares")
        if isinstance(shares, list) and len(shares) == len(self.shares):
            for spin, share in zip(self.shares.values(), shares, strict=True):
                spin.setValue(int(share))
        if state.get("by") in get_args(Grouping):
            self.by.setCurrentText(state["by"])
        if isinstance(state.get("seed"), int):
            self.seed.setValue(state["seed"])

    def _checks(self) -> dict[str, QCheckBox]:
        names = ("proposals", "reviewed", "negatives", "seen", "split", "images", "outside")
        return {n: getattr(self, n) for n in (*names, "blackout")}  # names and leaks: asked anew

    def _lines(self) -> dict[str, QLineEdit]:
        return {name: getattr(self, name) for name in ("pattern", "name", "licence", "prompt_set")}

    def _on_form(self) -> None:
        while self._choices.rowCount():
            self._choices.removeRow(0)
        chosen = self._formats[self.form.currentIndex()]
        self._combos = {}
        for name, values in chosen.choices.items():
            self._combos[name] = _combo(values, f"{chosen.title}: {name}")
            self._choices.addRow(name.capitalize(), self._combos[name])
        self.choices.setVisible(bool(chosen.choices))

    def _on_split(self, on: bool) -> None:
        for widget in (*self.shares.values(), self.by, self.pattern, self.seed, self.force):
            widget.setEnabled(on)


def _one(combo: QComboBox) -> frozenset[str]:
    """Return what is chosen; nothing if the first entry, "any", is."""
    return frozenset() if combo.currentIndex() == 0 else frozenset({combo.currentText()})


def _row(*widgets: QWidget) -> QWidget:
    holder = QWidget()
    row = QHBoxLayout(holder)
    row.setContentsMargins(0, 0, 0, 0)
    for widget in widgets:
        row.addWidget(widget)
    row.addStretch(1)
    return holder
