"""The whole way from a transformers folder to packs: all of it, or nothing is left."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from napari_fada import __version__
from napari_fada.engines.hardware import cores
from napari_fada.engines.protocol import Cancel
from napari_fada.errors import ModelError
from napari_fada.models.convert.children import Cancelled
from napari_fada.models.convert.events import Event, Note, Packed, Step
from napari_fada.models.convert.gguf import quantise, to_gguf
from napari_fada.models.convert.merge import merge_adapter, require
from napari_fada.models.convert.source import Source, read_adapter, read_source
from napari_fada.models.convert.tools import find_converter
from napari_fada.models.pack import Pack, PackFile, pack_from_files, read_pack

#: llama.cpp's numbers of the types that a text model can be written in, smallest loss first, and
#: bytes of a weight (for the check of the disk).
TYPES = {"f16": (1, 2.0), "q8_0": (7, 1.1), "q5_k_m": (17, 0.8), "q4_k_m": (15, 0.7)}
VISION_TYPES = ("f16", "q8_0")
_UNFIT = re.compile(r"[^A-Za-z0-9._-]+")
_SPARE = 64 << 20


@dataclass(frozen=True, slots=True)
class Conversion:
    """What is to be done.

    Parameters
    ----------
    source : Path
        Transformers folder of the model, or of the base model of an adapter.
    out : Path
        Folder of the pack; with several types, a folder that gets one pack for each.
    types : tuple of str
        Keys of `TYPES`.
    adapter : Path, optional
        LoRA adapter to merge first.
    vision_type : {"f16", "q8_0"}
        Of the image part.
    name : str
        Of the pack; empty: as the adapter's or the model's folder is called.
    converter : Path, optional
        See `find_converter`.
    force : bool
        Merge even if memory seems too small.
    keep_merged : Path, optional
        Where a merged model is put for the caller to use; without it, it is deleted.
    """

    source: Path
    out: Path
    types: tuple[str, ...] = ("q4_k_m",)
    adapter: Path | None = None
    vision_type: str = "f16"
    name: str = ""
    converter: Path | None = None
    force: bool = False
    keep_merged: Path | None = None
    title: str = field(init=False)

    def __post_init__(self) -> None:
        if wrong := [t for t in self.types if t not in TYPES] or not self.types:
            raise ModelError(
                f"A text model cannot be written as {wrong}.", todo=f"Use: {', '.join(TYPES)}."
            )
        if self.vision_type not in VISION_TYPES:
            raise ModelError(
                f"An image part cannot be written as {self.vision_type}.",
                todo=f"Use: {', '.join(VISION_TYPES)}.",
            )
        title = self.name or (self.adapter or self.source).resolve().name
        object.__setattr__(self, "title", _UNFIT.sub("-", title).strip("-.") or "model")

    def pack_name(self, kind: str) -> str:
        """Return the name of the pack of one type."""
        return self.title if len(self.types) == 1 else f"{self.title}-{kind}"


def convert(job: Conversion, *, cancel: Cancel | None = None) -> Iterator[Event]:
    """Convert a model and write its packs.

    The packs appear in their place when all of them are whole. Before that everything lies in a
    folder beside it, which is deleted when the conversion fails or is cancelled.

    Raises
    ------
    Cancelled
        If the caller cancelled.
    ModelError
        If something is missing or fails; says what to do.
    """
    base = read_source(job.source)
    require("torch", "transformers")
    converter = find_converter(job.converter)
    if any(kind != "f16" for kind in job.types):
        require("llama_cpp")
    _free_place(job.out)
    job.out.parent.mkdir(parents=True, exist_ok=True)
    _check_disk(job, base)
    with _scratch(job.out) as work:
        source = base.folder
        if job.adapter is not None:
            named = read_adapter(job.adapter)
            yield Step(f"Merging {job.adapter.name} into {base.folder.name}")
            if named and Path(named).name.lower() != base.folder.resolve().name.lower():
                yield Note(f"The adapter was made from {named!r}")
            source = job.keep_merged or work / "merged"
            yield from merge_adapter(base, job.adapter, source, force=job.force, cancel=cancel)
        yield Step(f"Writing the image part ({job.vision_type})")
        vision = work / f"mmproj-{job.title}-{job.vision_type}.gguf"
        yield from to_gguf(
            source, vision, "vision", precision=job.vision_type, name=job.title,
            converter=converter, cancel=cancel,
        )  # fmt: skip
        yield Step("Writing the text model (f16)")
        text = work / f"{job.title}-f16.gguf"
        yield from to_gguf(source, text, "text", name=job.title, converter=converter, cancel=cancel)
        done = work / "packs"
        for kind in sorted(job.types, key=list(TYPES).index, reverse=True):
            folder = done / job.pack_name(kind)
            folder.mkdir(parents=True)
            target = folder / f"{job.title}-{kind}.gguf"
            if kind == "f16":
                text.replace(target)  # the last in this order: nothing needs it any more
            else:
                yield Step(f"Quantising the text model ({kind})")
                threads = cores().usable
                number = TYPES[kind][0]
                yield from quantise(text, target, number, threads=threads, cancel=cancel)
            _link(vision, folder / vision.name)
            _write_pack(job, base, folder, kind)
        if cancel is not None and cancel.is_set():
            raise Cancelled
        yield from _put_in_place(job, done)


def _put_in_place(job: Conversion, done: Path) -> Iterator[Event]:
    one = len(job.types) == 1
    with contextlib.suppress(OSError):
        job.out.rmdir()  # it may be there, empty
    (done / job.pack_name(job.types[0]) if one else done).replace(job.out)
    for kind in job.types:
        yield Packed(read_pack(job.out if one else job.out / job.pack_name(kind)))


def _free_place(out: Path) -> None:
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ModelError(
            f"{out} is there already.",
            kept="It was not touched.",
            todo="Give another folder with --out, or remove that one first.",
        )


def _check_disk(job: Conversion, base: Source) -> None:
    """Complain before anything is written when the disk is too small for all of it."""
    needed = base.parameters * 2 + _SPARE  # the float16 text and the image part
    needed += sum(int(base.parameters * TYPES[k][1]) for k in job.types if k != "f16")
    if job.adapter is not None and job.keep_merged is None:
        needed += base.size
    free = shutil.disk_usage(job.out.parent).free
    if needed > free:
        raise ModelError(
            f"The conversion needs {needed / 1e9:.1f} GB on the disk of {job.out.parent}; "
            f"{free / 1e9:.1f} GB are free.",
            kept="Nothing was written.",
            todo="Free some space, or choose another folder with --out.",
        )


@contextlib.contextmanager
def _scratch(out: Path) -> Iterator[Path]:
    """Give a folder on the disk of the result, gone afterwards."""
    try:
        work = Path(tempfile.mkdtemp(prefix=f".{out.name}.", suffix=".part", dir=out.parent))
    except OSError as error:
        raise ModelError(
            f"Nothing can be written in {out.parent}: {error.strerror or error}.",
            todo="Choose another folder with --out.",
        ) from error
    try:
        yield work
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _link(source: Path, target: Path) -> None:
    """Put the same file into a second pack; a link where the disk can, so that it counts once."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def _write_pack(job: Conversion, base: Source, folder: Path, kind: str) -> None:
    """Describe the files in ``pack.json`` and in a card for the reader."""
    text = folder / f"{job.title}-{kind}.gguf"
    vision = next(folder.glob("mmproj-*.gguf"))
    found = pack_from_files(text, vision)
    known = _known(job) or replace(found, base_model="")
    pack = replace(
        known,
        name=job.pack_name(kind),
        folder=folder,
        text=PackFile.of(text),
        vision=PackFile.of(vision),
        version=datetime.now(UTC).date().isoformat(),
        architecture=found.architecture,
        base_model=known.base_model or base.folder.resolve().name,
        card="CARD.md",
        made_by="convert",
    )
    (folder / "pack.json").write_text(
        json.dumps(pack.to_dict(), indent=2, ensure_ascii=False) + "\n", encoding="utf-8"
    )
    adapter = f"- adapter merged: {job.adapter.resolve().name}\n" if job.adapter else ""
    (folder / "CARD.md").write_text(
        f"# {pack.name}\n\nConverted by napari-fada {__version__} on {pack.version}.\n\n"
        f"- made from: {pack.base_model} ({base.architecture}, "
        f"{base.parameters:,} weights)\n{adapter}"
        f"- text model: {kind}; image part: {job.vision_type}\n"
        f"- licence: {pack.licence or 'that of the original; see there'}\n",
        encoding="utf-8",
    )


def _known(job: Conversion) -> Pack | None:
    """Return what a pack.json beside the weights says of the model, if there is one."""
    for folder in (job.adapter, job.source):
        if folder is not None and (folder / "pack.json").is_file():
            with contextlib.suppress(ModelError):
                return replace(read_pack(folder), kind="gguf", full="")
    # The full-precision weights inside a pack: its sub-folder ``full``.
    with contextlib.suppress(ModelError):
        around = read_pack(job.source.resolve().parent)
        if around.full == job.source.resolve().name:
            return replace(around, full="", base_model=around.base_model or around.name)
    return None
