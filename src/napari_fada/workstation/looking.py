"""Projects that are only to look at, the worst cases of an evaluation for one, and the way back.

Such a project says so itself. Whoever opens it gets it without the right to write, nothing is
edited in it, and it is never the project of the next start. Where the user was before is kept:
project, scan, frame, and what part of it was seen.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_fada.errors import FadaError
from napari_fada.records.base import LOOK, default_path
from napari_fada.records.project import Project
from napari_fada.records.worklist import Filter, Order, Worklist
from napari_fada.records.worklist_query import EVERYTHING
from napari_fada.workstation import napari_private as private
from napari_fada.workstation import scan_layers

if TYPE_CHECKING:
    from napari_fada.workstation.session import Session


@dataclass(frozen=True, slots=True)
class Place:
    """Where a user was: what was open, what was shown of it, and which scans were looked for.

    ``layer`` gives the layer of a scan that the user took from one: it may have no file.
    """

    path: Path
    sha256: str | None
    layer: Callable[[], Any]
    frame: int
    view: tuple[Any, ...] | None
    where: Filter
    order: Order


def open_to_work(path: Path | None, rater: str, *, create: bool = True) -> Project:
    """Open a project: to write, or, if it says that it is only to look at, to look.

    Raises
    ------
    ProjectError
        As ``Project.open`` does.
    """
    project = Project.open(path, rater=rater, create=create)
    if project.mark(LOOK) is None:
        return project
    project.close()
    return Project.open(path, rater=rater, create=False, look=True)


class Looking:
    """What may only be looked at in a session, and how to get back.

    Parameters
    ----------
    session : Session
        Whose project it is.
    """

    def __init__(self, session: Session) -> None:
        self._session_ref = weakref.ref(session)
        self.place: Place | None = None
        self.key = ""
        """The key that leads back; the window knows it."""
        self._arriving: Place | None = None
        session.scan_changed.connect(self._on_scan)

    @property
    def _session(self) -> Session:
        session = self._session_ref()
        assert session is not None
        return session

    @property
    def on(self) -> bool:
        """Whether the project is only to look at."""
        project = self._session.open_now
        return project is not None and project.looking

    @property
    def text(self) -> str:
        """What the band says of the project; empty if there is nothing to be said."""
        project = self._session.open_now
        if project is None or project.writable:
            return ""
        try:
            if not self.on:
                return (
                    f"{project.path.name} is read-only: edits wait on the screen until they are "
                    "saved in a copy"
                )
            number = Worklist(project).count()
            title = project.mark(LOOK) or project.path.name
        except FadaError as error:
            return str(error)
        return f"{title} · {number} {'scan' if number == 1 else 'scans'} · only to look at"

    @property
    def back_to(self) -> str:
        """Name of the project that the way leads back to; empty if none was open before."""
        return self.place.path.name if self.place is not None else ""

    def refuses(self) -> bool:
        """Tell whether nothing may be edited here, and say so with the way back."""
        if not self.on:
            return False
        key = f" ({self.key})" if self.key else ""
        self._session.say(
            f"{self.text}: nothing was changed. “Back to my project”{key}, in the band above, "
            "goes on with your work.",
            "warning",
        )
        return True

    def guarded(self, does: Callable[[], object]) -> Callable[[], object]:
        """Return what a tool does, but for where nothing may be edited: there it says so."""
        return lambda: None if self.refuses() else does()

    def leave_for(self, project: Project) -> None:
        """Take note of where one is before another project is opened."""
        if project.writable:
            self.place = None
        elif self.place is None or not self.on:
            self.place = self._here()

    def _here(self) -> Place | None:
        session = self._session
        project = session.open_now
        if project is None or project.looking:
            return self.place
        walk = session.walk
        return Place(
            project.path,
            session.scan.sha256 if session.scan else None,
            weakref.ref(session.image) if session.image is not None else lambda: None,
            session.frame,
            private.view_of(session.viewer),
            *(walk.where, walk.order),
        )

    def arrive(self) -> None:
        """Show the first of what there is to look at, in the order in which it was put there."""
        session = self._session
        if not self.on:
            return
        session.look_for(EVERYTHING, "added")
        try:
            items = session.walk.worklist.items(EVERYTHING, "added")
        except FadaError as error:
            session.say_error(error)
            return
        first = next((item for item in items if not item.problem), None)
        if first is not None:
            session.open_item(first)

    def back(self) -> bool:
        """Go back to where one was; False (and why) if that is not possible."""
        session, place = self._session, self.place
        if place is None:
            if self.text:
                session.say("No other project was open before: open yours in the Project tab.")
            return False
        path = None if place.path == default_path() else place.path
        if not session.open_project(path, create=False):
            return False
        session.look_for(place.where, place.order)
        if place.sha256 is None:
            return True
        self._arriving = place
        if session.scan is not None and session.scan.sha256 == place.sha256:
            self._on_scan()
        elif (layer := place.layer()) in session.viewer.layers and not scan_layers.is_page(layer):
            session.use_layer(layer)
        elif (item := session.walk.worklist.of_scan(place.sha256)) is not None:
            session.open_item(item)  # in a window a moment later
        if self._arriving is None:
            private.restore_view(session.viewer, place.view)
        return True

    def _on_scan(self) -> None:
        place, session = self._arriving, self._session
        if place is None or session.scan is None or session.scan.sha256 != place.sha256:
            return
        self._arriving = None
        session.go_to_frame(place.frame)
        # The view is fitted to a scan after it is told of.
        private.later(lambda: private.restore_view(session.viewer, place.view))
