"""A GGUF file as parts that tests can change, and write as a file again, well-formed or not."""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from pathlib import Path

from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType

ARRAY, STRING = 9, 8
EXTREMES = [0, 1, 2, 3, 5, 7, 63, 65, 127, 128, 255, 511, 512, 513, 2**15, 2**16, 2**31 - 1, 2**31, 2**32 - 1, -1]
LONG_EXTREMES = [*EXTREMES, 2**33, 2**40, 2**61, 2**62, 2**63 - 1, 2**63, 2**64 - 1]
FORMATS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}


@dataclass
class Field:
    """One metadata entry: the values of an array, or one value."""

    key: bytes
    kind: int
    value: object
    element: int = 0

    def write(self) -> bytes:
        """The entry as it stands in a file."""
        front = text(self.key) + struct.pack("<I", self.kind)
        if self.kind != ARRAY:
            return front + one(self.kind, self.value)
        assert isinstance(self.value, list)
        front += struct.pack("<IQ", self.element, len(self.value))
        return front + b"".join(one(self.element, value) for value in self.value)


@dataclass
class Tensor:
    """One entry of the tensor table, and the bytes of its data."""

    name: bytes
    shape: list[int]
    kind: int
    data: memoryview
    offset: int | None = None
    """Where the table says its data begin, if that is not where they do."""


@dataclass
class Gguf:
    """A GGUF file as its parts."""

    fields: list[Field]
    tensors: list[Tensor]
    version: int = 3
    alignment: int = 32
    counts: tuple[int, int] | None = None
    """Tensors and fields that the file claims, if not those it has."""

    @property
    def names(self) -> list[bytes]:
        """Keys of the metadata."""
        return [entry.key for entry in self.fields]

    def get(self, key: bytes) -> Field:
        """A field by its key; a new one where it is gone."""
        return next((entry for entry in self.fields if entry.key == key), Field(key, 4, 0))

    def array(self, key: bytes) -> list[object]:
        """The values of an array, to be changed in place; of another field, none."""
        found = self.get(key).value
        return found if isinstance(found, list) else []

    def put(self, key: bytes, kind: int, value: object, element: int = 0) -> None:
        """Add or replace a field."""
        self.fields = [entry for entry in self.fields if entry.key != key]
        self.fields.append(Field(key, kind, value, element))

    def header(self) -> bytes:
        """Everything before the data, padded."""
        tensors, fields = self.counts or (len(self.tensors), len(self.fields))
        parts = [b"GGUF", struct.pack("<I", self.version), number(tensors), number(fields)]
        parts += [entry.write() for entry in self.fields]
        at = 0
        for tensor in self.tensors:
            parts += [text(tensor.name), struct.pack("<I", len(tensor.shape)), *map(number, tensor.shape)]
            parts += [
                struct.pack("<I", tensor.kind & 0xFFFFFFFF),
                number(at if tensor.offset is None else tensor.offset),
            ]
            at += -(-len(tensor.data) // self.alignment) * self.alignment
        return padded(b"".join(parts), self.alignment)

    def write(self, path: Path) -> None:
        """The whole file."""
        with path.open("wb") as file:
            file.write(self.header())
            for tensor in self.tensors:
                file.write(tensor.data)
                file.write(bytes(-len(tensor.data) % self.alignment))


def number(value: int) -> bytes:
    """64 bits."""
    return struct.pack("<Q", value % 2**64)


def text(value: bytes) -> bytes:
    """A string with its length."""
    return number(len(value)) + value


def padded(data: bytes, alignment: int) -> bytes:
    """Zeros up to the next multiple."""
    return data + bytes(-len(data) % alignment)


def one(kind: int, value: object) -> bytes:
    """One scalar or string; numbers that do not fit their type wrap around."""
    if kind == STRING:
        return text(value if isinstance(value, bytes) else str(value).encode())
    code = FORMATS.get(kind, "I")
    if isinstance(value, bytes | list):
        value = len(value)
    if code in "fd":
        return struct.pack(f"<{code}", float(value))  # type: ignore[arg-type]
    if code == "?":
        return bytes([bool(value)])
    size = struct.calcsize(code)
    whole = 0 if isinstance(value, float) and not math.isfinite(value) else int(value)  # type: ignore[call-overload]
    return int(whole % 2 ** (8 * size)).to_bytes(size, "little")


def read(data: bytes) -> Gguf:
    """The parts of a well-formed file."""
    at = 24

    def take(code: str) -> int:
        nonlocal at
        (value,) = struct.unpack_from(f"<{code}", data, at)
        at += struct.calcsize(code)
        return value

    def string() -> bytes:
        nonlocal at
        length = take("Q")
        at += length
        return data[at - length : at]

    def value(kind: int) -> object:
        return string() if kind == STRING else take(FORMATS[kind])

    tensors, count = struct.unpack_from("<QQ", data, 8)
    found = Gguf([], [])
    for _ in range(count):
        key, kind = string(), take("I")
        if kind == ARRAY:
            element, length = take("I"), take("Q")
            found.fields.append(Field(key, kind, [value(element) for _ in range(length)], element))
        else:
            found.fields.append(Field(key, kind, value(kind)))
    table = [(string(), [take("Q") for _ in range(take("I"))], take("I"), take("Q")) for _ in range(tensors)]
    begin = -(-at // 32) * 32
    for name, shape, kind, offset in table:
        begins = begin + offset
        view = memoryview(data)[begins : begins + size_of(shape, kind)]
        found.tensors.append(Tensor(name, shape, kind, view))
    return found


def size_of(shape: list[int], kind: int) -> int:
    """Bytes of a tensor; none where there is no such type."""
    try:
        block, size = GGML_QUANT_SIZES[GGMLQuantizationType(kind)]
    except ValueError:
        return 0
    return math.prod(shape) // block * size
