"""Ages and weights by formula, and sizes on growth curves at an age that somebody states.

The curves are never looked at with an age that the sizes gave themselves; that is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from qtpy.QtCore import Qt
from qtpy.QtGui import QPixmap
from qtpy.QtWidgets import (
    QComboBox,
    QDialog,
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from napari_fada.errors import MeasureError
from napari_fada.measure import (
    NOTICE,
    GestationalAge,
    GrowthScore,
    Measurement,
    derive_all,
    scores,
)
from napari_fada.measure.charts import growth_chart, picture, save_chart
from napari_fada.workstation.panels.age_entry import AgeEntry
from napari_fada.workstation.theme import tone


class GrowthDialog(QDialog):
    """Asks for the age, and shows where the sizes of the frame lie at it.

    Parameters
    ----------
    measured : sequence of Measurement
        Of the frame.
    crls : sequence of (int, Measurement)
        Frames of the scan on which a crown-rump length is measured, with it.
    kept : GestationalAge, optional
        The age that was kept with the scan.
    on_keep : callable, optional
        Gets the age that is to be kept with the scan, or None to forget the one that is.
    """

    def __init__(
        self,
        measured: Sequence[Measurement],
        parent: QWidget,
        crls: Sequence[tuple[int, Measurement]] = (),
        kept: GestationalAge | None = None,
        on_keep: Callable[[GestationalAge | None], None] | None = None,
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle("Growth")
        self._measured = measured
        self._found: list[GrowthScore] = []
        self._figure: Any = None
        self._on_keep = on_keep
        self.entry = AgeEntry(crls, kept)
        self.keep = QPushButton()
        self.keep.setAutoDefault(False)
        self.keep.setVisible(on_keep is not None)
        self.keep.clicked.connect(self._keep)
        self.standard = QComboBox()
        self.standard.setToolTip("Size and standard that are drawn")
        self.told = QLabel()
        self.told.setWordWrap(True)
        self.told.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.dating = QLabel()
        self.dating.setWordWrap(True)
        self.dating.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.chart = QLabel()
        self.chart.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.save = QPushButton("Save chart…")
        self.save.setAutoDefault(False)
        self.save.clicked.connect(self._save)
        notice = QLabel(NOTICE)
        tone(notice, "notice")
        layout = QVBoxLayout(self)
        row = QHBoxLayout()
        row.addWidget(self.entry, 1)
        row.addWidget(self.keep)
        layout.addLayout(row)
        layout.addWidget(self.standard)
        layout.addWidget(self.told)
        layout.addWidget(self.chart, 1)
        layout.addWidget(self.dating)
        layout.addWidget(self.save)
        layout.addWidget(notice)
        self.entry.changed.connect(self.work_out)
        self.standard.currentIndexChanged.connect(self._show)
        self.work_out()

    def work_out(self) -> None:
        """Score every size at the age, and show the one that is chosen; no age, no score."""
        chosen = self.standard.currentText()
        age, wrong = None, ""
        try:
            age = self.entry.age
        except MeasureError as error:
            wrong = str(error)
        kept = self.entry.origin.currentData() == "kept"
        self.keep.setText("Forget this age" if kept else "Keep with the scan")
        self.keep.setEnabled(age is not None)
        tip = "What does not fit is looked for at this age, before the report's"
        self.keep.setToolTip(wrong or tip)
        rows = [] if age is None else list(scores(self._measured, age))
        self._found = [r for r in rows if isinstance(r, GrowthScore)]
        reasons = [wrong] if wrong else [r for r in rows if isinstance(r, str)]
        self.standard.blockSignals(True)
        self.standard.clear()
        self.standard.addItems([f"{s.size.upper()}: {s.title}" for s in self._found])
        self.standard.setCurrentText(chosen)
        self.standard.blockSignals(False)
        derived, refused = derive_all(self._measured, age=age)
        self.dating.setText("\n".join(map(str, derived)) or "No formula fits what was measured.")
        gaps = [f"{r.title}: {r.reason}" for r in refused]
        self.dating.setToolTip("\n".join([*dict.fromkeys(d.source for d in derived), *gaps]))
        tone(self.told, "failed" if wrong and not self.entry.empty else "")
        self.told.setToolTip("\n".join(reasons))
        self.told.setText((reasons or ["Nothing was measured that has a standard."])[0])
        self._show()

    def _show(self) -> None:
        place = self.standard.currentIndex()
        self._figure = None
        self.save.setEnabled(False)
        self.save.setToolTip("Nothing is drawn: there is no size with an age and a standard")
        if not 0 <= place < len(self._found):
            self.chart.clear()
            return
        score = self._found[place]
        self.told.setText(f"{score}. Source: {score.source}")
        try:
            self._figure = growth_chart([score])
        except MeasureError as error:
            self.chart.setText(str(error))
            return
        pixmap = QPixmap()
        pixmap.loadFromData(picture(self._figure))
        self.chart.setPixmap(pixmap)
        self.save.setEnabled(True)
        self.save.setToolTip("As PNG or PDF")

    def _keep(self) -> None:
        """Keep the age with the scan, or forget the one that is kept."""
        assert self._on_keep is not None
        forget = self.entry.origin.currentData() == "kept"
        self._on_keep(None if forget else self.entry.age)
        self.accept()

    def _save(self) -> None:
        path, _ = QFileDialog.getSaveFileName(
            self, "Save the chart", "growth.pdf", "PDF (*.pdf);;PNG (*.png)"
        )
        if path:
            self.save_to(Path(path))

    def save_to(self, path: Path) -> None:
        """Write the chart; what goes wrong is shown."""
        try:
            save_chart(self._figure, path)
        except MeasureError as error:
            self.told.setText(str(error))
