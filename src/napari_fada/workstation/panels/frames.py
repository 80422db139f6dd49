"""The bar beneath the canvas for clips: the strip of frames, and work from frame to frame."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from qtpy.QtCore import Qt, QTimer
from qtpy.QtWidgets import (
    QHBoxLayout,
    QSizePolicy,
    QSpinBox,
    QStackedWidget,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from napari_fada.errors import FadaError
from napari_fada.records.rows import FrameState
from napari_fada.workstation import frame_marks
from napari_fada.workstation import napari_private as private
from napari_fada.workstation.carrier import Carrier, Task, mark_reviewed
from napari_fada.workstation.keys import KeyTable
from napari_fada.workstation.panels.frame_strip import FrameStrip
from napari_fada.workstation.panels.told import Told
from napari_fada.workstation.session import Session
from napari_fada.workstation.theme import CHIPS

NAME = "FADA frames"
TURN_MS = 15
STYLE = f"""
QToolButton {{ padding: 3px 6px; border-radius: 3px; background: rgba(128, 128, 128, 60); }}
QToolButton:hover {{ background: rgba(128, 128, 128, 120); }}
QToolButton:checked {{ background: {CHIPS["accepted"]}; color: white; }}
"""


class Reach(QSpinBox):
    """How many frames copying and following take in: ``next 1``, ``previous 5``; never none."""

    def __init__(self) -> None:
        super().__init__()
        self.setRange(-1, 1)
        self.setValue(1)
        self.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        self.setToolTip("Frames that Copy and Flow take in (Shift-click in the strip sets it)")

    def textFromValue(self, value: int) -> str:  # noqa: N802, D102
        return f"next {value}" if value >= 0 else f"previous {-value}"

    def valueFromText(self, text: str | None) -> int:  # noqa: N802, D102
        text = text or ""
        number = int("".join(c for c in text if c.isdigit()) or 1) or 1
        return -number if text.lstrip().startswith(("p", "-")) else number

    def validate(self, text: str | None, at: int) -> Any:  # noqa: D102
        from qtpy.QtGui import QValidator

        return QValidator.State.Acceptable, text, at

    def stepBy(self, steps: int) -> None:  # noqa: N802, D102
        wanted = self.value() + steps
        if self.value() * wanted <= 0:  # over nought
            wanted += 1 if steps > 0 else -1
        self.setValue(wanted)


class FramesBar(QWidget):
    """Strip and buttons for a session's clip.

    Parameters
    ----------
    session : Session
        Whose scan it is.
    carrier : Carrier
        Does the work over frames.
    """

    def __init__(self, session: Session, carrier: Carrier) -> None:
        super().__init__()
        self._session, self.carrier = session, carrier
        self._states: dict[int, FrameState] = {}
        self.strip = FrameStrip(self._describe)
        self.reach = Reach()
        self.buttons: dict[str, QToolButton] = {}
        self.progress = Told()
        self.here = Told()
        self.stop = self._button("Cancel", "Stop before the next frame; what is done stays")
        self.stop.clicked.connect(carrier.cancel)
        self._lay_out()
        # Many records may change in one turn; the strip looks once.
        self._soon = QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.setInterval(TURN_MS)
        self._soon.timeout.connect(self.look)
        self.strip.frame_asked.connect(session.go_to_frame)
        self.strip.reach_asked.connect(self._set_reach)
        self._links: list[tuple[Any, Callable[..., None]]] = [
            (session.scan_changed, self._on_scan),
            (session.frames_seen.shown, self._on_shown),
            (session.frame_changed, self._on_frame),
            (session.records_changed, self.look_soon),
            (session.review_changed, self.look_soon),
            (carrier.started, self._on_task),
            (carrier.progressed, self._on_task),
            (carrier.ended, self._on_rest),
        ]
        for signal, slot in self._links:
            signal.connect(slot)
        self._on_scan()

    def _lay_out(self) -> None:
        buttons = QWidget()
        inner = QHBoxLayout(buttons)
        inner.setContentsMargins(0, 0, 0, 0)
        inner.setSpacing(3)
        for name, text, does in (
            ("copy_frame", "Copy", self.copy),
            ("flow", "Flow", self.follow),
            ("interpolate", "Interpolate", self.carrier.interpolate),
            ("frame_reviewed", "Reviewed", self._mark_reviewed),
        ):
            button = self._button(text)
            button.clicked.connect(lambda _=False, does=does: does())
            self.buttons[name] = button
            inner.addWidget(button)
            if name == "flow":
                inner.addWidget(self.reach)
        self.buttons["frame_reviewed"].setCheckable(True)
        working = QWidget()
        inner = QHBoxLayout(working)
        inner.setContentsMargins(0, 0, 0, 0)
        inner.addWidget(self.progress, 1)
        inner.addWidget(self.stop)
        self._right = QStackedWidget()
        self._right.addWidget(buttons)
        self._right.addWidget(working)
        self.here.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        beneath = QHBoxLayout()
        beneath.addWidget(self.here, 1)
        beneath.addWidget(self._right)
        rows = QVBoxLayout(self)
        rows.setContentsMargins(6, 2, 6, 2)
        rows.setSpacing(2)
        rows.addWidget(self.strip)
        rows.addLayout(beneath)
        self.setStyleSheet(STYLE)

    def _button(self, text: str, tip: str = "") -> QToolButton:
        button = QToolButton()
        button.setText(text)
        button.setToolTip(tip)
        button.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        return button

    def show_keys(self, table: KeyTable) -> None:
        """Say in each tooltip what the button does and which key does the same."""
        tips = {a.name: f"{a.text} ({key})" for a, key in table.items()}
        tips["frame_reviewed"] = "Accept what is open on this frame and mark it as reviewed"
        for name, button in self.buttons.items():
            button.setToolTip(tips.get(name, ""))

    def close_links(self) -> None:
        """Stop listening."""
        self._soon.stop()
        for signal, slot in self._links:
            signal.disconnect(slot, missing_ok=True)

    # What is done

    def copy(self) -> None:
        """Copy to as many frames as is set."""
        self.carrier.copy(self.reach.value())

    def follow(self) -> None:
        """Follow over as many frames as is set."""
        self.carrier.follow(self.reach.value())

    def _mark_reviewed(self) -> None:
        mark_reviewed(self._session)
        self.look()

    def _set_reach(self, frame: int) -> None:
        if frame != self._session.frame:
            self.reach.setValue(frame - self._session.frame)

    # What is shown

    @property
    def n_frames(self) -> int:
        """Frames of the scan; 0 without one."""
        return self._session.scan.n_frames if self._session.scan is not None else 0

    def look_soon(self) -> None:
        """Look when the event loop is next free."""
        self._soon.start()

    def look(self) -> None:
        """Look at the project and show what is there."""
        session = self._session
        if session.scan is None or self.n_frames < 2:
            return
        try:
            session.frames_seen.keep()  # so that what was shown just now is among them
            self._states = session.project.frame_states(session.scan.sha256)
        except FadaError as error:
            session.say_error(error)
        records: Mapping[int, Any] = session.records
        self.strip.show_marks(frame_marks.marks_of(self.n_frames, records, self._states))
        self._on_frame()

    def _on_scan(self) -> None:
        if self.n_frames > 1:
            most = self.n_frames - 1
            self.reach.setRange(-most, most)
            self.reach.setValue(1)
            self.look()

    def _on_shown(self, frame: int) -> None:
        state = self._states.get(frame, FrameState())
        if not state.seen and not state.unseen:
            self._states[frame] = replace(state, seen=True)
            self.strip.show_look(frame)
            self._on_frame()

    def _on_frame(self) -> None:
        self.strip.show_frame(self._session.frame)
        marks = self.strip.marks
        here = min(self._session.frame, len(marks.review) - 1)
        self.here.setText(self._describe(here))
        self.buttons["frame_reviewed"].setChecked(bool(marks.review[here] == frame_marks.REVIEWED))

    def _on_task(self, task: Task) -> None:
        self.progress.setText(f"{task.done} of {task.total} frames {task.what}")
        if task.total > 1 or task.what == "followed":
            self._right.setCurrentIndex(1)

    def _on_rest(self) -> None:
        self._right.setCurrentIndex(0)

    def _describe(self, frame: int) -> str:
        scan = self._session.scan
        if scan is None:
            return ""
        records = self._session.records.get(frame, ())
        state = self._states.get(frame)
        return frame_marks.describe(frame, scan.n_frames, scan.frame_time, records, state)


class FramesDock:
    """Puts the bar beneath the canvas while the scan has several frames.

    Parameters
    ----------
    session : Session
        Whose viewer gets the dock.
    carrier : Carrier
        For the bar.
    """

    def __init__(self, session: Session, carrier: Carrier) -> None:
        self._session, self._carrier = session, carrier
        self._table: KeyTable | None = None
        self.bar: FramesBar | None = None
        self._dock: Any = None

    def place(self) -> None:
        """Show the bar if the scan has several frames, else hide it."""
        scan = self._session.scan
        wanted = scan is not None and scan.n_frames > 1
        if self._dock is not None:
            try:
                self._dock.setVisible(wanted)
            except RuntimeError:  # closed with its cross
                self.remove()
            else:
                return
        window = getattr(self._session.viewer, "window", None)
        if not wanted or window is None:
            return
        self.bar = FramesBar(self._session, self._carrier)
        if self._table is not None:
            self.bar.show_keys(self._table)
        self._dock = window.add_dock_widget(
            self.bar, name=NAME, area="bottom", add_vertical_stretch=False
        )
        private.right_dock_to_the_bottom(self._session.viewer)

    def show_keys(self, table: KeyTable) -> None:
        """Say which keys there are."""
        self._table = table
        if self.bar is not None:
            self.bar.show_keys(table)

    def copy(self) -> None:
        """Copy to as many frames as the bar says."""
        self._carrier.copy(self._reach)

    def follow(self) -> None:
        """Follow over as many frames as the bar says."""
        self._carrier.follow(self._reach)

    @property
    def _reach(self) -> int:
        return self.bar.reach.value() if self.bar is not None else 1

    def remove(self) -> None:
        """Forget the bar."""
        if self.bar is not None:
            self.bar.close_links()
        self.bar = self._dock = None
