"""A model pack: a folder with the files of one model and ``pack.json``, which describes them."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, replace
from pathlib import Path, PurePath
from typing import Any, TypeVar

from napari_fada.errors import ModelError
from napari_fada.models.digests import sha256_of
from napari_fada.models.gguf_files import GgufFile, find_partner, read_gguf, sort_pair
from napari_fada.models.profiles import recognise

SCHEMA = "fada-pack/1"
DEFAULT_PROMPT_SET = "napari-fada-1"

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class PackFile:
    """A file of a pack. ``sha256`` is empty when the pack does not say."""

    name: str
    sha256: str = ""
    size: int = 0

    @classmethod
    def of(cls, path: Path) -> PackFile:
        """Describe a file that is there."""
        return cls(path.name, sha256_of(path), path.stat().st_size)

    def to_dict(self) -> dict[str, Any]:
        """Return the form in ``pack.json``."""
        return {"name": self.name, "sha256": self.sha256, "size": self.size}


@dataclass(frozen=True, slots=True)
class Pack:
    """What is known about a model before it is loaded.

    Parameters
    ----------
    name, version : str
        As results refer to it.
    folder : Path
        Where the files are.
    text, vision : PackFile
        Text model and image part (mmproj).
    kind : str
        ``gguf``.
    full : str
        Sub-folder with the same weights for the full-precision engine, empty if none.
    base_model, architecture, licence : str
        For the reader.
    prompt_set : str
        The prompts that the model was trained with.
    coordinates : str
        How places are written in its answers; empty leaves it to the profile.
    profile : str
        Name of the family's profile (see `models.profiles`); empty lets the files say.
    image_size : (int, int), optional
        Width and height that every image is stretched to; None lets the engine choose by
        the image.
    classes, keypoints : tuple of str
        Classes that the model knows, and those of which it knows the points; empty when
        unknown.
    calibration : (float, float), optional
        Slope and offset that turn a mean log-probability into a score.
    card : str
        File name of the model card.
    """

    name: str
    folder: Path
    text: PackFile
    vision: PackFile
    version: str = ""
    kind: str = "gguf"
    full: str = ""
    base_model: str = ""
    architecture: str = ""
    prompt_set: str = DEFAULT_PROMPT_SET
    coordinates: str = ""
    profile: str = ""
    image_size: tuple[int, int] | None = None
    classes: tuple[str, ...] = ()
    keypoints: tuple[str, ...] = ()
    calibration: tuple[float, float] | None = None
    licence: str = ""
    card: str = ""

    @property
    def text_path(self) -> Path:
        """The text model."""
        return self.folder / self.text.name

    @property
    def vision_path(self) -> Path:
        """The image part."""
        return self.folder / self.vision.name

    @property
    def full_path(self) -> Path | None:
        """Folder of the full-precision weights, if they are there."""
        path = self.folder / self.full
        return path if self.full and path.is_dir() else None

    @property
    def card_path(self) -> Path | None:
        """The model card, if it is there."""
        path = self.folder / self.card
        return path if self.card and path.is_file() else None

    def inspect(self) -> tuple[GgufFile, GgufFile]:
        """Look into both files and return text model and image part.

        Their headers say which is which, also where ``pack.json`` has them the wrong
        way round. Takes well under a second.

        Raises
        ------
        ModelError
            Naming the file that is wrong.
        """
        for file in (self.text, self.vision):
            path = self.folder / file.name
            if not path.is_file():
                raise ModelError(
                    f"The model {self.name} is incomplete: {file.name} is missing in "
                    f"{self.folder}.",
                    todo="Install the pack again.",
                )
            if file.size and (size := path.stat().st_size) != file.size:
                raise ModelError(
                    f"{file.name} of the model {self.name} is damaged: it has {size:,} bytes "
                    f"instead of {file.size:,}.",
                    todo="Install the pack again.",
                )
        return sort_pair(read_gguf(self.text_path), read_gguf(self.vision_path))

    def verify(self) -> None:
        """Check both files by size, header and SHA-256.

        A file that has not changed since it was last read is not read again.

        Raises
        ------
        ModelError
            Naming the file that is wrong.
        """
        self.inspect()
        for file, other in ((self.text, self.vision), (self.vision, self.text)):
            if not file.sha256 or (found := sha256_of(self.folder / file.name)) == file.sha256:
                continue
            raise ModelError(
                f"{file.name} of the model {self.name} is not the file it should be: "
                + (
                    f"it is {other.name} under another name."
                    if found == other.sha256
                    else f"its SHA-256 begins with {found[:12]} instead of {file.sha256[:12]}."
                ),
                todo="Install the pack again.",
            )

    def summary(self) -> dict[str, Any]:
        """Return one row for a list of packs; ``size`` in bytes."""
        return {
            "name": self.name,
            "kind": self.kind,
            "version": self.version,
            "licence": self.licence,
            "size": self.text.size + self.vision.size,
            "folder": str(self.folder),
        }

    def to_dict(self) -> dict[str, Any]:
        """Return the content of ``pack.json``."""
        return {
            "schema": SCHEMA,
            "name": self.name,
            "kind": self.kind,
            "version": self.version,
            "files": {"text": self.text.to_dict(), "vision": self.vision.to_dict()},
            "full": self.full,
            "base_model": self.base_model,
            "architecture": self.architecture,
            "prompt_set": self.prompt_set,
            "coordinates": self.coordinates,
            "profile": self.profile,
            "image_size": list(self.image_size) if self.image_size else None,
            "classes": list(self.classes),
            "keypoints": list(self.keypoints),
            "calibration": list(self.calibration) if self.calibration else None,
            "licence": self.licence,
            "card": self.card,
        }


def read_pack(folder: Path) -> Pack:
    """Read ``pack.json`` of a folder; the files it names are not looked at yet.

    Raises
    ------
    ModelError
        If it is missing or malformed; says what is wrong with it.
    """
    path = folder / "pack.json"
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror or error}.") from error
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{path} is not valid JSON: {error}.") from error
    if not isinstance(data, dict) or data.get("schema") != SCHEMA:
        found = data.get("schema") if isinstance(data, dict) else None
        raise ModelError(
            f"{path} has the schema {found!r}; {SCHEMA!r} is expected.",
            todo="The pack may need a newer napari-fada.",
        )
    fields = _Fields(path, data)
    files = _Fields(path, fields.get("files", dict, {}))
    return Pack(
        name=fields.name("name"),
        folder=folder,
        text=fields.file(files.get("text", dict, {})),
        vision=fields.file(files.get("vision", dict, {})),
        kind=fields.get("kind", str, ""),
        full=fields.name("full") if fields.get("full", str, "") else "",
        image_size=fields.image_size(),
        classes=fields.strings("classes"),
        keypoints=fields.strings("keypoints"),
        calibration=fields.calibration(),
        prompt_set=fields.get("prompt_set", str, DEFAULT_PROMPT_SET),
        coordinates=fields.get("coordinates", str, ""),
        profile=fields.get("profile", str, ""),
        card=fields.name("card") if fields.get("card", str, "") else "",
        **{k: fields.get(k, str, "") for k in ("version", "base_model", "architecture", "licence")},
    )


def pack_from_files(first: Path, second: Path | None = None) -> Pack:
    """Make a pack of bare files: a text model and its mmproj, in any order.

    With one file, the other is looked for beside it.

    Raises
    ------
    ModelError
        Naming the file that is wrong, or what is missing beside it.
    """
    one = read_gguf(first)
    text, vision = sort_pair(one, find_partner(one) if second is None else read_gguf(second))
    same_folder = text.path.parent == vision.path.parent
    name = vision.path.name if same_folder else str(vision.path.resolve())
    family = recognise(vision.architecture, text.architecture, f"{text.name} {text.path.name}")
    return Pack(
        name=text.path.stem,
        folder=text.path.parent,
        text=PackFile(text.path.name, size=text.size),
        vision=PackFile(name, size=vision.size),
        base_model=text.name,
        architecture=text.architecture,
        prompt_set=family.prompt_set,
        profile=family.name,
    )


def with_digests(pack: Pack) -> Pack:
    """Return the pack with the SHA-256 of both files filled in."""
    return replace(
        pack,
        text=replace(pack.text, sha256=sha256_of(pack.text_path)),
        vision=replace(pack.vision, sha256=sha256_of(pack.vision_path)),
    )


class _Fields:
    """Reads the members of ``pack.json`` and complains about the one that is wrong."""

    def __init__(self, path: Path, data: dict[str, Any]) -> None:
        self._path, self._data = path, data

    def get(self, key: str, kind: type[_T], default: _T) -> _T:
        value = self._data.get(key)
        if value is None:
            return default
        if not isinstance(value, kind):
            raise self._wrong(key, value)
        return value

    def name(self, key: str) -> str:
        """Return the name of something inside the pack's folder, never a path out of it."""
        value = self.get(key, str, "")
        if not value or value in (".", "..") or PurePath(value).name != value or "\\" in value:
            raise self._wrong(key, value)
        return value

    def file(self, data: dict[str, Any]) -> PackFile:
        fields = _Fields(self._path, data)
        sha256, size = fields.get("sha256", str, ""), fields.get("size", int, 0)
        return PackFile(fields.name("name"), sha256.lower(), size)

    def strings(self, key: str) -> tuple[str, ...]:
        values = self.get(key, list, [])
        if not all(isinstance(value, str) for value in values):
            raise self._wrong(key, values)
        return tuple(values)

    def image_size(self) -> tuple[int, int] | None:
        value = self.get("image_size", list, [])
        if not value:
            return None
        if len(value) != 2 or not all(isinstance(n, int) and 0 < n <= 1 << 14 for n in value):
            raise self._wrong("image_size", value)
        return value[0], value[1]

    def calibration(self) -> tuple[float, float] | None:
        value = self.get("calibration", list, [])
        if not value:
            return None
        if len(value) != 2 or not all(isinstance(n, int | float) for n in value):
            raise self._wrong("calibration", value)
        slope, offset = map(float, value)
        if not (math.isfinite(slope) and math.isfinite(offset)):
            raise self._wrong("calibration", value)
        return slope, offset

    def _wrong(self, key: str, value: object) -> ModelError:
        return ModelError(
            f"{self._path} is malformed: {key!r} cannot be {value!r}.",
            todo="Install the pack again.",
        )
