"""What is measured on the frame, by which scale, and where the scale came from.

Nothing is measured without a scale. What is measured is offered to the report and enters it by a
click only.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace

from qtpy.QtCore import Qt, QTimer
from qtpy.QtGui import QShowEvent
from qtpy.QtWidgets import (
    QCheckBox,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QPushButton,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from napari_fada.checking import age_of
from napari_fada.errors import FadaError
from napari_fada.measure import (
    FrameMeasurements,
    GestationalAge,
    Measurement,
    Scale,
    Scales,
    measure_frame,
)
from napari_fada.measure.biometry import CROWN_RUMP
from napari_fada.measure.calibration import ORIGINS, scale_for
from napari_fada.measure.limits import senseless
from napari_fada.measure.plausibility import findings
from napari_fada.records.annotation import Annotation
from napari_fada.workstation.caliper_tool import CaliperTool
from napari_fada.workstation.measure_layer import MeasureLayer
from napari_fada.workstation.over_scan import ends_with_scan
from napari_fada.workstation.panels.growth import GrowthDialog
from napari_fada.workstation.panels.scale_row import ScaleRow
from napari_fada.workstation.panels.told import Told
from napari_fada.workstation.session import Session
from napari_fada.workstation.theme import tone

NOTICE = "For research and annotation, not for clinical use."
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
    # What no fetus has is not offered.
    return ", ".join(f"{t} {m.amount}" for t, m in found if m and not senseless(m.name, m.value))


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
        self.scaling = ScaleRow(session)
        self.scaling.changed.connect(self.measure)
        self.list = QTreeWidget()
        self.list.setColumnCount(2)
        self.list.setHeaderLabels(["Measured", "Value"])
        self.list.setRootIsDecorated(False)
        self.list.setToolTip("Method, scale and structure of each number stand in its tip")
        header = self.list.header()
        assert header is not None
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        header.setSectionResizeMode(1, QHeaderView.ResizeMode.ResizeToContents)
        self.told_age = Told()
        self.told_age.setWordWrap(True)
        self.told_age.setToolTip("Kept with the scan; change or forget it under Growth…")
        self.told_age.hide()
        self.odd = Told()
        self.odd.setWordWrap(True)
        self.odd.setToolTip("What does not fit together: look again")
        tone(self.odd, "failed")
        self.odd.hide()
        self.draw = QCheckBox("Draw on the scan")
        self.draw.setToolTip("Show calipers and ellipses with their numbers")
        self.draw.toggled.connect(self._draw)
        self.calipers = CaliperTool(
            *(session, self.layer, self._scale_of, self._measure_with, self._show_dragging)
        )
        self.drag = QPushButton("Drag")
        self.drag.setCheckable(True)
        self.drag.setToolTip("Drag calipers and ellipses; what is measured follows")
        self.drag.clicked.connect(self.drag_calipers)
        self.report = QPushButton("Put into the report")
        self.report.setToolTip("Write what was measured into the biometric field")
        self.report.clicked.connect(self.put_into_report)
        self.growth = QPushButton("Growth…")
        self.growth.setToolTip("Where these sizes lie at an age that you state")
        self.growth.clicked.connect(self.show_growth)
        notice = QLabel(NOTICE)
        tone(notice, "notice")
        below = QHBoxLayout()
        below.addWidget(self.draw)
        below.addWidget(self.drag)
        below.addWidget(self.growth)
        below.addWidget(self.report)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(4, 6, 4, 4)
        layout.addWidget(self.scaling)
        layout.addWidget(self.list, 1)
        layout.addWidget(self.told_age)
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

    def measure(self) -> None:
        """Measure the frame that is shown, and show what was found."""
        self._measure_with(None)

    def _measure_with(self, instead: Annotation | None) -> None:
        """Measure with one record as it would be: while its line is dragged."""
        session = self._session
        if session.scan is None:
            self.measured = FrameMeasurements()
            self.scaling.show_scales(None)
        else:
            try:
                scales = self.scaling.scales()
                report = session.report()
            except FadaError as error:
                session.say_error(error)
                return
            records = session.records.get(session.frame, [])
            if instead is not None:
                records = [instead if r.uid == instead.uid else r for r in records]
            size = session.scan.width, session.scan.height
            crl = next((m.value for _, m in self.crown_rump_lengths(scales)), None)
            self.measured = measure_frame(records, scales, size, view=report.view, crl_mm=crl)
            age = self.age()
            self.told_age.setText(f"Age {age} weeks ({age.note or age.origin})" if age else "")
            self.told_age.setVisible(age is not None)
            odd = findings(self.measured.measured, report.fields, age)
            self.odd.setText("\n".join(map(str, odd)))
            self.odd.setVisible(bool(odd))
            self.scaling.show_scales(scales)
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
            self.calipers.put_down()
            self.layer.hide()

    def drag_calipers(self) -> None:
        """Let the lines be dragged, or put them down."""
        self.draw.setChecked(True)
        self.calipers.toggle()

    def _show_dragging(self, on: bool) -> None:
        self.drag.setChecked(on)

    def _scale_of(self, record: Annotation) -> Scale | None:
        return scale_for(record, self.scaling.scales())

    def show_growth(self) -> GrowthDialog:
        """Show the growth curves with what was measured now."""
        dialog = GrowthDialog(
            *(self.measured.measured, self),
            tuple(self.crown_rump_lengths(self.scaling.scales())),
            kept=self.age(),
            on_keep=self.keep_age,
        )
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        ends_with_scan(self._session, dialog)  # the age is this scan's alone
        dialog.show()
        return dialog

    def crown_rump_lengths(self, scales: Scales | None) -> Iterator[tuple[int, Measurement]]:
        """Give the other frames of the scan with a crown-rump length, and it."""
        session = self._session
        scan = session.scan
        if scan is None:
            return
        size = scan.width, scan.height
        for frame, records in sorted(session.records.items()):
            if frame == session.frame:
                continue
            names = [r for r in records if r.category in CROWN_RUMP]
            crl = measure_frame(names, scales, size).get("crl") if names else None
            if crl is not None:
                yield frame, crl

    def age(self) -> GestationalAge | None:
        """Return the gestational age that was kept with the scan, if any."""
        scan = self._session.scan
        return age_of(self._session.project, scan.sha256) if scan is not None else None

    def keep_age(self, age: GestationalAge | None) -> None:
        """Keep an age with the scan, without dates; None: forget it."""
        text = None
        if age is not None:
            note = "by the last period" if age.origin == "lmp" else age.note
            text = json.dumps(replace(age, note=note).to_dict(), ensure_ascii=False)
        label = "Gestational age" if text else "Gestational age forgotten"
        if self._session.tell_scan({"age": text}, label):
            self.measure()

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


def _title(name: str, category: str) -> str:
    return f"{TITLES.get(name, name.replace('_', ' ').capitalize())} ({category})"


def _told(m: Measurement) -> str:
    lines = [f"{m.method}; drawn by: {m.source}"]
    if m.scale_origin in ORIGINS:
        lines.append(f"Scale: {ORIGINS[m.scale_origin]}")
    if m.uncertainty is not None:
        lines.append(f"± {m.uncertainty:.1f} {m.unit}")
    return "\n".join([*lines, m.note] if m.note else lines)
