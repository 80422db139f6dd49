"""Open a file or a folder as a Scan, or run over many of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from importlib import import_module
from pathlib import Path

from napari_fada.errors import OwnOutputError, ScanError, explained
from napari_fada.listing import (
    ScanProblem,
    iter_files,
    nothing_in,
    refuse_no_text,
    refuse_own,
    visible_files,
)
from napari_fada.scans.folder import Part, join
from napari_fada.scans.scan import Scan
from napari_fada.scans.sniff import HEAD, Kind, claimed, describe, sniff
from napari_fada.scans.source import Source, hash_file, make_scan

# The opener of each kind, imported when the first such file is met.
_OPENERS: dict[Kind, tuple[str, str]] = {
    "still": ("napari_fada.scans.stills", "open_still"),
    "tiff": ("napari_fada.scans.tiff", "open_tiff"),
    "dicom": ("napari_fada.scans.dicom", "open_dicom"),
    "video": ("napari_fada.scans.video", "open_video"),
}


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
    refuse_no_text(path)
    name = path.name or str(path)
    with explained(name, f"{name} cannot be opened"):
        if path.is_dir():
            parts = [Part(p, _open_file(p, p.name), hash_file(p)) for p in visible_files(path)]
            if not parts:
                raise nothing_in(path)
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
        Files and folders. In folders, files come in natural order; hidden files, sidecars, and
        what napari-fada wrote itself (readings, overlays, projects, data sets) are skipped.
    recursive : bool
        Whether folders in folders are entered.

    Yields
    ------
    Scan or ScanProblem
        Each file of a folder is a scan of its own.
    """
    for path in [paths] if isinstance(paths, str | Path) else paths:
        root, found = Path(path), False
        for file in iter_files(root, recursive):
            one: Scan | ScanProblem
            if isinstance(file, ScanProblem):
                found = True
                yield file
                continue
            try:
                one = open_scan(file)
            except OwnOutputError as error:
                if file != root:  # met in a folder, where scans lie among what was made of them
                    continue
                one = ScanProblem(root, error)
            except ScanError as error:
                one = ScanProblem(file, error)
            found = True
            yield one
        if not found:
            yield ScanProblem(root, nothing_in(root))


def _open_file(path: Path, name: str) -> Source:
    if path.exists() and not path.is_file():  # reading a pipe would wait for ever
        raise ScanError(f"{name} is no ordinary file.", todo="Choose an image or video file.")
    with path.open("rb") as file:
        head = file.read(HEAD)
    if not head:
        raise ScanError(f"{name} is empty (0 bytes).", todo="Copy or export the file again.")
    refuse_own(path, head)
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
