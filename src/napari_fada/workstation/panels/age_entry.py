"""Asks for a gestational age, and for where it comes from: typed, last period, or an earlier CRL.

An age from the sizes that are looked at cannot be entered here. Nothing is entered in advance: an
age that nobody typed is no age.
"""

from __future__ import annotations

from collections.abc import Sequence

from psygnal import Signal
from qtpy.QtCore import QDate, Qt
from qtpy.QtGui import QKeyEvent
from qtpy.QtWidgets import QComboBox, QDateEdit, QHBoxLayout, QLabel, QSpinBox, QWidget

from napari_fada.errors import MeasureError
from napari_fada.measure import Derived, GestationalAge, Measurement, age_from_lmp, derive

ORIGINS = {
    "kept": "kept with the scan",
    "typed": "typed",
    "lmp": "last period",
    "crl": "CRL of another frame",
}
#: What is typed is taken as it is, and refused in words where it makes no sense.
_MOST_WEEKS = 99
#: Formula by which an age is taken from a CRL.
CRL_FORMULA = "robinson_fleming-C"
NO_AGE = (
    "No age was given: type weeks and days, or the first day of the last period. Until then no "
    "size is scored, and there is no chart."
)


class _Weeks(QSpinBox):
    """Completed weeks. Ages are written as 19+3: after a plus, the days are typed."""

    def __init__(self, days: QSpinBox) -> None:
        super().__init__()
        self._days = days

    def keyPressEvent(self, event: QKeyEvent | None) -> None:  # noqa: N802
        if event is not None and event.key() == Qt.Key.Key_Plus:
            self._days.setFocus()
            self._days.selectAll()
        else:
            super().keyPressEvent(event)


class AgeEntry(QWidget):
    """One row: weeks and days, or two dates, or a frame with a crown-rump length.

    Parameters
    ----------
    crls : sequence of (int, Measurement)
        Frames of the scan on which a crown-rump length is measured, with it.
    kept : GestationalAge, optional
        The age that was kept with the scan.
    """

    changed = Signal()

    def __init__(
        self,
        crls: Sequence[tuple[int, Measurement]] = (),
        kept: GestationalAge | None = None,
    ) -> None:
        super().__init__()
        self._crls, self._kept = list(crls), kept
        self.origin = QComboBox()
        for key, text in ORIGINS.items():
            if (key != "crl" or self._crls) and (key != "kept" or kept):
                self.origin.addItem(text, key)
        self.origin.setToolTip("Where the age comes from: not from these measurements")
        self.days = QSpinBox()
        self.weeks = _Weeks(self.days)
        self.weeks.setRange(0, _MOST_WEEKS)
        self.weeks.setSpecialValueText("–")  # at 0: none was typed
        self.weeks.setToolTip("Completed weeks of the gestational age")
        self.days.setRange(0, 6)
        self.days.setToolTip("Days beyond the weeks")
        today = QDate.currentDate()
        self.period, self.examined = QDateEdit(today), QDateEdit(today)
        self.period.setToolTip("First day of the last menstrual period")
        self.examined.setToolTip("Day on which this scan was made")
        for edit in (self.period, self.examined):
            edit.setCalendarPopup(True)
            edit.setDisplayFormat("yyyy-MM-dd")
            edit.setMinimumWidth(edit.fontMetrics().horizontalAdvance("2026-08-10") + 60)
        self.crl = QComboBox()
        self.crl.setToolTip("Frame of this scan with a crown-rump length")
        for frame, size in self._crls:
            self.crl.addItem(f"frame {frame + 1}: CRL {size.amount}")
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(QLabel("Age"))
        self._parts: dict[str, list[QWidget]] = {
            "kept": [QLabel(f"{kept} weeks, {kept.note or kept.origin}" if kept else "")],
            "typed": [self.weeks, QLabel("weeks"), self.days, QLabel("days")],
            "lmp": [QLabel("first day"), self.period, QLabel("examined"), self.examined],
            "crl": [self.crl],
        }
        layout.addWidget(self.origin)
        for widgets in self._parts.values():
            for widget in widgets:
                layout.addWidget(widget)
        layout.addStretch(1)
        self.origin.currentIndexChanged.connect(self._arrange)
        for spin in (self.weeks, self.days):
            spin.valueChanged.connect(self._told)
        for edit in (self.period, self.examined):
            edit.dateChanged.connect(self._told)
        self.crl.currentIndexChanged.connect(self._told)
        self._arrange()

    @property
    def empty(self) -> bool:
        """Whether no age was given yet."""
        origin = self.origin.currentData()
        if origin == "typed":
            return self.weeks.value() == 0 and self.days.value() == 0
        return bool(origin == "lmp" and self.period.date() == self.examined.date())

    @property
    def age(self) -> GestationalAge:
        """The age that is stated.

        Raises
        ------
        MeasureError
            If none is, or if the dates or the crown-rump length make none.
        """
        origin = self.origin.currentData()
        if self.empty:
            raise MeasureError(NO_AGE)
        if origin == "kept" and self._kept is not None:
            return self._kept
        if origin == "lmp":
            return age_from_lmp(self.period.date().toPyDate(), self.examined.date().toPyDate())
        if origin == "crl":
            frame, size = self._crls[self.crl.currentIndex()]
            found = derive(CRL_FORMULA, {"crl": size.value}, uids=size.uids)
            if not isinstance(found, Derived):
                raise MeasureError(f"{found.title}: {found.reason}")
            note = f"CRL {size.amount} on frame {frame + 1}, {found.title}"
            return GestationalAge(found.value, "crl", note, frozenset(size.uids))
        return GestationalAge(7 * self.weeks.value() + self.days.value(), "typed")

    def _arrange(self) -> None:
        for key, widgets in self._parts.items():
            for widget in widgets:
                widget.setVisible(key == self.origin.currentData())
        self.changed.emit()

    def _told(self, *_: object) -> None:
        self.changed.emit()
