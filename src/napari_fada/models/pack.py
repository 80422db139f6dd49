"""A model pack: a folder with the files of one model and ``pack.json``, which describes them."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from napari_fada.errors import ModelError, ModelMissingError
from napari_fada.models.digests import sha256_of
from napari_fada.models.gguf_files import GgufFile, find_partner, read_gguf, sort_pair
from napari_fada.models.pack_fields import Fields, PackFile
from napari_fada.models.profiles import recognise

__all__ = ["Pack", "PackFile", "pack_from_files", "read_pack", "with_digests"]

SCHEMA = "fada-pack/1"
DEFAULT_PROMPT_SET = "napari-fada-1"


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
        Text model and image part (mmproj) of the kind ``gguf``; without a name in the other.
    kind : str
        ``gguf`` for llama.cpp, ``transformers`` for full precision.
    parts : tuple of PackFile
        The files of a pack in full precision, each with its role.
    adapter : str
        Sub-folder with a LoRA adapter for the model in full precision, empty if none.
    allow_pickle : bool
        Whether the user has consented to weights that are not safetensors: reading them can
        run code.
    manifest : Path, optional
        Folder of ``pack.json``, where it only points to files that lie elsewhere (imported in
        place); None: it lies beside them.
    made_by : str
        ``import``, ``download`` or ``convert``, if this program put the files there: only then
        it removes them.
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
    parts: tuple[PackFile, ...] = ()
    adapter: str = ""
    allow_pickle: bool = False
    manifest: Path | None = None
    made_by: str = ""

    @property
    def files(self) -> tuple[PackFile, ...]:
        """All files that are needed to run it."""
        return self.parts if self.kind == "transformers" else (self.text, self.vision)

    @property
    def size(self) -> int:
        """Bytes of its files, as far as they are known."""
        return sum(file.size for file in self.files)

    @property
    def home(self) -> Path:
        """The folder of ``pack.json``."""
        return self.manifest or self.folder

    @property
    def adapter_path(self) -> Path | None:
        """Folder of the LoRA adapter, if it has one."""
        return self.folder / self.adapter if self.adapter else None

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

    def check_present(self) -> None:
        """Check that every file is there and as large as it should be.

        Raises
        ------
        ModelMissingError
            If a file, or the whole folder, is not there.
        ModelError
            If a file has another size.
        """
        if not self.folder.is_dir():
            raise ModelMissingError(
                f"The files of the model {self.name} are not at {self.folder}.",
                todo="Bring back the drive or the folder, or import the model again.",
            )
        for file in self.files:
            path = self.folder / file.name
            if not path.is_file():
                raise ModelMissingError(
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

    def inspect(self) -> tuple[GgufFile, GgufFile]:
        """Look into both files of a GGUF pack and return text model and image part.

        Their headers say which is which, also where ``pack.json`` has them the wrong
        way round. Takes well under a second.

        Raises
        ------
        ModelError
            Naming the file that is wrong.
        """
        self.check_present()
        return sort_pair(read_gguf(self.text_path), read_gguf(self.vision_path))

    def verify(self) -> None:
        """Check every file by size, header (GGUF) and SHA-256.

        A file that has not changed since it was last read is not read again; to read every byte
        see `models.verifying`.

        Raises
        ------
        ModelError
            Naming the file that is wrong.
        """
        self.check_present()
        if self.kind == "gguf":
            self.inspect()
        for file in self.files:
            self.compare(file, sha256_of(self.folder / file.name))

    def compare(self, file: PackFile, found: str) -> None:
        """Compare the SHA-256 of a file with what the pack says of it, if it does.

        Raises
        ------
        ModelError
            If they differ.
        """
        if not file.sha256 or found == file.sha256:
            return
        other = next((f for f in self.files if f.sha256 == found), None)
        raise ModelError(
            f"{file.name} of the model {self.name} is not the file it should be: "
            + (
                f"it is {other.name} under another name."
                if other
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
            "size": self.size,
            "folder": str(self.folder),
        }

    def to_dict(self) -> dict[str, Any]:
        """Return the content of ``pack.json``."""
        return {
            "schema": SCHEMA,
            "name": self.name,
            "kind": self.kind,
            "version": self.version,
            "files": self._files(),
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
        } | {
            name: value
            for name, value in {
                "adapter": self.adapter,
                "allow_pickle": self.allow_pickle,
                "made_by": self.made_by,
                "location": str(self.folder) if self.manifest else "",
            }.items()
            if value
        }

    def _files(self) -> dict[str, Any]:
        if self.kind != "transformers":
            return {"text": self.text.to_dict(), "vision": self.vision.to_dict()}
        roles = dict.fromkeys(part.role for part in self.parts)
        return {role: [p.to_dict() for p in self.parts if p.role == role] for role in roles}


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
    fields = Fields(path, data)
    location = fields.get("location", str, "")
    if location and not Path(location).is_absolute():
        raise fields.wrong("location", location)
    files = fields.files(anywhere=bool(location))
    kind = fields.get("kind", str, "")
    one = {"text": PackFile(""), "vision": PackFile("")}
    if kind != "transformers":
        for role in one:
            if len(files.get(role, ())) != 1:
                raise fields.wrong(f"files.{role}", list(files.get(role, ())))
            (one[role],) = files[role]
    elif not any(files.values()):
        raise fields.wrong("files", {})
    return Pack(
        name=fields.name("name"),
        folder=Path(location) if location else folder,
        text=one["text"],
        vision=one["vision"],
        kind=kind,
        parts=tuple(f for some in files.values() for f in some) if kind == "transformers" else (),
        adapter=_adapter(fields, location),
        allow_pickle=fields.get("allow_pickle", bool, False),
        manifest=folder if location else None,
        made_by=fields.get("made_by", str, ""),
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


def _adapter(fields: Fields, location: str) -> str:
    """Return the adapter's sub-folder; of a pack in place it may lie anywhere."""
    named = fields.get("adapter", str, "")
    return named if location or not named else fields.name("adapter")


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
