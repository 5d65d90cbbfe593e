"""The three ways to store a row."""

from __future__ import annotations

import numpy as np

from server.divergence import compact, exact, llama_codes
from server.divergence.measures import empty_measures
from server.divergence.row_format import RowFormat
from server.divergence.whole_row import whole_row_format


def compile_kernels() -> None:
    """Compile all of them, or load them compiled: seconds that the first request would wait otherwise."""
    logits, rows, targets = np.zeros((1, 4), np.float32), np.zeros(1, np.intp), np.zeros(1, np.int32)
    for each in (EXACT, COMPACT, LLAMA):
        stored = np.empty((1, each.stride(4)), np.uint8)
        each.encode(logits, rows, targets, stored, np.empty(1))
        each.compare(logits, rows, targets, stored, empty_measures(1))


EXACT = whole_row_format("exact", exact.encode, exact.compare)
COMPACT = RowFormat("compact", compact.stride, compact.encode, compact.compare)
LLAMA = whole_row_format("llama", llama_codes.encode, llama_codes.compare)
