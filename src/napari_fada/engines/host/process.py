"""One child process: its pipes, its last words, its end.

Plain pipes and ``python -c`` are used rather than :mod:`multiprocessing`
(docs/decisions/0002-engine-host.md).
"""

from __future__ import annotations

import collections
import contextlib
import os
import queue
import signal
import subprocess
import sys
import threading
from multiprocessing.spawn import get_executable
from pathlib import Path
from typing import Any

from napari_fada.engines.host import wire
from napari_fada.engines.host.spec import Health, Spec

_BOOT = (
    "import sys; sys.path[:] = sys.argv[1:]; "
    "from napari_fada.engines.host.child import main; main()"
)
_LOG_LINES = 200


class Ended(Exception):  # noqa: N818 - an event, not an error
    """The child's pipe has ended: it is dead or dying."""


class Child:
    """A running child.

    Three threads serve it: one writes requests, so that no caller ever blocks on a full
    pipe; one reads messages; one keeps the last lines that it printed. They hold no
    reference to the engine that uses the child, and all end when the child does.
    """

    def __init__(self, spec: Spec) -> None:
        self.ready = False
        self._owner = os.getpid()
        self._inbox: queue.SimpleQueue[wire.Message | None] = queue.SimpleQueue()
        self._pongs: queue.SimpleQueue[Health | None] = queue.SimpleQueue()
        self._outbox: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._log: collections.deque[str] = collections.deque(maxlen=_LOG_LINES)
        first = wire.pack(("spec", 0, spec))  # before there is a process: it may not pickle
        self._process = subprocess.Popen(
            [str(interpreter()), "-P", "-c", _BOOT]
            + [entry for entry in sys.path if isinstance(entry, str)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            env=_environment(spec),
            **_platform_options(),
        )
        self._outbox.put(first)
        self._threads = [
            threading.Thread(target=target, name=f"fada-engine-{name}", daemon=True)
            for name, target in (
                ("write", self._write),
                ("read", self._read),
                ("log", self._keep_log),
            )
        ]
        for thread in self._threads:
            thread.start()

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether the process still runs."""
        return self._process.poll() is None

    def send(self, kind: str, number: int, content: Any = None) -> None:
        """Queue a message; never blocks, and is lost without a word if the child is gone."""
        self._outbox.put(wire.pack((kind, number, content)))

    def receive(self, timeout: float) -> wire.Message:
        """Return the next message.

        Raises
        ------
        queue.Empty
            If none came in time.
        Ended
            If the child is gone.
        """
        message = self._inbox.get(timeout=max(timeout, 0.0))
        if message is None:
            self._inbox.put(None)  # for whoever asks next
            raise Ended
        return message

    def ping(self, timeout: float) -> Health:
        """Ask how the child fares; raises as `receive` does. Works while it computes."""
        self.send("ping", 0)
        health = self._pongs.get(timeout=timeout)
        if health is None:
            raise Ended
        return health

    def kill(self) -> None:
        """End the child now and reap it. It holds nothing that could be lost."""
        if os.getpid() != self._owner:
            return  # a fork of the process whose child it is
        with contextlib.suppress(OSError):
            self._process.kill()
        self._reap()

    def last_words(self, lines: int = 8) -> str:
        """Return the end of what the child printed, on one line."""
        return " | ".join(line for line in list(self._log)[-lines:] if line.strip())

    def obituary(self, when: str) -> str:
        """Say, after `Ended`, how the child ended, in one sentence."""
        self._reap()
        code = self._process.returncode
        cause, hint = "stopped answering", ""
        if code is not None and code >= 0:
            cause = f"ended with exit code {code if code < 256 else hex(code)}"
        elif code is not None:
            known = {int(number): number.name for number in signal.Signals}
            name = known.get(-code, "unknown")
            cause, hint = f"was killed by signal {-code} ({name})", _HINTS.get(name, "")
        return f"The engine process {cause} {when}{hint}."

    def _reap(self) -> None:
        self._outbox.put(None)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=5)
        for thread in self._threads:
            if thread is not threading.current_thread():
                thread.join(timeout=1)

    def _write(self) -> None:
        stdin = self._process.stdin
        assert stdin is not None
        with contextlib.suppress(OSError), stdin:
            while (data := self._outbox.get()) is not None:
                wire.write(stdin.fileno(), data)

    def _read(self) -> None:
        stdout = self._process.stdout
        assert stdout is not None
        with stdout:
            try:
                while (message := wire.read(stdout.fileno())) is not None:
                    if message[0] == "pong":
                        self._pongs.put(message[2])
                    else:
                        self._inbox.put(message)
            except Exception as error:  # what cannot be read ends the conversation
                self._log.append(f"unreadable message from the engine: {error!r}")
                with contextlib.suppress(OSError):
                    self._process.kill()
            finally:
                self._inbox.put(None)
                self._pongs.put(None)

    def _keep_log(self) -> None:
        stderr = self._process.stderr
        assert stderr is not None
        with stderr:
            rest = b""
            while part := os.read(stderr.fileno(), 1 << 16):
                *lines, rest = (rest + part).split(b"\n")
                self._log.extend(line.decode(errors="replace") for line in lines)
                rest = rest[-(1 << 16) :]
            if rest:
                self._log.append(rest.decode(errors="replace"))


def interpreter() -> Path:
    """Return the Python to start.

    On Windows a viewer may run in ``pythonw``, which has no standard streams to talk through.
    """
    path = Path(os.fsdecode(get_executable() or sys.executable))
    if path.name.lower() == "pythonw.exe" and (plain := path.with_name("python.exe")).exists():
        return plain
    return path


_HINTS = {
    "SIGKILL": "; the usual cause is that the memory ran out",
    "SIGBUS": "; the usual cause is a model file that changed, or whose disk was taken out",
    "SIGILL": "; llama.cpp was built for a newer processor than this one",
}


def _environment(spec: Spec) -> dict[str, str]:
    environment = dict(os.environ)
    if spec.threads is not None:
        environment["OMP_NUM_THREADS"] = str(spec.threads)
    return environment


def _platform_options() -> dict[str, Any]:
    """No console window, and out of reach of the Ctrl+C meant for the parent."""
    if sys.platform == "win32":
        return {
            "creationflags": subprocess.CREATE_NO_WINDOW
            | subprocess.CREATE_NEW_PROCESS_GROUP
            | subprocess.BELOW_NORMAL_PRIORITY_CLASS
        }
    return {"start_new_session": True}
