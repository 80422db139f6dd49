"""What is drawn next in the polygons layer goes to a tool instead of becoming a structure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from napari_fada.records.annotation import Ring
from napari_fada.workstation import napari_private as private
from napari_fada.workstation.binding_shapes import ShapesBinding
from napari_fada.workstation.coordinates import from_layer
from napari_fada.workstation.session import Session
from napari_fada.workstation.shape_diff import Drawn


class Pen:
    """Lends napari's own drawing to one tool at a time.

    It ends when something was drawn, with Escape, with the tool's key again, or when another
    mode is chosen; the layer and the mode from before come back.

    Parameters
    ----------
    session : Session
        Whose polygons layer is drawn in.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._binding: ShapesBinding | None = None
        self._tool = self._mode = ""
        self._takes: Callable[[Ring], None] = lambda _ring: None
        self._before: tuple[Any, str, set[int]] = (None, "", set())
        session.scan_closing.connect(self.cancel)
        session.frame_changed.connect(self.cancel)

    @property
    def tool(self) -> str:
        """The tool that has the pen, empty if none."""
        return self._tool

    def begin(self, tool: str, mode: str, hint: str, takes: Callable[[Ring], None]) -> None:
        """Let the user draw one shape for a tool.

        Parameters
        ----------
        tool : str
            Its name; if it has the pen already, it gives it back.
        mode : str
            napari's mode: ``add_line``, ``add_polygon``, …
        hint : str
            What to do, for the message bar.
        takes : callable
            Gets the points that were drawn.
        """
        again = tool == self._tool
        self.cancel()
        session = self._session
        if again:
            session.say("Left: nothing was drawn.")
            return
        if session.layers is None:
            session.say("Choose a scan first.")
            return
        binding: Any = session.layers.bindings["polygons"]
        layer = binding.layer
        active = session.viewer.layers.selection.active
        self._before = (active, str(layer.mode), set(layer.selected_data))
        session.viewer.layers.selection.active = layer
        layer.visible = True
        layer.mode = mode
        self._binding, self._tool, self._mode, self._takes = binding, tool, mode, takes
        binding.taker = self._on_drawn
        layer.events.mode.connect(self._on_mode)
        layer.bind_key("Escape", lambda _layer: self.cancel(), overwrite=True)
        session.say(f"{hint} Escape leaves.")

    def cancel(self, _: object = None) -> None:
        """Take the pen back; what is half drawn is dropped."""
        if self._binding is not None:
            self._binding.taker = lambda _drawn: None
            self._end()

    def _on_drawn(self, drawn: Drawn) -> None:
        takes = self._takes
        # napari is still finishing the shape: mode and selection have to wait.
        private.later(self._end)
        takes(from_layer(drawn.vertices))

    def _on_mode(self) -> None:
        if self._binding is not None and str(self._binding.layer.mode) != self._mode:
            self._binding.taker = lambda _drawn: None
            private.later(lambda: self._end(back=False))

    def _end(self, *, back: bool = True) -> None:
        binding, self._binding, self._tool = self._binding, None, ""
        if binding is None:
            return
        layer, (active, mode, chosen) = binding.layer, self._before
        layer.events.mode.disconnect(self._on_mode)
        layer.bind_key("Escape", None, overwrite=True)
        if back:
            layer.mode = mode
            layer.selected_data = {i for i in chosen if i < len(layer.data)}
            layers = self._session.viewer.layers
            if active in layers:
                layers.selection.active = active
        binding.taker = None
