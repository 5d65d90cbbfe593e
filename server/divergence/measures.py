"""What is measured at each scored token between a recorded distribution p and the model's own q."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

COLUMNS = (
    "logprob",
    "reference_logprob",
    "kld",
    "kld_bound",
    "kld_reverse",
    "same_top",
    "reference_top",
    "near_tie",
)
"""``logprob``, ``reference_logprob``: of the actual token, under q and under p, in nats.
``kld``: KL(p || q) in nats, over the whole vocabulary; where p was not stored whole, the least that it can be.
``kld_bound``: the most that it can be, less the least; 0 where p was stored whole.
``kld_reverse``: KL(q || p), likewise the least.
``same_top``: whether both have the same likeliest token, the lowest id among equals.
``reference_top``: p of its likeliest token.
``near_tie``: whether p's two likeliest tokens are within 1e-4 nats.
"""
LOGPROB, REFERENCE_LOGPROB, KLD, KLD_BOUND, KLD_REVERSE, SAME_TOP, REFERENCE_TOP, NEAR_TIE = range(len(COLUMNS))
FLAGS = frozenset({"same_top", "near_tie"})
NEAR = np.float32(1e-4)
"""Nats between two tokens that count as a tie: other batches move logits by as much."""


def empty_measures(rows: int) -> NDArray[np.float64]:
    """Room for so many tokens, ``[rows, len(COLUMNS)]``."""
    return np.empty((rows, len(COLUMNS)))


def as_columns(measures: NDArray[np.float64]) -> dict[str, list[Any]]:
    """The same for JSON, by name."""
    return {
        name: (column.astype(bool) if name in FLAGS else column).tolist()
        for name, column in zip(COLUMNS, measures.T, strict=True)
    }
