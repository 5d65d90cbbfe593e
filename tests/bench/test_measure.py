from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.measure import Comparison, alternate

rates = st.floats(min_value=0.1, max_value=1e6)


def compare(ours: tuple[float, ...], theirs: tuple[float, ...], bound: float, *, excess: bool = False) -> Comparison:
    return Comparison(row="r", work="w", against="a", unit="u", ours=ours, theirs=theirs, bound=bound, excess=excess)


def test_ratio_is_the_median_of_the_rounds_not_the_ratio_of_medians() -> None:
    # The machine was three times slower in the last round, for both.
    comparison = compare((90, 100, 30), (100, 100, 50), 0.9)
    assert comparison.scores == (0.9, 1.0, 0.6)
    assert comparison.score == 0.9
    assert comparison.holds


def test_missed_ratio() -> None:
    assert not compare((89,), (100,), 0.9).holds


def test_excess_is_a_difference_with_an_upper_bound() -> None:
    assert compare((1500,), (500,), 1024, excess=True).score == 1000
    assert compare((1500,), (500,), 1024, excess=True).holds
    assert not compare((1600,), (500,), 1024, excess=True).holds


def test_rounds_without_a_partner_are_an_error() -> None:
    with pytest.raises(ValueError, match="shorter"):
        _ = compare((1, 2), (1,), 1).scores


@given(st.lists(st.tuples(rates, rates), min_size=1, max_size=9), st.floats(min_value=0.5, max_value=2))
def test_what_slows_both_sides_of_a_round_changes_no_ratio(pairs: list[tuple[float, float]], slower: float) -> None:
    ours, theirs = zip(*pairs, strict=True)
    plain = compare(ours, theirs, 1)
    slowed = compare((ours[0] / slower, *ours[1:]), (theirs[0] / slower, *theirs[1:]), 1)
    assert slowed.score == pytest.approx(plain.score)


@given(st.integers(1, 7), st.integers(1, 4))
def test_sides_take_turns(rounds: int, count: int) -> None:
    calls: list[tuple[int, int]] = []

    def side(index: int) -> Callable[[int], tuple[int, int]]:
        def measure(number: int) -> tuple[int, int]:
            calls.append((index, number))
            return index, number

        return measure

    measured = alternate(rounds, [side(index) for index in range(count)])
    assert measured == [[(index, number) for number in range(rounds)] for index in range(count)]
    assert [number for _, number in calls] == sorted(number for _, number in calls)  # round after round
    first = [calls[number * count][0] for number in range(rounds)]
    assert first == [number % count for number in range(rounds)]  # each begins in turn
