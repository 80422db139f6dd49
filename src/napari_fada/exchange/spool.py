"""Many objects in a row on disk, so that memory does not grow with what they hold."""

from __future__ import annotations

import pickle
import tempfile
from array import array
from collections.abc import Iterator
from types import TracebackType
from typing import Generic, Self, TypeVar

T = TypeVar("T")


class Spool(Generic[T]):
    """A list that lies in a temporary file of this process: append, then read.

    Use it as a context manager; the file is gone after that, and after a crash as well.
    """

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile(prefix="napari-fada-")  # noqa: SIM115 (open till the end)
        self._places = array("q")

    def __len__(self) -> int:
        return len(self._places)

    def append(self, item: T) -> None:
        """Add an object at the end."""
        self._places.append(self._file.seek(0, 2))
        # One pickle for each object: a shared pickler would remember all of them.
        pickle.dump(item, self._file, protocol=pickle.HIGHEST_PROTOCOL)

    def __getitem__(self, index: int) -> T:
        self._file.seek(self._places[index])
        item: T = pickle.load(self._file)
        return item

    def __iter__(self) -> Iterator[T]:
        for index in range(len(self)):
            yield self[index]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()
