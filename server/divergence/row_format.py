"""What every way to store rows has: the arrays that it is given, and what it says of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

Logits: TypeAlias = NDArray[np.float32]
"""Of a batch, ``[any, n_vocab]``."""
Places: TypeAlias = NDArray[np.intp]
"""Which rows of the logits are meant, ``[rows]``."""
Targets: TypeAlias = NDArray[np.int32]
"""The actual token after each of them, ``[rows]``."""
Stored: TypeAlias = NDArray[np.uint8]
"""What is in the file, ``[rows, stride]``."""
Logprobs: TypeAlias = NDArray[np.float64]
"""Of the actual tokens, in nats, ``[rows]``."""
Measures: TypeAlias = NDArray[np.float64]
"""See :mod:`server.divergence.measures`, ``[rows, columns]``."""

FINE, NOT_NUMBERS, DAMAGED = range(3)
"""What a comparison says of its rows: the last two are about one of the model's, and about a stored one."""
AGREES = 1e-4
"""Nats by which the log of the sum of what is read back may differ from the one that is stored beside it."""


class RowFormat(NamedTuple):
    """How rows are stored and compared with; both release the GIL."""

    name: str
    stride: Callable[[int], int]
    """Bytes of a row, by the size of the vocabulary."""
    encode: Callable[[Logits, Places, Targets, Stored, Logprobs], bool]
    """Write rows, and say how likely the actual tokens are; False if a row of the model is not numbers."""
    compare: Callable[[Logits, Places, Targets, Stored, Measures], int]
    """Fill the measures; returns :data:`FINE`, :data:`NOT_NUMBERS` or :data:`DAMAGED`."""
