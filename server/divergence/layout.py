"""Where windows and their rows lie in a store's file; our own layout, for exact and compact rows.

A header of 64 bytes: ``QHDIVERG``, then (little-endian) version 1, kind of rows (1 exact, 2 compact) and size of the
vocabulary as uint32, 0, and as uint64 how many windows and rows there are and where they end. Then each window: number
of its tokens and position of the first scored one (uint32), its tokens (int32), and a row for each scored token.

The header is written last. What an unfinished request left behind lies beyond the end, and counts for nothing.
"""

from __future__ import annotations

import os
import struct
from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from server.divergence.errors import BrokenStore
from server.divergence.formats import COMPACT, EXACT, RowFormat

MAGIC = b"QHDIVERG"
_HEADER = struct.Struct("<8sIIIIQQQ16x")
_WINDOW = struct.Struct("<II")
_VERSION = 1
_KINDS = {1: EXACT, 2: COMPACT}
LARGEST_WINDOW = 1 << 24
"""Tokens; more is damage."""


@dataclass(frozen=True)
class Window:
    """Tokens as the model sees them, and where the rows of the scored ones lie."""

    tokens: NDArray[np.int32]
    score_from: int
    offset: int
    """Of the first row in the file."""


class Layout(ABC):
    """Finds and places windows in one file."""

    rows: RowFormat
    n_vocab: int
    windows: int
    """How many the store holds."""
    held_rows: int
    first_token_counts: bool
    """Whether the first token of a window must be the recorded one."""

    @abstractmethod
    def window(self, number: int) -> Window:
        """One of the windows that it holds.

        Raises:
            BrokenStore: the file ends before it, or says what cannot be.
        """

    @abstractmethod
    def add(self, tokens: NDArray[np.int32], score_from: int) -> Window:
        """A place for the next window; it does not count before :meth:`commit`.

        Raises:
            OSError: the file cannot be written.
        """

    @abstractmethod
    def commit(self) -> None:
        """All rows of the windows that were added are written: let them count.

        Raises:
            OSError: the file cannot be written.
        """


def read_exactly(fd: int, size: int, offset: int, name: str) -> bytes:
    """Bytes of a file.

    Raises:
        BrokenStore: it ends before.
    """
    data = os.pread(fd, size, offset)
    if len(data) < size:
        raise BrokenStore(f"The store '{name}' is cut off; record it again.")
    return data


def write_exactly(fd: int, data: bytes | memoryview, offset: int) -> None:
    """Write all of it.

    Raises:
        OSError: the disk is full, or fails.
    """
    view = memoryview(data).cast("B")
    while view:
        written = os.pwrite(fd, view, offset)
        view, offset = view[written:], offset + written


class OwnLayout(Layout):
    """Windows of any length one after the other."""

    first_token_counts = True

    def __init__(self, fd: int, name: str, rows: RowFormat, n_vocab: int) -> None:
        self._fd = fd
        self._name = name
        self.rows, self.n_vocab = rows, n_vocab
        self.windows = self.held_rows = 0
        self._stride = rows.stride(n_vocab)
        self._begins: list[int] = []
        """Of each window."""
        self._end = _HEADER.size
        self._added_rows = 0

    @classmethod
    def create(cls, fd: int, name: str, rows: RowFormat, n_vocab: int) -> OwnLayout:
        """A store without windows, in place of whatever the file held.

        Raises:
            OSError: the file cannot be written.
        """
        os.ftruncate(fd, 0)
        layout = cls(fd, name, rows, n_vocab)
        layout.commit()
        return layout

    @classmethod
    def read(cls, fd: int, name: str) -> OwnLayout:
        """A store as the file has it.

        Raises:
            BrokenStore: it is damaged.
        """
        _, version, kind, n_vocab, _, windows, rows, end = _HEADER.unpack(read_exactly(fd, _HEADER.size, 0, name))
        if version != _VERSION or kind not in _KINDS or not 0 < n_vocab < 1 << 24:
            raise BrokenStore(f"The store '{name}' is damaged or of another version; record it again.")
        layout = cls(fd, name, _KINDS[kind], n_vocab)
        for _ in range(windows):
            n, score_from = layout._head(layout._end)
            layout._take(n, score_from)
        if (layout._added_rows, layout._end) != (rows, end) or os.fstat(fd).st_size < end:
            raise BrokenStore(f"The store '{name}' is cut off or damaged; record it again.")
        layout.windows, layout.held_rows = windows, rows
        return layout

    def _head(self, offset: int) -> tuple[int, int]:
        n, score_from = _WINDOW.unpack(read_exactly(self._fd, _WINDOW.size, offset, self._name))
        if not 0 < score_from < n < LARGEST_WINDOW:
            raise BrokenStore(f"The store '{self._name}' is damaged; record it again.")
        return n, score_from

    def _take(self, n: int, score_from: int) -> int:
        """Let a window end the file; returns where its rows begin."""
        self._begins.append(self._end)
        rows_at = self._end + _WINDOW.size + 4 * n
        self._added_rows += n - score_from
        self._end = rows_at + (n - score_from) * self._stride
        return rows_at

    def window(self, number: int) -> Window:
        """One of the windows that it holds."""
        begin = self._begins[number]
        n, score_from = self._head(begin)
        data = read_exactly(self._fd, 4 * n, begin + _WINDOW.size, self._name)
        return Window(np.frombuffer(data, "<i4").astype(np.int32), score_from, begin + _WINDOW.size + 4 * n)

    def add(self, tokens: NDArray[np.int32], score_from: int) -> Window:
        """A place for the next window."""
        head = _WINDOW.pack(len(tokens), score_from) + tokens.astype("<i4").tobytes()
        write_exactly(self._fd, head, self._end)
        return Window(tokens, score_from, self._take(len(tokens), score_from))

    def commit(self) -> None:
        """Let what was added count."""
        kind = next(kind for kind, rows in _KINDS.items() if rows is self.rows)
        self.windows, self.held_rows = len(self._begins), self._added_rows
        header = _HEADER.pack(MAGIC, _VERSION, kind, self.n_vocab, 0, self.windows, self.held_rows, self._end)
        write_exactly(self._fd, header, 0)
