"""A model in several files: llama.cpp opens the others by itself, so they are looked for and checked as well."""

from __future__ import annotations

import re
from pathlib import Path

from server.gguf_check.reader import Header

MAX_PARTS = 1 << 16


def other_parts(path: Path, header: Header) -> list[Path]:
    """The files beside ``path`` that belong to it, none where the model is whole or the name is not a first part's.

    llama.cpp itself refuses a name that does not fit its count.
    """
    count = header.number("split.count")
    match = re.fullmatch(r"(.*)-00001-of-(\d{5})\.gguf", path.name, re.DOTALL)
    if not 1 < count < MAX_PARTS or match is None or int(match[2]) != count:
        return []
    return [path.with_name(f"{match[1]}-{part:05d}-of-{count:05d}.gguf") for part in range(2, count + 1)]
