"""Fixtures that every room's tests share."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from waiting import PATIENCE

ROOT = Path(__file__).resolve().parents[1]


def pytest_collection_finish() -> None:
    """Keep what was imported out of the searches for rubbish.

    napari searches all of memory at each layer that is removed; with PyTorch and every test
    module in it, that would take most of the time of the tests with a window.
    """
    gc.collect()
    gc.freeze()


@pytest.fixture
def qtbot(qtbot: Any) -> Any:
    """Wait with patience: pytest-qt gives up after five seconds, which a busy machine needs."""
    for name in ("waitUntil", "waitSignal", "waitSignals"):
        waits, most = getattr(qtbot, name), int(1000 * PATIENCE)
        setattr(qtbot, name, partial(waits, timeout=most))
    return qtbot


def _folder(variable: str, default: Path) -> Path:
    folder = Path(os.environ.get(variable, default))
    if not folder.is_dir():
        message = f"{variable} names no folder ({folder}); it holds the data these tests need"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    return folder


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """Folder of real scans (environment variable NAPARI_FADA_DATA)."""
    return _folder("NAPARI_FADA_DATA", ROOT.parent / "shared" / "data")


@pytest.fixture(scope="session")
def parity_dir() -> Path:
    """Folder of inputs with the reference's answers (NAPARI_FADA_PARITY)."""
    return _folder("NAPARI_FADA_PARITY", ROOT.parent / "shared" / "parity")


@pytest.fixture(scope="session")
def converter() -> Path:
    """Folder of llama.cpp's converter (NAPARI_FADA_CONVERTER, or beside this environment)."""
    folder = Path(os.environ.get("NAPARI_FADA_CONVERTER", Path(sys.prefix) / "converter"))
    if not (folder / "convert_hf_to_gguf.py").is_file():
        pytest.fail(f"llama.cpp's converter is not in {folder}; make setup-test fetches it")
    return folder


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory, converter: Path) -> Callable[[str], Path]:
    """Give a folder with a tiny model of random weights, converted; made once for all processes.

    Its argument is the name of a family (see tiny_models.FAMILIES). The folder holds the
    transformers folder ``full``, the text model and its mmproj.
    """
    from tiny_models import make

    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    return lambda family: make(shared / "tiny-models" / family, family, converter)
