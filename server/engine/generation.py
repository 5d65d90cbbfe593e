"""Rows into generated tokens: one by one, or as many as a draft has right."""

from __future__ import annotations

import math
import time
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from server.engine.draft import LONGEST, SHORTEST, Audit, Caution, Trial
from server.engine.sampler import NothingAllowed
from server.engine.scoring import NotNumbersError
from server.engine.sequence import Sequence


class Verified(NamedTuple):
    """What a trial gave."""

    rows: NDArray[np.float32]
    """Those that chose tokens, ``[tokens, n_vocab]``."""
    first: int
    """Position of the first of these tokens."""


class Generator:
    """Chooses the next tokens of sequences by their own samplers."""

    def __init__(self, epsilon: float) -> None:
        """``epsilon``: how far ahead a token must be where rows of a trial are not those of tokens decoded alone."""
        self._epsilon = epsilon
        self._caution = Caution()

    def go_on(self, sequence: Sequence, row: NDArray[np.float32]) -> bool:
        """Choose the next token from the last row; False: the sequence starts over instead, and the row is void.

        Raises:
            NotNumbersError: the row is not numbers.
        """
        n = len(sequence.job.prompt)
        if sequence.length == n:
            sequence.timings.prompt_done = time.monotonic()
            if sequence.draft and not self._caution.lets_try():
                sequence.draft = ()
            sequence.opening = row.copy() if sequence.draft else None
        if self._is_doubtful(sequence, row):
            self._give_up(sequence)
            return False
        if sequence.audit is not None:
            self._compare(sequence, sequence.audit, row)
        _choose(sequence, row)
        self._propose(sequence, row)
        return True

    def verify(self, sequence: Sequence, end: int, rows: NDArray[np.float32]) -> Verified | None:
        """Read rows of a sequence's trial; None: there is nothing to be had of them yet, or it starts over.

        Args:
            sequence: what they belong to.
            end: position after the last.
            rows: of all tokens of the trial, and at the next call of its last alone.

        Raises:
            NotNumbersError: a row is not numbers.
        """
        trial = sequence.trial
        assert trial is not None
        # All of them, lest a token that is not even in the answer leave such keys and values behind.
        if not np.isfinite(rows.max(axis=1)).all():
            raise NotNumbersError
        if end < sequence.length:  # the batch had no room for the newest token, let alone those that are tried
            sequence.trial, sequence.draft = None, ()
            return None
        if trial.rows is None:
            trial.rows, trial.tokens = rows.copy(), trial.tokens[: end - trial.begin]
            sequence.computed = end - 1
            return None
        sequence.trial = None
        moved = trial.moved(rows[-1])
        trial.rows[-1] = rows[-1]
        if moved > 0:
            if moved > self._epsilon / 2 or not sequence.job.sampling.is_greedy:
                self._give_up(sequence)
                return None
            sequence.doubt = self._epsilon
        elif not self._caution.believes:
            _start_over(sequence)
            sequence.audit = trial.audit()
            return None
        first = sequence.length
        skip = first - 1 - trial.begin
        for row, said in zip(trial.rows[skip:], [*trial.tokens[skip + 1 :].tolist(), None], strict=True):
            if self._is_doubtful(sequence, row):
                self._give_up(sequence)
                return None
            _choose(sequence, row)
            if sequence.finish_reason or sequence.failure or sequence.tokens[sequence.length - 1] != said:
                break
        found = sequence.length - first
        sequence.computed = sequence.length - 1
        self._caution.succeeded()
        self._propose(sequence, trial.rows[-1])
        return Verified(trial.rows[skip : skip + found], first)

    def _propose(self, sequence: Sequence, row: NDArray[np.float32]) -> None:
        """After a token that a row has chosen, try the rest of the draft, if it has been right so far.

        As long as it takes both ends to prove a trial, it begins with the token that the row belongs to, which was
        decoded alone; then with the chosen one.
        """
        if not sequence.draft or sequence.finish_reason is not None or sequence.failure is not None:
            return
        n, length = len(sequence.job.prompt), sequence.length
        generated = length - n
        if tuple(sequence.tokens[n:length].tolist()) != sequence.draft[:generated]:
            sequence.draft = ()
            return
        rest = sequence.draft[generated:]
        # Nothing comes after the last token of all, so it need not be decoded.
        is_last = bool(rest) and (
            len(sequence.draft) == sequence.job.max_tokens or sequence.model.ends_generation(rest[-1])
        )
        rest = rest[: min(len(rest) - is_last, LONGEST - 2)]
        begin = length - (1 if self._caution.believes else 2)
        if begin < n or len(rest) < SHORTEST:
            return
        sequence.tokens[length : length + len(rest)] = rest
        alone = None if self._caution.believes else row.copy()
        sequence.trial = Trial(begin, sequence.tokens[begin : length + len(rest)].copy(), alone)
        sequence.computed = begin

    def _is_doubtful(self, sequence: Sequence, row: NDArray[np.float32]) -> bool:
        """Whether decoding one by one could choose another token."""
        if sequence.doubt == 0:
            return False
        assert sequence.sampler is not None
        return sequence.sampler.lead(row) < sequence.doubt

    def _give_up(self, sequence: Sequence) -> None:
        """A trial was in vain."""
        self._caution.failed()
        _start_over(sequence)

    def _compare(self, sequence: Sequence, audit: Audit, row: NDArray[np.float32]) -> None:
        """See whether a trial that was not believed has the row that decoding alone gives, as far as its tokens go."""
        position = sequence.length - 1
        if position < audit.begin:
            return
        if not audit.has(position, int(sequence.tokens[position])):
            sequence.audit = None
        elif audit.agrees(position, row):
            self._caution.saw_same()
        else:
            self._caution.saw_other()
            sequence.audit = None


def _start_over(sequence: Sequence) -> None:
    """Begin the completion again, one by one, with the row that the prompt gave."""
    row = sequence.opening
    assert row is not None
    sequence.start_over()
    _choose(sequence, row)


def _choose(sequence: Sequence, row: NDArray[np.float32]) -> None:
    if not math.isfinite(row.max()):  # NaN, if any is
        raise NotNumbersError
    assert sequence.sampler is not None
    try:
        sequence.generate(sequence.sampler.sample(row))
    except NothingAllowed as error:
        sequence.failure = str(error)
