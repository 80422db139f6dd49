"""What the window does when the project cannot be written or opened: nothing is lost, all is told.

An edit that the project does not take stays on the canvas and waits; the user is asked what to
do. A damaged project is not opened and not touched; there are three ways on.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from napari_fada.errors import FadaError, NotWrittenError, ProjectError
from napari_fada.records import backups, salvage
from napari_fada.records.annotation import Annotation
from napari_fada.records.journal import Journal, left_behind
from napari_fada.records.linking import UNLINKED
from napari_fada.records.pending import Pending, Waiting
from napari_fada.records.project import Project
from napari_fada.workstation.background import Background, Broken

Choice = tuple[str, str, Callable[[], object]]


class Safety:
    """Waiting edits of one session, and the ways out of trouble with its project.

    Parameters
    ----------
    session : Session
        Whose project it is.
    """

    def __init__(self, session: Any) -> None:
        self._session = session
        self.pending = Pending()
        self._making = ""
        self.rescue = Background(self._on_event)
        self.ask_where: Callable[[Path], Path | None] = lambda _suggested: None
        """Asks the user for a new file; the window sets it."""

    # An edit that could not be made

    def wait(self, waiting: Waiting, error: NotWrittenError) -> None:
        """Keep an edit until the project, or a copy, can take it."""
        self._add(waiting)
        self._ask(error)

    def _add(self, waiting: Waiting) -> None:
        if self.pending.journal is None:
            project = self._session.project
            self.pending.journal = Journal(project.identifier, project.path)
        self.pending.add(waiting)

    def recall(self) -> None:
        """Show what was waiting for this project when the program ended, and ask about it.

        If something waits for another project, say which.
        """
        project, elsewhere = self._session.project, None
        for header, kept in left_behind():
            if header.project != project.identifier:
                elsewhere = header
                continue
            journal = Journal(project.identifier, project.path, name=header.name)
            pending = Pending(journal, kept)
            pending.forget_made(project)
            if not len(pending):
                journal.write([])
                continue
            pending.keep()
            self.pending = pending
            self._session.refresh()
            self._offer(
                f"The program ended before the project could be written. {_waits(len(pending))} "
                "on the screen but not in the project yet."
            )
            return
        if elsewhere is not None:
            self._session.say(
                f"Edits wait for another project, {elsewhere.path}: open it to make them.",
                "warning",
                lasting=True,
            )

    def leave(self) -> None:
        """Leave what waits to whoever opens the project next: the session goes on elsewhere."""
        if len(self.pending) and self.pending.journal is not None:
            self.pending.journal.let_go()
        self.pending = Pending()

    def must_wait(self, waiting: Waiting) -> bool:
        """Let an edit wait behind those that wait already, then try to make all of them."""
        if not len(self.pending):
            return False
        self._add(waiting)
        self.try_again()
        return True

    def take_back(self) -> bool:
        """Undo the last waiting edit, if there is one."""
        if not len(self.pending):
            return False
        self.pending.drop_last()
        self._session.refresh()
        self._session.say("Taken back: the last edit, which was not in the project yet.")
        return True

    def show_waiting(
        self,
        records: dict[int, list[Annotation]],
        sha256: str,
        frames: Collection[int] | None,
    ) -> None:
        """Bring waiting edits into records that were read from the project."""
        if not len(self.pending):
            return
        unlinked = self._session.project.cells_named(sha256, UNLINKED)
        for at in self.pending.frames(sha256):
            if frames is None or at in frames:
                records[at] = self.pending.over(sha256, at, records.get(at, []), unlinked)

    def _ask(self, error: FadaError) -> None:
        text = (
            f"{error.what} {_waits(len(self.pending))} on the screen but not in the project yet. "
            f"{error.todo}"
        )
        journal = self.pending.journal
        if journal is not None and journal.problem:
            text += f" (They could not be kept on this computer's disk either: {journal.problem}.)"
        self._offer(text)

    def _offer(self, text: str) -> None:
        choices: Iterable[Choice] = (
            ("Try again", "Make the waiting edits in the project", self.try_again),
            (
                "Save a copy elsewhere…",
                "Write the project and the waiting edits into a new file, and go on in it",
                self.save_copy,
            ),
            ("Give up", "Forget the waiting edits; the project stays as it is", self.give_up),
        )
        self._session.question.emit(text, tuple(choices))

    def try_again(self) -> bool:
        """Make the waiting edits; asks again if the project still takes none."""
        session = self._session
        try:
            self._reopen_if_it_is_back()
            refused = self.pending.make(session.project)
        except NotWrittenError as error:
            self._ask(error)
            return False
        except ProjectError as error:
            session.say_error(error)
            self._ask(error)
            return False
        self._say_made(refused, "The waiting edits are in the project now.")
        return True

    def _reopen_if_it_is_back(self) -> None:
        """Open the file anew where it was moved away and brought back."""
        project = self._session.project
        if not project.is_present and project.path.exists():
            self._session.change_project(Project.open(project.path, create=False))

    def save_copy(self, path: Path | None = None) -> bool:
        """Write the project and the waiting edits into a new file and go on there."""
        session = self._session
        old = session.project.path
        path = path or self.ask_where(old.with_name(f"{old.stem} copy.fada"))
        if path is None:
            if len(self.pending):
                self._ask(NotWrittenError("No copy was made.", todo="Choose how to go on."))
            return False
        try:
            self._copy(path)
            session.change_project(Project.open(path, create=False))
            refused = self.pending.make(session.project)
        except FadaError as error:
            self._ask(error)
            return False
        self._say_made(refused, f"You work in {path} from now on; {old} is left as it is.")
        return True

    def _copy(self, path: Path) -> None:
        session = self._session
        try:
            session.project.copy_to(path)
        except (ProjectError, sqlite3.Error) as error:
            known = backups.backups(session.project.path)
            if path.exists() or not known:
                if isinstance(error, ProjectError):
                    raise
                raise ProjectError(f"The project can no longer be read ({error}).") from error
            backups.copy(known[0].path, path)
            session.say(
                f"The project can no longer be read; the copy is as of {_when(known[0])}.",
                "warning",
                lasting=True,
            )

    def give_up(self) -> None:
        """Forget the waiting edits and show what is in the project."""
        self.pending.clear()
        self._session.refresh()
        self._session.say("The waiting edits were given up; the project is as it was.")

    def _say_made(self, refused: list[str], text: str) -> None:
        self._session.refresh()
        if refused:
            self._session.say(
                f"{len(refused)} edits could not be made: {refused[0]}", "error", lasting=True
            )
        else:
            self._session.say(text)

    # A project that cannot be opened

    def offer(self, path: Path, error: ProjectError) -> None:
        """Say that a project is damaged, and which ways there are; it is not touched."""
        choices: list[Choice] = [
            (
                "Save what can be read",
                "Read as much as possible of it into a new file beside it, and open that",
                lambda: self._open(path, "rescued", self._salvage),
            )
        ]
        known = backups.backups(path)
        if known:
            choices.append(
                (
                    f"Backup of {_when(known[0])}",
                    "Open a copy of the last automatic backup, beside the damaged file",
                    lambda: self._open(path, "restored", self._restore),
                )
            )
        choices.append(
            (
                "New project",
                "Begin with an empty project beside it",
                lambda: self._open(path, "new", self._new),
            )
        )
        self._session.question.emit(f"{error.what} It was not touched.", tuple(choices))

    def _open(self, old: Path, word: str, make: Callable[..., Iterator[Any]]) -> None:
        """Make the new file in a thread; the project that is open goes on taking edits."""
        if self.rescue.running:
            self._session.say("A project is being saved already.", "warning")
            return
        new, before = _free_name(old, word), self._open_path
        self._making = f"{new.name} is being made."
        self._session.question.emit(self._making, self._stop)

        def work(cancel: threading.Event) -> Iterator[Any]:
            try:
                for event in make(old, new, cancel):
                    yield event if not isinstance(event, str) else _Made(old, new, before, event)
            except (OSError, sqlite3.Error) as error:
                yield Broken(f"{new.name} could not be made: {error}.")

        self.rescue.start(work)

    @property
    def _open_path(self) -> Path | None:
        project = self._session.open_now
        return project.path if project is not None else None

    @property
    def _stop(self) -> tuple[Choice, ...]:
        return (("Cancel", "Stop; no file is left, and the damaged one is as it was", self.stop),)

    def stop(self) -> None:
        """Stop what reads a damaged project."""
        self.rescue.cancel()

    def _on_event(self, event: Any) -> None:
        session = self._session
        if isinstance(event, salvage.SalvageProgress):
            if not self.rescue.cancelled.is_set():
                text = f"{self._making} {event.doing} {event.table}: {event.rows}"
                session.question.emit(text, self._stop)
            return
        session.question_over.emit(self._stop)
        if isinstance(event, Broken):
            session.say(f"{event.text} The damaged file was not touched.", "error", lasting=True)
        elif isinstance(event, salvage.Salvaged):
            session.say("Cancelled. No file was made; the damaged one is as it was.")
        elif self._open_path == event.before:
            self._go_on_in(event)
        else:  # nobody's project is changed under their hands
            choice = ("Open it", "Go on in the new file", lambda: self._go_on_in(event))
            session.question.emit(f"{event.text} Another project is open now.", (choice,))

    def _go_on_in(self, made: _Made) -> None:
        if self._session.open_project(made.new):
            self._session.say(
                f"{made.text} {made.old.name} was not touched.", "warning", lasting=True
            )

    def _salvage(self, old: Path, new: Path, cancel: threading.Event) -> Iterator[Any]:
        for event in salvage.salvage(old, new, rater=self._session.rater, cancel=cancel):
            if isinstance(event, salvage.Salvaged) and not event.cancelled:
                yield event.text
            else:
                yield event

    def _restore(self, old: Path, new: Path, cancel: threading.Event) -> Iterator[Any]:
        newest = backups.backups(old)[0]
        if not backups.copy(newest.path, new, cancel=cancel):
            yield salvage.Salvaged(new, cancelled=True)
            return
        yield f"The backup of {_when(newest)} is open as {new.name}."

    def _new(self, _old: Path, new: Path, _cancel: threading.Event) -> Iterator[Any]:
        Project.open(new).close()
        yield f"An empty project is open as {new.name}."


@dataclass(frozen=True, slots=True)
class _Made:
    """A new file that stands for a damaged one; ``before`` was open when it was asked for."""

    old: Path
    new: Path
    before: Path | None
    text: str


def back_up_soon(project: Project) -> threading.Thread:
    """Make the day's backup of a project in a thread, if it is due; trouble goes to the log."""
    path = project.path

    def work() -> None:
        try:
            backups.back_up(path)
        except (OSError, sqlite3.Error):
            logging.getLogger(__name__).warning("No backup of %s was made", path, exc_info=True)

    thread = threading.Thread(target=work, name="napari-fada backup", daemon=True)
    thread.start()
    return thread


def _waits(n: int) -> str:
    return "1 edit waits: it is" if n == 1 else f"{n} edits wait: they are"


def _free_name(old: Path, word: str) -> Path:
    names = (f"{old.stem} {word}{n}.fada" for n in ("", *(f" {i}" for i in range(2, 1000))))
    return next(p for name in names if not (p := old.with_name(name)).exists())


def _when(backup: backups.Backup) -> str:
    when = backup.made.astimezone()
    today = datetime.now().astimezone().date() == when.date()
    return f"{when:%H:%M}" if today else f"{when:%d %b, %H:%M}"
