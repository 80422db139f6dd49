"""Ctrl+C while a model is converted: it ends at once, and nothing is left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from napari_fada.models.convert.tools import VARIABLE


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_ctrl_c(tiny_model: Callable[[str], Path], converter: Path, tmp_path: Path) -> None:
    source = tiny_model("qwen3.5") / "full"
    command = ["models", "convert", str(source), "--out", str(tmp_path / "pack"), "--json"]
    program = subprocess.Popen(
        [sys.executable, "-c", "from napari_fada.cli import app; app()", *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {VARIABLE: str(converter)},
    )
    assert program.stdout is not None
    assert "image part" in program.stdout.readline()
    program.send_signal(signal.SIGINT)
    _, said = program.communicate(timeout=60)
    assert program.returncode == 130
    assert "cancelled" in said
    assert list(tmp_path.iterdir()) == []
