"""The base file of ``llama-perplexity --kl-divergence``.

``_logits_``, then as int32 the length of a window, the size of the vocabulary and the number of windows, all tokens of
all windows, and a row for each scored token: those from the middle of a window on, but for the middle itself.

While windows are missing, the file begins with ``QHLL`` and their number instead (uint32), so that nobody reads it as
whole. That tool writes the text's own first token of each window, and lets the model see BOS in its place.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from server.divergence.errors import BrokenStore, OtherStore
from server.divergence.formats import LLAMA
from server.divergence.layout import LARGEST_WINDOW, Layout, Window, read_exactly, write_exactly

MAGIC = b"_logits_"
PARTIAL = b"QHLL"
_HEADER = struct.Struct("<8siii")
_PARTIAL = struct.Struct("<4sI")
MOST_TOKENS = 1 << 31


def first_scored(n_ctx: int) -> int:
    """Position of the first scored token of a window."""
    return n_ctx // 2 + 1


def check(windows: Sequence[Sequence[int]], score_from: int, total: int) -> None:
    """Raise :class:`OtherStore` for windows that cannot begin such a file of so many."""
    n_ctx = len(windows[0])
    for window in windows:
        _check_window(len(window), n_ctx, score_from)
    if len(windows) > total or n_ctx * total > MOST_TOKENS:
        raise OtherStore(f"A store of {total} windows cannot have {len(windows)} of {n_ctx} tokens.")


def _check_window(length: int, n_ctx: int, score_from: int) -> None:
    """Raise for a window that is not cut as that tool does."""
    if length != n_ctx or score_from != first_scored(n_ctx):
        raise OtherStore(
            f"A store for llama-perplexity has windows of one length, here {n_ctx} tokens, each scored from position "
            f"{first_scored(n_ctx)} on."
        )


class LlamaLayout(Layout):
    """Windows of one length, whose number is known from the start."""

    rows = LLAMA
    first_token_counts = False

    def __init__(self, fd: int, name: str, n_vocab: int, n_ctx: int, total: int, held: int) -> None:
        self._fd = fd
        self._name = name
        self.n_vocab, self.n_ctx, self.total = n_vocab, n_ctx, total
        self._stride = LLAMA.stride(n_vocab)
        self._added = 0
        self._count(held)

    def _count(self, windows: int) -> None:
        self.windows = windows
        self.held_rows = windows * (self.n_ctx - first_scored(self.n_ctx))

    @classmethod
    def create(
        cls, fd: int, name: str, n_vocab: int, windows: Sequence[Sequence[int]], score_from: int, total: int
    ) -> LlamaLayout:
        """A file in place of whatever was there, for windows such as these, none of which is in it yet.

        Raises:
            OtherStore: such a file cannot have these windows, or so many; the old file is as it was.
            OSError: the file cannot be written.
        """
        check(windows, score_from, total)
        layout = cls(fd, name, n_vocab, len(windows[0]), total, 0)
        os.ftruncate(fd, 0)
        layout.commit()
        return layout

    @classmethod
    def read(cls, fd: int, name: str) -> LlamaLayout:
        """The file as it is, whole or not.

        Raises:
            BrokenStore: it is damaged, or shorter than it says.
        """
        magic, n_ctx, n_vocab, total = _HEADER.unpack(read_exactly(fd, _HEADER.size, 0, name))
        held = total if magic == MAGIC else _PARTIAL.unpack(magic)[1]
        fine = 2 < n_ctx < LARGEST_WINDOW and 0 < n_vocab < 1 << 24 and 0 <= held <= total
        if not fine or n_ctx * total > MOST_TOKENS:
            raise BrokenStore(f"The store '{name}' is damaged; record it again.")
        layout = cls(fd, name, n_vocab, n_ctx, total, held)
        if os.fstat(fd).st_size < layout._offset(held):
            raise BrokenStore(f"The store '{name}' is cut off; record it again.")
        return layout

    def _offset(self, number: int) -> int:
        rows = self.n_ctx - first_scored(self.n_ctx)
        return _HEADER.size + 4 * self.n_ctx * self.total + number * rows * self._stride

    def window(self, number: int) -> Window:
        """One of the windows that it holds."""
        data = read_exactly(self._fd, 4 * self.n_ctx, _HEADER.size + 4 * self.n_ctx * number, self._name)
        return Window(np.frombuffer(data, "<i4").astype(np.int32), first_scored(self.n_ctx), self._offset(number))

    def add(self, tokens: NDArray[np.int32], score_from: int) -> Window:
        """A place for the next window.

        Raises:
            OtherStore: it is not cut as that tool does, or one more than were announced.
            OSError: the file cannot be written.
        """
        number = self.windows + self._added
        _check_window(len(tokens), self.n_ctx, score_from)
        if number >= self.total:
            raise OtherStore(f"The store '{self._name}' was begun for {self.total} windows in all; there is one more.")
        write_exactly(self._fd, tokens.astype("<i4").tobytes(), _HEADER.size + 4 * self.n_ctx * number)
        self._added += 1
        return Window(tokens, score_from, self._offset(number))

    def commit(self) -> None:
        """Let what was added count."""
        windows = self.windows + self._added
        magic = MAGIC if windows == self.total else _PARTIAL.pack(PARTIAL, windows)
        os.fsync(self._fd)
        write_exactly(self._fd, _HEADER.pack(magic, self.n_ctx, self.n_vocab, self.total), 0)
        self._count(windows)
        self._added = 0
