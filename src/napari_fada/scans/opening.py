"""Open a file or a folder as a Scan, or run over many of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path

from napari_fada.errors import ScanError
from napari_fada.scans.folder import Part, join
from napari_fada.scans.scan import Scan
from napari_fada.scans.sniff import HEAD, Kind, claimed, describe, sniff
from napari_fada.scans.source import Source, explained, hash_file, make_scan, natural_key

# The opener of each kind, imported when the first such file is met.
_OPENERS: dict[Kind, tuple[str, str]] = {
    "still": ("napari_fada.scans.stills", "open_still"),
    "tiff": ("napari_fada.scans.tiff", "open_tiff"),
    "dicom": ("napari_fada.scans.dicom", "open_dicom"),
    "video": ("napari_fada.scans.video", "open_video"),
}

# What lies beside scans and is none; only skipped when met in a folder, never when named.
_SIDECARS = frozenset(
    {".json", ".jsonl", ".csv", ".tsv", ".txt", ".md", ".rst", ".xml", ".yaml", ".yml", ".toml"}
    | {".ini", ".log", ".html", ".sqlite", ".db", ".fada", ".sha256", ".md5"}
)
_BESIDE = frozenset({"dicomdir", "thumbs.db", "desktop.ini", "license", "readme"})


@dataclass(frozen=True, slots=True)
class ScanProblem:
    """A file that could not be opened; ``error`` says why and what to do."""

    path: Path
    error: ScanError


def open_scan(path: str | Path) -> Scan:
    """Open a scan: a still image, a TIFF, DICOM, a clip, or a folder of frames.

    The kind is found by content. The header is read and the file hashed; frames are decoded
    when asked for, one at a time.

    Parameters
    ----------
    path : str or Path
        A file, or a folder whose files are frames of one size, in natural order.

    Raises
    ------
    ScanError
        If it cannot be opened; the message says what happened and what to do.
    """
    path = Path(path)
    name = path.name or str(path)
    with explained(name, f"{name} cannot be opened"):
        if path.is_dir():
            parts = [Part(p, _open_file(p, p.name), hash_file(p)) for p in _visible_files(path)]
            if not parts:
                raise _nothing_in(path)
            source, sha256 = join(path, parts)
        else:
            source, sha256 = _open_file(path, name), hash_file(path)
        return make_scan(source, name, sha256, path)


def iter_scans(
    paths: str | Path | Iterable[str | Path], recursive: bool = True
) -> Iterator[Scan | ScanProblem]:
    """Open file after file; what cannot be opened is yielded as a problem, never raised.

    Parameters
    ----------
    paths : path or iterable of paths
        Files and folders. In folders, files come in natural order; hidden files,
        ``*.fada.json`` and other sidecars are skipped.
    recursive : bool
        Whether folders in folders are entered.

    Yields
    ------
    Scan or ScanProblem
        Each file of a folder is a scan of its own.
    """
    for path in [paths] if isinstance(paths, str | Path) else paths:
        for file in iter_files(Path(path), recursive):
            if isinstance(file, ScanProblem):
                yield file
                continue
            try:
                yield open_scan(file)
            except ScanError as error:
                yield ScanProblem(file, error)


def iter_files(path: Path, recursive: bool = True) -> Iterator[Path | ScanProblem]:
    """Yield the files that :func:`iter_scans` opens, without opening them."""
    if not path.is_dir():
        yield path
        return
    found = False
    for file in _walk(path, recursive, set()):
        found = True
        yield file
    if not found:
        yield ScanProblem(path, _nothing_in(path))


def _open_file(path: Path, name: str) -> Source:
    if path.exists() and not path.is_file():  # reading a pipe would wait for ever
        raise ScanError(f"{name} is no ordinary file.", todo="Choose an image or video file.")
    with path.open("rb") as file:
        head = file.read(HEAD)
    if not head:
        raise ScanError(f"{name} is empty (0 bytes).", todo="Copy or export the file again.")
    found, claim = sniff(head), claimed(path.suffix)
    if found is None:
        what = describe(head)
        called = f" though it is called {path.suffix}" if claim else ""
        raise ScanError(
            f"{name} is no scan: it is {what}{called}.",
            todo="Choose a PNG, JPEG, TIFF, DICOM or video file.",
        )
    kind, form = found
    module, function = _OPENERS[kind]
    opener: Callable[[Path, str, str], Source] = getattr(import_module(module), function)
    source = opener(path, name, form)
    if claim and claim != form and (kind, claim) not in {("video", "MPEG"), ("video", "MP4")}:
        note = f"called {path.suffix}, but its content is {form}"
        source = replace(source, problems=(*source.problems, note))
    return source


def _nothing_in(folder: Path) -> ScanError:
    return ScanError(
        f"The folder {folder.name or folder} holds no scan.",
        todo="Choose a folder with PNG, JPEG, TIFF, DICOM or video files.",
    )


def _is_beside(path: Path) -> bool:
    return (
        path.name.startswith(".")
        or path.suffix.lower() in _SIDECARS
        or path.name.lower() in _BESIDE
    )


def _listing(folder: Path) -> list[Path]:
    """Entries in natural order, without what is hidden or a sidecar."""
    entries = [p for p in folder.iterdir() if not _is_beside(p)]
    return sorted(entries, key=lambda p: (natural_key(p.name), p.name))


def _visible_files(folder: Path) -> list[Path]:
    return [p for p in _listing(folder) if not p.is_dir()]


def _walk(folder: Path, recursive: bool, seen: set[Path]) -> Iterator[Path | ScanProblem]:
    """Files of a folder, then of its folders as they come; links in circles are cut."""
    try:
        with explained(folder.name, f"The folder {folder.name} cannot be listed"):
            seen.add(folder.resolve())
            entries = _listing(folder)
    except ScanError as error:
        yield ScanProblem(folder, error)
        return
    for entry in entries:
        if not entry.is_dir():
            yield entry
        elif recursive and entry.resolve() not in seen:
            yield from _walk(entry, recursive, seen)
