"""Which frames of a clip have their structures in the layers: those near the one that is shown.

napari makes every shape of a layer anew when one changes. With the structures of three hundred
frames in it each edit would stop the event loop for a second; with those of a few it does not.
The layers are brought in step before the window's edge is reached.
"""

from __future__ import annotations

from collections.abc import Mapping

from napari_fada.records.annotation import Annotation

REACH = 8
"""Frames on either side that are in the layers."""

MARGIN = 4
"""Steps after which the window moves; after a leap the frame itself is shown first."""


def holds(centre: int, frame: int) -> bool:
    """Tell whether a frame lies in the window about a frame."""
    return abs(frame - centre) <= REACH


def is_left(centre: int, frame: int) -> bool:
    """Tell whether the window should be moved to a frame."""
    return abs(frame - centre) > MARGIN


def near(
    records: Mapping[int, list[Annotation]], centre: int, reach: int = REACH
) -> dict[int, list[Annotation]]:
    """Return the records of the frames in the window."""
    return {f: list(rs) for f, rs in records.items() if abs(f - centre) <= reach}
