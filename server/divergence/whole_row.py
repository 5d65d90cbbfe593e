"""Rows that have a code of two bytes for each token of the vocabulary, after two float32: a head of 8 bytes."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from server.divergence.row_format import Logits, Logprobs, Measures, Places, RowFormat, Stored, Targets

Heads: TypeAlias = NDArray[np.float32]
"""The stored bytes as float32, ``[rows, stride / 4]``, of which the first two count."""
Codes: TypeAlias = NDArray[np.uint16]
"""The stored bytes as uint16, ``[rows, stride / 2]``."""
BEGIN = 4
"""Where the codes begin among them."""
Encode: TypeAlias = Callable[[Logits, Places, Targets, Heads, Codes, Logprobs], bool]
Compare: TypeAlias = Callable[[Logits, Places, Targets, Heads, Codes, Measures], int]


def stride(n_vocab: int) -> int:
    """Bytes of a row: a multiple of 4."""
    return 2 * BEGIN + 4 * ((n_vocab + 1) // 2)


def whole_row_format(name: str, encode_kernel: Encode, compare_kernel: Compare) -> RowFormat:
    """The format of these kernels."""

    def encode(logits: Logits, rows: Places, targets: Targets, stored: Stored, logprobs: Logprobs) -> bool:
        return encode_kernel(logits, rows, targets, stored.view(np.float32), stored.view(np.uint16), logprobs)

    def compare(logits: Logits, rows: Places, targets: Targets, stored: Stored, measures: Measures) -> int:
        return compare_kernel(logits, rows, targets, stored.view(np.float32), stored.view(np.uint16), measures)

    return RowFormat(name, stride, encode, compare)
