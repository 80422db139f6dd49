"""Importing the package is light: no napari, Qt, torch or llama.cpp, and no network."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

import napari_fada

HEAVY = ("napari", "qtpy", "PyQt6", "PySide6", "torch", "transformers", "llama_cpp", "numpy")

ROOMS = (
    "vocabulary",
    "scans",
    "engines",
    "models",
    "pipeline",
    "records",
    "exchange",
    "training",
)


def loaded_by(code: str) -> list[str]:
    """Return the heavy packages that a fresh interpreter has loaded after some code."""
    tell = f"import json, sys; print(json.dumps([m for m in {HEAVY!r} if m in sys.modules]))"
    script = f"{code}\n{tell}"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60
    )
    loaded: list[str] = json.loads(done.stdout.splitlines()[-1])
    return loaded


def test_importing_the_package_loads_nothing_heavy() -> None:
    assert loaded_by("import napari_fada") == []


@pytest.mark.parametrize("room", ROOMS)
def test_importing_a_room_loads_no_gui_and_no_engine(room: str) -> None:
    assert set(loaded_by(f"import napari_fada.{room}")) <= {"numpy"}


def test_every_public_name_resolves() -> None:
    for name in napari_fada.__all__:
        assert getattr(napari_fada, name) is not None


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no_such_name"):
        napari_fada.no_such_name  # noqa: B018
