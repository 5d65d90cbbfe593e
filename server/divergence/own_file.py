"""Our own file of a store, for exact and compact rows.

A header of 64 bytes: ``QHDIVERG``, then (little-endian) version 2, kind of rows (1 exact, 2 compact) and size of the
vocabulary as uint32, 0, as uint64 how many windows and rows there are and where they end, and 8 random bytes that tell
this store from others. Then each window: number of its tokens and position of the first scored one (uint32), its tokens
(int32), and a row for each scored token.

The header is written last, when the rows are on the disk. What an unfinished request left behind lies beyond the end,
and counts for nothing.
"""

from __future__ import annotations

import functools
import os
import struct
import threading
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from server.divergence.errors import BrokenStore
from server.divergence.formats import COMPACT, EXACT
from server.divergence.layout import LARGEST_WINDOW, Layout, Window, read_exactly, write_exactly
from server.divergence.row_format import RowFormat

MAGIC = b"QHDIVERG"
_HEADER = struct.Struct("<8sIIIIQQQ8s8x")
_WINDOW = struct.Struct("<II")
_VERSION = 2
_KINDS = {1: EXACT, 2: COMPACT}


class Place(NamedTuple):
    """Where a window begins, or the last one ends."""

    offset: int
    rows: int
    """Of all windows before."""


class Index:
    """Where the windows of one store are, as far as anybody asked: a store is read anew with every request."""

    def __init__(self) -> None:
        self._turn = threading.Lock()
        self.forget()

    def forget(self) -> None:
        """Begin anew."""
        with self._turn:
            self._places = [Place(_HEADER.size, 0)]

    def place(self, number: int, following: Callable[[Place], Place]) -> Place:
        """Where a window begins; ``following`` is where the one after it does."""
        with self._turn:
            while len(self._places) <= number:
                self._places.append(following(self._places[-1]))
            return self._places[number]


@functools.lru_cache(maxsize=8)
def _index(device: int, file: int, identity: bytes) -> Index:  # noqa: ARG001 # what it is remembered by
    """The index of a store, which only ever grows."""
    return Index()


class OwnLayout(Layout):
    """Windows of any length one after the other."""

    first_token_counts = True

    def __init__(self, fd: int, name: str, rows: RowFormat, n_vocab: int) -> None:
        self._fd = fd
        self._name = name
        self.rows, self.n_vocab = rows, n_vocab
        self.windows = self.held_rows = 0
        self._stride = rows.stride(n_vocab)
        self._identity = os.urandom(8)
        self._index = Index()
        self._added = 0
        self._end = _HEADER.size
        self._all_rows = 0
        """With those of windows that were added."""

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
        header = _HEADER.unpack(read_exactly(fd, _HEADER.size, 0, name))
        _, version, kind, n_vocab, _, windows, rows, end, identity = header
        if version != _VERSION or kind not in _KINDS or not 0 < n_vocab < 1 << 24:
            raise BrokenStore(f"The store '{name}' is damaged or of another version; record it again.")
        layout = cls(fd, name, _KINDS[kind], n_vocab)
        status = os.fstat(fd)
        layout._identity, layout._index = identity, _index(status.st_dev, status.st_ino, identity)
        if layout._found(windows) != (end, rows) or status.st_size < end:
            layout._index.forget()  # it may be another file's that was copied over this one
            if layout._found(windows) != (end, rows) or status.st_size < end:
                raise BrokenStore(f"The store '{name}' is cut off or damaged; record it again.")
        layout.windows, layout.held_rows = windows, rows
        layout._end, layout._all_rows = end, rows
        return layout

    def _found(self, windows: int) -> Place:
        """Where the last of so many windows ends."""

        def following(place: Place) -> Place:
            n, score_from = self._head(place.offset)
            rows = n - score_from
            return Place(place.offset + _WINDOW.size + 4 * n + rows * self._stride, place.rows + rows)

        return self._index.place(windows, following)

    def _head(self, offset: int) -> tuple[int, int]:
        n, score_from = _WINDOW.unpack(read_exactly(self._fd, _WINDOW.size, offset, self._name))
        if not 0 < score_from < n < LARGEST_WINDOW:
            raise BrokenStore(f"The store '{self._name}' is damaged; record it again.")
        return n, score_from

    def window(self, number: int) -> Window:
        """One of the windows that it holds."""
        begin, rows_before = self._found(number)
        n, score_from = self._head(begin)
        if self._found(number + 1).rows - rows_before != n - score_from:
            raise BrokenStore(f"The store '{self._name}' is damaged; record it again.")
        data = read_exactly(self._fd, 4 * n, begin + _WINDOW.size, self._name)
        return Window(np.frombuffer(data, "<i4").astype(np.int32), score_from, begin + _WINDOW.size + 4 * n)

    def add(self, tokens: NDArray[np.int32], score_from: int) -> Window:
        """A place for the next window."""
        head = _WINDOW.pack(len(tokens), score_from) + tokens.astype("<i4").tobytes()
        write_exactly(self._fd, head, self._end)
        window = Window(tokens, score_from, self._end + len(head))
        rows = len(tokens) - score_from
        self._added += 1
        self._all_rows += rows
        self._end = window.offset + rows * self._stride
        return window

    def commit(self) -> None:
        """Let what was added count."""
        kind = next(kind for kind, rows in _KINDS.items() if rows is self.rows)
        windows = self.windows + self._added
        header = _HEADER.pack(
            MAGIC, _VERSION, kind, self.n_vocab, 0, windows, self._all_rows, self._end, self._identity
        )
        os.fsync(self._fd)
        write_exactly(self._fd, header, 0)
        self.windows, self.held_rows, self._added = windows, self._all_rows, 0
