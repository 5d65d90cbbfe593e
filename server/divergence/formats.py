"""The three ways to store a row."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from server.divergence import compact, exact, llama_codes
from server.divergence.measures import empty_measures


class RowFormat(NamedTuple):
    """How rows are stored and compared with; both release the GIL."""

    name: str
    stride: Callable[[int], int]
    """Bytes of a row, by the size of the vocabulary."""
    encode: Callable[
        [NDArray[np.float32], NDArray[np.intp], NDArray[np.int32], NDArray[np.uint8], NDArray[np.float64]], bool
    ]
    """False: a row of the model is not numbers."""
    compare: Callable[
        [NDArray[np.float32], NDArray[np.intp], NDArray[np.int32], NDArray[np.uint8], NDArray[np.float64]], int
    ]
    """See :func:`server.divergence.exact.compare`."""


def compile_kernels() -> None:
    """Compile all of them, or load them compiled: seconds that the first request would wait otherwise."""
    logits, rows, targets = np.zeros((1, 4), np.float32), np.zeros(1, np.intp), np.zeros(1, np.int32)
    for each in (EXACT, COMPACT, LLAMA):
        stored = np.empty((1, each.stride(4)), np.uint8)
        each.encode(logits, rows, targets, stored, np.empty(1))
        each.compare(logits, rows, targets, stored, empty_measures(1))


EXACT = RowFormat("exact", exact.stride, exact.encode, exact.compare)
COMPACT = RowFormat("compact", compact.stride, compact.encode, compact.compare)
LLAMA = RowFormat("llama", llama_codes.stride, llama_codes.encode, llama_codes.compare)
