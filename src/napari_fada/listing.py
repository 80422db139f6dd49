"""Finding the files of scans: folders are walked in natural order, sidecars left out.

No scan is opened in here, so ten thousand files are found in a moment. What napari-fada wrote
itself is known by what it holds: by its name alone another's file would be passed over.
"""

from __future__ import annotations

import codecs
import csv
import io
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from napari_fada.errors import OwnOutputError, ScanError, explained

#: A file with one of these names that is given by name is a list of scans.
LISTS = frozenset({".txt", ".lst", ".csv", ".tsv"})
TABLES = frozenset({".csv", ".tsv"})

# What lies beside scans and is none; only skipped when met in a folder, never when named.
_SIDECARS = frozenset(
    {".json", ".jsonl", ".csv", ".tsv", ".txt", ".md", ".rst", ".xml", ".yaml", ".yml", ".toml"}
    | {".ini", ".log", ".html", ".sqlite", ".db", ".fada", ".sha256", ".md5"}
)
#: Stands in every PNG that is drawn for looking at (exchange.overlay, charts), before its pixels.
PICTURE_MARK = "napari-fada picture"
_OVERLAY, _READING = ".overlay.png", ".fada.json"
_MANIFEST, _DATASET = "manifest.json", b'"schema": "fada-dataset/'
_APPLICATION = b"fada"  # of the header of a project, see records.schema
_LOGS = ("-wal", "-shm", "-journal")
_LOG_STARTS = (b"\x37\x7f\x06\x82", b"\x37\x7f\x06\x83", b"\xd9\xd5\x05\xf9\x20\xa1\x63\xd7")
_HEAD = 512
_QUOTES = frozenset({('"', '"'), ("'", "'"), ("“", "”"), ("„", "“"), ("«", "»")})
_BESIDE = frozenset({"dicomdir", "thumbs.db", "desktop.ini", "license", "readme"})


@dataclass(frozen=True, slots=True)
class ScanProblem:
    """A file that could not be opened; ``error`` says why and what to do."""

    path: Path
    error: ScanError


def iter_files(path: Path, recursive: bool = True) -> Iterator[Path | ScanProblem]:
    """Yield the files that :func:`napari_fada.scans.iter_scans` opens, without opening them."""
    try:
        folder = path.is_dir()
    except OSError:  # it lies in a folder that may not be entered; opening it says so
        folder = False
    if not folder:
        yield path
        return
    found = False
    for file in _walk(path, recursive, set()):
        found = True
        yield file
    if not found:
        yield ScanProblem(path, nothing_in(path))


def iter_list(file: Path) -> Iterator[Path | ScanProblem]:
    """Yield the files that a list names: one path a line, or a table with a column ``file``.

    Paths are taken from where the list lies; quotation marks around one are taken off. In a plain
    list, empty lines and lines that begin with # are skipped; a folder that is named is walked.

    Raises
    ------
    ScanError
        If the list cannot be read, or is a table without such a column.
    """
    with explained(file.name, f"The list {file.name} cannot be read"):
        data = file.read_bytes()
        utf16 = data[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)  # Excel's "Unicode text"
        # A name that is no UTF-8 is taken as the system has it.
        text = data.decode("utf-16") if utf16 else data.decode("utf-8-sig", "surrogateescape")
    if file.suffix.lower() in TABLES:
        first = text.partition("\n")[0]
        delimiter = max(",;\t", key=first.count)
        rows = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter)
        columns = {(name or "").strip().lower(): name for name in rows.fieldnames or ()}
        if "file" not in columns:
            raise ScanError(
                f"The table {file.name} has no column called file.",
                todo="Name the column with the paths of the scans: file.",
            )
        named = [row[columns["file"]] or "" for row in rows]
    else:
        named = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    for name in named:
        if name.strip():
            yield from iter_files(_named(file.parent, name.strip()))


def _named(folder: Path, name: str) -> Path:
    """Return the path that a line names; file managers copy paths in quotation marks."""
    if len(name) > 2 and (name[0], name[-1]) in _QUOTES:
        literally = folder / name
        if not os.path.exists(literally):  # noqa: PTH110 - a name of any length is no error
            name = name[1:-1]
    return folder / os.path.expanduser(name)  # noqa: PTH111 - a user may not exist


def own_output(path: Path, head: bytes) -> str:
    """Say what a file is if napari-fada wrote it; empty for any other.

    Parameters
    ----------
    path : Path
        The file.
    head : bytes
        How it begins, some hundred bytes.
    """
    if head.startswith(b"\x89PNG") and PICTURE_MARK.encode() in head[:_HEAD]:
        return "a picture that was drawn of a reading"
    if path.name.lower().endswith(_OVERLAY):  # one that was drawn before pictures had a mark
        reading = path.with_name(path.name[: -len(_OVERLAY)] + _READING)
        if os.path.exists(reading):  # noqa: PTH110 (Path.exists() may raise)
            return "a picture that was drawn of a reading"
    if head.startswith(b"SQLite format 3\0") and head[68:72] == _APPLICATION:
        return "a project"
    log = next((end for end in _LOGS if path.name.endswith(end)), "")
    of = path.with_name(path.name.removesuffix(log)) if log else None
    if head.startswith(_LOG_STARTS) or (of and own_output(of, _head(of)) == "a project"):
        return "the log of a project"
    if head.lstrip().startswith(b"{") and b'"schema": "fada-' in head[:_HEAD]:
        return "a reading or the description of a data set"
    return ""


def refuse_own(path: Path, head: bytes) -> None:
    """Raise if a file is one that napari-fada wrote.

    Raises
    ------
    OwnOutputError
        In words.
    """
    if what := own_output(path, head):
        raise OwnOutputError(
            f"{readable(path.name)} is no scan: it is {what}, written by napari-fada.",
            todo="Choose the scan itself.",
        )


def readable(text: str) -> str:
    """Return a path with a sign (U+FFFD) in place of bytes that are no text."""
    return os.fsencode(text).decode(errors="replace")


def refuse_no_text(path: Path) -> None:
    """Raise if a path holds bytes that are no text: no project, table or JSON can keep it.

    Raises
    ------
    ScanError
        In words.
    """
    try:
        str(path).encode()
    except UnicodeEncodeError:
        raise ScanError(
            f"{readable(path.name)} has a name that is no text, or lies in a folder that has.",
            todo="Rename the file or folder.",
        ) from None


def visible_files(folder: Path) -> list[Path]:
    """Return the files of a folder in natural order, without what is hidden or a sidecar."""
    return [p for p in _listing(folder) if not p.is_dir()]


def natural_key(text: str) -> tuple[tuple[int, int, str], ...]:
    """Sort key that puts frame2 before frame10 and does not mind upper and lower case."""
    parts = re.split(r"([0-9]+)", text.casefold())
    return tuple((0, int(p), p) if p[:1].isdecimal() else (1, 0, p) for p in parts)


def nothing_in(folder: Path) -> ScanError:
    """Return the error for a folder without scans."""
    return ScanError(
        f"The folder {folder.name or folder} holds no scan.",
        todo="Choose a folder with PNG, JPEG, TIFF, DICOM or video files.",
    )


def _is_beside(path: Path) -> bool:
    name = path.name.lower()
    if name.startswith(".") or path.suffix.lower() in _SIDECARS or name in _BESIDE:
        return True
    # Few files have such names, so that a look inside costs nothing.
    ours = ".fada" in name or name.endswith((_OVERLAY, *_LOGS))
    return ours and bool(own_output(path, _head(path)))


def _is_data_set(folder: Path) -> bool:
    """Tell whether a folder was exported by napari-fada: its images are copies of scans."""
    return _DATASET in _head(folder / _MANIFEST)


def _head(path: Path) -> bytes:
    try:
        if not path.is_file():  # reading a pipe would wait for ever
            return b""
        with path.open("rb") as file:
            return file.read(_HEAD)
    except (OSError, ValueError):
        return b""


def _listing(folder: Path) -> list[Path]:
    """Entries in natural order, without what is hidden or a sidecar."""
    entries = [p for p in folder.iterdir() if not _is_beside(p)]
    return sorted(entries, key=lambda p: (natural_key(p.name), p.name))


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
        elif recursive and entry.resolve() not in seen and not _is_data_set(entry):
            yield from _walk(entry, recursive, seen)
