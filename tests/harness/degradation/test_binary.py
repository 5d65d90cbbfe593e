from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from scipy.special import xlogy
from scipy.stats import binomtest, multinomial, norm

from harness.degradation.binary import agresti_min, compare_binary, count_flips, exact_mcnemar, tango

PAIRS = st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=60)


def arrays(to_right: int, to_wrong: int, both: int, neither: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Reference and candidate with these counts of pairs."""
    reference = [False] * to_right + [True] * to_wrong + [True] * both + [False] * neither
    candidate = [True] * to_right + [False] * to_wrong + [True] * both + [False] * neither
    return np.array(reference, bool), np.array(candidate, bool)


def score_test(to_right: int, to_wrong: int, n: int, delta: float) -> float:
    """How far the counts are from a true difference, in the likeliest standard errors that it allows."""

    def unlikely(wrong: float) -> float:
        right = wrong + delta
        return -xlogy(to_right, right) - xlogy(to_wrong, wrong) - xlogy(n - to_right - to_wrong, 1 - right - wrong)

    bounds = max(0.0, -delta), (1 - delta) / 2
    wrong = minimize_scalar(unlikely, bounds=bounds, method="bounded", options={"xatol": 1e-12}).x
    return float((to_right - to_wrong - n * delta) / math.sqrt(n * (2 * wrong + delta - delta**2)))


def test_flips_are_counted_by_direction() -> None:
    reference, candidate = arrays(2, 5, 3, 4)
    assert count_flips(reference, candidate) == (5, 2)
    assert count_flips(candidate, reference) == (2, 5)


def test_a_worked_example() -> None:
    # Approval of a prime minister asked twice of 1,600 people (Agresti, Categorical Data Analysis): 944 and 880.
    result = compare_binary(*arrays(86, 150, 794, 570))
    assert result.delta == -0.04
    assert result.ci_low == pytest.approx(-0.059, abs=5e-4)
    assert result.ci_high == pytest.approx(-0.021, abs=5e-4)
    assert result.p_value == pytest.approx(3.7e-5, rel=0.05)


@pytest.mark.parametrize(("to_right", "to_wrong"), [(0, 1), (0, 5), (0, 6), (3, 3), (2, 9), (10, 40), (7, 0)])
def test_the_p_value_is_that_of_a_fair_coin(to_right: int, to_wrong: int) -> None:
    result = compare_binary(*arrays(to_right, to_wrong, 20))
    assert result.p_value == pytest.approx(binomtest(to_wrong, to_right + to_wrong).pvalue)


@pytest.mark.parametrize("n", [1, 2, 50, 100, 2000])
def test_without_flips_there_is_no_difference_and_still_an_interval(n: int) -> None:
    reference, _ = arrays(0, 0, n)
    result = compare_binary(reference, reference)
    assert (result.delta, result.p_value) == (0, 1)
    assert result.ci_low == -result.ci_high < 0
    assert result.ci_high == pytest.approx(1.959964 / (n + 2))


@pytest.mark.parametrize(("reference", "candidate"), [(True, False), (False, True)])
def test_a_single_flip_alone_proves_nothing(reference: bool, candidate: bool) -> None:
    result = compare_binary(np.array([reference]), np.array([candidate]))
    assert result.delta == candidate - reference
    assert result.p_value == 1
    assert -1 <= result.ci_low < 0 < result.ci_high <= 1


@pytest.mark.parametrize(
    ("n", "to_right", "to_wrong"), [(100, 0, 5), (100, 4, 6), (300, 3, 9), (1000, 10, 30), (1000, 200, 250)]
)
def test_the_interval_is_close_to_tangos(n: int, to_right: int, to_wrong: int) -> None:
    assert agresti_min(to_right, to_wrong, n) == pytest.approx(tango(to_right, to_wrong, n), abs=2 / n)


@pytest.mark.parametrize("confidence", [0.9, 0.95])
@pytest.mark.parametrize(("to_right", "to_wrong", "n"), [(3, 9, 300), (1, 0, 50), (4, 6, 40), (10, 40, 100)])
def test_tangos_limits_are_where_the_score_test_begins_to_refuse(
    to_right: int, to_wrong: int, n: int, confidence: float
) -> None:
    reach = float(norm.ppf((1 + confidence) / 2))
    low, high = tango(to_right, to_wrong, n, confidence)
    assert score_test(to_right, to_wrong, n, low) == pytest.approx(reach, rel=1e-3)
    assert score_test(to_right, to_wrong, n, high) == pytest.approx(-reach, rel=1e-3)


@pytest.mark.parametrize("n", [1, 20, 100, 3000])
@pytest.mark.parametrize("confidence", [0.9, 0.95])
def test_tangos_interval_without_flips_is_the_known_one(n: int, confidence: float) -> None:
    z = float(norm.ppf((1 + confidence) / 2))
    low, high = tango(0, 0, n, confidence)
    assert high == pytest.approx(z**2 / (n + z**2), abs=1e-6)
    assert low == pytest.approx(-high, abs=1e-9)


def test_tangos_interval_where_all_flip() -> None:
    low, high = tango(5, 0, 5)
    assert 0 < low < 1
    assert high == 1
    assert tango(0, 5, 5) == pytest.approx((-1, -low))


def test_without_a_pair_nothing_is_known() -> None:
    nothing = np.array([], bool)
    assert all(math.isnan(value) for value in compare_binary(nothing, nothing)[:4])
    assert compare_binary(nothing, nothing).interval == "none"
    assert all(math.isnan(limit) for limit in (*agresti_min(0, 0, 0), *tango(0, 0, 0)))


@given(st.integers(0, 30), st.integers(0, 30), st.integers(0, 300))
def test_more_pairs_of_the_same_kind_narrow_the_interval(right: int, wrong: int, same: int) -> None:
    n = right + wrong + same + 1
    for interval in (agresti_min, tango):
        (low, high), (lower, higher) = interval(4 * right, 4 * wrong, 4 * n), interval(right, wrong, n)
        assert high - low < higher - lower


@given(st.integers(0, 30), st.integers(0, 30), st.integers(0, 300))
def test_both_intervals_are_possible_mirrored_and_hold_the_difference(right: int, wrong: int, same: int) -> None:
    n = right + wrong + same + 1
    for interval in (agresti_min, tango):
        low, high = interval(right, wrong, n)
        assert -1 <= low <= (right - wrong) / n <= high <= 1
        assert interval(wrong, right, n) == pytest.approx((-high, -low), abs=1e-9)
        narrow = interval(right, wrong, n, 0.9)
        assert low <= narrow[0] <= narrow[1] <= high


def test_the_test_of_flips_alone() -> None:
    assert exact_mcnemar(0, 0) == 1
    assert exact_mcnemar(6, 0) == exact_mcnemar(0, 6) == pytest.approx(2 / 2**6)


def wald(to_right: int, to_wrong: int, n: int) -> tuple[float, float]:
    """The interval of the textbooks, which has no width without flips."""
    delta = (to_right - to_wrong) / n
    reach = float(norm.ppf(0.975)) * math.sqrt(((to_right + to_wrong) / n - delta**2) / n)
    return delta - reach, delta + reach


def coverage(
    interval: Callable[[int, int, int], tuple[float, float]], n: int, to_right: float, to_wrong: float
) -> float:
    """How probable it is that the interval holds the true difference, over all outcomes that n pairs can have."""
    outcomes = [(b, c, n - b - c) for b in range(n + 1) for c in range(n + 1 - b)]
    chances = multinomial.pmf(outcomes, n, [to_right, to_wrong, 1 - to_right - to_wrong])
    true = to_right - to_wrong
    held = [low <= true <= high for low, high in (interval(b, c, n) for b, c, _ in outcomes)]
    return float(chances[held].sum())


@pytest.mark.parametrize("n", [20, 50, 100])
@pytest.mark.parametrize("rates", [(0.005, 0.005), (0.01, 0.03), (0.02, 0.02), (0.1, 0.1), (0.05, 0.4), (0.3, 0.3)])
def test_the_interval_covers(n: int, rates: tuple[float, float]) -> None:
    assert coverage(agresti_min, n, *rates) >= 0.93


def test_the_interval_covers_where_walds_does_not() -> None:
    assert coverage(wald, 50, 0.01, 0.03) == pytest.approx(0.777, abs=0.01)
    assert coverage(agresti_min, 50, 0.01, 0.03) == pytest.approx(0.994, abs=0.001)


@given(PAIRS)
def test_swapping_the_models_turns_the_sign(pairs: list[tuple[bool, bool]]) -> None:
    reference, candidate = (np.array(side) for side in zip(*pairs, strict=True))
    there, back = compare_binary(reference, candidate), compare_binary(candidate, reference)
    assert there.delta == -back.delta
    assert (there.ci_low, there.ci_high) == pytest.approx((-back.ci_high, -back.ci_low))
    assert there.p_value == pytest.approx(back.p_value)


@given(PAIRS)
def test_the_result_is_possible(pairs: list[tuple[bool, bool]]) -> None:
    reference, candidate = (np.array(side) for side in zip(*pairs, strict=True))
    result = compare_binary(reference, candidate)
    assert result.delta == pytest.approx(candidate.mean() - reference.mean())
    assert -1 <= result.ci_low <= result.delta <= result.ci_high <= 1
    assert 0 < result.p_value <= 1


@given(PAIRS, st.randoms(use_true_random=False))
def test_the_order_of_the_pairs_does_not_matter(pairs: list[tuple[bool, bool]], random: object) -> None:
    shuffled = pairs.copy()
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    first, second = (
        compare_binary(*(np.array(side) for side in zip(*each, strict=True))) for each in (pairs, shuffled)
    )
    assert first == second


def test_more_confidence_is_a_wider_interval() -> None:
    low, high = agresti_min(3, 9, 100)
    lower, higher = agresti_min(3, 9, 100, confidence=0.99)
    assert lower < low < high < higher
