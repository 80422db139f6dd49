"""Long work is shown in napari's activity dock, too, beside our own progress.

napari's workers can do that themselves, but at each event of the work they let the event loop
run; where events come fast, handling one begins before the one before is done, and so on down to
the bottom of the stack. Here the line is drawn once and taken away once.
"""

from __future__ import annotations

from typing import Any

from napari.utils import progress


class Activity:
    """A line in the activity dock while something goes on."""

    def __init__(self) -> None:
        self._line: Any = None

    def begin(self, text: str) -> None:
        """Show what is going on; a line from before is replaced."""
        self.end()
        self._line = progress(total=0, desc=text)

    def end(self) -> None:
        """Take the line away, if there is one."""
        line, self._line = self._line, None
        if line is not None:
            line.close()
