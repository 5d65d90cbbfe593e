"""Rows of logits reduced to what a client asked for: log-probability of one token, its rank, the k most likely.

One pass for the maxima, one for everything else, no array of the vocabulary's size made. The GIL is released, and many
rows are shared among threads.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from server.engine.row_threads import RowThreads
from server.kernel_cache import kernel, summing_kernel

BLOCK = 256
"""Logits that share one maximum: the search for the top k skips a block whose maximum is too low."""


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

    @classmethod
    def empty(cls, n: int, k: int) -> Scores:
        """Room for ``n`` rows."""
        return cls(np.empty(n), np.empty(n, np.int32), np.empty((n, k), np.int32), np.empty((n, k)))

    def part(self, rows: slice) -> Scores:
        """Some of the rows; a view."""
        return Scores(self.logprob[rows], self.rank[rows], self.top_ids[rows], self.top_logprobs[rows])

    def copy(self) -> Scores:
        """The same in arrays of its own."""
        return Scores(self.logprob.copy(), self.rank.copy(), self.top_ids.copy(), self.top_logprobs.copy())


class Scorer:
    """Reduces rows in as many threads as it is given."""

    def __init__(self, threads: int) -> None:
        self.threads = RowThreads(threads)
        """For others who reduce the rows of the same batches."""

    def score(self, logits: NDArray[np.float32], rows: NDArray[np.intp], targets: NDArray[np.int32], k: int) -> Scores:
        """Raw log-softmax figures of some ``rows`` of ``logits [any, n_vocab]``, at one target token each.

        Raises:
            NotNumbersError: a row holds NaN or no finite value, so the model or its file is broken.
        """
        scores = Scores.empty(len(rows), min(k, logits.shape[1]))
        fine = self.threads.share(
            len(rows), lambda part: _score_into(scores.part(part), logits, rows[part], targets[part])
        )
        if not all(fine):
            raise NotNumbersError
        return scores

    def close(self) -> None:
        """End the threads."""
        self.threads.close()


def _score_into(
    scores: Scores, logits: NDArray[np.float32], rows: NDArray[np.intp], targets: NDArray[np.int32]
) -> bool:
    fine: bool = _reduce(logits, rows, targets, scores.logprob, scores.rank, scores.top_ids, scores.top_logprobs)
    return fine


_LOG2_E = np.float32(1.4426950408889634)
_LOWEST = np.float32(-87.0)
# 2**f = sum of (f ln 2)**i / i!; with |f| <= 1/2 the first term left out is below 2e-8, a fifth of float32's rounding.
_C1, _C2, _C3, _C4, _C5, _C6, _C7 = (np.float32(math.log(2) ** i / math.factorial(i)) for i in range(1, 8))


@numba.njit(inline="always")
def fast_exp(x: Any) -> Any:
    """e**x for a float32 x <= 0, within 2e-7 of it; LLVM vectorizes this, and ``math.exp`` it does not."""
    t = max(x, _LOWEST) * _LOG2_E
    whole = np.floor(t + np.float32(0.5))
    f = t - whole
    p = _C7
    p = p * f + _C6
    p = p * f + _C5
    p = p * f + _C4
    p = p * f + _C3
    p = p * f + _C2
    p = p * f + _C1
    p = p * f + np.float32(1)
    return p * np.int32((np.int32(whole) + np.int32(127)) << np.int32(23)).view(np.float32)


_LOWEST_ORDERED = -2139095041
"""What :func:`_ordered` makes of minus infinity."""


@numba.njit(inline="always")
def _ordered(bits: Any) -> Any:
    """Integers in the order of the floats that have these bits, and back: LLVM vectorizes no maximum of floats."""
    return np.int32(bits ^ ((bits >> np.int32(31)) & np.int32(0x7FFFFFFF)))


@numba.njit(inline="always")
def highest(row: Any, begin: Any, end: Any) -> Any:
    """The maximum of ``row[begin:end]`` (float32), minus infinity of nothing; NaN may be passed over, or come back."""
    best = np.int32(_LOWEST_ORDERED)
    for i in range(begin, end):
        x = _ordered(np.float32(row[i]).view(np.int32))
        best = x if x > best else best
    return np.int32(_ordered(best)).view(np.float32)


@kernel()
def _select(
    row: NDArray[np.float32], maxima: NDArray[np.float32], best: NDArray[np.float32], ids: NDArray[np.int32]
) -> None:
    """The k largest of a row into ``best`` and ``ids``, largest first, the lower id first among equals."""
    k = len(ids)
    held = 0
    for block in range(len(maxima)):
        if held == k and maxima[block] <= best[k - 1]:
            continue
        for i in range(block * BLOCK, min((block + 1) * BLOCK, len(row))):
            x = row[i]
            if held < k or x > best[k - 1]:
                at = min(held, k - 1)
                while at > 0 and x > best[at - 1]:
                    best[at] = best[at - 1]
                    ids[at] = ids[at - 1]
                    at -= 1
                best[at] = x
                ids[at] = i
                held = min(held + 1, k)


@summing_kernel()
def _reduce(
    logits: NDArray[np.float32],
    rows: NDArray[np.intp],
    targets: NDArray[np.int32],
    logprob: NDArray[np.float64],
    rank: NDArray[np.int32],
    top_ids: NDArray[np.int32],
    top_logprobs: NDArray[np.float64],
) -> bool:
    """Fill the four outputs; False if a row cannot be normalized."""
    n_vocab = logits.shape[1]
    k = top_ids.shape[1]
    best = np.empty(k, np.float32)
    maxima = np.empty((n_vocab + BLOCK - 1) // BLOCK, np.float32)
    for n in range(len(rows)):
        row = logits[rows[n]]
        for block in range(len(maxima)):
            maxima[block] = highest(row, block * BLOCK, min((block + 1) * BLOCK, n_vocab))
        peak = maxima.max()
        chosen = row[targets[n]]
        total = np.float64(0)
        above = 0
        for i in range(n_vocab):
            total += fast_exp(row[i] - peak)
            above += row[i] > chosen
        if not math.isfinite(total) or not math.isfinite(peak):
            return False
        if k > 0:
            _select(row, maxima, best, top_ids[n])
        log_total = math.log(total)
        # Shifted by the peak before the sum's log, in float64: the same expression for the chosen token and for the
        # top k, so that a chosen argmax has the same bits in both places.
        logprob[n] = (np.float64(chosen) - np.float64(peak)) - log_total
        rank[n] = above + 1
        for j in range(k):
            top_logprobs[n, j] = (np.float64(best[j]) - np.float64(peak)) - log_total
    return True
