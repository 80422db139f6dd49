"""What form a file or folder has, told by what lies in it."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

from napari_fada.errors import ExchangeError
from napari_fada.exchange.masks import ENDINGS, PICTURES
from napari_fada.exchange.staging import MANIFEST, OWN_FILES


def guess_form(root: Path) -> str:
    """Return the name of the form of a data set.

    Our own say it in their manifest; others are told by their files.

    Raises
    ------
    ExchangeError
        If nothing tells it.
    """
    if root.is_dir():
        with suppress(OSError, ValueError, KeyError, TypeError):
            found = json.loads((root / MANIFEST).read_text("utf-8"))["form"]
            if isinstance(found, str):
                return found
        names = {p.name for p in root.iterdir()}
        if "data.yaml" in names or ("labels" in names and any((root / "labels").rglob("*.txt"))):
            return "yolo"
        if "annotations.xml" in names:
            return "cvat"
        if "Annotations" in names:
            return "voc"
        if "dataset_info.json" in names:
            return "llama-factory"
        if {"images", "masks"} <= names:
            return "masks"
        files = [p for p in root.rglob("*") if p.is_file() and p.name not in OWN_FILES][:2000]
    else:
        files = [root]
    for path in sorted(files):
        found = _by_file(path)
        if found:
            return found
    pictures = {p.with_suffix("") for p in files if p.suffix.lower() in PICTURES}
    if any(p.with_name(p.name + e) in pictures for p in pictures for e in ENDINGS):
        return "masks"  # among their images
    raise ExchangeError(
        f"Nothing tells what form {root} has.", todo="Name it: --form coco (or another)."
    )


def _by_file(path: Path) -> str | None:
    suffix = path.suffix.lower()
    if suffix == ".geojson":
        return "geojson"
    if suffix == ".xml":
        return "cvat" if b"<annotations" in _head(path) else "voc"
    if suffix in (".yaml", ".yml"):
        return "yolo"
    if suffix == ".jsonl":
        head = _head(path)
        if b'"prompt"' in head:
            return "trl"
        return "swift" if b"<image>" in head else "fada"
    if suffix in (".json", ".gz", ".zip"):
        head = _head(path)
        return "labelme" if b'"shapes"' in head or b'"imagePath"' in head else "coco"
    return None


def _head(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(4096)
    except OSError:
        return b""
