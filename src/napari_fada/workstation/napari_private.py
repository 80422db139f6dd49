"""The one place that touches what napari does not promise to keep.

Each function says which public way is missing. When a napari release renames one of these,
this file is what has to change; `tests/workstation/test_napari_traps.py` notices.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from typing import Any
from weakref import WeakKeyDictionary

LOOKS = ("edge_color", "face_color", "edge_width", "border_color", "size", "symbol")


def is_drawing(layer: Any) -> bool:
    """Tell whether a shape of this layer is being drawn or dragged right now.

    A public ``is_creating`` is proposed (napari PR 9275).
    """
    if getattr(layer, "_is_creating", False) or getattr(layer, "_is_moving", False):
        return True
    # Points have no moving flag; while one is dragged the start of the drag is kept.
    return not hasattr(layer, "_is_creating") and getattr(layer, "_drag_start", None) is not None


def drawing_is_over(layer: Any) -> None:
    """Tell a Shapes layer that no shape is being drawn.

    napari emits ``added`` while its flag still stands; setting ``data`` inside that callback
    would finish the same shape a second time and fail on its index.
    """
    if hasattr(layer, "_is_creating"):
        layer._is_creating = False
    if hasattr(layer, "_moving_value"):
        layer._moving_value = (None, None)


def draw_along(layer: Any, lines: Mapping[int, Callable[[Any], Any] | None]) -> None:
    """Draw polygons of a Shapes layer along other lines than the sides between their vertices.

    The vertices stay what is selected, dragged and kept. napari draws its own interpolation this
    way (``interpolation_order``), but takes no other; the face stays that of the vertices.

    Parameters
    ----------
    layer : napari Shapes layer
        Not one that is being drawn in.
    lines : mapping of index to callable or None
        What makes the points to draw through of the vertices of a shape, both as displayed; None
        draws the sides.
    """
    view = layer._data_view
    changed = [i for i, line in lines.items() if _line_of(view.shapes[i]) is not line]
    for index in changed:
        shape, line = view.shapes[index], lines[index]
        for name in ("_update_displayed_data", "transform"):
            shape.__dict__.pop(name, None)
        if line is not None:
            shape._update_displayed_data = _Along(shape, line, "_update_displayed_data")
            shape.transform = _Along(shape, line, "transform")
        shape._update_displayed_data()
        view.update(index)
    if changed:
        getattr(layer, "_outlines_cache", {}).clear()
        layer.refresh()


def _line_of(shape: Any) -> Any:
    return getattr(shape.__dict__.get("transform"), "line", None)


class _Along:
    """A method of one shape that draws its edge along a line after napari has drawn it."""

    def __init__(self, shape: Any, line: Callable[[Any], Any], method: str) -> None:
        self._shape, self.line, self._method = weakref.ref(shape), line, method

    def __call__(self, *arguments: Any) -> None:
        shape: Any = self._shape()
        getattr(type(shape), self._method)(shape, *arguments)
        if list(shape.dims_displayed) != list(range(shape.data.shape[1]))[-2:]:
            return  # seen from the side, or in 3D
        face = shape._face_vertices, shape._face_triangles
        shape._set_meshes(self.line(shape.data_displayed), face=False, closed=True)
        shape._face_vertices, shape._face_triangles = face


def end_drag(layer: Any) -> None:
    """Let a drag that is under way do nothing more: what it holds is no longer there.

    napari keeps a generator for each and the index that lay under the mouse; it selects that
    when the mouse is released, whatever has it by then. One that is at work just now, because
    its own event led here, is left to end.
    """
    drags = list(getattr(layer, "_mouse_drag_gen", {}).values())
    if not drags or any(drag.gi_running for drag in drags):
        return
    for drag in drags:
        drag.close()
    for name in ("_drag_start", "_drag_box", "_fixed_vertex"):
        if hasattr(layer, name):
            setattr(layer, name, None)
    for name in ("_is_moving", "_is_selecting"):
        if hasattr(layer, name):
            setattr(layer, name, False)
    drawing_is_over(layer)


@contextmanager
def same_drag(layer: Any) -> Iterator[None]:
    """Replace the shapes of a layer from within the event that ends a drag.

    Otherwise napari takes the drag for a click and selects by an index of before.
    """
    drags = getattr(layer, "_mouse_drag_gen", {}).values()
    moving = getattr(layer, "_is_moving", False) and any(drag.gi_running for drag in drags)
    yield
    if moving:
        layer._private_is_moving = True  # napari sets it back when it is done


def clear_shapes(layer: Any) -> None:
    """Take all shapes out of a Shapes layer, so that others can be put in.

    In the 3D view napari leaves room for corners of three numbers then, and fails on those of a
    still, which have two.
    """
    layer.data = []
    view, mesh = layer._data_view, layer._data_view._mesh
    if layer.ndim == 2 and view.ndisplay == 3:
        view._vertices = view._vertices[:, :2]
        for name in ("vertices", "vertices_centers", "vertices_offsets"):
            setattr(mesh, name, getattr(mesh, name)[:, :2])


def click_square(layer: Any) -> float:
    """Return the side, in pixels, of the square that one click leaves in rectangle mode."""
    return float(getattr(layer, "_normalized_vertex_radius", 4.0)) / 2


def own_keys() -> Iterator[tuple[str, str]]:
    """Give napari's own keys, in its layers, in its window and in its menus, with what they do.

    Preferences keep the first kind, layers the second, and the third are the application's.
    """
    from napari import layers
    from napari._app_model import get_app_model
    from napari.components import ViewerModel
    from napari.settings import get_settings

    for name, keys in get_settings().shortcuts.shortcuts.items():
        for key in keys:
            yield str(key), name.rpartition(":")[2].replace("_", " ")
    for kind in (ViewerModel, layers.Shapes, layers.Labels, layers.Points, layers.Image):
        for key, does in kind.class_keymap.items():
            yield str(key), getattr(does, "__name__", "").replace("_", " ")
    app = get_app_model()
    for rule in app.keybindings:
        known = rule.command_id in app.commands
        command = app.commands[rule.command_id] if known else None
        what = getattr(command, "title", rule.command_id)
        yield str(rule.keybinding), str(what).strip("\u200e.…")


def zoom(viewer: Any) -> float:
    """Return the pixels of the screen that one unit of the world takes.

    The camera belongs to the scene since napari 0.9; before, to the viewer.
    """
    scene = getattr(viewer, "scene", viewer)
    return float(scene.camera.zoom)


def view_of(viewer: Any) -> tuple[Any, ...]:
    """Return what part of the canvas is seen: the middle, and how large."""
    camera = getattr(viewer, "scene", viewer).camera
    return tuple(camera.center), float(camera.zoom)


def restore_view(viewer: Any, seen: tuple[Any, ...] | None) -> None:
    """Show the part of the canvas that :func:`view_of` told."""
    if viewer is not None and seen is not None:
        camera = getattr(viewer, "scene", viewer).camera
        camera.center, camera.zoom = seen


def without_native_drag(layer: Any) -> None:
    """Keep the look of a layer's mode and take away what dragging does in it.

    napari takes its own callback out again, if it is there, when the mode changes.
    """
    native = layer._drag_modes[layer._mode]
    if native in layer.mouse_drag_callbacks:
        layer.mouse_drag_callbacks.remove(native)


def forget_label_history(layer: Any) -> None:
    """Empty the undo history of a Labels layer whose pixels have been replaced.

    Otherwise napari's next undo writes old values into new pixels.
    """
    layer._reset_history()


@contextmanager
def one_refresh(layer: Any) -> Iterator[None]:
    """Redraw a layer once at the end of a block instead of after every property.

    Without it showing forty shapes stops the event loop for a tenth of a second: each
    colour, each width and each change of the text would fill the canvas's buffers anew.
    """
    emitters = [getattr(layer.events, name, None) for name in LOOKS]
    with ExitStack() as blocked:
        texts = layer.text.events if hasattr(layer, "text") else None  # Vectors have none
        for emitter in (*emitters, texts):
            if emitter is not None:
                blocked.enter_context(emitter.blocker())
        blocked.enter_context(layer._block_refresh())
        yield
    layer.refresh()


@contextmanager
def at_once(viewer: Any, layers: Iterable[Any]) -> Iterator[None]:
    """Change many layers and draw them and the canvas once, after the block.

    napari slices a layer anew for each property that is set.
    """
    layers = list(layers)
    hold_canvas(viewer)
    try:
        with ExitStack() as blocked:
            for layer in layers:
                blocked.enter_context(layer._block_refresh())
            yield
        for layer in layers:
            layer.refresh()
    finally:
        hold_canvas(viewer, hold=False)


def hold_canvas(viewer: Any, *, hold: bool = True) -> None:
    """Let the canvas wait with drawing, or draw now.

    A change is drawn before any key or mouse event is heard, so that the two together stop
    the event loop for as long as both take.
    """
    canvas = getattr(_canvas(viewer), "native", None)
    if canvas is not None:
        with suppress(RuntimeError):  # the window was closed meanwhile
            canvas.setUpdatesEnabled(not hold)


@contextmanager
def one_scene_update(viewer: Any) -> Iterator[None]:
    """Let the canvas put its scene in order once, after several layers were taken away.

    It looks for rubbish in all of memory each time, a tenth of a second and more. The batch is
    public from napari 0.9 on; without it there is only the delay.
    """
    batch = getattr(viewer.layers, "batched_update", None)
    if batch is None:
        yield
    else:
        with batch():
            yield


def keep_shaders(viewer: Any, layers: Iterable[Any]) -> None:
    """Let the meshes of Shapes and Vectors layers keep their shader when their data change.

    vispy gives a mesh a new colour function with all new data, so that its program is
    compiled and linked again although the code is the same: 10 ms for each of the two
    meshes of a Shapes layer, and the one of a Vectors layer, at every frame that is scrolled
    to. Nothing happens where there is no canvas.
    """
    from vispy.visuals import MeshVisual

    visuals = getattr(_canvas(viewer), "layer_to_visual", {})
    for layer in layers:
        node = getattr(visuals.get(layer), "node", None)
        for part in (node, *getattr(node, "_subvisuals", ())):
            build = getattr(part, "_build_color_transform", None)
            if isinstance(part, MeshVisual) and build is not None:
                part.unfreeze()
                part._build_color_transform = _one_for_all(build)
                part.freeze()


def mend_vectors(viewer: Any, layers: Iterable[Any]) -> None:
    """Let Vectors layers of a still be empty in the 3D view.

    napari 0.9 gives them corners with four numbers then, and drawing fails at every frame.
    """
    visuals = getattr(_canvas(viewer), "layer_to_visual", {})
    for layer in layers:
        node = getattr(visuals.get(layer), "node", None)
        if type(layer).__name__ == "Vectors" and node is not None:
            node.unfreeze()
            node.set_data = _with_three_numbers(node.set_data)
            node.freeze()


def _with_three_numbers(set_data: Callable[..., Any]) -> Callable[..., Any]:
    def put(*, vertices: Any, **more: Any) -> None:
        set_data(vertices=vertices[:, :3], **more)

    return put


def _one_for_all(build: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Return a maker of colour functions that makes one for values and one for colours."""
    made: dict[bool, Any] = {}

    def built(colours: Any) -> Any:
        values = colours.ndim == 2 and colours.shape[1] == 1
        if values:  # the limits of these are part of the function
            return build(colours)
        if values not in made:
            made[values] = build(colours)
        return made[values]

    return built


def glyphs(viewer: Any) -> Any:
    """Return the font of the canvas: asked for a character, it draws and keeps its shape.

    That takes 10 ms for each, so it is better asked before text is shown. None where there
    is no canvas, or its fonts are not as they are in napari 0.9.
    """
    try:
        font = _canvas(viewer).font_info()
        return font.font_manager.get_font(font.face)
    except (AttributeError, TypeError):
        return None


def _canvas(viewer: Any) -> Any:
    window = getattr(viewer, "window", None)
    return getattr(getattr(window, "_qt_viewer", None), "canvas", None)


def right_dock_to_the_bottom(viewer: Any) -> None:
    """Let docks on the right keep their height when a dock comes in beneath the canvas."""
    from qtpy.QtCore import Qt

    window = getattr(viewer.window, "_qt_window", None)
    if window is not None:
        window.setCorner(Qt.Corner.BottomRightCorner, Qt.DockWidgetArea.RightDockWidgetArea)


def is_painting(layer: Any) -> bool:
    """Tell whether a stroke of the brush is under way on a Labels layer."""
    return bool(getattr(layer, "_block_history", False))


def keys_of(action: str) -> list[Any]:
    """Return the keys that napari's settings give one of its actions."""
    from napari.settings import get_settings

    kept = get_settings().shortcuts.shortcuts
    return list(kept.get(f"napari:{action}", ()))


def deletes(viewer: Any, text: str) -> bool:
    """Tell whether a key deletes what is selected in the active layer (``3`` does in Shapes)."""
    kind = type(viewer.layers.selection.active).__name__.lower()
    keys = keys_of(f"delete_selected_{kind}")
    return bool(text.strip()) and text.upper() in {str(key).upper() for key in keys}


def key_event(event: Any) -> Any:
    """Return an event about a key as Qt's key event.

    PyQt gives the wrapper of an event that lay at the same place in memory before, for instance
    of one of the mouse that somebody keeps, and that knows nothing of keys.
    """
    from qtpy.QtGui import QKeyEvent

    if isinstance(event, QKeyEvent):
        return event
    from PyQt6 import sip

    at: Any = sip.unwrapinstance(event)  # type: ignore[func-returns-value]
    return sip.wrapinstance(at, QKeyEvent)  # type: ignore[arg-type]


def paste(layer: Any) -> None:
    """Paste what was copied from this layer; napari has no public call for it."""
    layer._paste_data()


def later(does: Callable[[], object], milliseconds: int = 0) -> None:
    """Do something when the event loop is next free; at once where there is none."""
    from qtpy.QtCore import QTimer
    from qtpy.QtWidgets import QApplication

    if QApplication.instance() is None:
        does()
    else:
        QTimer.singleShot(milliseconds, does)


def main_window(viewer: Any) -> Any:
    """Return Qt's main window of a viewer (``Window`` has no public name for it), or None."""
    return getattr(getattr(viewer, "window", None), "_qt_window", None)


def focus_canvas(viewer: Any) -> None:
    """Let the canvas have the keys."""
    canvas = getattr(_canvas(viewer), "native", None)
    if canvas is not None:
        with suppress(RuntimeError):  # the window was closed meanwhile
            canvas.setFocus()


def dark_canvas(viewer: Any) -> None:
    """Keep what surrounds the scan black in a light theme, too, if the user set nothing else.

    Ultrasound is read on black, and class names are light so that they can be read on a scan.
    ``viewer.canvas`` is public from napari 0.9 on; older ones keep the theme's colour.
    """
    canvas: Any = getattr(viewer, "canvas", None)
    if getattr(canvas, "background_color_override", "absent") is None:
        canvas.background_color_override = "black"


class CanvasText:
    """A line of text on the canvas, through napari's text overlay; the user's own comes back.

    The overlays belong to the canvas since napari 0.9; before, to the viewer.

    Parameters
    ----------
    viewer : napari viewer or ViewerModel
        Whose canvas.
    """

    def __init__(self, viewer: Any) -> None:
        overlays: Any = getattr(getattr(viewer, "canvas", None), "overlays", None)
        self._overlay = overlays.text if overlays is not None else viewer.text_overlay
        self._users: tuple[Any, ...] | None = None

    @property
    def text(self) -> str:
        """What stands there now; nothing if the line is the user's own."""
        return str(self._overlay.text) if self._users is not None else ""

    def show(self, text: str) -> None:
        """Show a line, or with an empty one what was there before."""
        overlay = self._overlay
        if text == self.text:
            return
        if self._users is None:
            self._users = (overlay.text, overlay.visible, overlay.position)
        if text:  # napari's notifications lie at the bottom
            overlay.text, overlay.visible, overlay.position = text, True, "top_left"
        else:
            overlay.text, overlay.visible, overlay.position = self._users
            self._users = None


_drawn: WeakKeyDictionary[Any, list[Any]] = WeakKeyDictionary()


def keep_buffers(viewer: Any, layers: Iterable[Any]) -> None:
    """Keep what layers that are about to go have in the graphics memory, as long as the viewer.

    vispy leaves the vertex arrays of what it drew switched on. When the last Shapes layer goes, so
    do its buffers, and the next drawing of an image reads from them: the driver ends the program.
    """
    visuals = getattr(_canvas(viewer), "layer_to_visual", {})
    nodes = (getattr(visuals.get(layer), "node", None) for layer in layers)
    _drawn.setdefault(viewer, []).extend(node for node in nodes if node is not None)


def show_sliders(viewer: Any, *, shown: bool) -> None:
    """Show or hide the sliders beneath the canvas; those of hidden clips do nothing to a still."""
    sliders = getattr(getattr(getattr(viewer, "window", None), "_qt_viewer", None), "dims", None)
    if sliders is not None:
        with suppress(RuntimeError):  # the window was closed meanwhile
            sliders.setVisible(shown)


def grid(viewer: Any) -> Any:
    """Return the grid that lays layers side by side; it belongs to the canvas since napari 0.9."""
    canvas: Any = getattr(viewer, "canvas", None)
    return canvas.grid if hasattr(canvas, "grid") else viewer.grid


def fit_to(viewer: Any, layer: Any, margin: float = 0.05) -> None:
    """Fit the view to one layer, whatever else is there.

    napari fits to all layers, hidden ones too; told which, it fails where a layer has fewer
    axes than the viewer.
    """
    import itertools

    import numpy as np

    if viewer.dims.ndisplay != 2:
        viewer.reset_view()
        return
    shape = np.asarray(layer.data.shape[: layer.ndim], float)
    lacking = viewer.dims.ndim - layer.ndim
    shown = [axis - lacking for axis in viewer.dims.displayed]
    if min(shown) < 0:
        viewer.reset_view()
        return
    ends = zip(np.full(layer.ndim, -0.5), shape - 0.5, strict=True)
    corners = np.array([layer.data_to_world(corner) for corner in itertools.product(*ends)])
    low, high = corners.min(axis=0)[shown], corners.max(axis=0)[shown]
    scene = getattr(viewer, "scene", viewer)
    canvas: Any = getattr(viewer, "canvas", None)
    size: Any = canvas.size if hasattr(canvas, "size") else viewer._canvas_size
    scene.camera.center = tuple((low + high) / 2)
    scene.camera.zoom = float(
        (1 - margin) * np.min(np.asarray(size) / np.maximum(high - low, 1e-9))
    )


def on_draw(viewer: Any, does: Callable[[Any], object]) -> bool:
    """Call a method whenever the canvas is drawn; False where there is no canvas.

    Layers and dims say that something changed, not that anybody could see it.
    """
    scene = getattr(_canvas(viewer), "_scene_canvas", None)
    if scene is None:
        return False
    scene.events.draw.connect(does)
    return True


def is_flat(viewer: Any) -> bool:
    """Tell whether the canvas shows one plane, not all of a clip at once."""
    return int(viewer.dims.ndisplay) == 2
