"""Which scale the scan has and where it came from; the ways in which a person says it.

No scale is guessed: it is in the file, in a table, given by two points or the ends of a scale bar
and their length, by depth ticks that a person confirms, or typed in.
"""

from __future__ import annotations

import json
import math
from pathlib import Path

from psygnal import Signal
from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QDialog,
    QFileDialog,
    QHBoxLayout,
    QInputDialog,
    QMenu,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from napari_fada.errors import FadaError, MeasureError
from napari_fada.measure import (
    Comb,
    Scale,
    Scales,
    measure_frame,
    read_spacing_table,
    scale_from_bar,
    scale_from_points,
)
from napari_fada.measure.calibration import ORIGINS
from napari_fada.measure.limits import senseless_scale
from napari_fada.measure.plausibility import findings_of_size
from napari_fada.records.annotation import Point
from napari_fada.records.rows import WHOLE
from napari_fada.workstation.desk import Level
from napari_fada.workstation.over_scan import ends_with_scan
from napari_fada.workstation.panels.ticks import TicksDialog
from napari_fada.workstation.panels.told import Told
from napari_fada.workstation.ruler import Ruler
from napari_fada.workstation.session import Session
from napari_fada.workstation.theme import tone
from napari_fada.workstation.tick_search import TickSearch, proposal

NO_SCALE = "No scale: there are no millimetres."
NO_TICKS = (
    "No depth ticks were found along the edges of this scan. Use “From two points…” on its ruler, "
    "if it has one."
)


class ScaleRow(QWidget):
    """The scale of the scan, a menu to say it, and what was found but nobody has confirmed.

    Parameters
    ----------
    session : Session
        Whose scan it is.
    """

    changed = Signal()

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self._asked = ""  # the scan whose ticks were asked for
        self.search = TickSearch(self._on_ticks)
        self.ruler = Ruler(session, self.ask_length)
        self.told = Told(NO_SCALE)
        self.told.setWordWrap(True)
        self.doubt = Told()
        self.doubt.setWordWrap(True)
        tone(self.doubt, "failed")
        self.doubt.hide()
        self._said = ""
        self.button = QPushButton("Scale")
        self.button.setToolTip("Say how large a pixel is; nothing is guessed")
        menu = QMenu(self.button)
        for text, tip, act in (
            (
                "From a table…",
                "csv with file and pixel_size_mm: for all scans it names",
                self.from_table,
            ),
            (
                "From two points…",
                "Drag a line over a length that you know, and type it",
                self.from_points,
            ),
            (
                "From the scale bar…",
                "Its ends are annotated as ScaleBarKpoints; type the length",
                self.from_bar,
            ),
            (
                "From depth ticks…",
                "Found along the edges of the scan; you say how far apart they are",
                self.from_ticks,
            ),
            ("Type it…", "Millimetres a pixel", self.from_hand),
            ("Take it back", "The file's own scale counts again", self.take_back),
        ):
            action = menu.addAction(text, act)
            assert action is not None
            action.setToolTip(tip)
        menu.setToolTipsVisible(True)
        self.button.setMenu(menu)
        self.proposed = Told()
        self.proposed.setWordWrap(True)
        self.confirm = QPushButton("Confirm…")
        self.confirm.setToolTip("See the ticks on the scan and say how far apart they are")
        self.confirm.clicked.connect(self.from_ticks)
        top, below = QHBoxLayout(), QHBoxLayout()
        top.addWidget(self.told, 1)
        top.addWidget(self.button)
        below.addWidget(self.proposed, 1)
        below.addWidget(self.confirm)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(top)
        layout.addWidget(self.doubt)
        layout.addLayout(below)
        self._show_proposal(None)

    def scales(self) -> Scales | None:
        """Return the scales of the scan that is open: a person's word first."""
        scan = self._session.scan
        if scan is None:
            return None
        told = self._session.project.told_scale(scan.sha256)
        known: list[Scale | None] = []
        if told:
            y, x = told["spacing_mm"]
            known.append(Scale(float(y), float(x), told["origin"], told.get("note", "")))
        first = known[0].origin if known and known[0] else ""
        return Scales([*known, proposal(self.search.found(scan))], scan=scan, first=first)

    def show_scales(self, scales: Scales | None) -> None:
        """Show what scale there is; without one ticks are looked for."""
        main = scales.main if scales else None
        self.told.setText(str(main) if main else NO_SCALE)
        self.told.setToolTip(main.note if main else "Say it under Scale, if you know it")
        scan = self._session.scan
        doubt = senseless_scale(main, (scan.width, scan.height)) if main and scan else ""
        self.doubt.setText(doubt)
        self.doubt.setVisible(bool(doubt))
        proposed = scales.proposed if scales else ()
        self._show_proposal(proposed[0] if proposed and main is None else None)
        session = self._session
        if main is None and session.scan is not None and self.search.found(session.scan) is None:
            self.search.start(session.scan, session.frame)

    def _show_proposal(self, scale: Scale | None) -> None:
        self.proposed.setVisible(scale is not None)
        self.confirm.setVisible(scale is not None)
        if scale is not None:
            self.proposed.setText(f"Found: {scale}. Nothing is measured with it.")
            self.proposed.setToolTip(scale.note)

    # What a person says

    def from_table(self) -> None:
        """Take the scales of a csv for all scans of the project that it names."""
        path, _ = QFileDialog.getOpenFileName(
            self, "Table of pixel sizes", "", "Tables (*.csv *.tsv *.txt)"
        )
        if path:
            self.take_table(Path(path))

    def take_table(self, path: Path) -> None:
        """Do it for a table; the session says for how many scans."""
        project = self._session.project
        try:
            table = read_spacing_table(path)
            count, odd = 0, []
            with project.together(f"Scales from {path.name}"):
                for row in project.scans():
                    scale = table.of(row.path or row.name)
                    if scale is not None:
                        project.set_state(row.sha256, WHOLE, {"scale": _json(scale)}, label="Scale")
                        count += 1
                        if word := senseless_scale(scale, (row.width, row.height)):
                            odd.append(f"{row.name}: {word}")
        except FadaError as error:
            self._refuse(error)
            return
        more = ""
        if odd:
            more = f" {len(odd)} of them make no sense. {odd[0]}"
        if table.problems:
            more += f" {len(table.problems)} rows gave nothing: {table.problems[0]}"
        who = "1 scan has its" if count == 1 else f"{count} scans have their"
        self._tell(f"{who} scale from {path.name}.{more}", "warning" if odd else "info")
        self.changed.emit()

    def from_points(self) -> None:
        """Let a line be dragged on the scan, then ask for its length."""
        self.ruler.take()

    def ask_length(self, a: Point, b: Point) -> QInputDialog:
        """Ask for the length of a line that was dragged."""
        dialog = QInputDialog(self)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.setWindowTitle("Two points")
        dialog.setInputMode(QInputDialog.InputMode.DoubleInput)
        dialog.setDoubleRange(0.1, 1000.0)
        dialog.setDoubleDecimals(2)
        dialog.setDoubleValue(10.0)
        dialog.setLabelText(f"Length of the line ({math.dist(a, b):.1f} px) in mm")
        dialog.doubleValueSelected.connect(lambda length: self.take_points(a, b, length))
        dialog.finished.connect(self.ruler.put_down)
        ends_with_scan(self._session, dialog)  # the line lies on this one
        self._show_beside(dialog)
        return dialog

    def take_points(self, a: Point, b: Point, length_mm: float) -> None:
        """Take the scale from two points of the scan and their length."""
        try:
            self.take(scale_from_points(a, b, length_mm))
        except MeasureError as error:
            self._refuse(error)

    def from_bar(self) -> None:
        """Ask for the length between the ends of the scale bar."""
        length, good = QInputDialog.getDouble(
            self, "Scale bar", "Length between the two points in mm", 10.0, 0.1, 1000.0, 2
        )
        if good:
            self.take_bar(length)

    def take_bar(self, length_mm: float) -> None:
        """Take the scale from the two points and their length."""
        records = self._session.records.get(self._session.frame, [])
        try:
            scale = scale_from_bar(records, length_mm)
            if scale is None:
                raise MeasureError(
                    "There is no scale bar on this frame.",
                    todo="Set its two ends with Points and the class ScaleBarKpoints.",
                )
        except MeasureError as error:
            self._refuse(error)
            return
        self.take(scale)

    def from_ticks(self) -> None:
        """Look for depth ticks, and ask how far apart they are."""
        session = self._session
        if session.scan is None:
            return
        combs = self.search.found(session.scan)
        if combs is None:
            self._asked = session.scan.sha256
            self.search.start(session.scan, session.frame)
        elif combs:
            self.ask(combs)
        else:
            session.say(NO_TICKS, "warning")

    def ask(self, combs: tuple[Comb, ...]) -> TicksDialog:
        """Show ticks on the scan and ask how far apart they are."""
        dialog = TicksDialog(self._session, combs, self.take, self)
        self._show_beside(dialog)
        return dialog

    def _show_beside(self, dialog: QDialog) -> None:
        """Show a dialog below this row: what it asks about is looked at on the scan."""
        dialog.move(self.mapToGlobal(self.rect().bottomLeft()))
        dialog.show()

    def _on_ticks(self) -> None:
        asked, self._asked = self._asked, ""
        scan = self._session.scan
        if scan is not None and scan.sha256 == asked:
            self.from_ticks()
        self.changed.emit()

    def from_hand(self) -> None:
        """Ask for the size of a pixel."""
        size, good = QInputDialog.getDouble(
            self, "Size of a pixel", "Millimetres a pixel", 0.1, 0.005, 2.0, 6
        )
        if good:
            self.take(Scale(size, size, "user", "typed in; square pixels"))

    def take(self, scale: Scale) -> None:
        """Keep a scale for the scan that is open, as the rater's word; say what it does not fit."""
        if self._keep(_json(scale), f"Scale: {ORIGINS[scale.origin]}") and (odd := self._odd()):
            self._tell(odd, "warning")

    def take_back(self) -> None:
        """Let the file's own scale count again."""
        self._keep(None, "Scale taken back")

    def _keep(self, text: str | None, label: str) -> bool:
        kept = self._session.tell_scan({"scale": text}, label)
        if kept:
            self._tell("", "info")
            self.changed.emit()
        return kept

    def _odd(self) -> str:
        """Say what makes no sense by the scale that counts now: the image, or what is outlined."""
        session, scales = self._session, self.scales()
        scan, main = session.scan, scales.main if scales else None
        if scan is None or main is None:
            return ""
        size = scan.width, scan.height
        here = session.records.get(session.frame, [])
        for records in (here, *session.records.values()):
            if found := findings_of_size(measure_frame(records, scales, size).measured):
                return str(found[0])
        return senseless_scale(main, size)

    def _refuse(self, error: FadaError) -> None:
        self._tell(str(error), "error")

    def _tell(self, text: str, level: Level) -> None:
        """Say something about the scale; what was said about another one no longer holds."""
        if self._said:
            self._session.unsay(self._said)
        self._said = text
        if text:
            self._session.say(text, level)


def _json(scale: Scale) -> str:
    return json.dumps(scale.to_dict(), ensure_ascii=False)
