"""Seeded damage to a GGUF file: bytes of its header, its metadata, its vocabulary, its tensors, its length."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import damage_metadata
import damage_tensors
import damage_vocabulary
from gguf_parts import LONG_EXTREMES, Gguf, read

DAMAGES: list[Callable[[random.Random, Gguf], str]] = [
    *damage_metadata.DAMAGES,
    *damage_vocabulary.DAMAGES,
    *damage_tensors.DAMAGES,
]


def damage_bytes(chance: random.Random, header: bytearray) -> str:
    """Bytes of the header: changed, missing, twice, or a number among them made extreme."""
    how = chance.choice(["flip", "number", "cut", "insert", "double"])
    at = chance.randrange(4, len(header) - 64)
    if how == "flip":
        for _ in range(chance.randint(1, 8)):
            header[chance.randrange(4, len(header))] = chance.randrange(256)
    elif how == "number":
        size = chance.choice([4, 8])
        header[at : at + size] = (chance.choice(LONG_EXTREMES) % 2 ** (8 * size)).to_bytes(size, "little")
    elif how == "cut":
        del header[at : at + chance.choice([1, 4, 8, 32, 500])]
    elif how == "insert":
        header[at:at] = chance.randbytes(chance.choice([1, 4, 8, 32, 500]))
    else:
        header[at:at] = header[at : at + chance.choice([1, 8, 64, 4000])]
    return f"bytes: {how} at {at}"


def damage(seed: int, whole: bytes, path: Path) -> str:
    """Write a damaged copy of ``whole``; the same seed does the same damage. Returns what was done, in words."""
    chance = random.Random(seed)
    gguf = read(whole)
    if seed % 5 == 0:
        gguf.write(path)
        header = bytearray(gguf.header())
        said = damage_bytes(chance, header)
        with path.open("wb") as file:
            file.write(header)
            file.write(memoryview(whole)[len(gguf.header()) :])
    else:
        said = "; ".join(chance.choice(DAMAGES)(chance, gguf) for _ in range(chance.choice([1, 1, 1, 2, 3])))
        gguf.write(path)
    if seed % 25 == 3:
        kept = chance.randrange(path.stat().st_size)
        with path.open("r+b") as file:
            file.truncate(kept)
        said += f"; cut to {kept}"
    return said
