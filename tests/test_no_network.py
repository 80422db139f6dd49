"""Reading, exporting and listing models open no network connection, in any process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.test_batch import picture

# Runs at the start of every Python process below, the engine's child included.
GUARD = """
import os, socket
log = os.environ["FADA_NETWORK_LOG"]
def note(text):
    with open(log, "a") as file:
        file.write(f"{text} {os.getpid()}\\n")
def refuse(event, arguments):
    if event in ("socket.connect", "socket.bind", "socket.sendto"):
        if arguments[0].family in (socket.AF_INET, socket.AF_INET6):
            note("network")
            raise OSError("the network is blocked by a test")
    elif event == "socket.getaddrinfo":
        note("network")
        raise OSError("the network is blocked by a test")
import sys
sys.addaudithook(refuse)
note("armed")
"""


@pytest.fixture
def guarded(tmp_path: Path) -> dict[str, str]:
    """Environment in which every Python process refuses the network and says so in a file."""
    (tmp_path / "guard").mkdir()
    (tmp_path / "guard" / "sitecustomize.py").write_text(GUARD)
    own = {n: str(tmp_path / n) for n in ("XDG_DATA_HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME")}
    return {
        **os.environ,
        **own,
        "PYTHONPATH": os.pathsep.join(
            filter(None, [str(tmp_path / "guard"), os.environ.get("PYTHONPATH")])
        ),
        "FADA_NETWORK_LOG": str(tmp_path / "network.log"),
    }


def processes(environment: dict[str, str], word: str) -> set[str]:
    lines = Path(environment["FADA_NETWORK_LOG"]).read_text().splitlines()
    return {line.split()[1] for line in lines if line.startswith(word)}


def fada(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    code = "from napari_fada.cli import app; app()"
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


def test_the_guard_works(guarded: dict[str, str]) -> None:
    code = "import socket; socket.create_connection(('127.0.0.1', 9))"
    done = subprocess.run(
        [sys.executable, "-c", code], env=guarded, capture_output=True, text=True, check=False
    )
    assert "blocked by a test" in done.stderr
    assert processes(guarded, "network")


def test_the_command_line_needs_no_network(guarded: dict[str, str], tmp_path: Path) -> None:
    scan = str(picture(tmp_path / "scans" / "a.png", 1, (200, 300)))
    project = str(tmp_path / "p.fada")
    read = fada(guarded, "run", scan, "-o", str(tmp_path / "out"), "-p", project, "--overlay")
    assert read.returncode in (0, 1), read.stderr
    assert (tmp_path / "out" / "a.fada.json").exists(), read.stderr
    assert len(processes(guarded, "armed")) == 2  # the command and the engine's child
    written = fada(guarded, "export", "fada", "-p", project, "-o", str(tmp_path / "e"))
    assert written.returncode == 0, written.stderr
    assert fada(guarded, "models", "list").returncode == 0
    assert fada(guarded, "models", "download").returncode == 0  # shows what there is
    asked = fada(guarded, "models", "download", "fada-mobile")  # nobody answers "yes"
    assert "Connect to huggingface.co and download it?" in asked.stdout
    assert processes(guarded, "network") == set()


def test_a_download_that_was_asked_for_does(guarded: dict[str, str], tmp_path: Path) -> None:
    """So that the guard would have seen one that was not."""
    code = "from napari_fada.cli import app; app()"
    command = ["models", "download", "fada-mobile", "--into", str(tmp_path), "--yes", "--json"]
    program = subprocess.Popen(
        [sys.executable, "-c", code, *command], env=guarded, stdout=subprocess.PIPE, text=True
    )
    assert program.stdout is not None
    said = [program.stdout.readline() for _ in range(2)]
    program.kill()
    program.communicate(timeout=60)
    assert "Asking huggingface.co" in said[0]
    assert '"waiting"' in said[1]
    assert processes(guarded, "network")
