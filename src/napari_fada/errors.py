"""Errors that say what happened, what was kept and what to do.

Every error that a user may meet derives from :class:`FadaError`; the message is
written for that user. Anything else that escapes is a defect of ours.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


class FadaError(Exception):
    """An error with a message for the user.

    Parameters
    ----------
    what : str
        What happened, naming the file or the phase.
    kept : str
        What was kept (edits, earlier results), if anything was at stake.
    todo : str
        What the user can do about it.
    """

    def __init__(self, what: str, *, kept: str = "", todo: str = "") -> None:
        self.what, self.kept, self.todo = what, kept, todo
        super().__init__(" ".join(part for part in (what, kept, todo) if part))

    def __reduce__(self) -> tuple[object, ...]:
        # Errors cross a process boundary; the default would lose the keyword parts.
        return (_rebuild, (type(self), self.what, self.kept, self.todo))


def _rebuild(kind: type[FadaError], what: str, kept: str, todo: str) -> FadaError:
    return kind(what, kept=kept, todo=todo)


class ScanError(FadaError):
    """A file cannot be opened as a scan, or one of its frames cannot be decoded."""


class OwnOutputError(ScanError):
    """A file is no scan but something that napari-fada wrote: a reading, a picture, a project."""


class ModelError(FadaError):
    """A model pack or one of its files is missing, damaged or of the wrong kind."""


class EngineError(FadaError):
    """An engine could not answer: it crashed, was killed, or refused the request."""


class ProjectError(FadaError):
    """A project file cannot be read or written."""


class EditConflictError(ProjectError):
    """An edit is about something that another window has changed in the meantime."""


class ModelMissingError(ModelError):
    """The files of a model are not where they should be (a drive that is away, for instance)."""


class NotWrittenError(ProjectError):
    """An edit cannot be written where the project lies (full, gone, read-only, in use).

    The edit itself is sound: it can be done again, there or in a copy elsewhere.
    """


class ProjectDamagedError(ProjectError):
    """A project file is damaged; what can be read of it can be saved into a new one."""


class LockedError(ProjectError):
    """An edit would change a structure that is locked."""


class UndecidedError(ProjectError):
    """A review would be closed over what two raters disagree on."""


class ExchangeError(FadaError):
    """A file in an exchange format cannot be read or written."""


class UnfitNameError(ExchangeError):
    """One file cannot be written for its name alone; others can."""


class ShapeError(FadaError):
    """A shape tool cannot do what was asked with this shape; nothing was changed."""


class MeasureError(FadaError):
    """Something cannot be measured or derived: no scale, out of range, from the same record."""


@contextmanager
def explained(name: str, what: str) -> Iterator[None]:
    """Turn whatever a codec raises into a ScanError with advice."""
    try:
        yield
    except ScanError:
        raise
    except FileNotFoundError as error:
        raise ScanError(
            f"{name} is not there.", todo="Check the path; was the file moved or renamed?"
        ) from error
    except PermissionError as error:
        raise ScanError(
            f"{name} may not be read by this user.",
            todo="Change its permissions, or copy it to a folder of your own.",
        ) from error
    except MemoryError as error:
        raise ScanError(
            f"{what}: there is not enough memory.", todo="Close other programs and try again."
        ) from error
    except Exception as error:  # codecs raise anything; the user needs one kind of error
        reason = str(error).split("\n")[0].strip() or type(error).__name__
        raise ScanError(
            f"{what}: {reason.rstrip('.')}.",
            todo="The file seems damaged; export or copy it again.",
        ) from error
