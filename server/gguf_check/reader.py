"""The front of a GGUF file, bytes to :class:`Header`, after the specification (ggml/docs/gguf.md), versions 2 and 3."""

from __future__ import annotations

import mmap
import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

MAX_TENSORS = 1 << 16
MAX_FIELDS = 1 << 16
MAX_STRING = 1 << 26
MAX_KEY = (1 << 16) - 1
MIN_ALIGNMENT = 32
"""llama.cpp maps the file and asserts that the weights begin at a multiple of this."""
MAX_ALIGNMENT = 4096
MAX_DIMENSIONS = 4
_STRING, _ARRAY, _UINT32 = 8, 9, 4
_SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}


class Problem(Exception):
    """What is wrong, as the end of a sentence that begins with the path."""


class Array(NamedTuple):
    """An array of the metadata."""

    kind: int
    """GGUF's number of the type of its elements."""
    values: list[bytes] | NDArray[Any]
    """Strings as they are; numbers in their own type."""


class TensorInfo(NamedTuple):
    """One entry of the tensor table."""

    name: str
    shape: tuple[int, ...]
    kind: int
    """GGML's number of the type."""
    offset: int
    """Where its data begin, from the beginning of all tensor data."""


@dataclass
class Header:
    """Everything before the weights."""

    size: int
    """Bytes of the whole file."""
    fields: dict[str, Any] = field(default_factory=dict)
    """The metadata: numbers and truth values as Python's, strings as bytes, :class:`Array`."""
    tensors: list[TensorInfo] = field(default_factory=list)
    alignment: int = 32
    data: int = 0
    """Where the tensor data begin."""

    def number(self, key: str, default: int = 0) -> int:
        """A whole number of the metadata; the default where there is none, or something else."""
        value = self.fields.get(key)
        return value if isinstance(value, int) and not isinstance(value, bool) else default

    def text(self, key: str) -> str:
        """A string of the metadata; empty where there is none, or something else."""
        value = self.fields.get(key)
        return value.decode(errors="replace") if isinstance(value, bytes) else ""

    def strings(self, key: str) -> list[bytes] | None:
        """An array of strings; None where there is none, or something else."""
        value = self.fields.get(key)
        return value.values if isinstance(value, Array) and isinstance(value.values, list) else None

    def numbers(self, key: str) -> list[Any]:
        """An array of numbers, or one number as a list; empty where there is neither."""
        value = self.fields.get(key)
        if isinstance(value, Array):
            return [] if isinstance(value.values, list) else value.values.tolist()
        return [value] if isinstance(value, int | float) else []


def read_header(path: Path) -> Header:
    """Read the front of a file.

    Raises:
        OSError: the file cannot be read.
        Problem: the file is no GGUF, or not a whole one.
    """
    with path.open("rb") as file:
        size = path.stat().st_size
        if size == 0:
            raise Problem("is empty")
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return _Reader(data).read()


class _Reader:
    """One pass over the front of the file."""

    def __init__(self, data: mmap.mmap) -> None:
        self._data = data
        self._at = 0
        self._header = Header(len(data))

    def read(self) -> Header:
        if len(self._data) < 24 or self._take(4) != b"GGUF":
            raise Problem("is not a GGUF file: it does not begin with 'GGUF'")
        version = self._number("I")
        if version not in (2, 3):
            raise Problem(f"has GGUF version {version}, of which only 2 and 3 are known")
        tensors, fields = self._number("Q"), self._number("Q")
        if tensors > MAX_TENSORS or fields > MAX_FIELDS:
            raise Problem(f"claims {tensors} tensors and {fields} metadata fields, which no model has")
        for _ in range(fields):
            self._field()
        self._header.tensors = [self._tensor() for _ in range(tensors)]
        self._header.data = -(-self._at // self._header.alignment) * self._header.alignment
        return self._header

    def _take(self, count: int) -> bytes:
        begin, self._at = self._at, self._at + count
        if self._at > len(self._data):
            raise Problem(f"is cut short: it ends inside its header, after {len(self._data):,} bytes")
        return self._data[begin : self._at]

    def _number(self, code: str) -> int:
        value: int = struct.unpack("<" + code, self._take(struct.calcsize(code)))[0]
        return value

    def _string(self, limit: int = MAX_STRING) -> bytes:
        length = self._number("Q")
        if length > limit:
            raise Problem(f"has a string of {length} bytes in its header")
        return self._take(length)

    def _field(self) -> None:
        key = self._string(MAX_KEY).decode(errors="replace")
        if not key or key in self._header.fields:
            raise Problem(f"has {'two fields' if key else 'a field'} named {key!r} in its metadata")
        kind = self._number("I")
        if kind == _ARRAY:
            self._header.fields[key] = self._array(key)
        else:
            self._header.fields[key] = self._value(kind, key)
        if key == "general.alignment":
            self._align(kind)

    def _align(self, kind: int) -> None:
        if kind != _UINT32:
            raise Problem("gives its alignment as something else than a 32-bit number")
        alignment = self._header.alignment = self._header.number("general.alignment")
        if not MIN_ALIGNMENT <= alignment <= MAX_ALIGNMENT or alignment & (alignment - 1):
            raise Problem(f"has alignment {alignment}, no power of two from {MIN_ALIGNMENT} to {MAX_ALIGNMENT}")

    def _value(self, kind: int, key: str) -> Any:
        if kind == _STRING:
            return self._string()
        code = self._code(kind, key)
        return struct.unpack("<" + code, self._take(struct.calcsize(code)))[0]

    def _array(self, key: str) -> Array:
        kind, count = self._number("I"), self._number("Q")
        if kind != _STRING:
            code = self._code(kind, key)
            if count * struct.calcsize(code) > MAX_STRING:
                raise Problem(f"has an array of {count} numbers in {key!r}")
            return Array(kind, np.frombuffer(self._take(count * struct.calcsize(code)), f"<{code}"))
        if count > len(self._data) // 8:  # each string takes at least its 8-byte length
            raise Problem(f"claims {count} strings in {key!r}, more than fit in it")
        return Array(kind, [self._string() for _ in range(count)])

    @staticmethod
    def _code(kind: int, key: str) -> str:
        if kind not in _SCALARS:
            raise Problem(f"has a value of unknown type {kind} in {key!r}")
        return _SCALARS[kind]

    def _tensor(self) -> TensorInfo:
        name = self._string(MAX_KEY).decode(errors="replace")
        dimensions = self._number("I")
        if not 0 < dimensions <= MAX_DIMENSIONS:
            raise Problem(f"gives tensor {name!r} {dimensions} dimensions")
        shape = struct.unpack(f"<{dimensions}Q", self._take(8 * dimensions))
        return TensorInfo(name, shape, self._number("I"), self._number("Q"))
