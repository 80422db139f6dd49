"""What the commands share: how they print, explain errors, show progress and are interrupted.

Exit codes: 0 all went well; 1 the work ended but some of it failed or is incomplete;
2 the command could not be understood; 3 it could not be carried out; 130 interrupted.
"""

from __future__ import annotations

import io
import json
import signal
import sys
import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from typing import Annotated, Any, TypeVar

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from napari_fada.errors import FadaError

out = Console()
err = Console(stderr=True)

Event = TypeVar("Event")
Result = TypeVar("Result")

JsonFlag = Annotated[bool, typer.Option("--json", help="One JSON object a line on stdout.")]


def say_error(error: FadaError) -> None:
    """Print an error of ours: what happened, what was kept, what to do."""
    err.print("[bold red]Error:[/] ", end="")
    warn(error.what)
    for text in (error.kept, error.todo):
        if text:
            warn(f"  {text}")


def print_anything() -> None:
    """Let every name be printed: one that the console has no signs for, or that is no text.

    In JSON lines what cannot be written stands escaped, and gives the name back when it is read.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def say(text: str) -> None:
    """Print a line as it is."""
    out.print(text, highlight=False, markup=False, soft_wrap=True)


def warn(text: str) -> None:
    """Print a line about something that went wrong, on stderr."""
    err.print(text, highlight=False, markup=False, soft_wrap=True)


@contextmanager
def explained() -> Iterator[None]:
    """Turn our errors into a message and exit code 3; anything else is a defect and shows."""
    try:
        yield
    except FadaError as error:
        say_error(error)
        raise typer.Exit(3) from None


@contextmanager
def interruptible() -> Iterator[threading.Event]:
    """Give an event that Ctrl+C sets, so that work ends tidily; a second Ctrl+C kills."""
    cancel = threading.Event()

    def stop(_signal: int, _frame: object) -> None:
        if cancel.is_set():
            raise KeyboardInterrupt
        cancel.set()
        err.print("Stopping after what is under way; Ctrl+C again to stop at once.")

    before = signal.signal(signal.SIGINT, stop)
    try:
        yield cancel
    finally:
        signal.signal(signal.SIGINT, before)


def follow(
    steps: Generator[Event, None, Result], cancel: threading.Event, show: Callable[[Event], None]
) -> Result | None:
    """Go on with work, showing how far it is; return its result, None if it was interrupted."""
    try:
        while not cancel.is_set():
            show(next(steps))
    except StopIteration as end:
        found: Result = end.value
        return found
    finally:
        steps.close()
    return None


def progress_bar(*, quiet: bool) -> Progress:
    """Return a progress bar on stderr; quiet: one that shows nothing."""
    return Progress(
        TextColumn("{task.description}", markup=False),  # names of files, as they are
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=err,
        disable=quiet,
    )


def line(**data: Any) -> None:
    """Print one JSON object."""
    sys.stdout.write(json.dumps(data, ensure_ascii=False, default=str) + "\n")
    sys.stdout.flush()
