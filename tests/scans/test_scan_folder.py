"""Folders: frames of one scan, or a run over files; natural order, sidecars, speed."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from napari_fada.errors import ScanError
from napari_fada.listing import natural_key
from napari_fada.scans import Scan, ScanProblem, iter_scans, open_scan


def save(path: Path, value: int, size: tuple[int, int] = (9, 7)) -> None:
    Image.new("L", size, value).save(path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Frames 0 to 11, not padded, among what lies beside scans."""
    folder = tmp_path / "clip"
    folder.mkdir()
    for k in range(12):
        save(folder / f"Frame{k}.png", 10 * k)
    (folder / "Frame0.fada.json").write_text("{}")
    (folder / "measurements.csv").write_text("a,b")
    (folder / "README.md").write_text("# About")
    (folder / ".DS_Store").write_bytes(b"\0\1")
    (folder / "Thumbs.db").write_bytes(b"\0\1")
    return folder


def test_natural_order() -> None:
    names = ["b2", "b10", "B1", "a", "10", "9", "b", "b01"]
    assert sorted(names, key=natural_key) == ["9", "10", "a", "b", "b01", "B1", "b2", "b10"]


def test_folder_of_frames(folder: Path) -> None:
    scan = open_scan(folder)
    assert (scan.name, scan.n_frames, scan.width, scan.height) == ("clip", 12, 9, 7)
    assert [int(scan.frame(k)[0, 0]) for k in (0, 2, 10, 11)] == [0, 20, 100, 110]
    assert scan.identity.clip == "clip"
    digest = scan.sha256
    save(folder / "Frame3.png", 31)
    assert open_scan(folder).sha256 != digest


def test_frames_are_decoded_when_asked_for(folder: Path) -> None:
    scan = open_scan(folder)
    for k in range(12):
        if k != 5:
            (folder / f"Frame{k}.png").unlink()
    assert int(scan.frame(5)[0, 0]) == 50
    with pytest.raises(ScanError):
        scan.frame(4)


def test_other_sizes_are_not_one_scan(folder: Path) -> None:
    save(folder / "Frame12.png", 0, (10, 7))
    with pytest.raises(ScanError, match=r"Frame12\.png has 10 × 7.*iter_scans"):
        open_scan(folder)


def test_a_clip_in_it_is_not_one_scan(folder: Path, make_dicom) -> None:
    make_dicom(np.zeros((4, 7, 9), np.uint8)).rename(folder / "cine.dcm")
    with pytest.raises(ScanError, match=r"cine\.dcm is a clip of 4 frames.*iter_scans"):
        open_scan(folder)


def test_several_patients_are_not_one_scan(tmp_path: Path, make_dicom) -> None:
    folder = tmp_path / "exam"
    folder.mkdir()
    for k, patient in enumerate(["A", "A", "B"]):
        make_dicom(PatientID=patient).rename(folder / f"{k}.dcm")
    with pytest.raises(ScanError, match=r"several patients.*iter_scans"):
        open_scan(folder)
    (folder / "2.dcm").unlink()
    assert open_scan(folder).identity.patient == "A"


def test_different_scales_give_no_millimetres(tmp_path: Path, make_dicom) -> None:
    folder = tmp_path / "exam"
    folder.mkdir()
    for k, size in enumerate([0.1, 0.1]):
        make_dicom(PixelSpacing=[size, size]).rename(folder / f"{k}.dcm")
    scan = open_scan(folder)
    assert scan.spacing is not None
    assert scan.spacing.x == 0.1
    make_dicom(PixelSpacing=[0.2, 0.2]).rename(folder / "2.dcm")
    scan = open_scan(folder)
    assert scan.spacing is None
    assert any("no millimetres" in p for p in scan.problems)


def test_grey_and_colour_frames_together(folder: Path) -> None:
    Image.new("RGB", (9, 7), (1, 2, 3)).save(folder / "Frame12.png")
    scan = open_scan(folder)
    assert scan.rgb
    assert scan.frame(1).shape == (7, 9, 3)
    assert scan.frame(12)[0, 0].tolist() == [1, 2, 3]


def test_deep_frames_share_one_scale(tmp_path: Path) -> None:
    for k, value in enumerate([100, 1000, 4000]):
        Image.fromarray(np.full((7, 9), value, np.uint16)).save(tmp_path / f"{k}.png")
    scan = open_scan(tmp_path)
    assert [int(scan.frame(k)[0, 0]) for k in range(3)] == [6, 62, 249]


def test_run_order_and_sidecars(folder: Path) -> None:
    inner = folder / "Frame5a"
    inner.mkdir()
    save(inner / "z.png", 1)
    names = [r.name for r in iter_scans(folder) if isinstance(r, Scan)]
    expected = [f"Frame{k}.png" for k in range(12)]
    assert names == [*expected[:6], "z.png", *expected[6:]]
    flat = [r.name for r in iter_scans(folder, recursive=False) if isinstance(r, Scan)]
    assert flat == expected


def test_a_named_file_is_never_skipped(folder: Path) -> None:
    (problem,) = iter_scans(folder / "measurements.csv")
    assert isinstance(problem, ScanProblem)
    assert "text file" in str(problem.error)


def test_missing_paths_are_problems(folder: Path) -> None:
    results = list(iter_scans([folder / "Frame1.png", folder / "no.png", folder / "Frame2.png"]))
    assert [type(r) for r in results] == [Scan, ScanProblem, Scan]


def test_links_in_a_circle_end(folder: Path) -> None:
    (folder / "again").symlink_to(folder, target_is_directory=True)
    assert len(list(iter_scans(folder))) == 12


def test_ten_thousand_files_start_at_once(tmp_path: Path) -> None:
    save(tmp_path / "0.png", 0)
    for k in range(1, 10_000):
        (tmp_path / f"{k}.png").hardlink_to(tmp_path / "0.png")
    start = time.perf_counter()
    run = iter_scans(tmp_path)
    first, second = next(run), next(run)
    assert time.perf_counter() - start < 2.0  # opening all of them takes many times longer
    assert isinstance(first, Scan)
    assert isinstance(second, Scan)
    assert (first.name, second.name) == ("0.png", "1.png")


def test_real_folders(data_dir: Path) -> None:
    run = iter_scans(data_dir / "brain" / "images")
    assert sum(isinstance(r, Scan) for r in run) == 40
    scan = open_scan(data_dir / "psfhs" / "images")
    assert (scan.n_frames, scan.width, scan.height) == (1000, 256, 256)
    path = sorted((data_dir / "psfhs" / "images").iterdir(), key=lambda p: natural_key(p.name))[7]
    np.testing.assert_array_equal(scan.frame(7), np.asarray(Image.open(path)))
    with pytest.raises(ScanError, match="iter_scans"):
        open_scan(data_dir / "hc18" / "images")
