"""YOLO label files into records.

A line of five numbers is a box; the task, or the number of values, tells outlines from keypoints.
Class names come from ``data.yaml``, ``classes.txt`` or the user; numbers alone mean nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from napari_fada.errors import ExchangeError, FadaError
from napari_fada.exchange.checking import MAX_VERTICES, checked
from napari_fada.exchange.corners import with_corners
from napari_fada.exchange.extras import frame_with_about, notes_by_image, with_about
from napari_fada.exchange.frames import FrameRecords
from napari_fada.exchange.writers import Problem, ReadOptions
from napari_fada.records.annotation import Annotation, Ring
from napari_fada.vocabulary import vocabulary

DATA, RECORDS = "data.yaml", "records.jsonl"
TASKS = ("detect", "segment", "pose")
_IMAGES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp", ".dcm")


def read(root: Path, options: ReadOptions) -> Iterator[FrameRecords | Problem]:
    """Read a data set from its folder or its ``data.yaml``.

    Raises
    ------
    ExchangeError
        If there are no label files, or nothing says what the class numbers mean.
    """
    folder = root if root.is_dir() else root.parent
    settings = _settings(root if root.is_file() else folder / DATA)
    names = _names(settings, folder)
    about = notes_by_image(folder / RECORDS)
    for path in _labels(folder):
        yield from _File(path, folder, names, settings, about, options).read()


def count(root: Path, _options: ReadOptions) -> int:
    """Return how many label files there are.

    Raises
    ------
    ExchangeError
        If there are none.
    """
    return len(_labels(root if root.is_dir() else root.parent))


def _labels(folder: Path) -> list[Path]:
    labels = sorted(p for p in folder.rglob("*.txt") if _is_label(p, folder))
    if not labels:
        raise ExchangeError(f"There are no label files in {folder}.", todo="Name another folder.")
    return labels


def _settings(path: Path) -> Mapping[str, Any]:
    if not path.exists():
        return {}
    try:
        found = yaml.safe_load(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ExchangeError(f"{path} cannot be read: {error}.") from error
    if not isinstance(found, dict):
        raise ExchangeError(f"{path} is no data.yaml.")
    return found


def _names(settings: Mapping[str, Any], folder: Path) -> dict[int, str]:
    found = settings.get("names")
    if found is None:
        for name in ("classes.txt", "obj.names"):
            file = next(iter(sorted(folder.rglob(name))), None)
            if file:
                found = [
                    line.strip() for line in file.read_text("utf-8").splitlines() if line.strip()
                ]
                break
    if isinstance(found, list):
        return dict(enumerate(map(str, found)))
    if isinstance(found, dict) and all(isinstance(key, int) for key in found):
        return {key: str(value) for key, value in found.items()}
    raise ExchangeError(
        f"Nothing in {folder} says what the class numbers mean.",
        todo=f"Put a {DATA} or a classes.txt (a class on each line) there.",
    )


def _is_label(path: Path, folder: Path) -> bool:
    if path.name in ("classes.txt", "train.txt", "val.txt", "test.txt"):
        return False
    parts = path.relative_to(folder).parts
    return "labels" in parts or not (folder / "labels").exists()


class _File:
    """One label file."""

    def __init__(
        self,
        path: Path,
        folder: Path,
        names: Mapping[int, str],
        settings: Mapping[str, Any],
        about: Mapping[str, Mapping[str, Any]],
        options: ReadOptions,
    ) -> None:
        self._path, self._folder, self._names = path, folder, names
        self._options = options
        self._file = path.relative_to(folder).as_posix()
        shape = settings.get("kpt_shape")
        self._pose = tuple(shape) if isinstance(shape, list) and len(shape) == 2 else None
        self._image = self._find_image()
        self._about = about.get(self._image, {})

    def read(self) -> Iterator[FrameRecords | Problem]:
        try:
            width, height = self._options.size_of(self._image)
            lines = self._path.read_text("utf-8").splitlines()
        except (FadaError, OSError, UnicodeDecodeError) as error:
            what = error.what if isinstance(error, FadaError) else str(error)
            yield Problem(self._file, "", f"{self._image}: {what}")
            return
        told = self._about.get("rows")
        rows: Sequence[Any] = told if isinstance(told, list) and len(told) == len(lines) else ()
        kept: list[Annotation] = []
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            about = rows[number - 1] if rows and isinstance(rows[number - 1], dict) else {}
            where = f"line {number}"
            try:
                record = self._record(line.split(), about, (width, height))
            except (ValueError, OverflowError) as error:
                yield Problem(self._file, where, str(error))
                continue
            if record is None:
                continue
            found, wrong = checked(record, (width, height))
            if wrong:
                yield Problem(self._file, where, f"{record.category} {wrong}")
            if found is None:
                continue
            if about.get("part") and kept and kept[-1].uid == found.uid != "":
                kept[-1] = replace(kept[-1], rings=(*kept[-1].rings, found.points))
            else:
                kept.append(found)
        frame = FrameRecords(self._image, width, height, tuple(kept))
        yield frame_with_about(frame, self._about)

    def _record(
        self, words: Sequence[str], about: Mapping[str, Any], size: tuple[int, int]
    ) -> Annotation | None:
        number = int(words[0])
        if number not in self._names:
            raise ValueError(f"there is no class {number}")
        if len(words) > 2 * MAX_VERTICES:
            raise ValueError(f"{len(words):,} values; {MAX_VERTICES:,} vertices are the limit")
        values = [float(word) for word in words[1:]]
        label = self._names[number]
        name = self._options.names.category(label)
        if name is None:
            if self._options.names.left_out(label):
                return None
            raise ValueError(f"unknown class {label!r} (map it: {label}=ours)")
        record = self._shape(name, values, size)
        if record.kind != about.get("kind", record.kind):  # the box around an outline
            about = {key: value for key, value in about.items() if key not in ("uid", "parent")}
        return with_about(with_corners(record, about), about) if about else self._foreign(record)

    @staticmethod
    def _foreign(record: Annotation) -> Annotation:
        return replace(with_about(record, {}), score=record.score)

    def _shape(self, name: str, values: list[float], size: tuple[int, int]) -> Annotation:
        width, height = size
        if self._pose and len(values) == 4 + self._pose[0] * self._pose[1]:
            return _keypoints(name, values[4:], self._pose[1], size)
        if len(values) == 4:
            x, y, w, h = values
            corners = (
                ((x - w / 2) * width, (y - h / 2) * height),
                (
                    (x + w / 2) * width,
                    (y + h / 2) * height,
                ),
            )
            return Annotation(name, "box", corners)
        if len(values) == 5 and self._pose is None:  # a box with the score of a detector
            return replace(self._shape(name, values[:4], size), score=values[4])
        if len(values) < 6 or len(values) % 2:
            raise ValueError(f"{len(values)} values after the class are neither box nor outline")
        ring: Ring = tuple(
            (x * width, y * height) for x, y in zip(values[::2], values[1::2], strict=True)
        )
        return Annotation(name, "polygon", ring)

    def _find_image(self) -> str:
        """Return the image of a label file: the same path with ``images`` for ``labels``."""
        parts = list(self._path.relative_to(self._folder).with_suffix("").parts)
        if "labels" in parts:
            place = len(parts) - 1 - parts[::-1].index("labels")
            parts[place] = "images"
        stem = "/".join(parts)
        for suffix in _IMAGES:
            for ending in (suffix, suffix.upper()):
                if (self._folder / f"{stem}{ending}").exists():
                    return f"{stem}{ending}"
        return f"{stem}.png"


def _keypoints(name: str, values: Sequence[float], dims: int, size: tuple[int, int]) -> Annotation:
    rows = [values[i : i + dims] for i in range(0, len(values), dims)]
    known = len(vocabulary().by_name[name].points) or len(rows)
    extra = rows[known:]
    if any(v for row in extra for v in row):
        raise ValueError(f"{len(rows)} keypoints; {name} has {known}")
    seen = tuple(int(row[2]) if dims > 2 else 2 for row in rows[:known])
    if any(v not in (0, 1, 2) for v in seen):
        raise ValueError("a visibility is none of 0, 1, 2")
    points = tuple((row[0] * size[0], row[1] * size[1]) for row in rows[:known])
    return Annotation(name, "keypoints", points, visibility=seen)
