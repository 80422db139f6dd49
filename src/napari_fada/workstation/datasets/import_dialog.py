"""Labels come in: read and checked first, looked at, and then brought in as a whole."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFormLayout,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QLineEdit,
    QTableWidget,
    QTableWidgetItem,
    QWidget,
)

from napari_fada.errors import ExchangeError, FadaError
from napari_fada.exchange.guess import guess_form
from napari_fada.exchange.importing import ImportPlan, ImportSummary
from napari_fada.exchange.names import Names, class_of_ours, parse_mapping
from napari_fada.exchange.writers import MODULES, load_format
from napari_fada.vocabulary import vocabulary
from napari_fada.workstation.datasets.dialog import DataSetDialog, PlaceField
from napari_fada.workstation.datasets.jobs import bring_in, read_labels
from napari_fada.workstation.datasets.preview import Preview
from napari_fada.workstation.session import Session
from napari_fada.workstation.worklist.docking import find_worklist

GUESS = "told by its files"
ASK, LEAVE = "choose…", "leave out"
_SHOWN = 200
_FIELDS = {
    "--masks": "Masks",
    "--images": "Images",
    "--class": "Class of masks",
    "--value": "Values of masks (like 1=head)",
    "--form coco (or another)": "Form",
}
"""What a problem calls an option of the command line, and what the field is called here."""


class ImportDialog(DataSetDialog):
    """Reads labels of other programs, shows what would come in, and brings it in."""

    def __init__(self, session: Session, parent: QWidget) -> None:
        super().__init__(session, parent, "Import labels", "Nothing was brought in.")
        self.place = PlaceField("File or folder of the labels", files=True)
        self.place.line.setPlaceholderText("empty for masks")
        self.form = QComboBox()
        self.form.setToolTip("The form of the labels")
        self._names = [""]
        self.form.addItem(GUESS)
        for name in MODULES:
            try:
                found = load_format(name)
            except ExchangeError:
                continue
            if found.reader is not None:
                self._names.append(name)
                self.form.addItem(found.title)
        self.masks = PlaceField("Folder of the masks; that of the images if they lie among them")
        self.category = QComboBox()
        self.category.setToolTip("What masks of one value show")
        self.category.addItems(["", *(c.name for c in vocabulary().categories)])
        self.values = QLineEdit()
        self.values.setToolTip("What the values of label images mean")
        self.values.setPlaceholderText("like 1=pubic_symphysis, 2=fetal_head")
        self.images = PlaceField("Folder of the images, if not where the files say")
        self.reviewed = QCheckBox("These labels are reviewed")
        self.reviewed.setToolTip(
            "They are the truth of their frames: accepted, signed, the review closed.\n"
            "Without this they wait for review here, as imported."
        )
        self.rater = QLineEdit(session.rater)
        self.rater.setPlaceholderText("who reviewed them")
        self.rater.setToolTip("Who reviewed them: kept with each label that names nobody")
        self.rater.setEnabled(False)
        self.reviewed.toggled.connect(self.rater.setEnabled)
        self.preview = Preview()
        self.labels = QTableWidget(0, 2)
        self.labels.setHorizontalHeaderLabels(["Their label", "Our class"])
        self.labels.setToolTip("Labels that are not classes of ours, and what they mean")
        header, side = self.labels.horizontalHeader(), self.labels.verticalHeader()
        assert header is not None
        assert side is not None
        header.setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
        side.hide()
        self.labels.setMinimumHeight(110)
        form = QWidget()
        layout = QFormLayout(form)
        layout.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        layout.addRow("Labels", self.place)
        layout.addRow("Images", self.images)
        layout.addRow("Masks", self.masks)
        layout.addRow("Form", self.form)
        layout.addRow("Class of masks", self.category)
        layout.addRow("Values of masks", self.values)
        layout.addRow("Other labels", self.labels)
        said = QHBoxLayout()
        said.addWidget(self.reviewed)
        said.addWidget(QLabel("by"))
        said.addWidget(self.rater, 1)
        layout.addRow(said)
        self._rows = layout
        self.add_form(form, self.preview)
        self.read = self.button("Read", "Read and check; the project is not touched")
        self.read.setDefault(True)
        self.read.clicked.connect(self.start_reading)
        self.bring = self.button("Bring in", "Put all that was read into the project")
        self.bring.clicked.connect(self.start_bringing)
        self.bring.setEnabled(False)
        self.plan: ImportPlan | None = None
        self.form.currentIndexChanged.connect(self._on_form)
        self._show_labels(False)
        self._on_form()
        self.resize(960, 600)

    def start_reading(self) -> None:
        """Read the labels."""
        if self.work.running:
            return
        self._forget()
        try:
            place, images, masks = self._places()
            name = self._names[self.form.currentIndex()]
            if not name:
                name = "masks" if masks else guess_form(place)
            if name == "masks":
                images = images or place
            pairs = [p for p in self.values.text().split(",") if p.strip()]
            changed: dict[str, Any] = {
                "names": Names(self._mapping()),
                "masks": masks,
                "category": self.category.currentText() or None,
                "values": {_number(k): class_of_ours(v) for k, v in parse_mapping(pairs).items()},
            }
        except FadaError as error:
            self.tell([in_the_window(str(error))])
            return
        self.start(read_labels(place, name, lambda o: replace(o, **changed), images), "Reading")

    def _places(self) -> tuple[Path, Path | None, Path | None]:
        """Return where the labels are, the images and the masks.

        Raises
        ------
        ExchangeError
            If too little is named.
        """
        place, images, masks = self.place.path, self.images.path, self.masks.path
        if place is None and masks is not None:
            if images is None:
                raise ExchangeError("Choose the folder of the images, too.")
            place = images
        if place is None:
            raise ExchangeError("Choose a file or a folder first (for masks: Images and Masks).")
        return place, images, masks

    def start_bringing(self) -> None:
        """Bring in what was read."""
        if self.plan is None or self.work.running or self.session.looking.refuses():
            return
        rater, reviewed = self.rater.text().strip(), self.reviewed.isChecked()
        if reviewed and not rater:
            self.tell(["Type who reviewed the labels, or take the tick away."])
            self.rater.setFocus()
            return
        plan, self.plan = self.plan, None
        self.preview.look_at(None)
        project = self.session.project
        who = rater if reviewed else project.rater
        self.start(bring_in(project.path, who, plan, reviewed=reviewed), "Bringing it in")

    def show_running(self, running: bool) -> None:
        """Let the buttons wait."""
        self.read.setEnabled(not running)
        some = self.plan is not None and len(self.plan.items) > 0
        self.bring.setEnabled(not running and some)

    def finished_with(self, result: Any) -> None:
        """Show what was read, or what was brought in."""
        if isinstance(result, ImportSummary):
            self._tell_summary(result)
            return
        assert isinstance(result, ImportPlan)
        self.plan = result
        self.preview.look_at(result)
        counts = dict(result.counts)
        images = counts.pop("images", 0)
        classes = ", ".join(f"{n} {name}" for name, n in sorted(counts.items()))
        problems = [str(p) for p in result.problems]
        lines = [
            f"{images} images with {sum(counts.values())} records would come in: {classes or '–'}."
        ]
        if result.empty:
            lines.append(f"On {result.empty} of them nothing is labelled.")
        if problems:
            more = len(problems) + result.more_problems
            what = "1 thing" if more == 1 else f"{more} things"
            lines.append(f"{what} could not be read; the rest is unharmed:")
        self.tell([*lines, *map(in_the_window, problems[:_SHOWN])])
        self._ask_about(problems)

    def _tell_summary(self, summary: ImportSummary) -> None:
        lines = [
            f"{summary.images} images, {summary.records} records brought in, "
            f"{summary.known} were here already. They are on the worklist."
        ]
        if self.reviewed.isChecked():
            lines.append(f"{summary.reviewed} images are reviewed now: Evaluate… can use them.")
            lines += [f"Left open: {n} images, {why}." for why, n in summary.left_open.items()]
        else:
            lines.append(
                "No one has reviewed them here. To make them the truth at once, choose them in "
                "the worklist and Accept, or bring them in once more with the tick."
            )
        self.tell([*lines, *map(in_the_window, summary.problems[:_SHOWN])])
        self.session.project.poll()
        worklist = find_worklist(self.session.viewer)
        if worklist is not None:
            worklist.ask()

    def _ask_about(self, problems: list[str]) -> None:
        """Offer to say what labels mean that are not ours."""
        found = re.findall(r"unknown class '([^']+)'", "\n".join(problems))
        for label in dict.fromkeys(found):
            row = self.labels.rowCount()
            self.labels.insertRow(row)
            self.labels.setItem(row, 0, QTableWidgetItem(label))
            combo = QComboBox()
            combo.addItems([ASK, LEAVE, *(c.name for c in vocabulary().categories)])
            combo.setToolTip(f"What {label} means; then read again")
            self.labels.setCellWidget(row, 1, combo)
        self._show_labels(bool(self.labels.rowCount()))

    def _show_labels(self, there: bool) -> None:
        self.labels.setVisible(there)
        title = self._rows.labelForField(self.labels)
        if title is not None:
            title.setVisible(there)

    def _mapping(self) -> dict[str, str]:
        found = {}
        for row in range(self.labels.rowCount()):
            item, combo = self.labels.item(row, 0), self.labels.cellWidget(row, 1)
            assert item is not None
            assert isinstance(combo, QComboBox)
            if combo.currentText() != ASK:
                found[item.text()] = "" if combo.currentText() == LEAVE else combo.currentText()
        return found

    def _forget(self) -> None:
        self.preview.look_at(None)
        self.bring.setEnabled(False)
        if self.plan is not None:
            self.plan.__exit__(None, None, None)
            self.plan = None

    def _on_form(self) -> None:
        of_masks = self._names[self.form.currentIndex()] in ("", "masks")
        for widget in (self.masks, self.category, self.values):
            widget.setEnabled(of_masks)

    def closeEvent(self, event: Any) -> None:  # noqa: N802
        """Forget what was read."""
        self._forget()
        super().closeEvent(event)


def _number(text: str) -> int:
    """Return a value of a mask as a user typed it.

    Raises
    ------
    ExchangeError
        If it is no number.
    """
    if not text.strip().isdecimal():
        raise ExchangeError(f"{text.strip()!r} is no value of a mask.", todo="Write it like 1=head")
    return int(text)


def in_the_window(text: str) -> str:
    """Return what is said of a problem with the names that things have in this dialog."""
    for option, name in _FIELDS.items():
        text = text.replace(option, name)
    return text
