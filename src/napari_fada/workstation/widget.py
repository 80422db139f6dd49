"""The dock widget: puts the panels together and connects them with session and runner."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QTimer
from qtpy.QtWidgets import (
    QApplication,
    QHBoxLayout,
    QLabel,
    QSizePolicy,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from napari_fada.errors import FadaError
from napari_fada.records.reading import PHASES, Phase, Reading
from napari_fada.vocabulary import vocabulary
from napari_fada.workstation import drawing
from napari_fada.workstation.adjudicate_widget import show_conflict
from napari_fada.workstation.ahead import ahead_of
from napari_fada.workstation.carrier import Carrier
from napari_fada.workstation.comfort import Comfort
from napari_fada.workstation.keys import CHANGING, Keys, KeyTable
from napari_fada.workstation.model_state import ModelState
from napari_fada.workstation.models_panel.docking import close_models
from napari_fada.workstation.new_images import NewImages
from napari_fada.workstation.panels.classes import ClassesPanel
from napari_fada.workstation.panels.column import Column
from napari_fada.workstation.panels.frames import FramesDock
from napari_fada.workstation.panels.gate import GatePanel
from napari_fada.workstation.panels.history import HistoryPanel
from napari_fada.workstation.panels.looking_band import LookingBand
from napari_fada.workstation.panels.measures import MeasuresPanel
from napari_fada.workstation.panels.message_bar import MessageBar
from napari_fada.workstation.panels.phases import PhasesPanel
from napari_fada.workstation.panels.project import ProjectPanel
from napari_fada.workstation.panels.rater import RaterStrip
from napari_fada.workstation.panels.report import ReportPanel
from napari_fada.workstation.panels.review import ReviewPanel
from napari_fada.workstation.panels.saved import SavedLabel
from napari_fada.workstation.panels.source import SourcePanel
from napari_fada.workstation.panels.steps import StepsBar
from napari_fada.workstation.panels.told import Told
from napari_fada.workstation.panels.tools import ToolsPanel
from napari_fada.workstation.runner import Instead, Loading, Runner, Saved, Text
from napari_fada.workstation.session import session_of
from napari_fada.workstation.shape_tools import ShapeTools
from napari_fada.workstation.theme import tone
from napari_fada.workstation.warm_up import WarmUp
from napari_fada.workstation.worklist.docking import close_worklist, show_worklist

if TYPE_CHECKING:
    import napari

NOTICE = "Research and annotation only. Not a medical device."
POLL_MS = 2000
RUN_QUESTION = (
    "This frame has annotations already. What you drew, corrected or accepted stays in any case."
)
WIDTH = 370


class AnnotateWidget(QWidget):
    """Read scans with a model, correct what it said, keep everything.

    Parameters
    ----------
    napari_viewer : napari.Viewer
        Given by napari.
    """

    def __init__(self, napari_viewer: napari.viewer.Viewer) -> None:
        super().__init__()
        self.session = session_of(napari_viewer)
        self._bound: Callable[[], Any] = lambda: None  # layers that have our keys
        self.runner = Runner(self.session)
        self.ahead = ahead_of(self.session)
        self.message = MessageBar()
        self.source = SourcePanel(self.session)
        self.model_state = ModelState(self.source.models, self.runner, napari_viewer)
        self.phases = PhasesPanel()
        self.gate = GatePanel(
            self.session,
            self.go_on,
            self.runner.cancel,
            self._make_room,
        )
        self.classes = ClassesPanel(self.session)
        self.report = ReportPanel(self.session)
        self.history = HistoryPanel(self.session)
        self.measures = MeasuresPanel(self.session)
        self.carrier = Carrier(self.session)
        self.frames = FramesDock(self.session, self.carrier)
        self.shaping = ShapeTools(self.session)
        self.rater = RaterStrip(self.session)
        self.band = LookingBand(self.session)
        table = KeyTable()
        self.project = ProjectPanel(self.session, table)
        self.review = ReviewPanel(self.session, lambda: self.report.flush())
        actions = self._actions()
        tools = {name: self.session.looking.guarded(actions[name]) for name in CHANGING}
        actions |= tools
        self.tools = ToolsPanel(actions)
        self.keys = Keys(table, actions)
        self.steps = StepsBar(actions)
        self._lay_out()
        self.comfort = Comfort(self)
        actions |= self.comfort.actions()
        self._connect()
        self._bind_keys()
        self._on_scan()
        self.new_images = NewImages(self.session)
        self._warm_up = WarmUp(self.session.viewer, self)
        if table.problem:
            self.message.say(table.problem, "warning")

    def _lay_out(self) -> None:
        self.source.add_steps(self.steps)
        self.tabs = QTabWidget()
        self.tabs.addTab(self.review, "Review")
        self.tabs.addTab(self.classes, "Classes")
        self.tabs.addTab(self.report, "Report")
        self.tabs.addTab(self.measures, "Measure")
        self.tabs.addTab(self.history, "History")
        self.tabs.addTab(self.project, "Project")
        self.counts = Told()
        self.brush = Told()
        self.saved = SavedLabel(self.session)
        notice = QLabel(NOTICE)
        tone(notice, "notice")
        content = QWidget()
        inner = QVBoxLayout(content)
        inner.setContentsMargins(8, 6, 8, 4)
        inner.setSpacing(6)
        for widget in (self.source, self.phases, self.gate, self.message, self.rater, self.tools):
            inner.addWidget(widget)
        inner.addWidget(self.tabs, 1)
        told = QHBoxLayout()
        # Counts stand in Review as well: they give way to what the brush paints.
        self.counts.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        told.addWidget(self.counts, 1)
        told.addWidget(self.saved)
        told.addWidget(self.brush)
        inner.addLayout(told)
        inner.addWidget(notice)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        self.column = Column(content, WIDTH)
        outer.addWidget(self.column)

    def _connect(self) -> None:
        session, runner = self.session, self.runner
        self.message.hear(session)
        session.question.connect(self.message.ask)
        session.offered.connect(self.message.offer)
        session.question_over.connect(self.message.withdraw)
        session.safety.ask_where = self.project.ask_where
        session.reviewing.signing.show_conflict = lambda c: show_conflict(session.viewer, c)
        session.scan_changed.connect(self._on_scan)
        session.frame_changed.connect(self._show_frame)
        session.scan_changed.connect(self._forget_question)
        session.project_changed.connect(self._forget_question)
        session.frame_changed.connect(self._forget_question)
        session.records_changed.connect(self._on_records)
        session.painting.changed.connect(self._show_brush)
        self.phases.run_asked.connect(self.run)
        self.phases.cancel_asked.connect(runner.cancel)
        self.phases.stale_asked.connect(lambda phases: self.start(phases, "replace"))
        self.phases.classes_button.clicked.connect(lambda: self.gate.choose_classes())
        self.project.keys_changed.connect(self._bind_keys)
        self.measures.layer.made.connect(lambda layer: self.keys.bind(layer))
        runner.started.connect(lambda job: self.phases.begin(job.phases))
        runner.event.connect(self._on_event)
        runner.ended.connect(self._on_ended)
        self.ahead.serve(runner, lambda: self.source.model)
        self.ahead.saved.connect(lambda _sha256: self._show_frame())
        self._poll = QTimer(self)
        self._poll.setInterval(POLL_MS)
        self._poll.timeout.connect(self._look_for_others)
        self._poll.start()
        app = QApplication.instance()
        if app is not None:
            app.aboutToQuit.connect(self.ahead.close)
            app.aboutToQuit.connect(runner.close)
        # The child process must not outlive the widget; `destroyed` comes without an event.
        self.destroyed.connect(self.ahead.retire)
        self.destroyed.connect(runner.close)
        self.destroyed.connect(self.measures.scaling.search.close)

    # Runs

    def run(self, phases: tuple[Phase, ...] = PHASES) -> None:
        """Run phases on the frame that is shown; asks first where records stand already.

        A run that waits at a gate goes on.
        """
        self.report.flush()
        if self.session.looking.refuses() or self.go_on(1):
            return
        if not self.session.canvas.shows_scan():
            return
        if not self.runner.needs_answer() or self.runner.running:
            self.start(phases, "replace")
            return
        self.message.ask(
            RUN_QUESTION,
            (
                (
                    "Replace proposals",
                    "New proposals take the place of those that nobody has touched",
                    lambda: self.start(phases, "replace"),
                ),
                (
                    "Add",
                    "New proposals come beside what is there",
                    lambda: self.start(phases, "add"),
                ),
                ("Cancel", "Do not run the model", lambda: None),
            ),
        )

    def _forget_question(self, _frame: int = 0) -> None:
        """Put the question of a run away: it was about the frame that was shown then."""
        if self.message.text == RUN_QUESTION:
            self.message.dismiss()

    def start(self, phases: tuple[Phase, ...], show: Instead) -> bool:
        """Start a run without asking."""
        return self.runner.start(
            self.source.model, phases, show, gated=self.phases.gated.isChecked()
        )

    def _on_event(self, event: Any) -> None:
        from napari_fada.pipeline.events import GateOpen, PhaseFailed, PhaseFinished, PhaseStarted

        if isinstance(event, Loading):
            self.phases.note(f"Loading {event.model}…")
        elif isinstance(event, PhaseStarted):
            self.phases.note("")
            self.phases.begin_phase(event.phase)
        elif isinstance(event, Text):
            self.phases.add_text(event.pieces)
        elif isinstance(event, PhaseFinished | PhaseFailed):
            self.phases.end_phase(event.phase, event.result)
        elif isinstance(event, GateOpen):
            job = self.runner.job
            first = job is not None and event.phase == job.phases[0]
            self.gate.open(event.phase, first, self.keys.table["run"])
            if event.phase in ("interpret", "classify"):
                self.tabs.setCurrentWidget(self.report)
        elif isinstance(event, Saved):
            self._tell_result(event)

    def go_on(self, step: int) -> bool:
        """Let a run that waits at a gate go on (1), or back (-1); False if none waits."""
        self.report.flush()
        self.gate.put_away()
        return self.runner.go_on(step)

    def _make_room(self, classes: bool) -> None:
        """Let a gate have the room of the model's words, a choice of classes that of the tabs."""
        self.tabs.setHidden(classes)
        self.phases.answer.setHidden(self.phases.folded or not self.gate.isHidden())

    def _tell_result(self, saved: Saved) -> None:
        failed = [p for p, r in saved.reading.phases.items() if r.state == "failed"]
        if saved.cancelled:
            self.session.say("Cancelled. What had arrived is kept in the project.", "info")
        elif failed:
            reason = saved.reading.phases[failed[0]].problems
            self.session.say(
                f"{', '.join(failed)} failed: {reason[0] if reason else 'no usable answer'} "
                "All earlier work is kept; run the phase again with its ▶.",
                "error",
            )

    def _on_ended(self) -> None:
        self.phases.end()
        self.gate.put_away()
        self._show_frame()

    # Display

    def _on_scan(self) -> None:
        layers = self.session.layers
        self.frames.place()
        if layers is not None and self._bound() is not layers:
            # One set goes through a worklist, and binding takes as long as drawing the canvas.
            self._bound = weakref.ref(layers)
            # The image, too: napari has keys for it (Y and O turn a plane in 3D).
            self.keys.bind(self.session.image, *layers.layers)
            drawing.bind_paste(layers)
        if layers is not None:
            self.shaping.points.listen()
        self.phases.run_button.setEnabled(layers is not None and not self.runner.running)
        self._show_frame()

    def _on_records(self) -> None:
        self._show_counts()
        if not self.runner.running:
            self.phases.show_stale(self.session.reviewing.stale())

    def _show_frame(self, _frame: int = 0) -> None:
        if not self.runner.running:
            reading = self._last_reading()
            self.phases.show_reading(reading)
            self._show_asked(reading)
            self.phases.show_stale(self.session.reviewing.stale())
        self._show_counts()

    def _show_asked(self, reading: Reading | None) -> None:
        asked = reading.mapping if reading else None
        self.classes.set_asked((*asked.detect, *asked.segment) if asked else ())

    def _last_reading(self) -> Reading | None:
        session = self.session
        if session.scan is None:
            return None
        try:
            found = session.project.readings(session.scan.sha256, session.frame)
        except FadaError as error:
            session.say_error(error)
            return None
        return found[-1] if found else None

    def _show_counts(self) -> None:
        session = self.session
        if session.scan is None:
            self.counts.setText("No scan is chosen.")
            return
        here = session.records.get(session.frame, [])
        expert = sum(r.source == "expert" or r.status != "proposed" for r in here)
        frame = f"frame {session.frame + 1} of {session.scan.n_frames}: " * (
            session.scan.n_frames > 1
        )
        self.counts.setText(f"{frame}{len(here) - expert} proposed, {expert} by an expert.")

    def _show_brush(self) -> None:
        painting = self.session.painting
        self.brush.setText(painting.short())
        self.brush.setToolTip(painting.words())

    def _look_for_others(self) -> None:
        """See whether another window changed the project."""
        if self.session.scan is not None and not self.runner.running:
            try:
                self.session.project.poll()
            except FadaError as error:
                self.session.say_error(error)

    # Keys

    def _actions(self) -> dict[str, Callable[[], object]]:
        draw = partial(drawing.draw, self.session)
        return {
            "run": self.run,
            "cancel": self.runner.cancel,
            "gate_back": lambda: self.go_on(-1),
            "box": lambda: draw("boxes", "add_rectangle"),
            "polygon": lambda: draw("polygons", "add_polygon"),
            "keypoint": lambda: draw("keypoints", "add"),
            "paint": lambda: drawing.paint(self.session),
            "paint_new": lambda: drawing.paint_new(self.session),
            "edit": lambda: drawing.set_mode(self.session, "select"),
            "calipers": self.measures.drag_calipers,
            "vertices": lambda: drawing.set_mode(self.session, "direct"),
            "class": self._search_class,
            "reclass": self.classes.reclass_selection,
            **self.shaping.actions(),
            "hide": lambda: drawing.toggle_layers(self.session),
            "copy_frame": self.frames.copy,
            "interpolate": self.carrier.interpolate,
            "flow": self.frames.follow,
            "swap": self.carrier.swap,
            "previous_annotated": lambda: self.carrier.go(-1),
            "next_annotated": lambda: self.carrier.go(1),
            **self.review.acts,
            "next": self.session.next_scan,
            "previous": self.session.previous_scan,
            "last_scan": self.session.last_scan,
            "search_scan": self.show_worklist,
            "back": self.session.looking.back,
            "undo": self.session.undo,
            "redo": self.session.redo,
            "history": self._show_history,
            "report": self._write_report,
            **{
                f"class_{i}": lambda i=i: self.classes.choose_number(i)  # type: ignore[misc]
                for i in range(1, 11)
            },
            **{
                f"class:{c.name}": partial(self.classes.choose, c.name)
                for c in vocabulary().categories
            },
        }

    def _bind_keys(self) -> None:
        viewer, layers = self.session.viewer, self.session.layers
        drawn = self.measures.layer.layer
        more = () if drawn is None else (drawn,)
        self.keys.bind(viewer, *((self.session.image, *layers.layers, *more) if layers else ()))
        self.session.canvas.name_key(self.keys.table["hide"])
        self.classes.set_keys(self.keys.table)
        self.tools.show_keys(self.keys.table)
        self.frames.show_keys(self.keys.table)
        self.review.show_keys(self.keys.table)
        self.steps.show_keys(self.keys.table)
        self.band.show_keys(self.keys.table)
        self.comfort.show_keys_in_tips()

    def close_session(self) -> None:
        """Stop what runs, end the engine's process and close the project."""
        self._poll.stop()
        self.saved.stop()
        self.report.flush()
        close_worklist(self.session.viewer)
        close_models(self.session.viewer)
        self.ahead.close()
        self.carrier.close()
        self.measures.scaling.search.close()
        self.frames.remove()
        self.band.remove()
        self.runner.close()
        self.session.safety.rescue.close()
        self.session.close()

    def show_worklist(self) -> None:
        """Show the worklist, with the cursor in its search."""
        show_worklist(self.session.viewer).focus_search()

    def _write_report(self) -> None:
        self.tabs.setCurrentWidget(self.report)
        self.report.go_to_first()

    def _show_history(self) -> None:
        self.tabs.setCurrentWidget(self.history)
        self.history.walk()

    def _search_class(self) -> None:
        self.tabs.setCurrentWidget(self.classes)
        self.classes.search_from_start()
