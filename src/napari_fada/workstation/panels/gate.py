"""Where a run waits for the expert: look, edit, then go on, back or stop."""

from __future__ import annotations

from collections.abc import Callable

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFrame, QHBoxLayout, QPushButton, QVBoxLayout

from napari_fada.records.reading import Phase
from napari_fada.workstation.panels.class_ticks import ClassTicks
from napari_fada.workstation.panels.told import Told
from napari_fada.workstation.session import Session

TEXTS: dict[Phase, str] = {
    "interpret": "The report is written. Change what is wrong in it (tab Report).",
    "classify": "The view is named. Choose another if it is wrong (tab Report).",
    "map": "These classes are asked for next. Tick what to look for.",
    "detect": "Boxes are proposed. Correct them on the canvas, or accept and reject them.",
    "segment": "Outlines are proposed.",
}


class GatePanel(QFrame):
    """A bar that says what to look at, with the choice of classes where it is due.

    Parameters
    ----------
    session : Session
        Whose words count.
    go_on : callable
        Gets 1 (on) or -1 (back).
    cancel : callable
        Stops the run.
    make_room : callable
        Told whether the choice of classes needs the room of the tabs.
    """

    def __init__(
        self,
        session: Session,
        go_on: Callable[[int], object],
        cancel: Callable[[], object],
        make_room: Callable[[bool], object],
    ) -> None:
        super().__init__()
        self.setObjectName("fada-gate")
        self._session, self._make_room = session, make_room
        self._choosing = False
        self.text = Told()
        self.text.setWordWrap(True)
        self.ticks = ClassTicks(session.reviewing.set_classes)
        self.back = QPushButton("Back")
        self.back.setToolTip("To what was asked before")
        self.back.clicked.connect(lambda: go_on(-1))
        self.stop = QPushButton("Cancel")
        self.stop.setToolTip("Stop the run here; what there is is kept")
        self.stop.clicked.connect(lambda: cancel())
        self.go = QPushButton("Continue")
        self.go.setToolTip("Go on with what stands now, your changes included")
        self.go.clicked.connect(lambda: self.put_away() if self._choosing else go_on(1))
        row = QHBoxLayout()
        for button, stretch in ((self.back, 1), (self.stop, 1), (self.go, 2)):
            button.setFocusPolicy(Qt.FocusPolicy.NoFocus)
            row.addWidget(button, stretch)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(6, 4, 6, 4)
        layout.setSpacing(4)
        layout.addWidget(self.text)
        layout.addWidget(self.ticks)
        layout.addLayout(row)
        self.hide()

    def open(self, phase: Phase, first: bool, key: str) -> None:
        """Show that the run waits after a phase."""
        self._choosing = False
        self.text.setText(TEXTS[phase])
        self.back.setEnabled(not first)
        self.back.show()
        self.stop.show()
        self.go.setText(f"Continue   {key}")
        self.show()
        self._show_ticks(phase == "map")

    def choose_classes(self) -> None:
        """Show which classes are asked for, to be changed without a run."""
        self._choosing = True
        self.text.setText("What the model is asked for on this frame. Run the phases again after.")
        self.back.hide()
        self.stop.hide()
        self.go.setText("Done")
        self.show()
        self._show_ticks(True)

    def put_away(self) -> None:
        """Show that nothing waits."""
        self._choosing = False
        if not self.isHidden():
            self.hide()
            self._make_room(False)

    def _show_ticks(self, shown: bool) -> None:
        self.ticks.setVisible(shown)
        self._make_room(shown)
        if shown:
            self.ticks.put(self._session.report().mapping)
