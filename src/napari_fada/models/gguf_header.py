"""The header of a GGUF file: its metadata and how long the file must be.

The reader of the ``gguf`` package maps the file and keeps every array, which takes
seconds and hundreds of megabytes for a vocabulary of 248,000 entries, and a mapped file
that shrinks kills the process. Here arrays are skipped and nothing is mapped.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

MAGIC = b"GGUF"
VERSIONS = (2, 3)

Scalar = int | float | bool | str

_SCALARS = {0: "B", 1: "b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "?"} | {
    10: "<Q",
    11: "<q",
    12: "<d",
}
_STRING, _ARRAY = 8, 9
_MAX_KEY = 1 << 16
_MAX_STRINGS = 1 << 22  # of an array; the largest vocabularies have a quarter of a million
_MAX_DIMENSIONS = 4


class BadHeaderError(Exception):
    """The header contradicts itself, or is not one."""


class CutShortError(BadHeaderError):
    """The file ends inside its header."""


class WrongVersionError(BadHeaderError):
    """A GGUF file that neither we nor llama.cpp can read."""


@dataclass(frozen=True, slots=True)
class Tensor:
    """What a header says of one tensor: its shape (fastest axis first), ggml type and bytes."""

    name: str
    shape: tuple[int, ...]
    kind: int
    size: int


@dataclass(frozen=True, slots=True)
class GgufHeader:
    """Metadata of a GGUF file.

    ``fields`` holds strings and numbers, no arrays; ``length`` is what the file must
    measure for all its tensors to be there; ``table`` describes the tensors.
    """

    version: int
    fields: dict[str, Scalar] = field(repr=False)
    tensors: int
    length: int
    table: tuple[Tensor, ...] = field(default=(), repr=False)

    def text(self, key: str) -> str:
        """Return a string field, empty if it is missing or of another type."""
        value = self.fields.get(key)
        return value if isinstance(value, str) else ""

    def number(self, key: str) -> int:
        """Return an integer field, 0 if it is missing or of another type."""
        value = self.fields.get(key)
        return int(value) if isinstance(value, int) else 0


def read_header(path: Path) -> GgufHeader:
    """Read the header of a file that begins with `MAGIC`.

    Raises
    ------
    BadHeaderError
        If the header cannot be understood (see its subclasses).
    OSError
        If the file cannot be read.
    """
    with path.open("rb", buffering=1 << 20) as file:
        return _Reader(file, path.stat().st_size).header()


class _Reader:
    def __init__(self, file: BinaryIO, size: int) -> None:
        self._file, self._left = file, size

    def header(self) -> GgufHeader:
        size = self._left
        if self._take(4) != MAGIC:
            raise BadHeaderError("it does not begin with GGUF")
        version = self._number("<I")
        if version not in VERSIONS:
            swapped = int.from_bytes(version.to_bytes(4, "little"), "big")
            raise WrongVersionError(
                "it is in big-endian form" if swapped in VERSIONS else f"its version is {version}"
            )
        tensors, count = self._number("<Q"), self._number("<Q")
        fields: dict[str, Scalar] = {}
        self._need(count * 13)  # the least that a field takes
        for _ in range(count):
            key = self._string(_MAX_KEY)
            value = self._value(self._number("<I"))
            if value is not None:
                fields.setdefault(key, value)
        self._need(tensors * 24)
        ends, table = [0], []
        for _ in range(tensors):
            tensor, offset = self._tensor()
            table.append(tensor)
            ends.append(offset + tensor.size)
        alignment = fields.get("general.alignment", 32)
        if not isinstance(alignment, int) or alignment <= 0 or alignment & (alignment - 1):
            raise BadHeaderError(f"its alignment is {alignment!r}")
        used = size - self._left
        data = -(-used // alignment) * alignment if tensors else used
        return GgufHeader(version, fields, tensors, data + max(ends), tuple(table))

    def _need(self, count: int) -> None:
        if count > self._left:
            raise CutShortError("it ends inside its header")

    def _take(self, count: int) -> bytes:
        self._need(count)
        part = self._file.read(count)
        if len(part) != count:  # it shrank while we read
            raise CutShortError("it ends inside its header")
        self._left -= count
        return part

    def _skip(self, count: int) -> None:
        self._need(count)
        self._file.seek(count, 1)
        self._left -= count

    def _number(self, form: str) -> int:
        value: int = struct.unpack(form, self._take(struct.calcsize(form)))[0]
        return value

    def _string(self, limit: int) -> str:
        length = self._number("<Q")
        self._need(length)
        if length > limit:
            raise BadHeaderError(f"it has a name of {length} bytes")
        return self._take(length).decode("utf-8", "replace")

    def _value(self, kind: int) -> Scalar | None:
        if kind == _STRING:
            return self._string(1 << 24)
        if kind == _ARRAY:
            self._skip_array()
            return None
        if kind not in _SCALARS:
            raise BadHeaderError(f"it has a value of the unknown type {kind}")
        return self._number(_SCALARS[kind])

    def _skip_array(self) -> None:
        kind, count = self._number("<I"), self._number("<Q")
        if kind in _SCALARS:
            self._skip(count * struct.calcsize(_SCALARS[kind]))
        elif kind == _STRING and count <= _MAX_STRINGS:
            self._skip_strings(count)
        else:
            raise BadHeaderError(f"it has an array of {count} values of type {kind}")

    def _skip_strings(self, count: int) -> None:
        # Half a million of them in a large vocabulary: this loop is most of the time.
        self._need(count * 8)
        length_at = struct.Struct("<Q").unpack_from
        begin, buffer, at, done = self._file.tell(), b"", 0, 0
        for _ in range(count):
            if at + 8 > len(buffer):
                done += at
                if done + 8 > self._left:
                    raise CutShortError("it ends inside its header")
                self._file.seek(begin + done)
                buffer, at = self._file.read(1 << 20), 0
                if len(buffer) < 8:  # it shrank while we read
                    raise CutShortError("it ends inside its header")
            at += 8 + length_at(buffer, at)[0]
        self._need(done + at)
        self._file.seek(begin + done + at)
        self._left -= done + at

    def _tensor(self) -> tuple[Tensor, int]:
        """Read what is said of a tensor, and where its data begin (from where data begin)."""
        name = self._string(_MAX_KEY)
        dimensions = self._number("<I")
        if dimensions > _MAX_DIMENSIONS:
            raise BadHeaderError(f"it has a tensor of {dimensions} dimensions")
        shape = tuple(self._number("<Q") for _ in range(dimensions))
        kind = self._number("<I")
        block, size = _block_sizes().get(kind, (1, 0))
        return Tensor(name, shape, kind, math.prod(shape) // block * size), self._number("<Q")


def _block_sizes() -> dict[int, tuple[int, int]]:
    """Elements and bytes of a block for each tensor type that the gguf package knows."""
    # here, because the package takes a third of a second to import
    from gguf.constants import GGML_QUANT_SIZES

    return {int(kind): sizes for kind, sizes in GGML_QUANT_SIZES.items()}
