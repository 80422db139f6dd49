"""The review of a scan: its structures, what is judged about them, and on to the next."""

from __future__ import annotations

from collections.abc import Callable
from typing import get_args

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QButtonGroup,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QTabWidget,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from napari_fada.errors import FadaError
from napari_fada.records.annotation import Annotation
from napari_fada.records.review import SCORES, FrameReview, ScanReview, ScoreOf
from napari_fada.workstation.keys import KeyTable
from napari_fada.workstation.panels.reason_picker import ReasonPicker
from napari_fada.workstation.panels.structure_list import SHAPE_NAMES, StructureList
from napari_fada.workstation.panels.told import Told
from napari_fada.workstation.session import Session
from napari_fada.workstation.theme import CHIPS

STATES = {
    "new": "new",
    "proposed": "proposed",
    "imported": "imported",
    "in_review": "in review",
    "accepted": "✓ accepted",
    "corrected": "✎ corrected",
    "rejected": "✕ rejected",
    "skipped": "skipped",
}
ACTIONS = (
    ("accept", "Accept", "Accept the chosen structures as they are"),
    ("reject", "Reject…", "Reject the chosen structures, with a reason"),
    ("lock", "Lock", "Lock or unlock the chosen structures: nothing changes what is locked"),
)
SCAN_ACTIONS = (
    ("accept_rest", "Accept rest", "Accept all that is open on this frame, and stay"),
    ("skip", "Skip", "Leave the scan for another time, and go to the next one"),
    ("reject_scan", "Reject scan…", "The scan cannot be used; go to the next one"),
)


class ReviewPanel(QWidget):
    """Shows what is to be judged and does it.

    Parameters
    ----------
    session : Session
        Whose scan is reviewed.
    flush : callable
        Puts what is being typed elsewhere into the project, before a review is finished.
    """

    def __init__(self, session: Session, flush: Callable[[], object]) -> None:
        super().__init__()
        self._session, self._reviewing = session, session.reviewing
        self._flush_others = flush
        doing = self._reviewing
        self.acts: dict[str, Callable[[], object]] = {
            "finish": lambda: self._flushed(doing.accept_and_next),
            "accept_rest": lambda: self._flushed(doing.accept_rest),
            "accept": doing.accept,
            "reject": self.reject,
            "lock": doing.toggle_lock,
            "comment": self.write_comment,
            "originals": doing.show_originals,
            "skip": lambda: self._flushed(doing.skip),
            "reject_scan": self.reject_scan,
        }
        self.chip = Told()
        self.open = Told()
        self.list = StructureList(
            self._reviewing.choose, self._reviewing.reclass, self._reviewing.show_rejected
        )
        self.list.setToolTip("Structures of this frame; chosen here, they are chosen on the canvas")
        self.picker = ReasonPicker(self._leave)
        self.chosen = Told()
        self.comment = QLineEdit()
        self.comment.setPlaceholderText("Comment on this scan")
        self.comment.setToolTip("Kept with the scan and its history; it is no part of the report")
        self.comment.editingFinished.connect(self.flush)
        self.buttons: dict[str, QPushButton] = {}
        self.scores: dict[str, QButtonGroup] = {}
        layout = QVBoxLayout(self)
        layout.setContentsMargins(4, 5, 4, 4)
        layout.setSpacing(4)
        top = QHBoxLayout()
        top.addWidget(self.chip)
        top.addWidget(self.open, 1)
        layout.addLayout(top)
        layout.addWidget(self.list, 1)
        layout.addWidget(self.picker)
        row = QHBoxLayout()
        row.addWidget(self.chosen, 1)
        for name, text, _ in ACTIONS:
            row.addWidget(self._button(name, text))
        layout.addLayout(row)
        self.below = QWidget()  # makes room while a reason is asked for
        lower = QVBoxLayout(self.below)
        lower.setContentsMargins(0, 0, 0, 0)
        lower.setSpacing(4)
        lower.addWidget(self.comment)
        lower.addLayout(self._score_row())
        last = QHBoxLayout()
        for name, text, _ in SCAN_ACTIONS:
            last.addWidget(self._button(name, text))
        lower.addLayout(last)
        lower.addWidget(self._button("finish", "Accept and next"))
        layout.addWidget(self.below)
        self.buttons["finish"].setStyleSheet("font-weight: bold; padding: 5px;")
        session.scan_closing.connect(self.flush)
        session.scan_changed.connect(self.show_review)
        session.frame_changed.connect(self.show_review)
        session.records_changed.connect(self.show_review)
        session.review_changed.connect(self.show_review)
        self._reviewing.selection_changed.connect(self._show_chosen)
        self.show_review()

    def _button(self, name: str, text: str) -> QPushButton:
        button = QPushButton(text)
        button.setFocusPolicy(Qt.FocusPolicy.NoFocus)  # the keyboard stays with the canvas
        button.setStyleSheet("padding: 3px 6px;")
        button.clicked.connect(lambda _=False: self.acts[name]())
        self.buttons[name] = button
        return button

    def _score_row(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(2)
        for of in get_args(ScoreOf):
            row.addWidget(QLabel(of.capitalize()))
            group = QButtonGroup(self)
            group.setExclusive(False)
            for value, meaning in SCORES.items():
                button = QToolButton()
                button.setText(str(value))
                button.setCheckable(True)
                button.setObjectName("fada-tool")
                button.setFocusPolicy(Qt.FocusPolicy.NoFocus)
                button.setToolTip(
                    f"Sonographer's score of the {of}: {value}, {meaning} (1 best, 3 worst). "
                    "Click again to take it back."
                )
                button.clicked.connect(
                    lambda on, of=of, value=value: self._score(of, value if on else None)
                )
                group.addButton(button, value)
                row.addWidget(button)
            self.scores[of] = group
            row.addStretch(1)
        return row

    def show_keys(self, table: KeyTable) -> None:
        """Say in each tooltip which key does the same."""
        for name, text, tip in (*ACTIONS, *SCAN_ACTIONS):
            self.buttons[name].setToolTip(f"{tip} ({table[name]})")
            self.buttons[name].setText(text)
        self.buttons["finish"].setText(f"Accept and next   {table['finish']}")
        self.buttons["finish"].setToolTip(
            "Accept all that is open, finish the review and go to the next scan that is not "
            f"reviewed ({table['finish']})"
        )
        self.comment.setToolTip(f"Kept with the scan ({table['comment']})")

    # Display

    def show_review(self, _: object = None) -> None:
        """Show the review of the frame and the scan as it stands in the project."""
        try:
            scan, frame = self._reviewing.scan_review(), self._reviewing.frame_review()
        except FadaError as error:
            self._session.say_error(error)
            return
        self.setEnabled(self._session.scan is not None)
        self._show_scan(scan)
        self._show_frame(frame)
        several = self._session.scan is not None and self._session.scan.n_frames > 1
        clip = self._session.records if several else None
        self.list.put(frame, self._reviewing.selected, clip)
        self._show_chosen()

    def _show_scan(self, scan: ScanReview) -> None:
        text, colour = STATES[scan.state], CHIPS[scan.state]
        self.chip.setText(text)
        self.chip.setStyleSheet(
            f"background: {colour}; color: white; border-radius: 8px; padding: 1px 9px;"
        )
        self.chip.setToolTip(f"State of the scan: {text}. {scan.reason}")
        if not self.comment.hasFocus():
            self.comment.setText(scan.comment)
        for of, group in self.scores.items():
            for button in group.buttons():
                button.setChecked(scan.scores.get(of) == group.id(button))

    def _show_frame(self, frame: FrameReview) -> None:
        standing = [r for r in frame.records if r.status != "rejected"]
        still_open = sum(r.status == "proposed" for r in standing)
        shapes = "shape" if len(standing) == 1 else "shapes"
        self.open.setText(
            f"{still_open} of {len(standing)} {shapes} to be judged"
            if still_open
            else f"{len(standing)} {shapes}, all judged"
            if standing
            else "nothing here"
        )

    def _show_chosen(self) -> None:
        self.list.mark(self._reviewing.selected)
        records = self._chosen()
        kinds = " + ".join(dict.fromkeys(SHAPE_NAMES[r.kind] for r in records))
        names = ", ".join(dict.fromkeys(r.category for r in records))
        text = f"{names} ({kinds})" if records else "none chosen"
        metrics = self.chosen.fontMetrics()
        self.chosen.setText(metrics.elidedText(text, Qt.TextElideMode.ElideRight, 150))
        self.chosen.setToolTip(f"What Accept, Reject and Lock are about: {text}")
        rejected = bool(records) and all(r.status == "rejected" for r in records)
        self.buttons["reject"].setText("Bring back" if rejected else "Reject…")
        locked = bool(records) and self._reviewing.locked.issuperset(r.uid for r in records)
        self.buttons["lock"].setText("Unlock" if locked else "Lock")
        for name, _, _ in ACTIONS:
            self.buttons[name].setEnabled(bool(records))

    def _chosen(self) -> list[Annotation]:
        wanted = set(self._reviewing.selected)
        return [r for r in self._reviewing.frame_review().records if r.uid in wanted]

    # Acts

    def reject(self) -> None:
        """Ask why the chosen structures are rejected; take it back where they are already."""
        records = self._chosen()
        if records and all(r.status == "rejected" for r in records):
            self._reviewing.bring_back()
        elif not records:
            self._reviewing.reject()  # says that nothing is chosen
        else:
            uids = tuple(r.uid for r in records)
            names = ", ".join(dict.fromkeys(r.category for r in records))
            self._ask(f"Reject <b>{names}</b>: why?", lambda why: self._reviewing.reject(why, uids))

    def reject_scan(self) -> None:
        """Ask why the scan is rejected."""
        if self._session.scan is not None:
            self._ask("Reject <b>the whole scan</b>:", self._reject_scan, listed=False)

    def _reject_scan(self, reason: str) -> None:
        self._flushed(lambda: self._reviewing.reject_scan(reason))

    def _ask(self, title: str, done: Callable[[str], object], *, listed: bool = True) -> None:
        self._to_front()
        self.below.hide()
        self.picker.ask(title, done, listed=listed)

    def write_comment(self) -> None:
        """Go to the comment."""
        self._to_front()
        self.comment.setFocus()
        self.comment.selectAll()

    def flush(self) -> None:
        """Put what was typed into the project now."""
        scan = self._session.scan
        if (
            scan is not None
            and self.comment.text().strip() != self._reviewing.scan_review().comment
        ):
            kept = self._reviewing.comment(self.comment.text())
            if not kept and self._session.looking.on:
                self.comment.setText(self._reviewing.scan_review().comment)
        if self.comment.hasFocus():
            self._leave()

    def _score(self, of: ScoreOf, value: int | None) -> None:
        if not self._reviewing.score(of, value) and self._session.looking.on:
            self._show_scan(self._reviewing.scan_review())  # the button shows what is kept

    def _flushed(self, does: Callable[[], object]) -> object:
        self.flush()
        self._flush_others()
        return does()

    def _to_front(self) -> None:
        holder = self.parentWidget()
        tabs = holder.parentWidget() if holder is not None else None
        if isinstance(tabs, QTabWidget):
            tabs.setCurrentWidget(self)

    def _leave(self) -> None:
        self.below.show()
        window = self.window()
        if window is not None:
            window.setFocus()
