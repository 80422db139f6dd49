"""Child processes that do one heavy thing, say how far they are, and can be stopped."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path

from napari_fada.engines.protocol import Cancel
from napari_fada.errors import ModelError
from napari_fada.models.convert.events import Event, Note, Progress

#: What a child may say on a line of its own; the rest of its output is kept for errors.
_NOTE = "NOTE: "
_FAILED = "FAILED: "
#: "Writing:  34%|...", as tqdm draws it, and "[  12/ 320]", as llama.cpp's quantiser counts.
_PERCENT = re.compile(r"^\S[^|]*?(\d{1,3})%\|")
_COUNT = re.compile(r"^\[\s*(\d+)/\s*(\d+)\]")
_END_OF_LINE = re.compile(rb"[\r\n]+")
_LOOK = 0.1
_LAST_LINES = 12


class Cancelled(ModelError):  # noqa: N818 - named for what happened
    """The user stopped the conversion; nothing is left of it."""

    def __init__(self, what: str = "The conversion was cancelled.", **more: str) -> None:
        super().__init__(what, **{"kept": "Nothing was written.", **more})


def run_child(
    script: str, arguments: Sequence[str | Path], *, cancel: Cancel | None, failing: str
) -> Iterator[Event]:
    """Run a script of this folder in a process of its own and tell how it goes.

    Parameters
    ----------
    script : str
        File name, without ``.py``.
    arguments : sequence
        Of its command line.
    cancel : Cancel, optional
        Stops the process within a tenth of a second.
    failing : str
        What to say happened when it fails.

    Raises
    ------
    Cancelled
        If the caller cancelled.
    ModelError
        If it failed; with its reason.
    """
    program = [sys.executable, str(Path(__file__).with_name(f"{script}.py"))]
    environment = os.environ | {
        # Everything is on this computer already: a hub that is asked would be a mistake.
        "HF_HUB_OFFLINE": "1",
        "TRANSFORMERS_OFFLINE": "1",
        "PYTHONUNBUFFERED": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "TOKENIZERS_PARALLELISM": "false",
    }
    child = subprocess.Popen(
        [*program, *map(str, arguments)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=environment,
    )
    last: deque[str] = deque(maxlen=_LAST_LINES)
    stopped = threading.Event()
    watcher = threading.Thread(target=_watch, args=(child, cancel, stopped), daemon=True)
    watcher.start()
    reason = ""
    try:
        for text in _lines(child):
            if text.startswith(_FAILED):
                reason = text.removeprefix(_FAILED)
            elif event := _event(text):
                yield event
            else:
                last.append(text)
        code = child.wait()
    finally:
        stopped.set()
        if child.poll() is None:  # the caller has closed this generator
            child.kill()
        child.wait()
        watcher.join()
        assert child.stdout is not None
        child.stdout.close()
    if cancel is not None and cancel.is_set():
        raise Cancelled
    if code:
        raise ModelError(f"{failing}: {reason or _reason(code, last)}", todo=_advice(code))


def _watch(child: subprocess.Popen[bytes], cancel: Cancel | None, stopped: threading.Event) -> None:
    while not stopped.wait(_LOOK):
        if cancel is not None and cancel.is_set():
            with contextlib.suppress(OSError):
                child.kill()
            return


def _lines(child: subprocess.Popen[bytes]) -> Iterator[str]:
    """Give lines as they come; a progress bar ends its own with a carriage return."""
    assert child.stdout is not None
    rest = b""
    while data := os.read(child.stdout.fileno(), 1 << 16):
        *whole, rest = _END_OF_LINE.split(rest + data)
        for text in whole:
            if text.strip():
                yield text.decode("utf-8", "replace").rstrip()
    if rest.strip():
        yield rest.decode("utf-8", "replace").rstrip()


def _event(text: str) -> Event | None:
    if text.startswith(_NOTE):
        return Note(text.removeprefix(_NOTE))
    if found := _PERCENT.match(text):
        return Progress(min(1.0, int(found[1]) / 100))
    if found := _COUNT.match(text):
        return Progress(int(found[1]) / max(1, int(found[2])))
    return None


def _reason(code: int, last: Sequence[str]) -> str:
    if code < 0:
        return f"its process was ended by signal {-code}."
    said = [text for text in last if "rror" in text] or list(last)
    return (said[-1] if said else f"exit code {code}") + "."


def _advice(code: int) -> str:
    if code in (-9, 137):
        return "Probably there was too little memory: close other programs and try again."
    return "Nothing was written."
