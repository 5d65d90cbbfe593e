"""Preflight of a GGUF file in pure Python, before llama.cpp may touch it: llama.cpp can abort on what this refuses.

Reads the header, the metadata and the tensor table after the GGUF specification (ggml/docs/gguf.md), version 2 and 3,
and checks that every tensor lies inside the file. Weights are not read.
"""

from __future__ import annotations

import math
import struct
from pathlib import Path
from typing import BinaryIO

from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType

MAX_TENSORS = 1 << 16
MAX_FIELDS = 1 << 16
MAX_STRING = 1 << 26
MAX_ALIGNMENT = 4096
MAX_DIMENSIONS = 4
_ARRAY, _STRING = 9, 8
_SCALAR_BYTES = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}


class BadGguf(Exception):
    """The file cannot be served; the message is one sentence that names it."""


def check_gguf(path: Path) -> None:
    """Raise :class:`BadGguf` unless the file is a whole, well-formed GGUF."""
    try:
        if path.exists() and not path.is_file():
            raise BadGguf(f"{path} is not a file; give the path of one GGUF.")
        with path.open("rb") as file:
            _Checker(file, path.stat().st_size).check()
    except FileNotFoundError:
        raise BadGguf(f"{path}: there is no such file.") from None
    except OSError as error:
        raise BadGguf(f"{path} cannot be read: {error.strerror}.") from error
    except _Problem as problem:
        raise BadGguf(f"{path} {problem}; download or convert it again.") from None


class _Problem(Exception):
    """What is wrong, as the end of a sentence that begins with the path."""


class _Checker:
    """One pass over the front of the file."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self._file = file
        self._size = size
        self._alignment = 32

    def check(self) -> None:
        if self._size == 0:
            raise _Problem("is empty")
        if self._size < 24 or self._read(4) != b"GGUF":
            raise _Problem("is not a GGUF file: it does not begin with 'GGUF'")
        (version,) = struct.unpack("<I", self._read(4))
        if version not in (2, 3):
            raise _Problem(f"has GGUF version {version}, of which only 2 and 3 are known")
        tensors, fields = self._unsigned(), self._unsigned()
        if tensors > MAX_TENSORS or fields > MAX_FIELDS:
            raise _Problem(f"claims {tensors} tensors and {fields} metadata fields, which no model has")
        if tensors == 0:
            raise _Problem("holds no tensors (it may be a vocabulary only)")
        for _ in range(fields):
            self._field()
        ends = [self._tensor() for _ in range(tensors)]
        begin = -(-self._file.tell() // self._alignment) * self._alignment
        if begin + max(ends) > self._size:
            raise _Problem(f"is cut short: its tensors need {begin + max(ends):,} bytes and it has {self._size:,}")

    def _read(self, count: int) -> bytes:
        data = self._file.read(count)
        if len(data) < count:
            raise _Problem(f"is cut short: it ends inside its header, after {self._size:,} bytes")
        return data

    def _unsigned(self) -> int:
        value: int = struct.unpack("<Q", self._read(8))[0]
        return value

    def _skip(self, count: int) -> None:
        if self._file.tell() + count > self._size:
            raise _Problem(f"is cut short: it ends inside its header, after {self._size:,} bytes")
        self._file.seek(count, 1)

    def _string(self) -> bytes:
        length = self._unsigned()
        if length > MAX_STRING:
            raise _Problem(f"has a string of {length} bytes in its header")
        return self._read(length)

    def _field(self) -> None:
        key = self._string()
        (kind,) = struct.unpack("<I", self._read(4))
        if key == b"general.alignment":
            if kind != 4:
                raise _Problem("gives its alignment as something else than a 32-bit number")
            (self._alignment,) = struct.unpack("<I", self._read(4))
            if not 0 < self._alignment <= MAX_ALIGNMENT or self._alignment & (self._alignment - 1):
                raise _Problem(f"has alignment {self._alignment}, which is no power of two up to {MAX_ALIGNMENT}")
        elif kind == _STRING:
            self._string()
        elif kind == _ARRAY:
            self._array(key)
        else:
            self._skip(self._scalar_bytes(kind, key))

    def _array(self, key: bytes) -> None:
        (kind,) = struct.unpack("<I", self._read(4))
        count = self._unsigned()
        if kind != _STRING:
            self._skip(count * self._scalar_bytes(kind, key))
            return
        if count > self._size // 8:  # each string takes at least its 8-byte length
            raise _Problem(f"claims {count} strings in {key.decode(errors='replace')!r}, more than fit in it")
        for _ in range(count):
            self._string()

    @staticmethod
    def _scalar_bytes(kind: int, key: bytes) -> int:
        if kind not in _SCALAR_BYTES:
            raise _Problem(f"has a value of unknown type {kind} in {key.decode(errors='replace')!r}")
        return _SCALAR_BYTES[kind]

    def _tensor(self) -> int:
        """One entry of the tensor table; returns where its data ends, from the beginning of all tensor data."""
        name = self._string().decode(errors="replace")
        (dimensions,) = struct.unpack("<I", self._read(4))
        if not 0 < dimensions <= MAX_DIMENSIONS:
            raise _Problem(f"gives tensor {name!r} {dimensions} dimensions")
        shape = struct.unpack(f"<{dimensions}Q", self._read(8 * dimensions))
        (kind,) = struct.unpack("<I", self._read(4))
        offset = self._unsigned()
        try:
            block, block_bytes = GGML_QUANT_SIZES[GGMLQuantizationType(kind)]
        except (ValueError, KeyError):
            raise _Problem(f"stores tensor {name!r} in type {kind}, which this version does not know") from None
        if shape[0] % block:
            raise _Problem(f"has rows of {shape[0]} in tensor {name!r}, no multiple of its block of {block}")
        if offset % self._alignment:
            raise _Problem(f"puts tensor {name!r} at {offset}, off its alignment of {self._alignment}")
        return int(offset + math.prod(shape) // block * block_bytes)
