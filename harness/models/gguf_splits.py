"""A model in several files, ``NAME-00001-of-00003.gguf`` and so on, of which llama.cpp is given the first."""

from __future__ import annotations

import re
from pathlib import Path

from gguf import GGUFReader
from gguf.constants import Keys

from harness.errors import UserError

PART = re.compile(r"-(\d{5})-of-(\d{5})$")
"""How the name of a part ends, before ``.gguf``: its number, from 1, and how many there are."""


def number(reader: GGUFReader, key: str, default: int) -> int:
    """A whole number of the metadata, or the default."""
    value = None if (found := reader.get_field(key)) is None else found.contents()
    return value if isinstance(value, int) else default


def part_paths(path: Path, reader: GGUFReader) -> list[Path]:
    """All files of the model that begins with this one, the first of them itself.

    Raises:
        UserError: it is not the first part, is not named like one, or another is missing.
    """
    count = number(reader, Keys.Split.LLM_KV_SPLIT_COUNT, 1)
    if count <= 1:
        return [path]
    named = PART.search(path.stem)
    if named is None or int(named[2]) != count or path.suffix != ".gguf":
        raise UserError(
            f"{path} is one of {count} parts of a model, and llama.cpp finds the others only by names that end in "
            f"-00001-of-{count:05d}.gguf; give all parts their names back, or join them with llama-gguf-split --merge."
        )
    parts = [path.with_name(f"{path.stem[: named.start()]}-{n:05d}-of-{count:05d}.gguf") for n in range(1, count + 1)]
    if int(named[1]) != 1:
        raise UserError(f"{path} is part {int(named[1])} of a split model; give the first one, {parts[0].name}.")
    missing = next((part for part in parts if not part.is_file()), None)
    if missing is not None:
        raise UserError(f"{path} is the first of {count} parts, and {missing.name} is not beside it; fetch that too.")
    return parts


def check_parts(paths: list[Path], readers: list[GGUFReader]) -> None:
    """Refuse files that carry each other's names, or are of different models."""
    if len(paths) == 1:
        return
    for place, (path, reader) in enumerate(zip(paths, readers, strict=True)):
        found = number(reader, Keys.Split.LLM_KV_SPLIT_NO, -1), number(reader, Keys.Split.LLM_KV_SPLIT_COUNT, 0)
        if found != (place, len(paths)):
            raise UserError(
                f"{path} is by its name part {place + 1} of {len(paths)} and says itself that it is part "
                f"{found[0] + 1} of {found[1]}; fetch it again."
            )
    tensors = sum(len(reader.tensors) for reader in readers)
    expected = number(readers[0], Keys.Split.LLM_KV_SPLIT_TENSORS_COUNT, tensors)
    if tensors != expected:
        raise UserError(
            f"{paths[0]} and its other parts hold {tensors} tensors and should hold {expected}; fetch all parts again."
        )
