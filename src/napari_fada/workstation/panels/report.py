"""The report of a frame: eight fields and the view, what the model wrote and what was changed."""

from __future__ import annotations

from contextlib import suppress

from qtpy.QtCore import Qt
from qtpy.QtGui import QResizeEvent, QShowEvent
from qtpy.QtWidgets import (
    QComboBox,
    QGridLayout,
    QHBoxLayout,
    QMenu,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from napari_fada.errors import FadaError
from napari_fada.records.reading import INTERPRETATION_KEYS
from napari_fada.vocabulary import vocabulary
from napari_fada.workstation import napari_private as private
from napari_fada.workstation.panels.report_field import ReportField
from napari_fada.workstation.panels.report_offers import OfferList
from napari_fada.workstation.panels.report_row import TITLES, ReportRow, standing
from napari_fada.workstation.panels.told import Told
from napari_fada.workstation.session import Session
from napari_fada.workstation.settings import settings
from napari_fada.workstation.theme import Palette, palette_of
from napari_fada.workstation.writing_aids import WritingAids


class ReportPanel(QWidget):
    """Shows the report and puts each change into the project.

    Parameters
    ----------
    session : Session
        Whose frame's report is shown.
    """

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self._sha256, self._frame = "", 0
        self._saves: dict[str, int] = {}
        # What was typed and could not be kept, by where it belongs: it is tried again.
        self._held: dict[tuple[str, int, str], str] = {}
        self.aids = WritingAids(session, self)
        self.view = QComboBox()
        self.view.setToolTip("Which standard view the frame shows")
        self.view.addItem("no view given", None)
        for view in vocabulary().views:
            self.view.addItem(view.name, view.name)
            self.view.setItemData(
                self.view.count() - 1, view.long_name, Qt.ItemDataRole.ToolTipRole
            )
        self.view.activated.connect(self._save_view)
        self.fields = {key: ReportField(key, self.aids) for key in INTERPRETATION_KEYS}
        self.rows = {"view": ReportRow("view", self.view)}
        self.rows |= {key: ReportRow(key, field) for key, field in self.fields.items()}
        self.offers = OfferList(self, self._take_offer)
        self._lay_out()
        self._connect()
        self.show_report()

    def _lay_out(self) -> None:
        grid = QGridLayout()
        grid.setVerticalSpacing(2)
        grid.setHorizontalSpacing(3)
        for number, row in enumerate(self.rows.values()):
            row.add_to(grid, 2 * number)
            grid.setRowStretch(2 * number, int(row.key != "view"))
        grid.setColumnStretch(1, 1)
        self.summary = Told()
        self.diffs = QToolButton()
        self.diffs.setText("± all")
        self.diffs.setCheckable(True)
        self.diffs.setToolTip("Show what was changed in every field (Shift-F3 in a field)")
        self.required = QToolButton()
        self.required.setText("Required")
        self.required.setToolTip(
            "Which fields every accepted scan must have; kept in the project file, for everybody"
        )
        self.required.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self._menu = QMenu(self.required)
        self.required.setMenu(self._menu)
        for key, title in TITLES.items():
            action = self._menu.addAction(title)
            assert action is not None
            action.setCheckable(True)
            action.setData(key)
        for button in (self.diffs, self.required):
            button.setObjectName("fada-tool")
            button.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        top = QHBoxLayout()
        top.addWidget(self.summary, 1)
        top.addWidget(self.diffs)
        top.addWidget(self.required)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(4, 4, 4, 2)
        layout.setSpacing(3)
        layout.addLayout(top)
        layout.addLayout(grid, 1)

    def _connect(self) -> None:
        session = self._session
        for key, field in self.fields.items():
            field.edited.connect(lambda key=key: self._save(key))
            field.left.connect(lambda key=key: self._on_left(key))
            field.offered.connect(lambda field=field: self._show_offers(field))
            field.done.connect(lambda: private.focus_canvas(session.viewer))
            field.undo_asked.connect(session.undo)
            field.back_asked.connect(lambda key=key: self.take_back(key))
            field.diffs_asked.connect(lambda: self.diffs.toggle())
            field.diff_asked.connect(lambda key=key: self.toggle_diff(key))
        for key, row in self.rows.items():
            row.back.clicked.connect(lambda _=False, key=key: self.take_back(key))
            row.compare.clicked.connect(lambda _=False, key=key: self.toggle_diff(key))
        self.diffs.toggled.connect(self.show_diffs)
        self._menu.triggered.connect(lambda _action: self._set_required())
        self._menu.aboutToShow.connect(self._show_required)
        settings().events.check_spelling.connect(self._mark_again)
        session.scan_closing.connect(self.flush)
        session.scan_changed.connect(self.show_report)
        session.records_changed.connect(self.show_report)
        session.frame_changed.connect(self._on_frame)
        session.project_changed.connect(self._on_project)
        session.viewer.events.theme.connect(self._on_theme)

    # Display

    @property
    def palette_now(self) -> Palette:
        """Our colours in the theme of this moment."""
        return palette_of(self._session.viewer.theme)

    def show_report(self) -> None:
        """Show the report of the frame as it stands in the project."""
        session = self._session
        sha256 = session.scan.sha256 if session.scan is not None else ""
        if (sha256, session.frame) != (self._sha256, self._frame):
            self.flush()  # into the frame it was typed for
            self._sha256, self._frame = sha256, session.frame
        report = session.report()
        self.setEnabled(session.scan is not None)
        required = self._required_fields()
        for key, field in self.fields.items():
            held = self._held.get((sha256, self._frame, key))
            expert = report.expert_fields.get(key) if held is None else held
            model = report.model_fields.get(key, "")
            field.put(report.fields.get(key, "") if held is None else held)
            field.setReadOnly(session.past is not None or session.looking.on)
            stands = standing(model, expert, required=key in required, unsaved=held is not None)
            text = model if expert is None else expert
            self.rows[key].show(stands, model, text, self.palette_now)
        self._show_view(report.view)
        stands = standing(report.model_view or "", report.expert_view, required="view" in required)
        view = self.rows["view"]
        view.show(stands, report.model_view or "", report.view or "", self.palette_now)
        self._show_summary()

    def _show_view(self, name: str | None) -> None:
        self.view.setCurrentIndex(max(0, self.view.findData(name)))
        if name is not None and self.view.findData(name) < 0:
            self.view.addItem(name, name)  # a label that the vocabulary lacks
            self.view.setCurrentIndex(self.view.count() - 1)
        self.view.setEnabled(self._session.past is None)

    def _show_summary(self) -> None:
        stands = [row.standing for row in self.rows.values()]
        changed = sum(s in ("changed", "written") for s in stands)
        parts = [f"{changed} changed" if changed else "as the model wrote it"]
        if missing := stands.count("missing"):
            parts.append(f"{missing} required missing")
        if unsaved := stands.count("unsaved"):
            parts.append(f"{unsaved} not saved")
        self.summary.setText(" · ".join(parts) if self._session.scan is not None else "")

    def missing(self) -> tuple[str, ...]:
        """Return the titles of required fields that are empty here."""
        return tuple(TITLES[k] for k, row in self.rows.items() if row.standing == "missing")

    def showEvent(self, event: QShowEvent | None) -> None:  # noqa: N802
        """Begin to read what helps with writing."""
        super().showEvent(event)
        with suppress(FadaError):
            self.aids.want()

    def resizeEvent(self, event: QResizeEvent | None) -> None:  # noqa: N802
        """Fit what was changed to the new width."""
        super().resizeEvent(event)
        for row in self.rows.values():
            row.fit()

    def _on_theme(self, _event: object = None) -> None:
        for row in self.rows.values():
            row.show_diff(row.diff_wanted, self.palette_now)

    def _mark_again(self, _on: bool = True) -> None:
        for field in self.fields.values():
            field.marks.rehighlight()

    # Keeping what is typed

    def flush(self) -> None:
        """Put what is being typed into the project now."""
        for field in self.fields.values():
            field.flush()

    def _save(self, key: str) -> None:
        field = self.fields[key]
        text, place = field.text(), (self._sha256, self._frame, key)
        field.dirty = False
        self._held.pop(place, None)
        # What comes back from the project while this is kept must not take its place.
        if self._session.set_report(fields={key: text}, frame=self._frame):
            self._saves[key] = self._saves.get(key, 0) + 1
        else:
            self._held[place] = text
            self.show_report()

    def _on_left(self, key: str) -> None:
        """Make one step of what was typed in a field, and learn its phrases."""
        saves = self._saves.pop(key, 0)
        if not saves or not self._sha256:
            return
        with suppress(FadaError):
            self._session.project.join_report_edits(self._sha256, self._frame, key, saves)
        self.aids.learn_frame(self._sha256, self._frame)

    def _save_view(self) -> None:
        self._session.set_report(view=self.view.currentData(), frame=self._frame)

    def take_back(self, key: str) -> None:
        """Go back to what the model wrote in one field (or as the view)."""
        if key == "view":
            self._session.set_report(view=None, frame=self._frame)
            return
        self.fields[key].flush()
        self._held.pop((self._sha256, self._frame, key), None)
        self._session.set_report(fields={key: None}, frame=self._frame)

    def _on_frame(self, _frame: int) -> None:
        self.show_report()

    def _on_project(self) -> None:
        self._held.clear()
        self.show_report()

    # Writing

    def go_to_first(self) -> None:
        """Let the first field have the keys, its text selected no more than it was."""
        first = next(iter(self.fields.values()))
        first.setFocus(Qt.FocusReason.ShortcutFocusReason)

    def _show_offers(self, field: ReportField) -> None:
        self.offers.show_at(field, field.offers, field.chosen)

    def _take_offer(self, number: int) -> None:
        for field in self.fields.values():
            if field.offers:
                field.take(number)

    # What was changed

    def toggle_diff(self, key: str) -> None:
        """Show or hide what was changed in a field."""
        row = self.rows[key]
        row.show_diff(not row.diff_wanted, self.palette_now)

    def show_diffs(self, shown: bool) -> None:
        """Show or hide what was changed in every field."""
        for row in self.rows.values():
            row.show_diff(shown, self.palette_now)

    # What is required

    def _required_fields(self) -> tuple[str, ...]:
        try:
            return self._session.project.required_fields()
        except FadaError:
            return ()

    def _show_required(self) -> None:
        required = self._required_fields()
        for action in self._menu.actions():
            action.setChecked(action.data() in required)

    def _set_required(self) -> None:
        wanted = [a.data() for a in self._menu.actions() if a.isChecked()]
        try:
            self._session.project.set_required_fields(wanted)
        except FadaError as error:
            self._session.say_error(error)
        self.show_report()
