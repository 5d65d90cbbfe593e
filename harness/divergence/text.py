"""The text over which next-token distributions are compared."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from harness.errors import UserError
from harness.scenarios.world.corpus import held_out_text
from harness.scenarios.world.facts import build_world

BUNDLED = "the bundled corpus' held-out text"
MOST_BYTES = 4_000_000
"""Of a longer file only the beginning is read: servers tokenize no more in one request."""


@dataclass(frozen=True, slots=True)
class Text:
    """A text, and what tells it from others."""

    name: str
    """For people: the file's name."""
    sha256: str
    """Of the whole file."""
    text: str
    share: float = 1.0
    """How much of the file's bytes ``text`` is."""


def read_text(path: Path | None) -> Text:
    """The text of a UTF-8 file, without the line end that closes it; of no file, the bundled one.

    Raises:
        UserError: the file is missing, empty or no UTF-8.
    """
    if path is None:
        data, name = held_out_text(build_world()).encode(), BUNDLED
    else:
        data, name = _read(path), path.name
    kept = data if len(data) <= MOST_BYTES else _whole_lines(data[:MOST_BYTES])
    try:
        text = kept.decode("utf-8")
    except UnicodeDecodeError as error:
        raise UserError(
            f"--divergence-text: {path} is no UTF-8 text: byte {error.start + 1} cannot be read; convert it to UTF-8."
        ) from error
    if not text.strip():
        raise UserError(f"--divergence-text: {path} is empty; name a file with text.")
    # llama-perplexity takes that one line end off too.
    return Text(name, hashlib.sha256(data).hexdigest(), text.removesuffix("\n"), len(kept) / len(data))


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise UserError(f"--divergence-text: {path} cannot be read: {why}; name a UTF-8 text file.") from error


def _whole_lines(data: bytes) -> bytes:
    """Up to the last line end; of one endless line, up to the last whole character."""
    lines = data[: data.rfind(b"\n") + 1]
    if lines:
        return lines
    end = next((end for end in range(len(data) - 1, len(data) - 5, -1) if data[end] & 0xC0 != 0x80), len(data))
    return data[:end]
