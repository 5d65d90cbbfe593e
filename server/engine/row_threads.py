"""Rows shared among threads: numba's kernels release the GIL."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from typing import TypeVar

T = TypeVar("T")

ROWS_WORTH_A_THREAD = 4
"""Below this, handing rows to another thread takes longer than reducing them."""


class RowThreads:
    """So many threads, the caller's being one of them. To be used by one caller at a time."""

    def __init__(self, threads: int) -> None:
        self._threads = threads
        self._pool = ThreadPoolExecutor(max_workers=max(threads - 1, 1), thread_name_prefix="rows")

    def share(self, rows: int, work: Callable[[slice], T]) -> list[T]:
        """What ``work`` returns for each part of so many rows, in order; it is done with all of them at the end.

        Raises:
            Exception: what ``work`` raises.
        """
        parts = max(1, min(self._threads, rows // ROWS_WORTH_A_THREAD))
        slices = [slice(rows * part // parts, rows * (part + 1) // parts) for part in range(parts)]
        others = [self._pool.submit(work, part) for part in slices[1:]]
        try:
            mine = work(slices[0])
        finally:
            wait(others)  # whatever happens, nothing reads the rows any more
        return [mine, *(other.result() for other in others)]

    def close(self) -> None:
        """End the threads."""
        self._pool.shutdown()
