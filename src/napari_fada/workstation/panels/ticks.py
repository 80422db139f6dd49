"""Asks how far apart the depth ticks are that were found, and shows them on the scan meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QCheckBox,
    QDialog,
    QDialogButtonBox,
    QDoubleSpinBox,
    QGridLayout,
    QLabel,
    QVBoxLayout,
    QWidget,
)

from napari_fada.errors import MeasureError
from napari_fada.measure import NOTICE, Comb, Scale, proposed_length, scale_from_ticks
from napari_fada.workstation.measure_layer import COLOUR
from napari_fada.workstation.over_scan import (
    ends_with_scan,
    put_over_scan,
    take_away,
    vertices_over_scan,
)
from napari_fada.workstation.session import Session
from napari_fada.workstation.theme import tone
from napari_fada.workstation.tick_search import default_ticks

NAME = "FADA depth ticks"


class TicksDialog(QDialog):
    """One line for each edge with ticks: take it or not, and millimetres from tick to tick.

    Parameters
    ----------
    session : Session
        Whose scan it is.
    combs : tuple of Comb
        What was found.
    on_take : callable
        Gets the scale when it is confirmed.
    """

    def __init__(
        self,
        session: Session,
        combs: tuple[Comb, ...],
        on_take: Callable[[Scale], None],
        parent: QWidget,
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle("Depth ticks")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self._session, self._combs, self._on_take = session, combs, on_take
        self._layer: Any = None
        self.scale: Scale | None = None
        lead = QLabel(
            "The picture does not say how far apart the ticks are: compare them with the depth "
            "that the machine states, or with a structure whose size you know."
        )
        lead.setWordWrap(True)
        lines = QGridLayout()
        taken = [comb for comb, _ in default_ticks(combs)]
        self.use: list[QCheckBox] = []
        self.lengths: list[QDoubleSpinBox] = []
        for row, comb in enumerate(combs):
            use = QCheckBox(
                f"{len(comb.places)} at the {comb.edge} edge, {comb.spacing:.2f} px apart"
            )
            use.setToolTip(
                "They give the height of a pixel" if comb.vertical else "They give its width"
            )
            use.setChecked(comb in taken)
            length = QDoubleSpinBox()
            length.setRange(0.1, 100.0)
            length.setDecimals(2)
            length.setSuffix(" mm each")
            length.setToolTip("Millimetres from tick to tick: 5 and 10 are usual")
            length.setValue(proposed_length(comb))
            use.toggled.connect(self._work_out)
            length.valueChanged.connect(self._work_out)
            lines.addWidget(use, row, 0)
            lines.addWidget(length, row, 1)
            self.use.append(use)
            self.lengths.append(length)
        self.told = QLabel()
        self.told.setWordWrap(True)
        self.buttons = QDialogButtonBox()
        self.take = self.buttons.addButton("Confirm", QDialogButtonBox.ButtonRole.AcceptRole)
        self.buttons.addButton(QDialogButtonBox.StandardButton.Cancel)
        self.buttons.accepted.connect(self.accept)
        self.buttons.rejected.connect(self.reject)
        notice = QLabel(NOTICE)
        tone(notice, "notice")
        layout = QVBoxLayout(self)
        layout.addWidget(lead)
        layout.addLayout(lines)
        layout.addWidget(self.told)
        layout.addWidget(notice)
        layout.addWidget(self.buttons)
        ends_with_scan(session, self)
        self.finished.connect(self._hide)
        self._work_out()

    def accept(self) -> None:
        """Keep the scale with the scan."""
        if self.scale is not None:
            self._on_take(self.scale)
        super().accept()

    def _work_out(self, *_: object) -> None:
        """Show the scale, and which ticks it comes from."""
        chosen = [
            (comb, length.value())
            for comb, use, length in zip(self._combs, self.use, self.lengths, strict=True)
            if use.isChecked()
        ]
        try:
            self.scale = scale_from_ticks(chosen)
        except MeasureError as error:
            self.scale = None
            self.told.setText(str(error))
        else:
            width, height = self._combs[0].size
            self.told.setText(
                f"{self.scale}. The whole image would be {height * self.scale.y:.0f} mm deep and "
                f"{width * self.scale.x:.0f} mm wide."
            )
        assert self.take is not None
        self.take.setEnabled(self.scale is not None)
        self._draw([point for comb, _ in chosen for point in comb.points])

    def _draw(self, points: list[tuple[float, float]]) -> None:
        """Mark the chosen ticks on the scan; they are no records."""
        session = self._session
        self._hide()
        if session.layers is None or not points:
            return
        from napari.layers import Points

        self._layer = Points(
            vertices_over_scan(session, points),
            size=7,
            symbol="ring",
            face_color=COLOUR,
            border_color=COLOUR,
            name=NAME,
        )
        put_over_scan(session, self._layer)

    def _hide(self, *_: object) -> None:
        layer, self._layer = self._layer, None
        take_away(self._session, layer)
