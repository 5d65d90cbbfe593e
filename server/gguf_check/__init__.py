"""Preflight of a GGUF file in pure Python, before llama.cpp may touch it.

llama.cpp ends the whole process on much that a damaged or hostile file can hold: it asserts what it expects of counts,
types and vocabularies, and throws exceptions that nothing catches. :mod:`.reader` makes the front of the file into a
:class:`~.reader.Header`; :mod:`.tensors`, :mod:`.hyperparameters` and :mod:`.vocabulary` say what is wrong with one.
Weights are not read: any bits are numbers, or none, and a model that computes none is told apart when it does.

Every rule stands for an end of the process that was seen, or for a file that cannot mean what it says. What one rare
architecture or another asserts of its own is not all covered; such a file ends the server while it starts.
"""

from __future__ import annotations

from pathlib import Path

from server.gguf_check.hyperparameters import check_hyperparameters
from server.gguf_check.reader import Header, Problem, read_header
from server.gguf_check.splits import other_parts
from server.gguf_check.tensors import check_tensors
from server.gguf_check.vocabulary import check_vocabulary

__all__ = ["BadGguf", "check_gguf"]


class BadGguf(Exception):
    """The file cannot be served; the message is one sentence that names it."""


def check_gguf(path: Path) -> None:
    """Raise :class:`BadGguf` unless the file, with its other parts where it is split, is whole and well-formed."""
    header = _read(path)
    for part in other_parts(path, header):
        _read(part)
    try:
        if not header.tensors and not header.number("split.count"):
            raise Problem("holds no tensors (it may be a vocabulary only)")
        check_hyperparameters(header)
        check_vocabulary(header)
    except Problem as problem:
        raise _bad(path, problem) from None


def _read(path: Path) -> Header:
    """The header of one file, its tensor table checked."""
    try:
        if path.exists() and not path.is_file():
            raise BadGguf(f"{path} is not a file; give the path of one GGUF.")
        header = read_header(path)
        check_tensors(header)
    except FileNotFoundError:
        raise BadGguf(f"{path}: there is no such file.") from None
    except OSError as error:
        raise BadGguf(f"{path} cannot be read: {error.strerror}.") from error
    except Problem as problem:
        raise _bad(path, problem) from None
    return header


def _bad(path: Path, problem: Problem) -> BadGguf:
    return BadGguf(f"{path} {problem}; download or convert it again.")
