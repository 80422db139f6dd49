"""The dock in which a third person decides between two raters."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QTimer
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDockWidget,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QListView,
    QPlainTextEdit,
    QProgressBar,
    QPushButton,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from napari_fada.errors import FadaError
from napari_fada.records.merge import Conflict, last_merge
from napari_fada.records.worklist import STATES
from napari_fada.vocabulary import vocabulary
from napari_fada.workstation import napari_private as private
from napari_fada.workstation.adjudication import Adjudication
from napari_fada.workstation.conflict_layers import SIDES, ConflictLayers
from napari_fada.workstation.conflict_scan import ConflictScan
from napari_fada.workstation.focus import FocusKeeper
from napari_fada.workstation.keys import Keys, KeyTable
from napari_fada.workstation.panels.conflict_list import (
    ConflictModel,
    kind_of_difference,
    side_label,
    side_text,
)
from napari_fada.workstation.panels.figures import FiguresPanel
from napari_fada.workstation.panels.merge_files import MergeFiles
from napari_fada.workstation.panels.message_bar import MessageBar
from napari_fada.workstation.panels.taken import TakenPanel
from napari_fada.workstation.panels.told import Told
from napari_fada.workstation.session import session_of
from napari_fada.workstation.theme import Dress, tone

if TYPE_CHECKING:
    import napari

NAME = "FADA adjudicate"
BUTTONS = (
    ("side_a", "A", "Let the first rater's word count"),
    ("side_b", "B", "Let the second rater's word count"),
    ("both_sides", "Both", "Let both structures stand, or both texts one after the other"),
    ("redraw", "Redraw", "Draw or write it anew; pressed again, what was drawn counts"),
    ("next_conflict", "Skip", "Leave it open and look at the next conflict"),
)


class AdjudicateWidget(QWidget):
    """Merges two raters' projects and shows what they disagree on, one after another.

    Parameters
    ----------
    napari_viewer : napari.Viewer
        Given by napari.
    """

    def __init__(self, napari_viewer: napari.viewer.Viewer) -> None:
        super().__init__()
        self.session = session_of(napari_viewer)
        self.work = Adjudication(self.session)
        self.layers = ConflictLayers(self.session)
        self.scan = ConflictScan(self.session, self._draw)
        self.files = MergeFiles(self.session)
        self.figures = FiguresPanel(self.session)
        self.message = MessageBar()
        self.model = ConflictModel(self._name_of, self)
        self.taken = TakenPanel(self.session, self._name_of)
        self._names: dict[str, str] = {}
        self._writing = False
        self.keys = Keys(KeyTable(), self._actions())
        self._lay_out()
        self._dress = Dress(self, self.session.viewer)
        self.focus = FocusKeeper(self.session.viewer, self.keys.table, self, self.session.say)
        self.focus.watch(self)
        self.files.merged.connect(self.begin)
        self.taken.looked_at.connect(self._look_at_taken)
        self.session.project_changed.connect(self._on_project)
        self.message.hear(self.session)
        self.work.changed.connect(self._show)
        self.list.clicked.connect(lambda index: self.work.look_at(index.row()))
        self._soon = QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.timeout.connect(self.work.reload)
        self._heard: Any = None
        self.begin()
        QTimer.singleShot(0, self._beside_annotate)

    def _lay_out(self) -> None:
        self.progress = QProgressBar()
        self.progress.setFormat("%v of %m decided")
        self.progress.setToolTip("Conflicts that are decided; undo opens one again")
        self.list = QListView()
        self.list.setModel(self.model)
        self.list.setUniformItemSizes(True)
        self.list.setToolTip("Open conflicts; click one to look at it")
        self.what = Told()
        self.what.setWordWrap(True)
        self.what.setToolTip("What the two raters disagree on")
        sides = QGridLayout()
        self.names: dict[str, QLabel] = {}
        self.texts: dict[str, QLabel] = {}
        for column, side in enumerate(("a", "b")):
            self.names[side] = Told()
            self.names[side].setToolTip(f"Rater {side.upper()}; drawn in this colour")
            self.texts[side] = side_label(f"What rater {side.upper()} says of it")
            sides.addWidget(self.names[side], 0, column)
            sides.addWidget(self.texts[side], 1, column)
            sides.setColumnStretch(column, 1)
        self.text = QPlainTextEdit()
        self.text.setToolTip("Another text for this field; press Redraw again to take it")
        self.text.setFixedHeight(4 * self.text.fontMetrics().lineSpacing() + 8)
        self.choice = QComboBox()
        self.choice.setToolTip("Another value; press Redraw again to take it")
        self.buttons: dict[str, QPushButton] = {}
        rows = QVBoxLayout()
        for i, (name, text, tip) in enumerate(BUTTONS):
            if i in (0, 2):  # the two sides above, the rest below
                row = QHBoxLayout()
                rows.addLayout(row)
            button = QPushButton(f"{text} {self.keys.table[name]}")
            button.setToolTip(f"{tip} ({self.keys.table[name]})")
            button.clicked.connect(lambda _=False, name=name: self._actions()[name]())
            self.buttons[name] = button
            row.addWidget(button, 1)
        conflicts = QWidget()
        inner = QVBoxLayout(conflicts)
        inner.setContentsMargins(4, 6, 4, 4)
        inner.addWidget(self.progress)
        inner.addWidget(self.list, 1)
        inner.addWidget(self.what)
        inner.addLayout(sides)
        inner.addWidget(self.text)
        inner.addWidget(self.choice)
        inner.addLayout(rows)
        self.tabs = QTabWidget()
        self.tabs.addTab(conflicts, "Conflicts")
        self.tabs.addTab(self.taken, "Taken")
        self.tabs.addTab(self.figures, "Figures")
        self.blind = QCheckBox("Hide names")
        self.blind.setToolTip("Say A and B for the two raters, so that it is decided without them")
        self.blind.toggled.connect(self._on_blind)
        self.tabs.setCornerWidget(self.blind)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 6, 8, 4)
        layout.addWidget(self.files)
        layout.addWidget(self.message)
        layout.addWidget(self.tabs, 1)

    def _actions(self) -> dict[str, Any]:
        return {
            "side_a": lambda: self._choose("a"),
            "side_b": lambda: self._choose("b"),
            "both_sides": self._both,
            "redraw": self.redraw,
            "next_conflict": lambda: self._step(1),
            "previous_conflict": lambda: self._step(-1),
            "undo": self.session.undo,
            "redo": self.session.redo,
        }

    # The project

    def _on_project(self) -> None:
        self.begin()

    def begin(self) -> None:
        """Look at the first open conflict of the session's project."""
        project = self.session.project
        if self._heard is not project:
            self._heard = project
            project.changed.connect(self._on_change)
        try:
            note = last_merge(project)
            self._names = {row.sha256: row.name for row in project.scans()}
        except FadaError as error:
            self.session.say_error(error)
            return
        self.figures.show_figures(note["agreement"] if note else None)
        self.taken.reload()
        self.work.begin()

    def _on_change(self, _sha256: str, _frame: int) -> None:
        self._soon.start(0)
        self.taken.reload_soon()

    def _name_of(self, sha256: str) -> str:
        return self._names.get(sha256, sha256[:8])

    # What is looked at

    def _show(self) -> None:
        work, conflict = self.work, self.work.current
        self._end_redraw()
        named = [self._named(c) for c in work.open]
        if self.model.conflicts != named:
            self.model.put(named)
        total = work.decided + len(work.open)
        self.progress.setMaximum(max(1, total))
        self.progress.setValue(work.decided if total else 1)
        self.progress.setVisible(total > 0)
        for button in self.buttons.values():
            button.setEnabled(conflict is not None)
        if conflict is None:
            self.what.setText("All conflicts are decided." if total else "No conflict is open.")
            for label in (*self.names.values(), *self.texts.values()):
                label.clear()
            self.layers.clear()
            return
        self.list.setCurrentIndex(self.model.index(work.position))
        conflict = self._named(conflict)
        name = conflict.name.replace("_", " ")
        how = f": {kind_of_difference(conflict)}" if conflict.what == "structure" else ""
        self.what.setText(f"{conflict.what.capitalize()} “{name}”{how}")
        for side, rater in (("a", conflict.rater_a), ("b", conflict.rater_b)):
            colour = SIDES[side].colour
            shown = rater or side.upper()
            self.names[side].setText(f'<span style="color:{colour}">■</span> <b>{shown}</b>')
            found = work.structure(conflict, side)  # type: ignore[arg-type]
            self.texts[side].setText(side_text(conflict, side, found))
        self.scan.show(conflict, work.scan(conflict))

    def _draw(self, conflict: Conflict) -> None:
        """Draw both sides; the scan is shown now."""
        if self._named(conflict) not in (self.model.at(self.work.position), self.taken.current):
            return
        conflict = self._named(conflict)
        for side, rater in (("a", conflict.rater_a), ("b", conflict.rater_b)):
            record = self.work.structure(conflict, side)  # type: ignore[arg-type]
            self.layers.show(side, record, max(conflict.frame, 0), rater or side.upper())
        own = self.session.layers.layers if self.session.layers else []
        self.keys.bind(self.session.viewer, self.session.image, *own, *self.layers.layers.values())

    def _look_at_taken(self, conflict: Conflict) -> None:
        """Show what was taken without asking, with what the other rater has there."""
        self._end_redraw()
        self.scan.show(self._named(conflict), self.work.scan(conflict))

    def _named(self, conflict: Conflict) -> Conflict:
        """Return a conflict with the names of the raters, or without them if they are hidden."""
        return replace(conflict, rater_a="", rater_b="") if self.blind.isChecked() else conflict

    def _on_blind(self, hidden: bool) -> None:
        self.taken.hide_names(hidden)
        self._show()

    # Decisions

    def _choose(self, side: str) -> None:
        if self.work.choose(side):  # type: ignore[arg-type]
            self.work.reload()

    def _both(self) -> None:
        if self.work.both():
            self.work.reload()

    def _step(self, by: int) -> None:
        self.work.look_at(self.work.position + by)

    def redraw(self) -> None:
        """Begin to draw or write it anew; when that goes on already, take it."""
        conflict = self.work.current
        if conflict is None:
            return
        if conflict.what != "structure":
            self._rewrite(conflict)
        elif self.layers.drawing:
            self._take_drawn()
        else:
            draft = self.work.draft()
            if draft is None:
                return
            self.layers.begin_drawing(draft, max(conflict.frame, 0))
            self.keys.bind(self.layers.layers["drawn"])
            self._mark_redraw(going_on=True)
            how = (
                "Drag the white rings to where the points belong."
                if draft.kind == "keypoints"
                else "Move the corners of the white copy, or draw another shape in its layer."
            )
            self.session.say(f"{how} {self.keys.table['redraw']} takes it.")

    def _take_drawn(self) -> None:
        drawn = self.layers.drawn()
        if drawn is None:
            self.session.say(
                "What was drawn has no area, or a point is missing or too many; draw it again "
                "(Skip and come back to begin anew).",
                "warning",
            )
        elif self.work.draw(drawn):
            self.work.reload()

    def _rewrite(self, conflict: Conflict) -> None:
        field: QWidget = self.text if conflict.what == "field" else self.choice
        if self._writing:
            long = conflict.what == "field"
            said = self.text.toPlainText() if long else self.choice.currentText()
            if self.work.write(said.strip()):
                self.work.reload()
            return
        self._writing = True
        self._mark_redraw(going_on=True)
        self.text.setPlainText(conflict.a or conflict.b or "")
        self.choice.clear()
        self.choice.addItems(_values(conflict))
        self.choice.setCurrentText(conflict.a or conflict.b or "")
        field.show()
        field.setFocus()

    def _mark_redraw(self, *, going_on: bool) -> None:
        button, key = self.buttons["redraw"], self.keys.table["redraw"]
        button.setText(f"Take {key}" if going_on else f"Redraw {key}")
        tone(button, "empty" if going_on else "")

    def _end_redraw(self) -> None:
        self._writing = False
        self.text.hide()
        self.choice.hide()
        self.layers.end_drawing()
        self._mark_redraw(going_on=False)

    def _beside_annotate(self) -> None:
        """Share the place of FADA annotate: both need the height of the window."""
        window = private.main_window(self.session.viewer)
        other = self.session.viewer.window.dock_widgets.get("FADA annotate")
        docks = [d for d in (_dock_of(other), _dock_of(self)) if d is not None]
        if window is not None and len(docks) == 2:
            window.tabifyDockWidget(*docks)
            QTimer.singleShot(0, docks[1].raise_)

    def close_session(self) -> None:
        """Stop what goes on."""
        self.files.close_work()


def show_conflict(viewer: Any, conflict: Conflict) -> None:
    """Show a conflict in the dock of a window, which is opened if it is not there."""
    docked = viewer.window.dock_widgets.values()
    found = next((w for w in docked if isinstance(w, AdjudicateWidget)), None)
    if found is None:
        found = AdjudicateWidget(viewer)
        viewer.window.add_dock_widget(found, name=NAME, area="right")
    dock = _dock_of(found)
    if dock is not None:
        dock.show()
        dock.raise_()
    if conflict in found.work.open:
        found.work.look_at(found.work.open.index(conflict))


def _values(conflict: Conflict) -> list[str]:
    if conflict.what == "view":
        return [view.name for view in vocabulary().views]
    if conflict.name.startswith("score/"):
        return ["1", "2", "3"]
    return [state for state in STATES if state not in ("new", "proposed", "imported")]


def _dock_of(widget: QWidget | None) -> QDockWidget | None:
    while widget is not None and not isinstance(widget, QDockWidget):
        widget = widget.parentWidget()
    return widget
