"""How far two raters agree, as a table that can be copied and saved."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

from qtpy.QtWidgets import (
    QApplication,
    QFileDialog,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QPushButton,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from napari_fada.workstation.session import Session

COLUMNS = ("what", "n", "Dice", "IoU", "px", "mm", "equal", "kappa", "token F1")
NOTE = (
    "Dice and IoU: overlap of all structures of a class, mean over frames where either has one. "
    "px, mm: mean distance of keypoints that both have put (n of them), mm on scans with a scale. "
    "Kappa: Cohen's. Token F1: shared words of a report field."
)


class FiguresPanel(QWidget):
    """Shows the figures of a merge.

    Parameters
    ----------
    session : Session
        Is told what was written.
    """

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self._rows: list[tuple[str, ...]] = []
        self.table = QTableWidget(0, len(COLUMNS))
        self.table.setHorizontalHeaderLabels(list(COLUMNS))
        self.table.setEditTriggers(QTableWidget.EditTrigger.NoEditTriggers)
        self.table.setToolTip(NOTE)
        header, rows = self.table.horizontalHeader(), self.table.verticalHeader()
        assert header is not None
        assert rows is not None
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        rows.hide()
        self.copy = QPushButton("Copy table")
        self.copy.setToolTip("Copy the table to the clipboard, for a spreadsheet")
        self.copy.clicked.connect(self._copy)
        self.save = QPushButton("Save as CSV…")
        self.save.setToolTip("Write the table into a file of comma-separated values")
        self.save.clicked.connect(self._save)
        note = QLabel(NOTE)
        note.setWordWrap(True)
        buttons = QHBoxLayout()
        buttons.addWidget(self.copy)
        buttons.addWidget(self.save)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(4, 6, 4, 4)
        layout.addWidget(self.table, 1)
        layout.addWidget(note)
        layout.addLayout(buttons)
        self.show_figures(None)

    def show_figures(self, agreement: dict[str, Any] | None) -> None:
        """Show the figures of an agreement (``Agreement.to_dict``); None: there are none."""
        self._rows = rows_of(agreement) if agreement else []
        self.table.setRowCount(len(self._rows))
        for i, row in enumerate(self._rows):
            for j, text in enumerate(row):
                self.table.setItem(i, j, QTableWidgetItem(text))
        self.copy.setEnabled(bool(self._rows))
        self.save.setEnabled(bool(self._rows))

    def text(self, separator: str = "\t") -> str:
        """Return the table as text, with its heading."""
        out = io.StringIO()
        writer = csv.writer(out, delimiter=separator, lineterminator="\n")
        writer.writerows([COLUMNS, *self._rows])
        return out.getvalue()

    def save_to(self, path: Path) -> None:
        """Write the table; the session says what was written, or why not."""
        try:
            path.write_text(self.text(","), encoding="utf-8")
        except OSError as error:
            self._session.say(f"{path} cannot be written: {error.strerror}.", "error")
        else:
            self._session.say(f"The figures were written to {path}.")

    def _copy(self) -> None:
        clipboard = QApplication.clipboard()
        if clipboard is not None:
            clipboard.setText(self.text())

    def _save(self) -> None:
        path, _ = QFileDialog.getSaveFileName(self, "Save the figures", "agreement.csv", "*.csv")
        if path:
            self.save_to(Path(path))


def rows_of(agreement: dict[str, Any]) -> list[tuple[str, ...]]:
    """Return the rows of the table; an empty text stands where a figure does not apply."""

    def number(value: float | None) -> str:
        return "" if value is None else f"{value:.3f}"

    rows: list[tuple[str, ...]] = [
        (f"{s['category']} ({s['kind']})", str(s["frames"]), number(s["dice"]), number(s["iou"]))
        + ("",) * 5
        for s in agreement["structures"]
    ]
    for k in agreement.get("keypoints", ()):  # a merge of an earlier version has none
        apart = (number(k["distance_px"]), number(k["distance_mm"]))
        title = f"{k['category']} (keypoints)" + (f", {k['alone']} alone" if k["alone"] else "")
        rows.append((title, str(k["points"]), "", "", *apart, "", "", ""))
    for name, title in (("view", "view"), ("review", "review state")):
        label = agreement[name]
        equal, kappa = number(label["equal"]), number(label["kappa"])
        rows.append((title, str(label["cases"]), "", "", "", "", equal, kappa, ""))
    for f in agreement["fields"]:
        title = f["field"].replace("_", " ")
        words = (number(f["exact"]), "", number(f["token_f1"]))
        rows.append((title, str(f["cases"]), "", "", "", "", *words))
    return rows
