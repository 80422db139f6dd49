"""What the model proposed against what the experts made of it, for the project that is open."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtWidgets import QFormLayout, QLabel, QWidget

from napari_fada.workstation.ahead import ahead_of
from napari_fada.workstation.datasets.dialog import DataSetDialog, PlaceField, show_file
from napari_fada.workstation.datasets.jobs import evaluate
from napari_fada.workstation.session import Session

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
        self.go = self.button("Evaluate", "Work out the figures")
        self.go.setDefault(True)
        self.go.clicked.connect(self.evaluate)
        self._folder = Path()
        for button in (self.report, self.worst):
            button.hide()
        self.resize(500, 420)

    def evaluate(self) -> None:
        """Begin."""
        folder = self.place.path
        if self.work.running:
            return
        if folder is None:
            self.tell(["Choose a folder first."])
            return
        self._folder = folder
        for button in (self.report, self.worst):
            button.hide()
        self.start(evaluate(self.session.project.path, folder), "Looking at the records")

    def show_running(self, running: bool) -> None:
        """Let the button wait."""
        self.go.setEnabled(not running)

    def finished_with(self, result: Any) -> None:
        """Show the headline figures."""
        self.report.show()
        self.worst.setVisible((self._folder / "worst.fada").exists())
        self.tell(headlines(result))

    def _open_worst(self) -> None:
        ahead = ahead_of(self.session)
        if ahead.busy:
            self.tell(["The model is still reading scans of your project: wait for it or stop it."])
            return
        if self.session.open_project(self._folder / "worst.fada"):
            self.hide()


def headlines(found: Evaluation) -> list[str]:
    """Return the figures that matter most, in lines for people."""
    lines = [f"{found.frames} frames of {found.examinations} examinations."]
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
