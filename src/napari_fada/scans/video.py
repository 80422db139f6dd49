"""Clips in MP4, AVI, Matroska and the like through PyAV; frames found by their time stamps."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from threading import Lock
from typing import Any

from napari_fada.errors import ScanError, explained
from napari_fada.scans.scaling import Array
from napari_fada.scans.scan import Identity
from napari_fada.scans.source import Source, check_size, truncated


def open_video(path: Path, name: str, form: str) -> Source:  # noqa: ARG001 (one signature for all)
    """Read the index of a clip; nothing is decoded."""
    try:
        import av
    except ImportError as error:
        raise ScanError(
            f"{name} is a video, and PyAV is not installed.",
            todo="Install it with: pip install 'napari-fada[video]'",
        ) from error

    problems: list[str] = []
    with explained(name, f"{name} cannot be read as a video"), av.open(str(path)) as container:
        if not container.streams.video:
            raise ScanError(f"{name} holds no picture, only sound.", todo="Choose another file.")
        stream = container.streams.video[0]
        context = stream.codec_context
        if context is None:
            raise ScanError(
                f"{name} is compressed in a way that cannot be decoded here.",
                todo="Save the clip as MP4 (H.264).",
            )
        packets = [p for p in container.demux(stream) if p.size]
        if any(p.is_corrupt for p in packets):
            problems.append("parts of the clip are damaged")
        if not packets:
            raise truncated(name, "a video without a frame")
        check_size(name, context.width, context.height, len(packets))
        times = [p.pts for p in packets]
        known = None not in times and len(set(times)) == len(times)
        rate = stream.average_rate
        grey = context.pix_fmt in ("gray", "gray10le", "gray12le", "monow", "monob")
        width, height = context.width, context.height
    return Source(
        width=width,
        height=height,
        n_frames=len(packets),
        rgb=not grey,
        raw=_Clip(path, name, sorted(times) if known else None, grey),
        frame_time=float(1 / rate) if rate else None,
        identity=Identity(clip=path.stem),
        problems=tuple(problems),
    )


class _Clip:
    """Decodes a frame: jumps to the key frame before it and decodes up to it.

    The reader that gave the last frame is kept, so playing forward decodes each frame once.
    """

    def __init__(self, path: Path, name: str, times: list[Any] | None, grey: bool) -> None:
        self._path, self._name, self._times, self._grey = path, name, times, grey
        self._lock = Lock()
        self._reader: Any = None
        self._next = 0

    def __call__(self, index: int) -> Array:
        with self._lock:
            frame = self._forward(index) if self._near(index) else None
            if frame is None:
                self._jump(index)
                frame = self._forward(index)
            if frame is None:
                raise truncated(self._name, f"frame {index} of the clip cannot be decoded")
            array: Array = frame.to_ndarray(format="gray" if self._grey else "rgb24")
            return array

    def _near(self, index: int) -> bool:
        return self._reader is not None and 0 <= index - self._next < 8

    def _jump(self, index: int) -> None:
        import av

        self._close()
        container = av.open(str(self._path))
        stream = container.streams.video[0]
        if self._times is not None and index:
            container.seek(self._times[index], stream=stream, backward=True, any_frame=False)
        self._container, self._reader = container, container.decode(stream)
        self._next = 0

    def _forward(self, index: int) -> Any:
        """Decode until the frame; by time stamps where they are known, else by counting."""
        if self._times is None:
            frame = next(islice(self._reader, index - self._next, None), None)
        else:
            wanted = self._times[index]
            frame = next((f for f in self._reader if f.pts is None or f.pts >= wanted), None)
        if frame is None:
            self._close()
        self._next = index + 1
        return frame

    def _close(self) -> None:
        if self._reader is not None:
            self._reader = None
            self._container.close()
