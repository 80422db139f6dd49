"""Many objects in a row on disk, so that memory does not grow with their number."""

from __future__ import annotations

import pickle
import tempfile
from collections.abc import Iterator
from types import TracebackType
from typing import Generic, Self, TypeVar

T = TypeVar("T")


class Spool(Generic[T]):
    """A list that lies in a temporary file of this process: append, then read in order.

    Use it as a context manager; the file is gone after that, and after a crash as well.
    """

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile(prefix="napari-fada-")  # noqa: SIM115 (open till the end)
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def append(self, item: T) -> None:
        """Add an object at the end."""
        self._file.seek(0, 2)
        # One pickle for each object: a shared pickler would remember all of them.
        pickle.dump(item, self._file, protocol=pickle.HIGHEST_PROTOCOL)
        self._count += 1

    def __iter__(self) -> Iterator[T]:
        place = 0
        for _ in range(self._count):
            self._file.seek(place)
            item: T = pickle.load(self._file)
            place = self._file.tell()
            yield item

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()
