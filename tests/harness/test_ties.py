from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from harness.ties import highest


@given(st.lists(st.integers(-2, 2), min_size=1))
def test_the_highest_are_all_that_nothing_exceeds(scores: list[int]) -> None:
    found = highest(scores)
    assert found == tuple(sorted(set(found))) != ()
    assert all((index in found) == all(score >= other for other in scores) for index, score in enumerate(scores))
