"""Images that come into the viewer: dropped, a sample, from another plugin or the console.

The first one is taken as the scan; of several that come together one is asked for. While a scan
is in review the user is told what the new image hides, and nothing is recorded until that is
settled (:mod:`napari_fada.workstation.canvas`).
"""

from __future__ import annotations

from functools import partial
from typing import Any

from napari_fada.workstation import napari_private as private
from napari_fada.workstation import scan_layers
from napari_fada.workstation.covering import is_seen

MOST = 3
"""Images that have a button each; the others are in the list at the top."""


class NewImages:
    """Takes new images as the scan, or asks about them.

    Parameters
    ----------
    session : Session
        Of the viewer.
    """

    def __init__(self, session: Any) -> None:
        self._session = session
        self._new: list[Any] = []
        session.viewer.layers.events.inserted.connect(self._on_inserted)
        if session.scan is None:  # dropped before the window was opened
            self._new = list(session.viewer.layers)
            self._decide()

    def _on_inserted(self, event: Any) -> None:
        if scan_layers.is_page(event.value):
            return
        self._new.append(event.value)
        if len(self._new) == 1:
            private.later(self._decide)  # one file may come as several layers

    def _decide(self) -> None:
        session = self._session
        come, self._new = self._new, []
        if session.viewer is None or not come:
            return
        if session.scan is not None:
            session.canvas.ask()
            return
        images = [x for x in scan_layers.image_layers(session.viewer) if x in come and is_seen(x)]
        if len(images) == 1:
            session.use_layer(images[0])
        elif images:
            ways = tuple(
                (f"Work on “{x.name}”", "Take it as the scan", partial(session.use_layer, x))
                for x in images[:MOST]
            )
            session.ask(
                f"{len(images)} images are open. Which is the scan? The others are hidden then.",
                ways,  # taken back by the session when a scan is taken
            )
