"""The scores of one sequence's tokens, by position."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from server.engine.scoring import Scores


class ScoreLog:
    """Scores of the tokens of one sequence by position, filled from the front without gaps from ``first`` on."""

    def __init__(self, first: int, capacity: int, k: int) -> None:
        self.first = first
        """Position of the first token that is scored; position 0 never is."""
        self.end = first
        """Position after the last one."""
        self.k = k
        self._columns = Scores.empty(capacity, k)

    @property
    def logprob(self) -> NDArray[np.float64]:
        """Log-probability of the token at each position."""
        return self._columns.logprob

    @property
    def rank(self) -> NDArray[np.int32]:
        """Its rank, 1 being the most likely."""
        return self._columns.rank

    @property
    def top_ids(self) -> NDArray[np.int32]:
        """The k most likely tokens at each position, ``[positions, k]``."""
        return self._columns.top_ids

    @property
    def top_logprobs(self) -> NDArray[np.float64]:
        """Their log-probabilities, ``[positions, k]``."""
        return self._columns.top_logprobs

    def append(self, scores: Scores) -> None:
        """Take the scores of the next tokens; of their alternatives, as many as this log holds."""
        new = slice(self.end, self.end + len(scores.logprob))
        self.logprob[new], self.rank[new] = scores.logprob, scores.rank
        self.top_ids[new], self.top_logprobs[new] = scores.top_ids[:, : self.k], scores.top_logprobs[:, : self.k]
        self.end = new.stop

    def snapshot(self) -> Scores:
        """A copy of all scores ``[end]``; NaN stands for the log-probability of what is not scored."""
        known = self._columns.part(slice(0, self.end)).copy()
        known.logprob[: self.first] = np.nan
        return known
