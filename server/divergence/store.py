"""A store that is open: rows read and written while the engine scores, by a sink for each window."""

from __future__ import annotations

import os
import threading

import numpy as np
from numpy.typing import NDArray

from server.divergence.errors import BrokenStore, OtherStore
from server.divergence.layout import Layout, Window, write_exactly
from server.divergence.measures import LOGPROB, empty_measures
from server.divergence.row_format import DAMAGED, NOT_NUMBERS, Logits, Logprobs, Places, Stored
from server.engine.row_threads import RowThreads
from server.engine.scoring import NotNumbersError
from server.engine.sequence import SinkFailed

BLOCK_BYTES = 1 << 19
"""Rows read or written at once by a thread: they stay in the processor's cache between file and kernel."""


class Store:
    """An open file with its lock; to be closed."""

    def __init__(self, fd: int, name: str, layout: Layout) -> None:
        self.fd = fd
        self.name = name
        self.layout = layout
        self.turn = threading.Lock()
        """Held while rows are used, so that the file is not closed under them."""
        self.closed = False
        self.trouble: OSError | BrokenStore | None = None
        """Why the rows of a request could not be used."""

    @property
    def stride(self) -> int:
        """Bytes of a row."""
        return self.layout.rows.stride(self.layout.n_vocab)

    @property
    def nbytes(self) -> int:
        """Of the file."""
        return os.fstat(self.fd).st_size

    def recorded(self, number: int, tokens: NDArray[np.int32], score_from: int) -> Window:
        """A window to compare with.

        Raises:
            OtherStore: it has fewer windows, or this one has other tokens.
            BrokenStore: it is damaged.
        """
        if number >= self.layout.windows:
            raise OtherStore(
                f"The store '{self.name}' holds {self.layout.windows} windows, and none of number {number}."
            )
        window = self.layout.window(number)
        if window.score_from != score_from:
            raise OtherStore(
                f"Window {number} of the store '{self.name}' is scored from position {window.score_from} on, not "
                f"{score_from}."
            )
        skipped = 0 if self.layout.first_token_counts else 1
        if not np.array_equal(window.tokens[skipped:], tokens[skipped:]):
            raise OtherStore(
                f"Window {number} has other tokens than the store '{self.name}' has there; compare the same text with "
                "the same tokenizer."
            )
        return window

    def close(self) -> None:
        """Close the file, once nobody uses its rows; waits for at most a batch's."""
        with self.turn:
            self.closed = True
            os.close(self.fd)


class Sink:
    """Takes the rows of one window: writes them, or measures against what was written."""

    def __init__(self, store: Store, window: Window, threads: RowThreads) -> None:
        self._store = store
        self._window = window
        self._threads = threads
        self._block = max(1, BLOCK_BYTES // store.stride)

    def take(self, logits: Logits, rows: Places, first: int) -> Logprobs:
        """See :class:`server.engine.sequence.RowSink`."""
        with self._store.turn:
            if self._store.closed:
                raise SinkFailed("its store was closed")
            done = first - self._window.score_from
            logprobs = np.empty(len(rows))
            try:
                self._threads.share(
                    len(rows), lambda part: self._take_part(logits, rows[part], done + part.start, logprobs[part])
                )
            except (OSError, BrokenStore) as error:
                self._store.trouble = error
                raise SinkFailed("its store cannot be used") from error
        return logprobs

    def _take_part(self, logits: Logits, rows: Places, done: int, logprobs: Logprobs) -> None:
        stored = np.empty((min(self._block, len(rows)), self._store.stride), np.uint8)
        for begin in range(0, len(rows), self._block):
            block = slice(begin, min(begin + self._block, len(rows)))
            self._take_block(logits, rows[block], done + begin, stored[: block.stop - begin], logprobs[block])

    def _take_block(self, logits: Logits, rows: Places, done: int, stored: Stored, logprobs: Logprobs) -> None:
        raise NotImplementedError

    def _targets(self, done: int, rows: int) -> NDArray[np.int32]:
        begin = self._window.score_from + done
        return self._window.tokens[begin : begin + rows]

    def _offset(self, done: int) -> int:
        return self._window.offset + done * self._store.stride


class Recorder(Sink):
    """Writes the rows."""

    def _take_block(self, logits: Logits, rows: Places, done: int, stored: Stored, logprobs: Logprobs) -> None:
        if not self._store.layout.rows.encode(logits, rows, self._targets(done, len(rows)), stored, logprobs):
            raise NotNumbersError
        write_exactly(self._store.fd, stored.data, self._offset(done))


class Comparer(Sink):
    """Measures them against the recorded ones."""

    def __init__(self, store: Store, window: Window, threads: RowThreads) -> None:
        super().__init__(store, window, threads)
        self.measures = empty_measures(len(window.tokens) - window.score_from)
        """Of every scored token, once the job is done."""

    def _take_block(self, logits: Logits, rows: Places, done: int, stored: Stored, logprobs: Logprobs) -> None:
        if os.preadv(self._store.fd, [stored.data], self._offset(done)) < stored.nbytes:
            raise BrokenStore(f"The store '{self._store.name}' is cut off; record it again.")
        measures = self.measures[done : done + len(rows)]
        targets = self._targets(done, len(rows))
        status = self._store.layout.rows.compare(logits, rows, targets, stored, measures)
        if status == NOT_NUMBERS:
            raise NotNumbersError
        if status == DAMAGED:
            raise BrokenStore(f"The store '{self._store.name}' has a damaged row; record it again.")
        logprobs[:] = measures[:, LOGPROB]
