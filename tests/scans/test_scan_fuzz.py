"""Whatever a file holds, opening and decoding it raises a ScanError or nothing."""

from __future__ import annotations

import io
import logging
import tempfile
import warnings
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from napari_fada.errors import ScanError
from napari_fada.scans import open_scan

SUFFIXES = (".png", ".jpg", ".bmp", ".gif", ".webp", ".tif", ".dcm", ".mp4", ".avi", ".mkv", "")
STARTS = (
    b"",
    b"\x89PNG\r\n\x1a\n",
    b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x10\0\0\0\x10\x08\0\0\0\0",
    b"\xff\xd8\xff\xe0\0\x10JFIF\0",
    b"GIF89a\x10\0\x10\0\x80\0\0",
    b"BM\0\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0",
    b"RIFF\xff\0\0\0WEBPVP8 ",
    b"II*\0\x08\0\0\0",
    b"MM\0+\0\x08\0\0",
    b"\0" * 128 + b"DICM",
    b"\0" * 128 + b"DICM\x02\0\0\0UL\x04\0\0\0\0\0",
    b"\x08\0\x05\0CS\x0a\0ISO_IR 100",
    b"\0\0\0\x18ftypmp42\0\0\0\0",
    b"RIFF\xff\0\0\0AVI LIST",
    b"\x1aE\xdf\xa3",
)

pytestmark = pytest.mark.filterwarnings("ignore")


def opened(data: bytes, suffix: str) -> None:
    """Open and decode; only a ScanError may come out."""
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path = Path(folder) / f"scan{suffix}"
        path.write_bytes(data)
        failure = None
        try:
            scan = open_scan(path)
            for k in {0, scan.n_frames - 1}:
                frame = scan.frame(k)
                assert frame.dtype == np.uint8
                assert frame.shape == (scan.height, scan.width, 3)[: 3 if scan.rgb else 2]
        except ScanError as error:
            failure = error
        assert failure is None or (failure.what and failure.todo)


@pytest.fixture(scope="module", autouse=True)
def _quiet() -> None:
    for name in ("tifffile", "pydicom", "libav"):
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)


def samples() -> list[tuple[str, bytes]]:
    """Small sound files of each kind."""
    from pydicom.data import get_testdata_file

    found: list[tuple[str, bytes]] = []
    picture = Image.fromarray(np.arange(48, dtype=np.uint8).reshape(6, 8))
    for form, suffix in (("PNG", ".png"), ("JPEG", ".jpg"), ("GIF", ".gif"), ("BMP", ".bmp")):
        buffer = io.BytesIO()
        picture.save(buffer, form)
        found.append((suffix, buffer.getvalue()))
    buffer = io.BytesIO()
    frames = np.arange(2 * 48, dtype=np.uint16).reshape(2, 6, 8)
    tifffile.imwrite(buffer, frames, compression="zlib", photometric="minisblack")
    found.append((".tif", buffer.getvalue()))
    for name in ("SC_rgb_small_odd.dcm", "SC_rgb_small_odd_jpeg.dcm", "SC_rgb_rle_2frame.dcm"):
        found.append((".dcm", Path(str(get_testdata_file(name))).read_bytes()))
    return found


SAMPLES = samples()
SLOW = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)


@pytest.mark.parametrize("suffix", SUFFIXES)
@settings(max_examples=40, deadline=None, derandomize=True)
@given(start=st.sampled_from(STARTS), body=st.binary(max_size=300))
def test_random_bytes(suffix: str, start: bytes, body: bytes) -> None:
    opened(start + body, suffix)


@SLOW
@given(st.data())
def test_sound_files_with_bytes_changed(data: st.DataObject) -> None:
    suffix, sound = data.draw(st.sampled_from(SAMPLES))
    broken = bytearray(sound)
    # Headers are where the harm is done.
    place = st.one_of(st.integers(0, min(700, len(sound) - 1)), st.integers(0, len(sound) - 1))
    for at, value in data.draw(st.lists(st.tuples(place, st.integers(0, 255)), max_size=8)):
        broken[at] = value
    opened(bytes(broken), suffix)


@SLOW
@given(st.data())
def test_sound_files_cut_anywhere(data: st.DataObject) -> None:
    suffix, sound = data.draw(st.sampled_from(SAMPLES))
    opened(sound[: data.draw(st.integers(0, len(sound)))], suffix)
