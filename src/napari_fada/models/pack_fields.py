"""Reads the members of ``pack.json`` and complains about the one that is wrong."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path, PurePath, PurePosixPath
from typing import Any, TypeVar

from napari_fada.errors import ModelError
from napari_fada.models.digests import sha256_of

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class PackFile:
    """A file of a pack. ``sha256`` is empty, and ``size`` 0, when the pack does not say.

    ``name`` is relative to the pack's folder, with slashes. ``role`` is ``text`` or ``vision``
    (GGUF), ``config``, ``weights`` or ``adapter`` (full precision).
    """

    name: str
    sha256: str = ""
    size: int = 0
    role: str = ""

    @classmethod
    def of(cls, path: Path) -> PackFile:
        """Describe a file that is there."""
        return cls(path.name, sha256_of(path), path.stat().st_size)

    def to_dict(self) -> dict[str, Any]:
        """Return the form in ``pack.json``."""
        return {"name": self.name, "sha256": self.sha256, "size": self.size}


class Fields:
    """Reads the members of ``pack.json`` and complains about the one that is wrong."""

    def __init__(self, path: Path, data: dict[str, Any]) -> None:
        self._path, self._data = path, data

    def get(self, key: str, kind: type[_T], default: _T) -> _T:
        """Return a member of a kind; the default if it is not there."""
        value = self._data.get(key)
        if value is None:
            return default
        if not isinstance(value, kind):
            raise self.wrong(key, value)
        return value

    def name(self, key: str) -> str:
        """Return the name of something inside the pack's folder, never a path out of it."""
        value = self.get(key, str, "")
        if not value or value in (".", "..") or PurePath(value).name != value or "\\" in value:
            raise self.wrong(key, value)
        return value

    def place(self, key: str) -> str:
        """Return the place of a file inside the pack's folder, never a path out of it."""
        value = self.get(key, str, "")
        parts = PurePosixPath(value).parts
        if not value or "\\" in value or ":" in value or value.startswith("/") or ".." in parts:
            raise self.wrong(key, value)
        return value

    def file(self, role: str, data: dict[str, Any], *, anywhere: bool = False) -> PackFile:
        """Return a file; ``anywhere``: its name may be a path to outside of the folder."""
        fields = Fields(self._path, data)
        sha256, size = fields.get("sha256", str, ""), fields.get("size", int, 0)
        name = fields.get("name", str, "") if anywhere else fields.place("name")
        if not name:
            raise fields.wrong("name", name)
        return PackFile(name, sha256.lower(), size, role)

    def files(self, *, anywhere: bool = False) -> dict[str, tuple[PackFile, ...]]:
        """Return the files by role; a role has one, or a list."""
        found: dict[str, tuple[PackFile, ...]] = {}
        for role, value in self.get("files", dict, {}).items():
            members = value if isinstance(value, list) else [value]
            if not all(isinstance(member, dict) for member in members):
                raise self.wrong(f"files.{role}", value)
            found[role] = tuple(self.file(role, m, anywhere=anywhere) for m in members)
        return found

    def strings(self, key: str) -> tuple[str, ...]:
        """Return a list of texts."""
        values = self.get(key, list, [])
        if not all(isinstance(value, str) for value in values):
            raise self.wrong(key, values)
        return tuple(values)

    def image_size(self) -> tuple[int, int] | None:
        """Return width and height, None if they are not given."""
        value = self.get("image_size", list, [])
        if not value:
            return None
        if len(value) != 2 or not all(isinstance(n, int) and 0 < n <= 1 << 14 for n in value):
            raise self.wrong("image_size", value)
        return value[0], value[1]

    def calibration(self) -> tuple[float, float] | None:
        """Return slope and offset, None if they are not given."""
        value = self.get("calibration", list, [])
        if not value:
            return None
        if len(value) != 2 or not all(isinstance(n, int | float) for n in value):
            raise self.wrong("calibration", value)
        slope, offset = map(float, value)
        if not (math.isfinite(slope) and math.isfinite(offset)):
            raise self.wrong("calibration", value)
        return slope, offset

    def wrong(self, key: str, value: object) -> ModelError:
        """Return the error that says which member is wrong."""
        return ModelError(
            f"{self._path} is malformed: {key!r} cannot be {value!r}.",
            todo="Install the pack again.",
        )
