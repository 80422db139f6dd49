"""A name that is given after the first edits: what this window did without one is signed with it.

No Qt in here. A window may have worked in several projects before it gives a name; each is signed
when it is open, and what could not be written is tried again then.
"""

from __future__ import annotations

from typing import Any

from napari_fada.errors import FadaError
from napari_fada.records.project import Project


class RaterName:
    """Which projects one viewer's session worked in without a name, and whose work it was.

    Parameters
    ----------
    session : Session
        Its project is signed.
    """

    def __init__(self, session: Any) -> None:
        self._session = session
        self._nameless: set[tuple[str, str]] = set()
        self._whose: dict[tuple[str, str], str] = {}

    def leave(self, project: Project) -> None:
        """Remember a project that is closed now, if it was worked in without a name."""
        if not project.rater:
            self._nameless.add((project.identifier, project.window))

    def give(self, name: str) -> int:
        """Say whose work it was; return how many edits of the open project were signed with it."""
        project = self._session.open_now
        if project is not None:
            self._nameless.add((project.identifier, project.window))
        self._whose |= dict.fromkeys(self._nameless, name)
        self._nameless.clear()
        return self.settle()

    def settle(self) -> int:
        """Sign what is to be signed in the open project."""
        project, count = self._session.open_now, 0
        if project is None or not project.writable:
            return 0
        for key, name in list(self._whose.items()):
            if key[0] != project.identifier:
                continue
            try:
                count += project.sign(name, key[1])
            except FadaError as error:
                self._session.say_error(error)
            else:
                del self._whose[key]
        return count
