"""Which GGUF file is the text model, which the image part, and whether they fit.

Files are told apart by what they say of themselves, never by their names, so that the
order in which they are given does not matter.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from os.path import commonprefix
from pathlib import Path
from typing import Literal

from napari_fada.errors import ModelError
from napari_fada.models.gguf_header import (
    MAGIC,
    BadHeaderError,
    CutShortError,
    GgufHeader,
    WrongVersionError,
    read_header,
)
from napari_fada.models.profiles import projectors

#: Architectures that answer no questions, beside the many BERTs.
_NO_CHAT = ("t5", "wavtokenizer", "whisper")
#: Image parts that older converters wrote: what they say of their width does not count.
_WIDTH_UNSAID = ("resampler", "mlp", "mlp_norm", "ldp", "ldpv2", "adapter")

_EXPECTED = "A model is two GGUF files made from one model: the text model and its mmproj."
_AGAIN = "Download or copy it again."
_PRECISIONS = ("F16", "BF16", "F32", "Q8_0")


@dataclass(frozen=True, slots=True)
class GgufFile:
    """A GGUF file that an engine can use.

    ``width`` is the length of the vector for one token: what a text model takes, and what
    an image part gives; 0 where an image part does not say. ``side`` is the side of the square
    that an image part was made for, in pixels, 0 where it does not say.
    """

    path: Path
    role: Literal["text", "vision"]
    architecture: str
    width: int
    name: str
    quantisation: str
    size: int
    side: int = 0


def read_gguf(path: Path) -> GgufFile:
    """Recognise a GGUF file.

    Raises
    ------
    ModelError
        If it is missing, damaged, or nothing that an engine can use; says what it is.
    """
    try:
        status = path.stat()
    except FileNotFoundError as error:
        raise ModelError(f"There is no file {path}.", todo=_EXPECTED) from error
    except (OSError, ValueError) as error:
        raise ModelError(f"{path} cannot be read: {error}.") from error
    return _recognise(path, status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=64)
def _recognise(path: Path, size: int, _changed: int) -> GgufFile:
    """Do what `read_gguf` does, once for a file that stays as it is."""
    header = _read(path)
    kind, architecture = header.text("general.type"), header.text("general.architecture")
    if kind in ("adapter", "imatrix"):
        what = {"adapter": "a LoRA adapter", "imatrix": "an importance matrix"}[kind]
        raise ModelError(f"{path.name} is {what}, not a model.", todo=_EXPECTED)
    if (parts := header.number("split.count")) > 1:
        raise ModelError(
            f"{path.name} is one of {parts} parts of a model.",
            todo="Join the parts with llama-gguf-split --merge.",
        )
    if header.tensors == 0:
        raise ModelError(f"{path.name} has no weights, only a vocabulary.", todo=_EXPECTED)
    if size < header.length:
        raise ModelError(
            f"{path.name} is cut short: {size:,} of {header.length:,} bytes are there.",
            todo=_AGAIN,
        )
    vision = architecture == "clip" or kind == "mmproj"
    recognise = _vision if vision else _text
    return recognise(path, header, size)


def sort_pair(first: GgufFile, second: GgufFile) -> tuple[GgufFile, GgufFile]:
    """Return text model and image part, whichever way they were given.

    Raises
    ------
    ModelError
        If they are two of a kind, or do not fit each other.
    """
    if first.role == second.role:
        kind, other = (
            ("text models", "The second file must be the mmproj made from the same model.")
            if first.role == "text"
            else ("image parts (mmproj)", "One of the files must be the text model.")
        )
        raise ModelError(f"{first.path.name} and {second.path.name} are both {kind}.", todo=other)
    text, vision = (first, second) if first.role == "text" else (second, first)
    if vision.width and text.width != vision.width:
        raise ModelError(
            f"{vision.path.name} does not fit {text.path.name}: it gives {vision.width} numbers "
            f"for each image token, and the text model takes {text.width}.",
            todo=f"Use the mmproj that was made from the same model as {text.path.name}.",
        )
    return text, vision


def gguf_in(folder: Path) -> list[Path]:
    """Return the GGUF files of a folder, by name; other systems write the ending in capitals."""
    try:
        return sorted(path for path in folder.iterdir() if path.suffix.lower() == ".gguf")
    except OSError:
        return []


def find_partner(file: GgufFile) -> GgufFile:
    """Return the file beside this one that makes a model with it.

    Among several image parts that fit, the one with the same model name is taken, then
    the one whose file name is most alike, then the most precise of common use.

    Raises
    ------
    ModelError
        If none fits, or if one cannot tell which of several is meant.
    """
    fitting: list[GgufFile] = []
    misfits: list[str] = []
    wanted = "vision" if file.role == "text" else "text"
    for path in gguf_in(file.path.parent):
        if path.resolve() == file.path.resolve():
            continue
        try:
            other = read_gguf(path)
            if other.role == wanted:
                sort_pair(file, other)
                fitting.append(other)
        except ModelError as error:
            misfits.append(error.what)
    if not fitting:
        raise _nothing_beside(file, misfits)
    best = _most_alike(file, fitting)
    if len(best) > 1:
        if file.role == "vision" or len({other.name for other in best}) > 1:
            names = ", ".join(other.path.name for other in best)
            raise ModelError(
                f"Several files beside {file.path.name} would go with it: {names}.",
                todo="Say which: name the text model, or put each model in a folder of its own.",
            )
        best.sort(key=_precision)
    return best[0]


def _read(path: Path) -> GgufHeader:
    if path.is_dir():
        raise ModelError(f"{path} is a folder, not a GGUF file.", todo=_EXPECTED)
    try:
        with path.open("rb") as file:
            start = file.read(512)
        if not start:
            raise ModelError(f"{path.name} is empty.", todo=_AGAIN)
        if not start.startswith(MAGIC):
            raise ModelError(f"{path.name} is no GGUF file{_guess(start)}.", todo=_EXPECTED)
        return read_header(path)
    except WrongVersionError as error:
        raise ModelError(
            f"{path.name} is a GGUF file that cannot be used: {error}.",
            todo="Versions 2 and 3 in little-endian form are supported; convert it again.",
        ) from error
    except CutShortError as error:
        raise ModelError(f"{path.name} is cut short: {error}.", todo=_AGAIN) from error
    except BadHeaderError as error:
        raise ModelError(f"{path.name} is damaged: {error}.", todo=_AGAIN) from error
    except OSError as error:
        raise ModelError(f"{path.name} cannot be read: {error.strerror or error}.") from error


def _text(path: Path, header: GgufHeader, size: int) -> GgufFile:
    architecture = header.text("general.architecture")
    if not architecture or "bert" in architecture or architecture.startswith(_NO_CHAT):
        raise ModelError(
            f"{path.name} has the architecture {architecture or '(none given)'}, which answers "
            "no questions.",
            todo=_EXPECTED,
        )
    width = header.number(f"{architecture}.embedding_length")
    return _file(path, header, size, "text", architecture, width)


def _vision(path: Path, header: GgufHeader, size: int) -> GgufFile:
    projector = header.text("clip.vision.projector_type") or header.text("clip.projector_type")
    if not header.fields.get("clip.has_vision_encoder"):
        raise ModelError(f"{path.name} is an mmproj that takes no images.", todo=_EXPECTED)
    if projector not in projectors():
        raise ModelError(
            f"{path.name} is an mmproj of the type {projector or '(none given)'}, which "
            "napari-fada does not know.",
            todo="It may need a newer napari-fada; docs/models.md lists the types that are known.",
        )
    if projector in _WIDTH_UNSAID:
        return _file(path, header, size, "vision", projector, 0)
    width = header.number("clip.vision.projection_dim")
    return _file(path, header, size, "vision", projector, width)


def _file(
    path: Path,
    header: GgufHeader,
    size: int,
    role: Literal["text", "vision"],
    architecture: str,
    width: int,
) -> GgufFile:
    if width <= 0 and architecture not in _WIDTH_UNSAID:
        raise ModelError(f"{path.name} is damaged: it does not say how wide it is.", todo=_AGAIN)
    return GgufFile(
        path,
        role,
        architecture,
        width,
        header.text("general.name"),
        _quantisation(header),
        size,
        header.number("clip.vision.image_size"),
    )


def _quantisation(header: GgufHeader) -> str:
    from gguf.constants import LlamaFileType  # here: the package is slow to import

    if "general.file_type" not in header.fields:
        return ""
    number = header.number("general.file_type")
    try:
        return str(LlamaFileType(number).name.removeprefix("MOSTLY_").removeprefix("ALL_"))
    except ValueError:
        return f"file type {number}"


def _nothing_beside(file: GgufFile, misfits: list[str]) -> ModelError:
    name, reasons = file.path.name, "".join(f" {reason}" for reason in misfits)
    if file.role == "text":
        return ModelError(
            f"{name} is a text model alone; no image part (mmproj) that fits it lies beside it."
            + reasons,
            todo="Put the mmproj made from the same model into the same folder.",
        )
    return ModelError(
        f"{name} is an image part (mmproj) alone; no text model that fits it lies beside it."
        + reasons,
        todo="Put the text model that it was made from into the same folder.",
    )


def _most_alike(file: GgufFile, others: list[GgufFile]) -> list[GgufFile]:
    def likeness(other: GgufFile) -> tuple[bool, int]:
        same = bool(file.name) and other.name == file.name
        alike = commonprefix([_bare(file.path), _bare(other.path)])  # noqa: RUF071 - characters
        return same, len(alike)

    best = max(map(likeness, others))
    return [other for other in others if likeness(other) == best]


def _bare(path: Path) -> str:
    stem = path.stem.lower().replace("mmproj", "")
    return stem.strip("-_.")


def _precision(file: GgufFile) -> tuple[int, str]:
    known = file.quantisation in _PRECISIONS
    return (
        _PRECISIONS.index(file.quantisation) if known else len(_PRECISIONS),
        file.path.name,
    )


def _guess(start: bytes) -> str:
    """Say what a file is that people take for a model, by its first bytes."""
    text = start.lstrip().lower()
    if start.startswith(b"version https://git-lfs"):
        return ": it is a pointer to a file in Git LFS, which was not fetched"
    if text.startswith((b"<!doctype html", b"<html")):
        return ": it is a web page, so the download went wrong"
    if start[:4] in (b"lmgg", b"tjgg", b"algg", b"fmgg"):
        return " but one of its predecessors (GGML, GGJT)"
    if start.startswith(b"PK\x03\x04"):
        return ": it is a zip archive or a PyTorch checkpoint"
    if start[8:9] == b"{" and start[:8].endswith(b"\0\0\0\0"):
        return ": it is a safetensors file"
    return ""
