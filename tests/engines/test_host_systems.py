"""What differs from system to system in the host, tried by pretending."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import psutil
import pytest

from napari_fada.engines.host import HostedEngine, Spec, child, process
from napari_fada.engines.protocol import Prompt
from napari_fada.errors import EngineError

SPEC = Spec("host_scripts:engine")
IMAGE = np.zeros((60, 80, 3), np.uint8)


@pytest.fixture
def engine() -> Iterator[HostedEngine]:
    hosted = HostedEngine(SPEC)
    yield hosted
    hosted.close()


def test_windows_starts_a_python_with_standard_streams(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    windowed = tmp_path / "pythonw.exe"
    monkeypatch.setattr(process, "get_executable", lambda: os.fsencode(windowed))
    assert process.interpreter() == windowed  # without the other it must do
    (tmp_path / "python.exe").touch()
    assert process.interpreter() == tmp_path / "python.exe"
    monkeypatch.setattr(process, "get_executable", lambda: None)
    assert process.interpreter() == Path(sys.executable)


def test_windows_opens_no_console_and_keeps_ctrl_c_away(monkeypatch: pytest.MonkeyPatch) -> None:
    flags = {"CREATE_NO_WINDOW": 1, "CREATE_NEW_PROCESS_GROUP": 2, "BELOW_NORMAL_PRIORITY_CLASS": 4}
    for name, value in flags.items():
        monkeypatch.setattr(subprocess, name, value, raising=False)
    monkeypatch.setattr(sys, "platform", "win32")
    assert process._platform_options() == {"creationflags": 7}


def test_windows_leaves_the_bytes_of_the_pipes_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[int, int]] = []
    msvcrt = SimpleNamespace(setmode=lambda fd, mode: seen.append((fd, mode)))
    monkeypatch.setitem(sys.modules, "msvcrt", msvcrt)
    monkeypatch.setattr(os, "O_BINARY", 32768, raising=False)
    assert child._binary(7) == 7
    assert not seen
    monkeypatch.setattr(sys, "platform", "win32")
    assert child._binary(7) == 7
    assert seen == [(7, 32768)]


def test_windows_exit_codes_are_named_in_hexadecimal(
    engine: HostedEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    hosted = engine._slot.child
    assert hosted is not None
    for code, words in (
        (0xC0000005, "exit code 0xc0000005"),
        (1, "exit code 1"),
        (-99, "signal 99 (unknown)"),
        (-int(getattr(signal, "SIGBUS", 7)), "(SIGBUS)"),
    ):
        monkeypatch.setattr(hosted, "_process", SimpleNamespace(returncode=code))
        monkeypatch.setattr(hosted, "_reap", lambda: None)
        assert words in hosted.obituary("while answering")
    monkeypatch.undo()


def test_without_niceness_and_proc_it_runs_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: Any, **__: Any) -> int:
        raise FileNotFoundError

    monkeypatch.delattr(os, "nice", raising=False)
    monkeypatch.setattr(Path, "write_text", refused)
    child._be_modest(5)


def test_the_peak_of_memory_on_every_system(monkeypatch: pytest.MonkeyPatch) -> None:
    assert child._peak(SimpleNamespace(peak_wset=12)) == 12  # Windows

    def refused(*_: Any, **__: Any) -> str:
        raise FileNotFoundError

    monkeypatch.setattr(Path, "read_text", refused)
    usage = SimpleNamespace(ru_maxrss=3)
    resource = SimpleNamespace(RUSAGE_SELF=0, getrusage=lambda _: usage)
    monkeypatch.setitem(sys.modules, "resource", resource)
    monkeypatch.setattr(sys, "platform", "darwin")
    assert child._peak(SimpleNamespace()) == 3
    monkeypatch.setattr(sys, "platform", "freebsd14")
    assert child._peak(SimpleNamespace()) == 3 * 1024
    monkeypatch.setitem(sys.modules, "resource", None)
    assert child._peak(SimpleNamespace()) is None


@pytest.mark.skipif(not Path("/proc/self/autogroup").exists(), reason="Linux's groups of sessions")
def test_it_yields_to_the_viewer_also_among_sessions(engine: HostedEngine) -> None:
    text = Path(f"/proc/{engine.pid}/autogroup").read_text(encoding="ascii")
    assert text.split()[-1] == "5"


def test_its_size_is_told_where_there_is_no_proc(engine: HostedEngine) -> None:
    health = engine.ping()
    assert health.rss_bytes == pytest.approx(psutil.Process(engine.pid).memory_info().rss, rel=0.2)
    assert (health.peak_bytes or 0) >= health.rss_bytes * 0.9


def test_a_process_that_cannot_be_started_is_an_error_and_no_crash(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refused(*_: Any, **__: Any) -> None:
        raise OSError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(process.subprocess, "Popen", refused)
    with pytest.raises(EngineError, match="cannot be started: Resource temporarily"):
        HostedEngine(SPEC)


@pytest.mark.parametrize(
    "image",
    [
        None,
        np.zeros((8, 8)),
        np.full((8, 8), np.nan),
        np.zeros((0, 8), np.uint8),
        np.zeros((8, 8, 4), np.uint8),
        np.zeros((2, 8, 8, 3), np.uint8),
        np.zeros((), np.uint8),
        np.array([[object()]]),
        np.broadcast_to(np.zeros((1, 1), np.uint8), (20_000, 20_000)),
    ],
    ids=["none", "float", "nan", "empty", "rgba", "frames", "scalar", "objects", "huge"],
)
def test_a_bad_image_never_reaches_the_process(engine: HostedEngine, image: Any) -> None:
    with pytest.raises(EngineError, match="image"):
        engine.ask(image, [Prompt("free", "echo no")])
    *_, answer = engine.ask(IMAGE, [Prompt("free", "echo yes")])
    assert answer.text == "yes"
