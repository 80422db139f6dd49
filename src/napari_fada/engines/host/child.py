"""What runs inside the child process: build the engine, answer, and die with the parent.

The main thread builds the engine and works. A second thread reads the pipe from the
parent, so that a cancel arrives while the engine computes, and so that the end of the
pipe (the parent is gone, however it went) ends this process at once.
"""

from __future__ import annotations

import contextlib
import faulthandler
import importlib
import os
import queue
import signal
import sys
import threading
import time
import traceback
from pathlib import Path
from typing import Any

import psutil

from napari_fada.engines.host import wire
from napari_fada.engines.host.spec import Health, Spec
from napari_fada.engines.protocol import Engine
from napari_fada.errors import EngineError, FadaError


def main() -> None:
    """Serve one engine until the parent closes the pipe."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C is for the parent to handle
    parent = _Parent(*_take_pipes())
    first = parent.read()
    spec: Spec = first[2]
    _be_modest(spec.nice)
    parent.listen()
    try:
        engine = build(spec)
    except Exception as error:
        parent.send("failed", 0, _portable(error, "The engine could not start"))
        return
    parent.send("ready", 0, engine.info)
    while True:
        number, (image, prompts), cancel = parent.requests.get()
        parent.send("begun", number, None)
        try:
            for item in engine.ask(image, prompts, cancel=cancel):
                parent.send("item", number, item)
        except Exception as error:
            parent.send("error", number, _portable(error, "The engine failed while answering"))
        else:
            parent.send("done", number, None)


def build(spec: Spec) -> Engine:
    """Import the factory that the spec names and call it."""
    module, _, name = spec.factory.partition(":")
    factory = getattr(importlib.import_module(module), name)
    engine: Engine = factory(**spec.kwargs)
    return engine


class _Parent:
    """The child's view of the process that started it."""

    def __init__(self, incoming: int, outgoing: int) -> None:
        self._incoming, self._outgoing = incoming, outgoing
        self._writing = threading.Lock()
        self.requests: queue.SimpleQueue[tuple[int, Any, threading.Event]] = queue.SimpleQueue()

    def read(self) -> wire.Message:
        message = wire.read(self._incoming)
        if message is None:
            os._exit(0)
        return message

    def send(self, kind: str, number: int, content: Any) -> None:
        data = wire.pack((kind, number, content))
        try:
            with self._writing:
                wire.write(self._outgoing, data)
        except OSError:
            os._exit(0)

    def listen(self) -> None:
        threading.Thread(target=self._listen, name="parent", daemon=True).start()

    def _listen(self) -> None:
        current, cancel = -1, threading.Event()
        while True:
            kind, number, content = self.read()
            if kind == "ask":
                current, cancel = number, threading.Event()
                self.requests.put((number, content, cancel))
            elif kind == "cancel" and number == current:
                cancel.set()
            elif kind == "ping":
                self.send("pong", number, _health())


def _take_pipes() -> tuple[int, int]:
    """Keep the two pipes for ourselves; what libraries print goes to the captured log."""
    incoming, outgoing = _binary(os.dup(0)), _binary(os.dup(1))
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(line_buffering=True)
    faulthandler.enable()
    return incoming, outgoing


def _binary(descriptor: int) -> int:
    """Switch off the translation of line ends that Windows does on its own accord."""
    if sys.platform == "win32":
        import msvcrt

        msvcrt.setmode(descriptor, os.O_BINARY)
    return descriptor


def _be_modest(nice: int) -> None:
    """Yield the processor to the viewer, and be the one killed when memory runs out."""
    with contextlib.suppress(OSError, AttributeError):
        os.nice(nice)
    # Linux shares the processor out among sessions first, and this process has one of its own:
    # within it a niceness alone would mean nothing.
    for path, value in (("/proc/self/autogroup", nice), ("/proc/self/oom_score_adj", 500)):
        with contextlib.suppress(OSError):
            Path(path).write_text(str(value), encoding="ascii")


def _portable(error: Exception, what: str) -> FadaError:
    """Return an error that survives the pipe; its traceback goes to the log."""
    if isinstance(error, FadaError):
        return error
    traceback.print_exception(error)
    if isinstance(error, MemoryError):
        return EngineError(
            f"{what}: there is not enough memory.",
            todo="Close other programs, or choose a smaller model.",
        )
    return EngineError(
        f"{what}: {type(error).__name__}: {error}",
        todo="Ask again; if it fails again, report it with the engine's log.",
    )


def _health() -> Health:
    process = psutil.Process()
    memory = process.memory_info()
    return Health(process.pid, memory.rss, time.process_time(), _peak(memory))


def _peak(memory: Any) -> int | None:
    """Return the most memory this process has had, None where the system does not say."""
    if (windows := getattr(memory, "peak_wset", None)) is not None:
        return int(windows)
    with contextlib.suppress(OSError, ValueError, IndexError, StopIteration):
        # not getrusage: there the parent's peak is inherited
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
        return next(int(s.split()[1]) * 1024 for s in lines if s.startswith("VmHWM"))
    with contextlib.suppress(ImportError, OSError):
        import resource

        unit = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    return None
