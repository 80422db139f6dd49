"""napari's controls of the masks: what would write more than the eye sees is set back, with a word.

The masks are drawn from the outlines; a stroke is about one frame and one structure.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

FRAME = 2
"""Axes that a brush reaches over: rows and columns."""


class MaskControls:
    """Keeps the settings of one Labels layer to what a stroke may do.

    Parameters
    ----------
    layer : napari Labels layer
        The masks.
    say : callable
        Tells the user.
    """

    def __init__(self, layer: Any, say: Callable[[str], object]) -> None:
        self._layer, self._say = layer, say
        layer.events.n_edit_dimensions.connect(self._on_dimensions)
        layer.events.preserve_labels.connect(self._on_preserve)

    def close(self) -> None:
        """Stop listening."""
        self._layer.events.n_edit_dimensions.disconnect(self._on_dimensions)
        self._layer.events.preserve_labels.disconnect(self._on_preserve)

    def _on_dimensions(self, _event: Any = None) -> None:
        if self._layer.n_edit_dimensions != FRAME:
            self._layer.n_edit_dimensions = FRAME
            self._say(
                "A stroke is about the frame that is shown: “n edit dim” was set back to 2. "
                "To carry a structure to other frames, copy or interpolate it."
            )

    def _on_preserve(self, _event: Any = None) -> None:
        if self._layer.preserve_labels:
            self._say(
                "Preserve labels is on: the brush leaves out what another structure covers. "
                "B turns it off."
            )
