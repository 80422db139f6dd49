"""Which frames were on the screen: noted as they are drawn, kept in the project a little later.

No Qt in here. Without a canvas (a ViewerModel) a frame counts as drawn when it is gone to. What is
noted waits a moment, so that scrolling and playing write once and not for each frame; a kill in
that moment forgets looks, and never invents one.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, ClassVar

from psygnal import Signal

from napari_fada.errors import FadaError
from napari_fada.records.annotation import now
from napari_fada.workstation import napari_private as private
from napari_fada.workstation.covering import is_seen

if TYPE_CHECKING:
    from napari_fada.workstation.session import Session

PAUSE_MS = 2000


class FramesSeen:
    """What one viewer has shown of its scans.

    Parameters
    ----------
    session : Session
        Whose scan is on the canvas.
    """

    shown: ClassVar[Signal] = Signal(int)
    """A frame was drawn with what stands on it now."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._waiting: dict[tuple[str, str], dict[int, str]] = {}
        self._soon = False
        if not private.on_draw(session.viewer, self.note):
            session.scan_changed.connect(self.note)
            session.frame_changed.connect(self.note)
            session.records_changed.connect(self.note)
        session.scan_closing.connect(self.keep)

    def note(self, _event: Any = None) -> None:
        """Note that the frame was drawn, if it can be seen with its annotations."""
        session = self._session
        if session.scan is None or session.open_now is None or not self._can_be_seen():
            return
        key = (session.open_now.identifier, session.scan.sha256)
        self._waiting.setdefault(key, {})[session.frame] = now()
        if not self._soon:
            self._soon = True
            private.later(self.keep, PAUSE_MS)
        self.shown.emit(session.frame)

    def _can_be_seen(self) -> bool:
        session = self._session
        if session.past is not None or session.layers is None or not session.layers.is_whole():
            return False
        canvas = session.canvas
        hidden = not all(map(is_seen, session.layers.layers)) and canvas.hidden()
        return not hidden and private.is_flat(session.viewer) and canvas.hindrance() is None

    def keep(self) -> None:
        """Write what was noted into the project; what it does not take now waits."""
        self._soon = False
        project = self._session.open_now
        if project is None or not project.writable:
            return
        for key in [k for k in self._waiting if k[0] == project.identifier]:
            with suppress(FadaError):  # busy or gone: it is no edit, and there is another time
                project.note_looks(key[1], tuple(self._waiting[key].items()))
                del self._waiting[key]

    def of_scan(self) -> tuple[tuple[int, str], ...]:
        """Return what was on the screen of the scan, up to now, and is not in the project yet."""
        session = self._session
        self.note()
        self.keep()
        if session.scan is None or session.open_now is None:
            return ()
        key = (session.open_now.identifier, session.scan.sha256)
        return tuple(self._waiting.get(key, {}).items())
