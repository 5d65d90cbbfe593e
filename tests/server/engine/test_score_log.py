from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from server.engine.score_log import ScoreLog
from server.engine.scoring import Scores


def scores(begin: int, n: int, k: int) -> Scores:
    """Figures that say their position."""
    at = np.arange(begin, begin + n)
    columns = at[:, None] * 10 + np.arange(k)
    return Scores(-at.astype(float), at.astype(np.int32), columns.astype(np.int32), -columns.astype(float))


@settings(deadline=None)
@given(st.integers(1, 5), st.integers(0, 3), st.lists(st.tuples(st.integers(0, 4), st.integers(0, 2)), max_size=5))
def test_it_is_filled_from_the_front(first: int, k: int, parts: list[tuple[int, int]]) -> None:
    log = ScoreLog(first, 40, k)
    for n, more in parts:
        log.append(scores(log.end, n, k + more))  # of more alternatives than it holds, the first
    end = first + sum(n for n, _ in parts)
    expected = scores(first, end - first, k)
    assert (log.first, log.end) == (first, end)
    for column, wanted in zip((log.logprob, log.rank, log.top_ids, log.top_logprobs), expected, strict=True):
        assert column[first:end].tolist() == wanted.tolist()


def test_a_snapshot_says_what_is_not_known_and_stays_as_it_is() -> None:
    log = ScoreLog(2, 10, 1)
    log.append(scores(2, 2, 1))
    snapshot = log.snapshot()
    log.append(scores(4, 1, 1))
    log.logprob[2] = 99
    assert np.isnan(snapshot.logprob).tolist() == [True, True, False, False]
    assert snapshot.logprob[2:].tolist() == [-2, -3]
    assert [len(column) for column in snapshot] == [4] * 4
