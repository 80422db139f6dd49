"""kill -9 of the viewer at any moment: every edit that was acknowledged is in the file."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("killed_viewer.py")


@pytest.mark.timeout(900)  # a minute with two cores of its own
@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="viewers are forked")
@pytest.mark.parametrize(("mode", "kills"), [("model", 200), ("window", 8), ("typing", 4)])
def test_kill_9_loses_nothing(mode, kills):
    # A kill leaves the system alive, so memory serves as well as a drive, and is faster.
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(dir=memory) as folder:
        kill_and_check(mode, kills, folder)


def kill_and_check(mode, kills, folder):
    seed = int(os.environ.get("NAPARI_FADA_SEED", random.randrange(2**31)))
    print(f"NAPARI_FADA_SEED={seed}")  # to do the same again
    run = subprocess.run(
        [sys.executable, str(SCRIPT), mode, folder, str(kills), str(seed)],
        capture_output=True,
        text=True,
        timeout=880,
        check=False,
        env={**os.environ, "XDG_DATA_HOME": folder, "XDG_CONFIG_HOME": folder},
    )
    assert run.returncode == 0, run.stderr[-3000:]
    assert f"{kills} kills" in run.stdout
    least = 1 if mode == "typing" else kills  # typing is handed over once a second
    assert int(run.stdout.split(", ")[1].split()[0]) > least
