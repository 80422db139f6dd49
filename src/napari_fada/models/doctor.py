"""What is installed, which engines really work, which models can be used, and what to do.

Nothing in here may fail because something else is broken: a library that cannot be imported is a
finding. Imports that may be broken, and models, are tried in processes of their own.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import platform
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from napari_fada import __version__
from napari_fada.engines.hardware import hardware
from napari_fada.engines.protocol import Completion, Prompt
from napari_fada.errors import FadaError
from napari_fada.models.fitting_text import hardware_rows
from napari_fada.models.library import Library
from napari_fada.models.loading import load_engine

Mark = Literal["ok", "note", "bad"]
_WAIT = 120.0


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report.

    Parameters
    ----------
    about : {"computer", "library", "engine", "model"}
        What kind of thing it is about.
    name : str
        Of the thing.
    mark : {"ok", "note", "bad"}
        ``note``: optional, and not there. ``bad``: there, and it does not work.
    text : str
        What was found.
    todo : str
        What to do about it; empty if nothing.
    """

    about: str
    name: str
    mark: Mark
    text: str
    todo: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready dictionary."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class _Library:
    module: str
    distribution: str
    use: str
    todo: str


_EXTRA = 'pip install "napari-fada[{}]"'
LIBRARIES = (
    _Library("llama_cpp", "llama-cpp-python", "runs GGUF models", _EXTRA.format("gguf")),
    _Library("torch", "torch", "runs models in full precision", _EXTRA.format("torch")),
    _Library("transformers", "transformers", "reads full precision", _EXTRA.format("torch")),
    _Library("peft", "peft", "reads LoRA adapters", _EXTRA.format("torch")),
    _Library("napari", "napari", "shows the window", "pip install napari"),
    _Library("qtpy.QtWidgets", "qtpy", "draws the window", _EXTRA.format("qt")),
    _Library("pydicom", "pydicom", "opens DICOM", _EXTRA.format("dicom")),
    _Library("av", "av", "opens video", _EXTRA.format("video")),
)


def examine() -> Iterator[Finding]:
    """Look at everything; yields a finding as soon as there is one.

    The last finding is about ``models`` as a whole: its mark is ``bad`` if no engine works with
    any model.
    """
    yield Finding("computer", "napari-fada", "ok", f"{__version__}, Python {_python()}")
    for name, text in hardware_rows(hardware()).items():
        yield Finding("computer", name, "ok", text)
    broken: set[str] = set()
    for library in LIBRARIES:
        finding = _import(library)
        if finding.mark != "ok":
            broken.add(library.module)
        yield finding
    works = False
    for finding in _engines(broken):
        works |= finding.mark == "ok"
        yield finding
    usable = 0
    for finding in _models(broken):
        usable += finding.mark == "ok"
        yield finding
    if works and usable:
        yield Finding("models", "all", "ok", f"{usable} models can be used.")
    else:
        yield Finding(
            "models", "all", "bad", "No model can be run here." if usable else "No usable model.",
            "Install an engine: " + _EXTRA.format("gguf"),
        )  # fmt: skip


def _python() -> str:
    return f"{platform.python_version()} on {platform.platform()}"


def _import(library: _Library) -> Finding:
    """Import a library in a process of its own: a broken one may take the process with it."""
    top = library.module.partition(".")[0]
    try:
        there = importlib.util.find_spec(top) is not None
    except (ImportError, ValueError):
        there = False
    if not there:
        return Finding(
            "library", library.distribution, "note", f"not installed; {library.use}", library.todo
        )
    try:
        version = importlib.metadata.version(library.distribution)
    except importlib.metadata.PackageNotFoundError:
        version = "of an unknown version"
    try:
        run = subprocess.run(
            [sys.executable, "-c", f"import {library.module}"],
            capture_output=True, text=True, timeout=_WAIT, check=False, errors="replace",
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        return Finding("library", library.distribution, "bad", f"{version}: {error}", library.todo)
    if run.returncode == 0:
        return Finding("library", library.distribution, "ok", f"{version}; {library.use}")
    said = run.stderr.strip().splitlines()
    reason = said[-1] if said else f"it ended with code {run.returncode}"
    return Finding(
        "library", library.distribution, "bad", f"{version} cannot be imported: {reason}",
        f"Install it again: {library.todo}",
    )  # fmt: skip


def _engines(broken: set[str]) -> Iterator[Finding]:
    """Ask the embedded model one short thing through each engine."""
    ways = (
        ("llama.cpp", {"llama_cpp"}, {"precision": "gguf"}, _EXTRA.format("gguf")),
        ("transformers", {"torch", "transformers"}, {"precision": "full"}, _EXTRA.format("torch")),
    )
    for name, needs, options, todo in ways:
        if missing := needs & broken:
            yield Finding(
                "engine", name, "note", f"cannot run without {', '.join(sorted(missing))}", todo
            )
            continue
        try:
            answer = _ask(options)
        except FadaError as error:
            if name == "transformers" and "without full-precision weights" in str(error):
                yield Finding(
                    "engine", name, "note",
                    "is installed; not tried, as the weights for it are not part of this install",
                )  # fmt: skip
                continue
            yield Finding("engine", name, "bad", error.what, error.todo or todo)
        except Exception as error:  # a defect of a library is a finding, too
            yield Finding("engine", name, "bad", f"{type(error).__name__}: {error}", todo)
        else:
            yield Finding("engine", name, "ok", f"works: the embedded model answered {answer}")


def _ask(options: dict[str, Any]) -> str:
    grey = np.full((64, 64), 128, np.uint8)
    with closing(load_engine("fada-mini", threads=1, idle_seconds=0, **options)) as engine:
        prompt = Prompt("classify", "Which view is this?", labels=("head", "abdomen"))
        for event in engine.ask(grey, [prompt]):
            if isinstance(event, Completion):
                return json.dumps(event.text)
    return "nothing"


def _models(broken: set[str]) -> Iterator[Finding]:
    for entry in Library().entries():
        if entry.shadowed:
            yield Finding(
                "model", entry.name, "note",
                f"in {entry.home} is not taken: one of this name was found before it",
            )  # fmt: skip
            continue
        if entry.state != "present":
            yield Finding("model", entry.name, "bad", f"{entry.state}: {entry.problem}")
            continue
        assert entry.pack is not None
        needs = {"gguf": "llama_cpp", "transformers": "torch"}.get(entry.pack.kind, "")
        if needs in broken or not needs:
            yield Finding(
                "model", entry.name, "bad",
                f"is whole, but its engine is not installed ({needs or entry.pack.kind})",
            )  # fmt: skip
            continue
        yield Finding("model", entry.name, "ok", f"{entry.pack.kind}, in {entry.home}")
