"""The npe2 reader: what it claims, and the layers it makes of DICOM."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest

from napari_fada.errors import ScanError
from napari_fada.scans import open_scan, spacing_from_scale
from napari_fada.workstation.reader import get_reader, read

pytest.importorskip("pydicom")
napari_components = pytest.importorskip("napari.components")


def sample(name: str) -> Path:
    from pydicom.data import get_testdata_file

    return Path(str(get_testdata_file(name, download=False)))


CINE, PALETTE, GREY = "examples_ybr_color.dcm", "examples_palette.dcm", "image_dfl.dcm"


def copies(folder: Path, *names: str) -> Path:
    for k, name in enumerate(names):
        (folder / f"IM{k}.dcm").write_bytes(sample(name).read_bytes())
    return folder


def test_claims(tmp_path: Path) -> None:
    files = copies(tmp_path, CINE, PALETTE)
    first, second = sorted(files.iterdir())
    assert get_reader(str(first)) is read
    assert get_reader([str(first), str(second)]) is read
    assert get_reader(str(tmp_path)) is read
    assert get_reader(str(tmp_path / "LATER.DCM")) is read


def test_leaves_the_rest_alone(tmp_path: Path) -> None:
    for name in ("a.png", "a.tif", "a.json", "dcm"):
        assert get_reader(str(tmp_path / name)) is None
    assert get_reader(str(tmp_path)) is None  # empty
    assert get_reader([]) is None
    copies(tmp_path, GREY)
    (tmp_path / "A.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    assert get_reader(str(tmp_path)) is None  # PNG among the first
    assert get_reader([str(tmp_path / "IM0.dcm"), str(tmp_path / "A.png")]) is None


def test_cine() -> None:
    path = sample(CINE)
    ((data, attributes, kind),) = read(str(path))
    scan = open_scan(path)
    assert kind == "image"
    assert data.shape == (30, 240, 320, 3)
    assert data.dtype == np.uint8
    np.testing.assert_array_equal(np.asarray(data[7]), scan.frame(7))
    assert attributes["rgb"] is True
    assert attributes["scale"] == pytest.approx((1, 0.510497, 0.510497), rel=1e-5)
    assert attributes["units"] == ("pixel", "mm", "mm")
    assert attributes["axis_labels"] == ("t", "y", "x")
    assert attributes["metadata"]["napari_fada"] == {
        "token": "scan",
        "path": str(path),
        "sha256": scan.sha256,
        "spacing_origin": "dicom-region",
    }


def test_frames_are_decoded_once_when_they_are_looked_at() -> None:
    ((data, _, _),) = read(str(sample(CINE)))
    shown = np.asarray(data[12])
    np.testing.assert_array_equal(shown, open_scan(sample(CINE)).frame(12))
    while not data.cache.at_rest:
        threading.Event().wait(0.01)
    assert 12 in data.cache
    assert 29 not in data.cache  # more than what is read ahead of either
    before = data.cache.decodes
    np.asarray(data[12])
    assert data.cache.decodes == before <= 30


def test_layers_in_a_viewer() -> None:
    viewer = napari_components.ViewerModel()
    for name in (CINE, PALETTE, GREY):
        for data, attributes, _ in read(str(sample(name))):
            viewer.add_image(data, **attributes)
    cine, still, grey = viewer.layers
    assert cine.ndim == 3
    assert cine.metadata["napari_fada"]["token"] == "scan"
    assert tuple(map(str, still.units)) == ("millimeter", "millimeter")
    # What the layer says leads back to the same spacing.
    spacing = spacing_from_scale(still.scale, still.units)
    assert spacing is not None
    assert (spacing.y, spacing.x) == pytest.approx((0.262288, 0.262288), rel=1e-4)
    assert tuple(map(str, grey.units)) == ("pixel", "pixel")
    assert spacing_from_scale(grey.scale, grey.units) is None
    assert tuple(grey.contrast_limits) == (0, 255)


def test_folder_of_different_files_goes_on(tmp_path: Path) -> None:
    copies(tmp_path, CINE, PALETTE)
    (tmp_path / "IM5.dcm").write_bytes(sample("MR_truncated.dcm").read_bytes())
    with pytest.warns(UserWarning, match="cut short"):
        layers = read(str(tmp_path))
    assert [attributes["name"] for _, attributes, _ in layers] == ["IM0", "IM1"]


def test_folder_of_frames_is_one_layer(tmp_path: Path) -> None:
    copies(tmp_path, GREY, GREY, GREY)
    ((data, attributes, _),) = read(str(tmp_path))
    assert data.shape == (3, 512, 512)
    assert attributes["axis_labels"] == ("t", "y", "x")


def test_what_only_calls_itself_dicom_says_what_it_is(tmp_path: Path) -> None:
    path = tmp_path / "letter.dcm"
    path.write_text("Dear colleague, " * 20)
    reader = get_reader(str(path))
    assert reader is not None
    with pytest.raises(ScanError, match="text file"):
        reader(str(path))
