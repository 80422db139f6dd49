"""What the model proposed against what the experts made of it, for the project that is open."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtWidgets import QFormLayout, QLabel, QWidget

from napari_fada.errors import FadaError
from napari_fada.records.worklist import Filter, Item, States
from napari_fada.workstation.ahead import ahead_of
from napari_fada.workstation.datasets.dialog import DataSetDialog, PlaceField, show_file
from napari_fada.workstation.datasets.jobs import evaluate
from napari_fada.workstation.session import Session
from napari_fada.workstation.worklist.docking import show_worklist

if TYPE_CHECKING:
    from napari_fada.evaluate.bootstrap import Figure
    from napari_fada.evaluate.evaluation import Evaluation


class EvaluateDialog(DataSetDialog):
    """Works out the figures and shows those that matter most."""

    def __init__(self, session: Session, parent: QWidget) -> None:
        super().__init__(session, parent, "Evaluate the model", "No report was written.")
        path = session.project.path
        self.place = PlaceField("Folder for the report")
        self.place.line.setText(str(path.with_name(f"{path.stem}-evaluation")))
        about = QLabel(
            "Compares what the model proposed with what stands on frames whose review is closed."
        )
        about.setWordWrap(True)
        form = QWidget()
        layout = QFormLayout(form)
        layout.addRow(about)
        layout.addRow("Folder", self.place)
        self.add_form(form)
        self.report = self.button("Open report", "Show the page with all figures in the browser")
        self.report.clicked.connect(lambda: show_file(self._folder / "report.html"))
        self.worst = self.button(
            "Look at the worst",
            "Show the worst cases here, only to look at: truth accepted, answers as proposals.\n"
            "A band across the window leads back to your project",
        )
        self.worst.clicked.connect(self._open_worst)
        self.accept_all = self.button(
            "", "Close the review of labels that came in, so that they are the truth; asks first"
        )
        self.accept_all.clicked.connect(self._accept_imported)
        self.read = self.button(
            "",
            "Let the model read the reviewed scans that it has not read; what stands on them\n"
            "stays as it is. When it has ended, evaluate again",
        )
        self.read.clicked.connect(self._read_reviewed)
        self.go = self.button("Evaluate", "Work out the figures")
        self.go.setDefault(True)
        self.go.clicked.connect(self.evaluate)
        self._folder = Path()
        self._hide_ways()
        self._layout.setStretchFactor(self.outcome, 9)
        self.resize(600, 440)

    def evaluate(self) -> None:
        """Begin."""
        folder = self.place.path
        if self.work.running:
            return
        if folder is None:
            self.tell(["Choose a folder first."])
            return
        self._folder = folder
        self._hide_ways()
        self.start(evaluate(self.session.project.path, folder), "Looking at the records")

    def show_running(self, running: bool) -> None:
        """Let the button wait."""
        self.go.setEnabled(not running)

    def finished_with(self, result: Any) -> None:
        """Show the headline figures."""
        self.report.show()
        self.worst.setVisible((self._folder / "worst.fada").exists())
        self.tell(headlines(result))
        self.broken_by()

    def broken_by(self) -> None:
        """Offer what would bring more to compare: scans to be accepted, scans to be read."""
        try:
            imported, unread = self._imported(), self._unread()
        except FadaError as error:
            self.session.say_error(error)
            return
        self.accept_all.setText(f"Accept {len(imported)} imported…")
        self.accept_all.setVisible(bool(imported))
        self.read.setText(f"Let the model read {len(unread)}")
        self.read.setVisible(bool(unread) and ahead_of(self.session).has_model)

    def _hide_ways(self) -> None:
        for button in (self.report, self.worst, self.accept_all, self.read):
            button.hide()

    def _imported(self) -> list[Item]:
        worklist = self.session.walk.worklist
        return worklist.items(Filter(states=frozenset({"imported"})))

    def _unread(self) -> list[Item]:
        states: frozenset[States] = frozenset({"accepted", "corrected"})
        wanted = Filter(states=states, problems=False, unread=True)
        return [i for i in self.session.walk.worklist.items(wanted) if i.path is not None]

    def _accept_imported(self) -> None:
        self.accept_all.hide()
        # The list shows how far it is and what was left; the question is asked beside the scan.
        show_worklist(self.session.viewer).menu.bulk.judge(self._imported(), "accept")
        self.tell(["You are asked beside the scan. When it is done, evaluate again."])

    def _read_reviewed(self) -> None:
        self.read.hide()
        number = ahead_of(self.session).run_on(self._unread())
        if number:
            self.tell([f"The model reads {number} scans; when it has ended, evaluate again."])

    def _open_worst(self) -> None:
        ahead = ahead_of(self.session)
        if ahead.busy:
            self.tell(["The model is still reading scans of your project: wait for it or stop it."])
            return
        if self.session.open_project(self._folder / "worst.fada"):
            self.hide()


def headlines(found: Evaluation) -> list[str]:
    """Return the figures that matter most, in lines for people."""
    frames, examinations = found.frames, found.examinations
    of = "1 examination" if examinations == 1 else f"{examinations} examinations"
    lines = [f"{frames} {'frame' if frames == 1 else 'frames'} of {of}."]
    for name, detection in (("Boxes", found.boxes), ("Outlines", found.outlines)):
        if detection:
            lines.append(f"{name}: AP {detection.ap.text(2)}, at IoU .50 {detection.ap50.text(2)}")
    if found.areas:
        lines.append(f"Dice {found.areas.dice.text(2)}, IoU {found.areas.iou.text(2)}")
    if found.views:
        lines.append(f"View right {found.views.accuracy.text(2)}")
    if found.editing and found.editing.proposals:
        edits = found.editing
        lines.append(
            f"Of {edits.proposals} proposals {_share(edits.untouched)} were accepted untouched, "
            f"{_share(edits.corrected)} corrected, {_share(edits.rejected)} rejected; "
            f"{edits.added} structures were drawn."
        )
    lines += [f"Left out: {n} × {reason}." for reason, n in found.left_out.items()]
    lines.append("In brackets: 95 % intervals over examinations.")
    return lines


def _share(figure: Figure) -> str:
    return "–" if figure.value is None else f"{100 * figure.value:.0f} %"
