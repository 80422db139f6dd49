"""The five phases: run, cancel, how each ended, and the model's own words."""

from __future__ import annotations

import time
from typing import ClassVar

from psygnal import Signal
from qtpy.QtCore import Qt, QTimer
from qtpy.QtGui import QTextCursor
from qtpy.QtWidgets import (
    QButtonGroup,
    QCheckBox,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QPlainTextEdit,
    QPushButton,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from napari_fada.records.reading import PHASES, Phase, PhaseResult, Reading
from napari_fada.workstation.panels.told import Told
from napari_fada.workstation.theme import tone

TITLES: dict[Phase, tuple[str, str]] = {
    "interpret": ("1 Interpret", "Writes the report: eight fields of text"),
    "classify": ("2 Classify", "Names the view"),
    "map": ("3 Map", "Decides from report and view which structures to ask for (no model)"),
    "detect": ("4 Detect", "Finds structures as boxes"),
    "segment": ("5 Segment", "Outlines structures as polygons"),
}
STATES = {
    "": ("–", "not run on this frame"),
    "waiting": ("· waiting", "will run after the phases above"),
    "running": ("▶ running", "the model is answering"),
    "done": ("✓ done", "found something"),
    "empty": ("○ nothing found", "the model answered that there is nothing"),
    "failed": ("✕ failed", "no usable answer"),
    "skipped": ("– skipped", "was not asked"),
}
STALE = " · stale: "
_GRAVEST = ("failed", "running", "waiting", "empty", "done", "skipped", "")


class PhasesPanel(QWidget):
    """Shows the state of each phase and starts runs (through its signals)."""

    run_asked: ClassVar[Signal] = Signal(object)
    cancel_asked: ClassVar[Signal] = Signal()
    stale_asked: ClassVar[Signal] = Signal(object)
    fold_changed: ClassVar[Signal] = Signal(bool)

    def __init__(self) -> None:
        super().__init__()
        self.run_button = QPushButton("Run all phases")
        self.run_button.setToolTip("Read the frame that is shown")
        self.run_button.clicked.connect(lambda: self.run_asked.emit(PHASES))
        self.cancel_button = QPushButton("Cancel")
        self.cancel_button.setToolTip("Stop the run; what was found so far is kept")
        self.cancel_button.clicked.connect(lambda: self.cancel_asked.emit())
        self.cancel_button.setEnabled(False)
        self.status = Told("")
        bar = QHBoxLayout()
        bar.addWidget(self.run_button, 2)
        bar.addWidget(self.cancel_button, 1)
        self.fold_button = QToolButton()
        self.fold_button.setToolTip("Show the phases as one line, or all of them")
        self.fold_button.clicked.connect(lambda: self.fold(not self.folded))
        bar.addWidget(self.fold_button)
        self.folded = False
        self.summary = Told()
        self.summary.hide()

        self._rows = QWidget()
        grid = QGridLayout(self._rows)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setVerticalSpacing(1)
        grid.setHorizontalSpacing(6)
        grid.setColumnStretch(1, 1)
        self.states: dict[Phase, str] = dict.fromkeys(PHASES, "")
        self._texts: dict[Phase, str] = dict.fromkeys(PHASES, "")
        self._labels: dict[Phase, QLabel] = {}
        self._times: dict[Phase, QLabel] = {}
        self._runs: dict[Phase, QToolButton] = {}
        self._names: dict[Phase, QToolButton] = {}
        group = QButtonGroup(self)
        for row, phase in enumerate(PHASES):
            title, tip = TITLES[phase]
            name = QToolButton()
            name.setText(title)
            name.setToolTip(f"{tip}. Click to see the model's own words.")
            name.setCheckable(True)
            name.setAutoRaise(True)
            name.clicked.connect(lambda _=False, p=phase: self.look_at(p))
            group.addButton(name)
            run = QToolButton()
            run.setText("▶")
            run.setToolTip(f"Run this phase only: {title[2:].lower()}, from the earlier results")
            run.clicked.connect(lambda _=False, p=phase: self.run_asked.emit((p,)))
            self._names[phase], self._runs[phase] = name, run
            self._labels[phase], self._times[phase] = QLabel(), QLabel()
            for column, widget in enumerate((name, self._labels[phase], self._times[phase], run)):
                grid.addWidget(widget, row, column)
        self.gated = QCheckBox("Stop")
        self.gated.setToolTip(
            "Stop after each phase: look at what it said, and change it, before the next"
        )
        self.classes_button = QToolButton()
        self.classes_button.setText("Classes…")
        self.classes_button.setToolTip("Which classes are detected and segmented on this frame")
        self.stale_button = QPushButton("Run what is stale")
        self.stale_button.hide()
        self.stale_button.clicked.connect(lambda: self.stale_asked.emit(tuple(self._stale)))
        self._stale: dict[Phase, str] = {}
        self._large = False
        bar.insertWidget(2, self.gated)
        bar.insertWidget(3, self.classes_button)
        self.answer = QPlainTextEdit()
        self.answer.setReadOnly(True)
        self.answer.setToolTip("The model's own words in the phase that is chosen above")
        self.answer.setMaximumBlockCount(2000)
        self.answer.setPlaceholderText("The model's own words appear here while it answers.")
        self._looking: Phase = "interpret"
        self._started: dict[Phase, float] = {}

        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addLayout(bar)
        layout.addWidget(self.summary)
        layout.addWidget(self._rows)
        layout.addWidget(self.stale_button)
        layout.addWidget(self.answer)
        layout.addWidget(self.status)
        self._clock = QTimer(self)
        self._clock.setInterval(200)
        self._clock.timeout.connect(self._tick)
        self.status.hide()
        self._fit_answer()
        self.show_reading(None)
        self.look_at("interpret")
        self.fold(False)

    # Runs

    def begin(self, phases: tuple[Phase, ...]) -> None:
        """Show that a run of these phases has begun."""
        self.show_stale({})
        self.run_button.setEnabled(False)
        self.cancel_button.setEnabled(True)
        for phase in PHASES:
            self._runs[phase].setEnabled(False)
        for phase in phases:
            self._texts[phase] = ""
            self._put(phase, "waiting")
        self.look_at(phases[0])
        self._clock.start()

    def begin_phase(self, phase: Phase) -> None:
        """Show that the model answers this phase now."""
        self._started[phase] = time.monotonic()
        self._put(phase, "running")
        self.look_at(phase)

    def add_text(self, pieces: dict[Phase, str]) -> None:
        """Add streamed text."""
        for phase, text in pieces.items():
            self._texts[phase] += text
            if phase == self._looking:
                self.answer.moveCursor(QTextCursor.MoveOperation.End)
                self.answer.insertPlainText(text)
                self.answer.moveCursor(QTextCursor.MoveOperation.End)

    def end_phase(self, phase: Phase, result: PhaseResult) -> None:
        """Show how a phase ended."""
        self._started.pop(phase, None)
        self._texts[phase] = _words(result)
        self._put(phase, result.state, result)
        if phase == self._looking or result.state == "failed":
            self.look_at(phase)

    def end(self) -> None:
        """Show that no run is going on."""
        self._clock.stop()
        self._started.clear()
        self.run_button.setEnabled(True)
        self.cancel_button.setEnabled(False)
        self.status.hide()
        for phase in PHASES:
            self._runs[phase].setEnabled(True)
            if self.states[phase] in ("waiting", "running"):
                self._put(phase, "")

    def show_reading(self, reading: Reading | None) -> None:
        """Show how the phases of an earlier reading ended (None: none was made)."""
        for phase in PHASES:
            result = reading.phases.get(phase) if reading else None
            self._texts[phase] = _words(result) if result else ""
            self._put(phase, result.state if result else "", result)
        self.look_at(self._looking)

    def show_stale(self, stale: dict[Phase, str]) -> None:
        """Mark the phases that are out of date, each with why; one click runs them again."""
        before, self._stale = self._stale, dict(stale)
        self.stale_button.setVisible(bool(stale))
        self._fit_answer()
        names = ", ".join(TITLES[p][0][2:].lower() for p in stale)
        self.stale_button.setToolTip(f"Run the phases again that are out of date: {names}")
        for phase in {*before, *stale}:
            label = self._labels[phase]
            text, tip = label.text().split(STALE)[0], label.toolTip().split("\nstale: ")[0]
            if phase in stale:
                text, tip = f"{text}{STALE}{stale[phase]}", f"{tip}\nstale: {stale[phase]}"
            label.setText(label.fontMetrics().elidedText(text, Qt.TextElideMode.ElideRight, 230))
            label.setToolTip(tip)
            tone(label, "empty" if phase in stale else self.states[phase])

    def note(self, text: str) -> None:
        """Show a line under the phases while something goes on."""
        self.status.setText(text)
        self.status.setVisible(bool(text))

    def look_at(self, phase: Phase) -> None:
        """Show the model's own words in a phase."""
        self._looking = phase
        self._names[phase].setChecked(True)
        self.answer.setPlainText(self._texts[phase])

    # Display

    def fold(self, folded: bool) -> None:
        """Show one line in the place of the phases and the model's words, or all of them."""
        self.folded = folded
        self._rows.setVisible(not folded)
        self.answer.setVisible(not folded)
        self.summary.setVisible(folded)
        self.fold_button.setText("▸" if folded else "▾")
        self.fold_changed.emit(folded)

    def arrange(self, *, large: bool) -> None:
        """Need less room where texts are large."""
        self._large = large
        self.run_button.setText("Run all" if large else "Run all phases")
        self._fit_answer()

    def _fit_answer(self) -> None:
        """Give the model's words what room there is; what is stale takes its button from it."""
        lines = (1 if self._large else 4) - (2 if self._stale and not self._large else 0)
        self.answer.ensurePolished()
        self.answer.setFixedHeight(lines * self.answer.fontMetrics().lineSpacing() + 10)

    def _sum_up(self) -> None:
        """Say in one line how the phases ended; the worst of them gives it its colour."""
        marks = (f"{TITLES[p][0][2:]} {STATES[self.states[p]][0][0]}" for p in PHASES)
        self.summary.setText("  ".join(marks))
        self.summary.setToolTip(
            "\n".join(f"{TITLES[p][0]}: {self._labels[p].toolTip()}" for p in PHASES)
        )
        tone(self.summary, min(self.states.values(), key=_GRAVEST.index))

    def _put(self, phase: Phase, state: str, result: PhaseResult | None = None) -> None:
        self.states[phase] = state
        text, tip = STATES[state]
        label = self._labels[phase]
        if result is not None and result.state in ("failed", "skipped") and result.problems:
            text = f"{text}: {result.problems[0]}"
            tip = "\n".join(result.problems)
        elif result is not None and result.problems:
            tip = "\n".join((tip, *result.problems))
            text += " (!)"
        label.setText(label.fontMetrics().elidedText(text, Qt.TextElideMode.ElideRight, 190))
        label.setToolTip(tip)
        tone(label, state)
        took = f"{result.seconds:.1f} s" if result and result.state != "skipped" else ""
        self._times[phase].setText(took)
        self._sum_up()
        if result is not None:
            self._times[phase].setToolTip(f"{result.seconds:.2f} s, {result.tokens} tokens")

    def _tick(self) -> None:
        for phase, since in self._started.items():
            self._times[phase].setText(f"{time.monotonic() - since:.1f} s")


def _words(result: PhaseResult) -> str:
    problems = [f"! {p}" for p in result.problems]
    return "\n".join([*problems, result.raw] if result.raw else problems)
