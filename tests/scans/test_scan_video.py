"""Clips: the right frame in any order, without decoding the clip."""

from __future__ import annotations

import contextlib
from pathlib import Path

import numpy as np
import pytest

from napari_fada.errors import ScanError
from napari_fada.scans import open_scan

av = pytest.importorskip("av")


@pytest.mark.parametrize(
    ("name", "codec"),
    [("a.mp4", "mpeg4"), ("a.avi", "mjpeg"), ("a.avi", "mpeg4"), ("a.mkv", "mpeg4"),
     ("a.mov", "mjpeg"), ("a.mpg", "mpeg2video")],
)  # fmt: skip
def test_frames_in_any_order(make_video, name: str, codec: str) -> None:
    scan = open_scan(make_video(name, codec=codec))
    assert (scan.n_frames, scan.width, scan.height, scan.rgb) == (20, 64, 48, True)
    assert scan.frame_time == pytest.approx(0.04)
    assert scan.problems == ()
    for k in (0, 1, 2, 19, 7, 6, 13, 0, 19):
        frame = scan.frame(k)
        assert frame.shape == (48, 64, 3)
        assert abs(float(frame.mean()) - 8 * k) < 4, k


def test_reordered_frames(make_video) -> None:
    """H.264 stores frames in another order than they are shown in."""
    try:
        path = make_video("a.mp4", codec="libx264", n=30)
    except (ValueError, av.error.FFmpegError):
        pytest.skip("this build of FFmpeg cannot write H.264")
    scan = open_scan(path)
    assert scan.n_frames == 30
    for k in (29, 3, 4, 5, 17):
        assert abs(float(scan.frame(k).mean()) - 8 * k) < 4, k


def test_nothing_is_decoded_at_opening_and_little_later(
    make_video, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = make_video(n=30)
    shown: list[int] = []
    real = av.open

    class Counting:
        def __init__(self, container):
            self._container = container

        def decode(self, *args):
            for frame in self._container.decode(*args):
                shown.append(frame.pts)
                yield frame

        def __getattr__(self, name):
            return getattr(self._container, name)

        def __enter__(self):
            return self

        def __exit__(self, *_):
            self._container.close()

    monkeypatch.setattr(av, "open", lambda *a, **k: Counting(real(*a, **k)))
    scan = open_scan(path)
    assert shown == []
    scan.frame(22)
    assert len(shown) <= 6  # from the key frame before it
    before = len(shown)
    scan.frame(23)
    assert len(shown) == before + 1  # playing forward decodes each frame once


def test_sound_only(tmp_path: Path) -> None:
    path = tmp_path / "a.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), layout="mono")
        frame.sample_rate = 8000
        for packet in [*stream.encode(frame), *stream.encode()]:
            container.mux(packet)
    with pytest.raises(ScanError, match="only sound"):
        open_scan(path)


def test_damage_in_the_middle_is_an_error_of_the_frame_or_bridged(make_video) -> None:
    path = make_video("a.avi", codec="mjpeg")
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 300] = bytes(300)
    path.write_bytes(data)
    scan = open_scan(path)
    for k in range(scan.n_frames):
        with contextlib.suppress(ScanError):
            assert scan.frame(k).shape == (48, 64, 3)
    assert abs(float(scan.frame(0).mean())) < 4
