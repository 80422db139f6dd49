"""What is shown is what is recorded: pixels, place, what covers the scan, what is hidden."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel
from PIL import Image

from conftest import Bench, make_bench
from napari_fada.records.annotation import Annotation
from napari_fada.records.project import Project
from napari_fada.workstation import napari_private as private
from napari_fada.workstation.new_images import NewImages
from napari_fada.workstation.placing import PLACE
from napari_fada.workstation.session import Session

CORNERS = ((30, 50), (30, 90), (60, 90))  # rows, columns of pixels
POINTS = ((50.5, 30.5), (90.5, 30.5), (90.5, 60.5))
BOX = Annotation("Brain", "box", ((10.0, 10.0), (60.0, 50.0)))
RING = Annotation("LV", "polygon", ((10.0, 10.0), (60.0, 10.0), (30.0, 50.0)))


def speckle(shape: tuple[int, ...] = (120, 200), top: int = 99, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, top, shape).astype(np.uint8)


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Bench]:
    """Open a scan of 120 by 200 pixels that is no file."""
    made = make_bench(tmp_path, speckle())
    yield made
    made.session.close()


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[Bench]:
    """Open a viewer without an image."""
    session = Session(viewer := ViewerModel(), Project.open(tmp_path / "p.fada", rater="ann"))
    made = Bench(session, viewer)
    session.message.connect(lambda text, level: made.said.append((text, level)))
    yield made
    session.close()


def drawn(bench: Bench, corners: Any = CORNERS) -> None:
    bench.layer("polygons").add([np.array(corners, float)], shape_type="polygon")


def from_file(bench: Bench, path: Path, data: np.ndarray, **more: Any) -> Any:
    """Return a layer as a reader makes it of a file."""
    from napari.layers import Image as ImageLayer

    layer = ImageLayer(data, name=path.stem, **more)
    layer._set_source(layer.source.model_copy(update={"path": str(path)}))
    return bench.viewer.add_layer(layer)


def questions(bench: Bench) -> list[tuple[str, tuple[Any, ...]]]:
    asked: list[tuple[str, tuple[Any, ...]]] = []
    bench.session.question.connect(lambda text, ways: asked.append((text, ways)))
    return asked


# Pixels of a file


@pytest.mark.parametrize("orientation", range(2, 9))
def test_a_layer_that_a_reader_left_unturned_shows_the_file_upright(
    empty: Bench, tmp_path: Path, orientation: int
) -> None:
    stored = speckle()
    image = Image.fromarray(stored)
    exif = image.getexif()
    exif[0x0112] = orientation
    image.save(tmp_path / "turned.png", exif=exif)
    layer = from_file(empty, tmp_path / "turned.png", stored)
    assert empty.session.use_layer(layer)
    scan = empty.session.scan
    assert scan is not None
    assert scan.orientation == orientation
    assert np.array_equal(layer.data, scan.frame(0))
    assert "upright" in empty.texts()
    drawn(empty, ((10, 10), (10, 60), (50, 60)))
    empty.viewer.layers.clear()
    assert empty.session.open_path(tmp_path / "turned.png")
    assert len(empty.kept()) == 1


def test_the_pixels_count_not_the_path(empty: Bench, tmp_path: Path) -> None:
    Image.fromarray(speckle()).save(tmp_path / "plain.png")
    asked = questions(empty)
    layer = from_file(empty, tmp_path / "plain.png", speckle()[::-1].copy())
    assert empty.session.use_layer(layer)
    scan = empty.session.scan
    assert scan is not None
    assert scan.path is None
    assert np.array_equal(scan.frame(0), layer.data)
    assert "turned or mirrored" in empty.texts()
    ((_, ((label, _, does),)),) = asked
    assert label == "Open the file"
    does()
    assert empty.session.scan.path == tmp_path / "plain.png"
    assert np.array_equal(empty.session.image.data, speckle())
    assert not layer.visible


@pytest.mark.parametrize("kind", ["grey", "colour", "alpha", "16 bit", "grey as colour"])
def test_unchanged_pixels_are_the_file(empty: Bench, tmp_path: Path, kind: str) -> None:
    data: np.ndarray = speckle()
    if kind == "colour":
        data = speckle((120, 200, 3))
    elif kind == "alpha":
        data = np.dstack([speckle((120, 200, 3)), speckle(seed=4, top=256)])
    elif kind == "16 bit":
        data = speckle().astype(np.uint16) * 40
    path = tmp_path / "scan.png"
    Image.fromarray(data).save(path)
    if kind == "grey as colour":
        data = np.repeat(data[..., None], 3, axis=2)
    layer = from_file(empty, path, data, rgb=data.ndim == 3)
    assert empty.session.use_layer(layer)
    assert empty.session.scan.path == path
    assert np.array_equal(layer.data, data)
    assert empty.said == []


@pytest.mark.parametrize("frame", [0, 3, 7])
def test_one_changed_frame_of_a_clip_makes_another_scan(
    empty: Bench, tmp_path: Path, frame: int
) -> None:
    tifffile = pytest.importorskip("tifffile")
    clip = speckle((8, 60, 90))
    tifffile.imwrite(tmp_path / "clip.tif", clip, photometric="minisblack")
    changed = clip.copy()
    changed[frame, 20, 20] += 1
    assert empty.session.use_layer(from_file(empty, tmp_path / "clip.tif", changed))
    assert empty.session.scan.path is None
    assert np.array_equal(empty.session.scan.frame(frame), changed[frame])
    assert empty.session.use_layer(from_file(empty, tmp_path / "clip.tif", clip))
    assert empty.session.scan.path == tmp_path / "clip.tif"


def test_of_a_large_clip_the_files_own_frames_are_shown(
    empty: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tifffile = pytest.importorskip("tifffile")
    monkeypatch.setattr("napari_fada.workstation.layer_pixels.MOST", 1000)
    clip = speckle((40, 30, 50))
    tifffile.imwrite(tmp_path / "clip.tif", clip, photometric="minisblack")
    changed = clip.copy()
    changed[1] = 0  # not among those that are compared
    layer = from_file(empty, tmp_path / "clip.tif", changed)
    assert empty.session.use_layer(layer)
    assert empty.session.scan.path == tmp_path / "clip.tif"
    assert np.array_equal(np.asarray(layer.data[1]), clip[1])


# Pixels that change


def crop(layer: Any) -> None:
    layer.data = layer.data[20:80, 30:90].copy()


def flip(layer: Any) -> None:
    layer.data = layer.data[..., ::-1].copy()


def other_type(layer: Any) -> None:
    layer.data = layer.data.astype(np.float32)


def in_place(layer: Any) -> None:
    layer.data[10:20, 10:20] = 255
    layer.refresh()


@pytest.mark.parametrize("change", [crop, flip, other_type, in_place])
def test_a_scan_whose_pixels_change_is_closed_and_told(small: Bench, change: Any) -> None:
    drawn(small)
    image, first = small.session.image, small.session.scan
    asked = questions(small)
    change(image)
    assert small.session.scan is None
    assert small.session.layers is None
    assert "no longer shows scan" in small.texts()
    assert [r.points for r in small.session.project.annotations(first.sha256)] == [POINTS]
    asked[-1][1][-1][2]()  # work on the changed pixels
    assert small.session.scan.sha256 != first.sha256
    assert np.array_equal(small.session.image.data, image.data)


@pytest.mark.parametrize("what", ["draw", "accept", "next", "undo"])
def test_nothing_goes_to_a_scan_that_was_changed_without_a_word(
    small: Bench, what: str, qtbot: Any
) -> None:
    small.propose(BOX)
    scan = small.session.scan
    small.session.image.data[5, 5] += 1  # numpy tells nobody
    if what == "draw":
        drawn(small)
    elif what == "accept":
        small.session.reviewing.choose([BOX.uid])
        small.session.reviewing.accept()
    elif what == "next":
        small.session.reviewing.accept_and_next()
    else:
        small.session.undo()
    qtbot.waitUntil(lambda: small.session.scan is None)
    kept = small.session.project.annotations(scan.sha256)
    assert [(r.uid, r.status) for r in kept] == [(BOX.uid, "proposed")]


def test_a_changed_frame_that_is_not_shown_is_noticed_before_it_is_signed(clip: Bench) -> None:
    clip.propose(BOX, frame=3)
    scan = clip.session.scan
    clip.session.image.data[3, 0, 0] += 1
    drawn(clip, [(0, *c) for c in CORNERS])
    assert len(clip.kept(0)) == 1  # this frame is what it was
    assert not clip.session.reviewing.accept_and_next()
    assert clip.session.scan is None
    assert {r.status for r in clip.session.project.annotations(scan.sha256, 3)} == {"proposed"}


def test_contrast_is_no_change_of_pixels(small: Bench) -> None:
    small.session.image.contrast_limits = (10, 60)
    small.session.image.gamma = 0.5
    small.session.image.colormap = "magma"
    small.session.image.data = small.session.image.data.copy()
    drawn(small)
    assert small.one().points == POINTS


# Place

MOVES = {
    "translate": (20, 40),
    "scale": (0.5, 0.25),
    "rotate": 90,
    "shear": [0.3],
    "affine": np.array([[0.9, 0.2, 20], [-0.2, 1.1, 40], [0, 0, 1]]),
    "units": ("mm", "mm"),
}


@pytest.mark.parametrize("name", MOVES)
def test_our_layers_go_where_the_scan_goes(small: Bench, name: str) -> None:
    image = small.session.image
    setattr(image, name, MOVES[name])
    for layer in small.session.layers.layers:
        for part in PLACE:
            mine, its = (getattr(x, part) for x in (layer, image))
            mine, its = (getattr(v, "affine_matrix", v) for v in (mine, its))
            assert str(mine) == str(its), part
    polygons = small.layer("polygons")
    world = [image.data_to_world(c) for c in CORNERS]
    drawn(small, [polygons.world_to_data(c) for c in world])
    assert np.allclose(small.one().points, POINTS, atol=1e-3)


def test_an_image_that_has_an_affine_is_taken_with_it(empty: Bench) -> None:
    image = empty.viewer.add_image(speckle(), affine=MOVES["affine"])
    assert empty.session.use_layer(image)
    polygons = empty.layer("polygons")
    drawn(empty, [polygons.world_to_data(image.data_to_world(c)) for c in CORNERS])
    assert np.allclose(empty.one().points, POINTS, atol=1e-3)


@pytest.mark.parametrize("name", [n for n in MOVES if n != "units"])
@pytest.mark.parametrize("role", ["masks", "boxes", "keypoints", "marks"])
def test_our_layers_cannot_be_moved_off_the_scan(small: Bench, name: str, role: str) -> None:
    layer = small.session.layers.layer(role)
    setattr(layer, name, MOVES[name])
    assert layer.data_to_world((30, 50)) == small.session.image.data_to_world((30, 50))
    assert "put back" in small.texts()


def test_the_transform_mode_is_not_for_our_layers(small: Bench) -> None:
    small.layer("polygons").mode = "transform"
    assert str(small.layer("polygons").mode) == "pan_zoom"
    assert "put back" in small.texts()


def test_a_size_that_the_layer_is_given_later_is_the_scans(small: Bench) -> None:
    small.session.image.units = ("mm", "mm")
    small.session.image.scale = (0.2, 0.1)
    spacing = small.session.scan.spacing
    assert (spacing.y, spacing.x) == pytest.approx((0.2, 0.1))
    assert "0.2 × 0.1 mm" in small.texts()


# One image


def others(viewer: ViewerModel) -> dict[str, Any]:
    whole = np.array([[0, 0], [0, 200], [120, 200], [120, 0]])
    mesh = (whole, np.array([[0, 1, 2], [0, 2, 3]]))
    return {
        "image": lambda: viewer.add_image(speckle(seed=3), name="other"),
        "faint image": lambda: viewer.add_image(speckle(seed=3), name="other", opacity=0.2),
        "colour": lambda: viewer.add_image(speckle((50, 60, 3)), name="other", rgb=True),
        "pyramid": lambda: viewer.add_image(
            [speckle(), speckle()[::2, ::2]], name="other", multiscale=True
        ),
        "labels": lambda: viewer.add_labels(np.ones((120, 200), int), name="other"),
        "surface": lambda: viewer.add_surface(mesh, name="other"),
        "filled shape": lambda: viewer.add_shapes([whole], face_color="white", name="other"),
    }


@pytest.mark.parametrize("kind", list(others(ViewerModel())))
def test_nothing_is_recorded_while_another_layer_covers_the_scan(small: Bench, kind: str) -> None:
    small.propose(BOX)
    other = others(small.viewer)[kind]()
    asked = questions(small)
    assert "“other”" in small.session.canvas.text
    drawn(small)
    assert not small.session.reviewing.accept_and_next()
    assert [(r.uid, r.status) for r in small.kept()] == [(BOX.uid, "proposed")]
    assert len(small.layer("polygons").data) == 0
    ways = {label: does for label, _, does in asked[-1][1]}
    assert ("Work on “other”" in ways) == (kind in ("image", "faint image", "colour"))
    ways["Hide “other”"]()
    assert not other.visible
    assert small.session.canvas.text == ""
    drawn(small)
    assert len(small.kept()) == 2


@pytest.mark.parametrize("kind", ["small labels", "lines", "hidden", "clear"])
def test_what_leaves_the_scan_to_be_seen_is_no_hindrance(small: Bench, kind: str) -> None:
    labels = np.zeros((120, 200), int)
    labels[10:20, 10:20] = 1
    if kind == "small labels":
        small.viewer.add_labels(labels)
    elif kind == "lines":
        small.viewer.add_shapes([[[0, 0], [120, 200]]], shape_type="line")
    elif kind == "hidden":
        small.viewer.add_image(speckle(), visible=False)
    else:
        small.viewer.add_image(speckle(), opacity=0)
    drawn(small)
    assert small.one().points == POINTS


def test_an_image_around_the_scan_and_one_shown_again_count(small: Bench, tmp_path: Path) -> None:
    Image.fromarray(speckle((60, 60))).save(tmp_path / "small.png")
    first = small.session.image
    assert small.session.open_path(tmp_path / "small.png")
    assert not first.visible
    first.visible = True  # it lies beneath, and shows at the edges
    drawn(small, ((5, 5), (5, 50), (50, 50)))
    assert small.kept() == []
    first.visible = False
    drawn(small, ((5, 5), (5, 50), (50, 50)))
    assert len(small.kept()) == 1


def test_thick_slices_are_no_frame(clip: Bench) -> None:
    clip.viewer.dims.margin_left = (1, 0, 0)
    asked = questions(clip)
    drawn(clip, [(0, *c) for c in CORNERS])
    assert clip.kept() == []
    asked[-1][1][0][2]()
    drawn(clip, [(0, *c) for c in CORNERS])
    assert len(clip.kept()) == 1


@pytest.mark.parametrize("how", ["eye", "opacity", "grid"])
def test_a_scan_that_is_not_seen_is_not_written_about(small: Bench, how: str) -> None:
    image = small.session.image
    asked = questions(small)
    if how == "eye":
        image.visible = False
    elif how == "opacity":
        image.opacity = 0
    else:
        private.grid(small.viewer).enabled = True
    drawn(small)
    assert small.kept() == []
    asked[-1][1][0][2]()
    drawn(small)
    assert small.one().points == POINTS


def test_the_scan_stays_beneath_its_annotations(small: Bench) -> None:
    layers = small.viewer.layers
    layers.move(layers.index(small.session.image), len(layers))
    assert layers.index(small.session.image) == 0
    assert "beneath its annotations" in small.texts()


def test_corners_placed_before_another_image_came_are_kept(small: Bench) -> None:
    polygons = small.layer("polygons")
    small.viewer.layers.selection.active = polygons
    finished = []
    polygons.finish = lambda: None
    binding = small.session.layers.bindings["polygons"]
    finish = binding.finish_drawing
    binding.finish_drawing = lambda: (finished.append(True), drawn(small), finish())
    small.viewer.add_image(speckle(seed=2))
    assert finished
    assert small.one().points == POINTS
    binding.finish_drawing = finish


def test_the_first_image_is_the_scan_and_the_next_is_asked_about(empty: Bench) -> None:
    keeper = NewImages(empty.session)
    first = empty.viewer.add_image(speckle(), name="first")
    assert empty.session.image is first
    asked = questions(empty)
    second = empty.viewer.add_image(speckle(seed=1), name="second")
    assert empty.session.image is first
    (text, ways) = asked[-1]
    assert "“second” covers" in text
    {label: does for label, _, does in ways}["Work on “second”"]()
    assert empty.session.image is second
    assert not first.visible
    assert keeper is not None


def test_one_image_that_was_there_before_is_taken_of_several_one_is_asked_for(
    empty: Bench,
) -> None:
    one, two = (empty.viewer.add_image(speckle(seed=k), name=f"n{k}") for k in (1, 2))
    asked = questions(empty)
    keeper = NewImages(empty.session)
    assert empty.session.scan is None
    ((_, ways),) = asked
    assert {label for label, _, _ in ways} == {"Work on “n1”", "Work on “n2”"}
    empty.viewer.layers.remove(two)
    keeper = NewImages(empty.session)
    assert empty.session.image is one
    assert keeper is not None


# Hidden annotations


@pytest.mark.parametrize(
    ("records", "role", "told"),
    [
        ((BOX,), "boxes", "boxes"),
        ((RING,), "polygons", "outlines"),
        ((BOX,), "marks", "proposals"),
    ],
)
@pytest.mark.parametrize("how", ["eye", "opacity"])
def test_a_hidden_layer_is_told_and_shown_before_anything_is_signed(
    small: Bench, records: tuple[Annotation, ...], role: str, told: str, how: str
) -> None:
    small.propose(*records)
    layer = small.session.layers.layer(role)
    if how == "eye":
        layer.visible = False
    else:
        layer.opacity = 0
    assert told in small.session.canvas.text
    assert not small.session.reviewing.accept_and_next()
    assert {r.status for r in small.kept()} == {"proposed"}
    assert layer.visible
    assert layer.opacity == 1
    assert small.session.canvas.text == ""
    small.session.reviewing.accept_and_next()
    assert {r.status for r in small.kept()} == {"accepted"}


@pytest.mark.parametrize("how", ["transparent", "no width"])
def test_a_line_that_cannot_be_seen_is_shown_before_anything_is_signed(
    small: Bench, how: str
) -> None:
    small.propose(Annotation("CSP", "box", ((20.0, 20.0), (50.0, 40.0))))
    layer = small.session.layers.layer("boxes")
    if how == "transparent":
        layer.edge_color = layer.face_color = "transparent"
    else:
        layer.edge_width, layer.face_color = 0, "transparent"
    assert not small.session.reviewing.accept_and_next()
    assert {r.status for r in small.kept()} == {"proposed"}
    assert layer.edge_color[0, 3] > 0.2  # of a proposal
    assert layer.edge_width[0] > 0
    small.session.reviewing.accept_and_next()
    assert {r.status for r in small.kept()} == {"accepted"}


def test_all_hidden_names_the_key_and_masks_may_be_hidden(small: Bench) -> None:
    small.propose(BOX, RING)
    small.session.canvas.name_key("H")
    small.session.layers.set_visible(False)
    assert small.session.canvas.text == "Annotations hidden, H shows them"
    assert not small.session.reviewing.accept_and_next()
    assert all(layer.visible for layer in small.session.layers.layers)
    small.layer("masks").visible = False  # the outlines are seen
    assert small.session.canvas.text == ""
    small.session.reviewing.accept_and_next()
    assert {r.status for r in small.kept()} == {"accepted"}


def test_a_text_of_the_user_comes_back(small: Bench) -> None:
    overlay = small.viewer.canvas.overlays.text
    overlay.text, overlay.visible = "mine", True
    small.session.image.visible = False
    assert overlay.text == "The scan is hidden"
    small.session.image.visible = True
    assert (overlay.text, overlay.visible) == ("mine", True)


# Opening


def test_open_turns_the_page_and_leaves_what_the_user_opened(small: Bench, tmp_path: Path) -> None:
    tifffile = pytest.importorskip("tifffile")
    mine = small.session.image
    shapes = [(60, 90), (70, 40, 3), (50, 50), (5, 40, 40), (80, 90)]
    for turn in range(2):
        for k, shape in enumerate(shapes):
            path = tmp_path / f"{turn}{k}.tif"
            colour = "rgb" if shape[-1] == 3 else "minisblack"
            tifffile.imwrite(path, speckle(shape, seed=10 * turn + k), photometric=colour)
            assert small.session.open_path(path)
            assert small.session.scan.path == path
            assert len(small.viewer.layers) == 8  # theirs, ours, and six for annotations
            assert next(x for x in small.viewer.layers if x.visible) is small.session.image
    assert mine in small.viewer.layers


def test_a_page_that_was_changed_belongs_to_the_user(small: Bench, tmp_path: Path) -> None:
    for k in range(2):
        Image.fromarray(speckle((60, 90), seed=k)).save(tmp_path / f"{k}.png")
    small.session.open_path(tmp_path / "0.png")
    page = small.session.image
    page.data = 255 - page.data
    assert small.session.open_path(tmp_path / "1.png")
    assert page in small.viewer.layers
    assert not page.visible
    copied = type(page)(small.session.image.data, metadata=dict(small.session.image.metadata))
    small.viewer.add_layer(copied)
    small.session.open_path(tmp_path / "0.png")
    assert copied in small.viewer.layers


def test_the_view_fits_the_scan_whatever_is_hidden(empty: Bench, tmp_path: Path) -> None:
    from napari_fada.workstation.napari_private import fit_to

    empty.viewer.add_image(speckle((5, 1000, 2000)), scale=(1, 0.1, 0.1), visible=False)
    Image.fromarray(speckle((60, 90))).save(tmp_path / "small.png")
    assert empty.session.open_path(tmp_path / "small.png")
    camera, size = empty.viewer.scene.camera, empty.viewer.canvas.size
    assert camera.center[-2:] == pytest.approx((29.5, 44.5))
    assert camera.zoom == pytest.approx(0.95 * min(size[0] / 60, size[1] / 90))
    empty.session.image.scale = (2, 2)
    fit_to(empty.viewer, empty.session.image)
    assert camera.zoom == pytest.approx(0.475 * min(size[0] / 60, size[1] / 90))


def test_what_was_said_of_a_scan_goes_with_it(small: Bench, tmp_path: Path) -> None:
    over: set[str] = set()
    small.session.messages_over.connect(lambda texts: over.update(texts))
    (tmp_path / "broken.png").write_bytes(b"no picture")
    assert not small.session.open_path(tmp_path / "broken.png")
    small.session.say("The batch is paused.", "error", lasting=True)
    (told,) = [text for text, _ in small.said if "broken" in text]
    assert not over
    Image.fromarray(speckle((60, 90))).save(tmp_path / "good.png")
    assert small.session.open_path(tmp_path / "good.png")
    assert over == {told}


def test_what_is_half_drawn_stays_in_the_project_it_was_begun_in(
    small: Bench, tmp_path: Path
) -> None:
    scan, begun = small.session.scan, small.session.layers.bindings["polygons"]
    begun.finish_drawing = lambda: drawn(small)
    assert small.session.open_project(tmp_path / "other.fada")
    assert small.kept() == []
    del begun.finish_drawing
    assert small.session.open_project(tmp_path / "project.fada")
    assert [r.points for r in small.session.project.annotations(scan.sha256)] == [POINTS]
