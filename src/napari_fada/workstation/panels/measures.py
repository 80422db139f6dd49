"""What is measured on the frame, by which scale, and where the scale came from.

Nothing is measured without a scale, and no scale is guessed: it is in the file, in a table, given
by the ends of a scale bar and its length, or typed in. What is measured is offered to the report
and enters it by a click only.
"""

from __future__ import annotations

import json
from pathlib import Path

from qtpy.QtCore import Qt, QTimer
from qtpy.QtGui import QShowEvent
from qtpy.QtWidgets import (
    QCheckBox,
    QFileDialog,
    QHBoxLayout,
    QHeaderView,
    QInputDialog,
    QLabel,
    QMenu,
    QPushButton,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from napari_fada.errors import FadaError, MeasureError
from napari_fada.measure import (
    FrameMeasurements,
    Measurement,
    Scale,
    Scales,
    measure_frame,
    read_spacing_table,
    scale_from_bar,
)
from napari_fada.measure.calibration import ORIGINS
from napari_fada.measure.plausibility import findings
from napari_fada.records.rows import WHOLE
from napari_fada.workstation.measure_layer import MeasureLayer
from napari_fada.workstation.panels.growth import GrowthDialog
from napari_fada.workstation.session import Session
from napari_fada.workstation.theme import tone

NOTICE = "For research and annotation, not for clinical use."
NO_SCALE = "No scale: there are no millimetres."
FIELD = "biometric_measurements"
#: Quiet time after a change before the frame is measured again.
_WAIT_MS = 80
#: What is offered to the report, in this order, and as it is called there.
OFFERED = {
    "hc": "HC",
    "bpd_oo": "BPD",
    "ofd": "OFD",
    "ac": "AC",
    "fl": "FL",
    "crl": "CRL",
    "nt": "NT",
    "lv_width": "lateral ventricle",
    "aop": "angle of progression",
}


#: How measurements are called in the list; others by their name.
TITLES = {
    "hc": "HC",
    "bpd_oo": "BPD outer–outer",
    "bpd_oi": "BPD outer–inner",
    "ofd": "OFD",
    "cephalic_index": "Cephalic index",
    "ac": "AC",
    "tad": "TAD",
    "apad": "APAD",
    "fl": "FL",
    "crl": "CRL",
    "nt": "NT",
    "lv_width": "Lateral ventricle",
    "ctr_circumference": "Cardiothoracic ratio (circumferences)",
    "ctr_area": "Cardiothoracic ratio (areas)",
    "aop": "Angle of progression",
}


def offer(measured: FrameMeasurements) -> str:
    """Return the measurements as they are offered to the report: "HC 176.3 mm, BPD 48.2 mm"."""
    found = [(title, measured.get(name)) for name, title in OFFERED.items()]
    return ", ".join(f"{title} {m.amount}" for title, m in found if m)


class MeasuresPanel(QWidget):
    """The tab: scale, measurements, and what goes into the report.

    Parameters
    ----------
    session : Session
        Whose frame is measured.
    """

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self.measured = FrameMeasurements()
        self.layer = MeasureLayer(session)
        self.scale = QLabel(NO_SCALE)
        self.scale.setWordWrap(True)
        self.set_scale = QPushButton("Scale")
        self.set_scale.setToolTip("Say how large a pixel is; nothing is guessed")
        menu = QMenu(self.set_scale)
        for text, tip, act in (
            (
                "From a table…",
                "csv with file and pixel_size_mm: for all scans it names",
                self.from_table,
            ),
            (
                "From the scale bar…",
                "Ends as ScaleBarKpoints, or any two points; type the length",
                self.from_bar,
            ),
            ("Type it…", "Millimetres a pixel", self.from_hand),
            ("Take it back", "The file's own scale counts again", self.take_back),
        ):
            action = menu.addAction(text, act)
            assert action is not None
            action.setToolTip(tip)
        menu.setToolTipsVisible(True)
        self.set_scale.setMenu(menu)
        self.list = QTreeWidget()
        self.list.setColumnCount(2)
        self.list.setHeaderLabels(["Measured", "Value"])
        self.list.setRootIsDecorated(False)
        self.list.setToolTip("Method, scale and structure of each number stand in its tip")
        header = self.list.header()
        assert header is not None
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        header.setSectionResizeMode(1, QHeaderView.ResizeMode.ResizeToContents)
        self.odd = QLabel()
        self.odd.setWordWrap(True)
        self.odd.setToolTip("What does not fit together: look again")
        tone(self.odd, "failed")
        self.odd.hide()
        self.draw = QCheckBox("Draw on the scan")
        self.draw.setToolTip("Show calipers and ellipses; they cannot be edited")
        self.draw.toggled.connect(self._draw)
        self.report = QPushButton("Put into the report")
        self.report.setToolTip("Write what was measured into the biometric field")
        self.report.clicked.connect(self.put_into_report)
        self.growth = QPushButton("Growth…")
        self.growth.setToolTip("Where these sizes lie at an age that you state")
        self.growth.clicked.connect(self.show_growth)
        notice = QLabel(NOTICE)
        tone(notice, "notice")
        top = QHBoxLayout()
        top.addWidget(self.scale, 1)
        top.addWidget(self.set_scale)
        below = QHBoxLayout()
        below.addWidget(self.draw)
        below.addWidget(self.growth)
        below.addWidget(self.report)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(4, 6, 4, 4)
        layout.addLayout(top)
        layout.addWidget(self.list, 1)
        layout.addWidget(self.odd)
        layout.addLayout(below)
        layout.addWidget(notice)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_WAIT_MS)
        self._timer.timeout.connect(self.measure)
        session.records_changed.connect(self._soon)
        session.frame_changed.connect(self._soon)
        session.scan_changed.connect(self._soon)

    # Measuring

    def scales(self) -> Scales | None:
        """Return the scales of the scan that is open: a person's word first."""
        scan = self._session.scan
        if scan is None:
            return None
        told = self._session.project.told_scale(scan.sha256)
        known = []
        if told:
            y, x = told["spacing_mm"]
            known.append(Scale(float(y), float(x), told["origin"], told.get("note", "")))
        return Scales(known, scan=scan, first=known[0].origin if known else "")

    def measure(self) -> None:
        """Measure the frame that is shown, and show what was found."""
        session = self._session
        if session.scan is None:
            self.measured = FrameMeasurements()
            self.scale.setText(NO_SCALE)
        else:
            try:
                scales = self.scales()
                report = session.report()
            except FadaError as error:
                session.say_error(error)
                return
            records = session.records.get(session.frame, [])
            size = session.scan.width, session.scan.height
            crl = next((m.value for _, m in self.crown_rump_lengths(scales)), None)
            self.measured = measure_frame(records, scales, size, view=report.view, crl_mm=crl)
            odd = findings(self.measured.measured, report.fields)
            self.odd.setText("\n".join(map(str, odd)))
            self.odd.setVisible(bool(odd))
            main = scales.main if scales else None
            self.scale.setText(str(main) if main else NO_SCALE)
            self.scale.setToolTip(main.note if main else "Say it under Scale, if you know it")
        self._fill()
        if self.draw.isChecked():
            self.layer.show(self.measured.measured)

    def _fill(self) -> None:
        self.list.clear()
        for m in self.measured.measured:
            item = QTreeWidgetItem([_title(m.name, m.category), m.amount])
            item.setToolTip(0, _told(m))
            item.setToolTip(1, _told(m))
            self.list.addTopLevelItem(item)
        for gap in self.measured.unmeasured:
            item = QTreeWidgetItem([_title(gap.name, gap.category), "–"])
            for column in (0, 1):
                item.setToolTip(column, gap.reason)
            self.list.addTopLevelItem(item)
        text = offer(self.measured)
        self.report.setEnabled(bool(text))
        self.report.setToolTip(f"Write: {text}" if text else "Nothing to be written")

    def _soon(self, *_: object) -> None:
        if self.isVisibleTo(self.window()) or self.draw.isChecked():
            self._timer.start()

    def showEvent(self, event: QShowEvent | None) -> None:  # noqa: N802
        """Measure when the tab is looked at."""
        super().showEvent(event)
        self.measure()

    def _draw(self, on: bool) -> None:
        if on:
            self.measure()
        else:
            self.layer.hide()

    def show_growth(self) -> GrowthDialog:
        """Show the growth curves with what was measured now."""
        dialog = GrowthDialog(self.measured.measured, self, self.crown_rump_lengths(self.scales()))
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.show()
        return dialog

    def crown_rump_lengths(self, scales: Scales | None) -> list[tuple[int, Measurement]]:
        """Return the other frames of the scan with a crown-rump length, and it."""
        session = self._session
        scan = session.scan
        if scan is None:
            return []
        size = scan.width, scan.height
        found = []
        for frame, records in sorted(session.records.items()):
            if frame == session.frame:
                continue
            names = [r for r in records if r.category in ("CRL_KP", "CRL")]
            crl = measure_frame(names, scales, size).get("crl") if names else None
            if crl is not None:
                found.append((frame, crl))
        return found

    # The report

    def put_into_report(self) -> None:
        """Write what was measured into the biometric field, after what stands there."""
        text = offer(self.measured)
        if not text:
            return
        before = self._session.report().fields.get(FIELD, "").strip()
        if text in before:
            self._session.say("The report says that already.")
            return
        written = f"{before.rstrip('.')}. {text}" if before else text
        if self._session.set_report(fields={FIELD: written}):
            self._session.refresh()
            self._session.say(f"The report now says: {text}")

    # The scale

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
            count = 0
            with project.together(f"Scales from {path.name}"):
                for row in project.scans():
                    scale = table.of(row.path or row.name)
                    if scale is not None:
                        project.set_state(row.sha256, WHOLE, {"scale": _json(scale)}, label="Scale")
                        count += 1
        except FadaError as error:
            self._session.say_error(error)
            return
        more = (
            f" {len(table.problems)} rows gave nothing: {table.problems[0]}"
            if table.problems
            else ""
        )
        self._session.say(f"{count} scans have their scale from {path.name}.{more}")
        self.measure()

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
            self._session.say_error(error)
            return
        self.take(scale)

    def from_hand(self) -> None:
        """Ask for the size of a pixel."""
        size, good = QInputDialog.getDouble(
            self, "Size of a pixel", "Millimetres a pixel", 0.1, 0.005, 2.0, 6
        )
        if good:
            self.take(Scale(size, size, "user", "typed in; square pixels"))

    def take(self, scale: Scale) -> None:
        """Keep a scale for the scan that is open, as the rater's word."""
        self._keep(_json(scale), f"Scale: {ORIGINS[scale.origin]}")

    def take_back(self) -> None:
        """Let the file's own scale count again."""
        self._keep(None, "Scale taken back")

    def _keep(self, text: str | None, label: str) -> None:
        session = self._session
        if session.scan is None:
            return
        try:
            session.project.set_state(session.scan.sha256, WHOLE, {"scale": text}, label=label)
        except FadaError as error:
            session.say_error(error)
            return
        self.measure()


def _json(scale: Scale) -> str:
    return json.dumps(scale.to_dict(), ensure_ascii=False)


def _title(name: str, category: str) -> str:
    return f"{TITLES.get(name, name.replace('_', ' ').capitalize())} ({category})"


def _told(m: Measurement) -> str:
    lines = [f"{m.method}; drawn by: {m.source}"]
    if m.scale_origin in ORIGINS:
        lines.append(f"Scale: {ORIGINS[m.scale_origin]}")
    if m.uncertainty is not None:
        lines.append(f"± {m.uncertainty:.1f} {m.unit}")
    return "\n".join([*lines, m.note] if m.note else lines)
