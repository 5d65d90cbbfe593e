"""Rows of logits reduced to what a client asked for: log-probability of one token, its rank, the k most likely.

One pass for the maximum, one for everything else, no array of the vocabulary's size made. The GIL is released.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray


class NotNumbersError(ValueError):
    """Logits cannot be made into probabilities."""

    def __init__(self) -> None:
        super().__init__("the model returned logits that are not numbers")


class Scores(NamedTuple):
    """One entry a row, in the order of the rows."""

    logprob: NDArray[np.float64]
    """Natural log of the softmax at the target token, ``[rows]``."""
    rank: NDArray[np.int32]
    """1 + how many tokens are more likely than the target, ``[rows]``."""
    top_ids: NDArray[np.int32]
    """The k most likely tokens, most likely first, lower ids first among equals, ``[rows, k]``."""
    top_logprobs: NDArray[np.float64]
    """Their log-probabilities, ``[rows, k]``."""


def score_rows(logits: NDArray[np.float32], targets: NDArray[np.int32], k: int) -> Scores:
    """Raw log-softmax figures of ``logits [rows, n_vocab]`` at one target token a row.

    Raises:
        NotNumbersError: a row holds NaN or no finite value, so the model or its file is broken.
    """
    rows = logits.shape[0]
    k = min(k, logits.shape[1])
    scores = Scores(
        np.empty(rows, np.float64),
        np.empty(rows, np.int32),
        np.empty((rows, k), np.int32),
        np.empty((rows, k), np.float64),
    )
    if not _reduce(logits, targets, scores.logprob, scores.rank, scores.top_ids, scores.top_logprobs):
        raise NotNumbersError
    return scores


@numba.njit(nogil=True, cache=True)
def _reduce(
    logits: NDArray[np.float32],
    targets: NDArray[np.int32],
    logprob: NDArray[np.float64],
    rank: NDArray[np.int32],
    top_ids: NDArray[np.int32],
    top_logprobs: NDArray[np.float64],
) -> bool:
    """Fill the four outputs; False if a row cannot be normalized."""
    rows, n_vocab = logits.shape
    k = top_ids.shape[1]
    best = np.empty(k, np.float32)
    for row in range(rows):
        peak = np.float32(-np.inf)
        for i in range(n_vocab):
            peak = max(peak, logits[row, i])
        chosen = logits[row, targets[row]]
        total = 0.0
        above = 0
        held = 0
        for i in range(n_vocab):
            x = logits[row, i]
            total += math.exp(x - peak)
            if x > chosen:
                above += 1
            if held < k or (k > 0 and x > best[k - 1]):
                # Insertion keeps `best` descending; a strict comparison leaves the lower id first among equals.
                at = min(held, k - 1)
                while at > 0 and x > best[at - 1]:
                    best[at] = best[at - 1]
                    top_ids[row, at] = top_ids[row, at - 1]
                    at -= 1
                best[at] = x
                top_ids[row, at] = i
                held = min(held + 1, k)
        if not math.isfinite(total):
            return False
        log_total = math.log(total)
        # Shifted by the peak before the sum's log, in float64: the same expression for the chosen token and for the
        # top k, so that a chosen argmax has the same bits in both places.
        logprob[row] = (np.float64(chosen) - np.float64(peak)) - log_total
        rank[row] = above + 1
        for j in range(k):
            top_logprobs[row, j] = (np.float64(best[j]) - np.float64(peak)) - log_total
    return True
