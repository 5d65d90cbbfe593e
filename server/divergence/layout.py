"""Where windows and their rows lie in a store's file."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from server.divergence.errors import BrokenStore
from server.divergence.row_format import RowFormat

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
