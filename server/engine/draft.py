"""A predicted completion, verified: many tokens in one batch, instead of a batch for each.

An answer must be the one that decoding one by one gives, and what a batch holds besides moves logits. Measured with
prompts decoded alone and 48 tokens after them one by one or together, on the bundled model, a babyllama of 105 tokens
and stories260K (AVX-512, flash attention); the largest change of the difference between the likeliest tokens:

    weights           1 thread, or < 512 cells in use    2 threads, 512 cells or more
    Q8_0              none, to the last bit              2.8
    F16               0.05                               0.13
    Q4_K_M, Q2_K      none up to 3 tokens, then 2.8      5.9
    (the two small models in Q4_K_M and Q2_K, whose rows are too short for these types: none)

Half of all best tokens are ahead by less than 2, so of quantized weights no margin is safe: rounding what enters a
product to 8 bits makes steps of a last bit. But mostly there is nothing to be safe from. So each trial proves itself:
its first and its last token are decoded alone as well. If both rows have the same bits, so has what is between them:
llama.cpp chooses its ways of adding by how many tokens there are and how many cells are in use, and both only go up.
That such proofs are to be believed of this model is itself seen first: the tokens of the first trials that pass are all
decoded one by one. From then on the last row, that with the most cells in use, is proof enough.

Where rows have other bits, tokens that lead by :data:`EPSILON` are taken with weights that are not quantized, and
their log-probabilities as the trial gave them; all else starts over from the prompt.

With 2 threads and 512 cells, a lone token of Q8_0 would have the trial's bits if another token were decoded beside it,
but two tokens take llama.cpp two to three times as long as one (125M parameters), with a draft or without.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from server.engine.llama import Model

LONGEST = 60
"""Tokens in one trial, at most: from 64 on, llama.cpp's flash attention on CPUs adds in another way."""
SHORTEST = 6
"""Predicted tokens that are worth a trial, which takes two batches; of the bundled model, 4 together take longer than
one by one."""
EPSILON = 0.25
"""Logits by which the best token must lead where rows have other bits and weights are not quantized.

Half of it is how far the ends of a trial may move: no lead changes by more than both its tokens move. Leads were seen
to change by 0.13.
"""
UNQUANTIZED = frozenset(["0", "1", "32"])
"""``general.file_type`` of F32, F16 and BF16."""
PROOF = 48
"""Rows of trials that must be found exact, one by one, before trials are believed by their ends."""
MOST_SKIPPED = 64
"""Drafts that are not tried after a failed one, at most."""


def epsilon(model: Model) -> float:
    """How far ahead a token must be where a trial is not exact; infinity: no lead is enough."""
    return EPSILON if model.metadata("general.file_type") in UNQUANTIZED else np.inf


@dataclass(eq=False, slots=True)
class Trial:
    """Predicted tokens that are decoded together."""

    begin: int
    """Position of the first."""
    tokens: NDArray[np.int32]
    alone: NDArray[np.float32] | None
    """The row of the first, ``[n_vocab]``, as decoding it alone gave it; None where it was not."""
    rows: NDArray[np.float32] | None = None
    """Of all its tokens, ``[end - begin, n_vocab]``, once they are decoded; then the last is decoded alone.

    They are held for one batch, so that trials take no more than the rows of a batch, however many there are.
    """

    @property
    def end(self) -> int:
        """Position after the last."""
        return self.begin + len(self.tokens)

    def moved(self, last: NDArray[np.float32]) -> float:
        """The largest difference between rows of the trial and those of tokens decoded alone; 0: they are the same.

        Args:
            last: the last token's row.
        """
        assert self.rows is not None
        first = 0.0 if self.alone is None else _difference(self.rows[0], self.alone)
        return max(first, _difference(self.rows[-1], last))

    def audit(self) -> Audit:
        """What is compared when its tokens are decoded one by one."""
        assert self.rows is not None
        return Audit(self.begin, self.tokens, [_digest(row) for row in self.rows])


class Audit(NamedTuple):
    """What is kept of a trial that was exact at its ends, until it is known whether it was so between them."""

    begin: int
    """Position of the first token."""
    tokens: NDArray[np.int32]
    digests: list[bytes]
    """Of the tokens' rows: with 152,000 tokens in a vocabulary, the rows themselves are 36 MB."""

    def has(self, position: int, token: int) -> bool:
        """Whether the trial had this token there."""
        i = position - self.begin
        return i < len(self.tokens) and bool(self.tokens[i] == token)

    def agrees(self, position: int, row: NDArray[np.float32]) -> bool:
        """Whether the row of the token there has the trial's bits."""
        return self.digests[position - self.begin] == _digest(row)


def _digest(row: NDArray[np.float32]) -> bytes:
    return hashlib.blake2b(row.tobytes(), digest_size=16).digest()


def _difference(row: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    if np.array_equal(row, other):
        return 0.0
    with np.errstate(invalid="ignore"):  # minus infinity from itself
        difference = float(np.abs(row - other).max())
    return math.inf if math.isnan(difference) else difference


class Caution:
    """What has been seen of trials, and so whether the next one is worth its while, and to be believed."""

    def __init__(self) -> None:
        self._failures = 0
        self._skip = 0
        self._seen = 0

    def lets_try(self) -> bool:
        """Whether the next draft is to be tried: ever more seldom where trials keep failing."""
        self._skip -= 1
        return self._skip < 0

    @property
    def believes(self) -> bool:
        """Whether a trial whose ends are proven is proven."""
        return self._seen >= PROOF

    def saw_same(self) -> None:
        """A row in the middle of such a trial had the bits that decoding one by one gives."""
        self._seen += 1

    def saw_other(self) -> None:
        """It had not."""
        self._seen = 0
        self.failed()

    def succeeded(self) -> None:
        """A trial saved time."""
        self._failures = 0

    def failed(self) -> None:
        """A sequence had to start over."""
        self._failures += 1
        self._skip = min(2**self._failures, MOST_SKIPPED) if self._failures > 1 else 0
