from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.weightstats import ttost_paired

from harness.degradation.binary import PairedResult, compare_binary
from harness.degradation.continuous import FEW, compare_continuous, compare_shares, mean_interval

SLOW = settings(max_examples=25, deadline=None)
"""Each example resamples ten thousand times, twice."""
DIFFERENCES = st.lists(st.integers(-3000, 3000).map(lambda n: n / 1000), min_size=2, max_size=30)


def compare(differences: list[float] | np.ndarray, *, seed: int = 0) -> PairedResult:
    """The comparison for these differences, on a reference that is the same number everywhere."""
    candidate = np.array(differences, float)
    return compare_continuous(np.zeros_like(candidate), candidate, seed=seed)


@pytest.mark.parametrize(
    "differences", [[0.1, 0.2, 0.3, 0.4, 0.5], [0.1, -0.2, 0.3, 0.4], [1, 1, -1], [0, 0, 0, 1], [3, 1]]
)
def test_the_p_value_is_exact_for_few_pairs(differences: list[float]) -> None:
    size = abs(sum(differences)) - 1e-9
    signs = list(product((-1, 1), repeat=len(differences)))
    as_far = sum(abs(sum(s * d for s, d in zip(sign, differences, strict=True))) >= size for sign in signs)
    assert compare(differences).p_value == pytest.approx(as_far / len(signs))


def test_many_pairs_agree_with_the_t_test() -> None:
    differences = np.random.default_rng(5).normal(0.02, 0.1, 400)
    result = compare(differences)
    test = stats.ttest_1samp(differences, 0)
    assert result.delta == differences.mean()
    assert (result.ci_low, result.ci_high) == pytest.approx(tuple(test.confidence_interval()), abs=0.001)
    assert result.p_value == pytest.approx(test.pvalue, abs=0.002)


def test_the_interval_of_skewed_differences_leans_to_their_tail() -> None:
    result = compare([*[0.0] * 30, *[0.1] * 8, 2.0, 3.0])
    assert result.ci_high - result.delta > 1.2 * (result.delta - result.ci_low)


def test_pairs_that_differ_by_the_same_amount_have_an_interval_of_no_width() -> None:
    assert compare([0.25] * 4) == (0.25, 0.25, 0.25, 2 / 2**4, "constant")
    assert compare([0.25] * 40).p_value < 0.001


def test_no_difference_at_all() -> None:
    assert compare([0.0] * 5) == (0, 0, 0, 1, "constant")


def test_a_constant_difference_that_rounding_blurs() -> None:
    # Subtracting gives back 0.1 with the last bits in disorder.
    reference = np.linspace(1, 2, 30)
    result = compare_continuous(reference, reference + 0.1, seed=0)
    assert result[:3] == pytest.approx((0.1, 0.1, 0.1))
    assert result.p_value < 0.001


def test_few_pairs_have_students_interval() -> None:
    differences = np.random.default_rng(2).normal(0.1, 0.3, FEW - 1)
    expected = stats.ttest_1samp(differences, 0).confidence_interval()
    assert compare(differences)[1:3] == pytest.approx((expected.low, expected.high))


@pytest.mark.parametrize("n", [3, 8, FEW - 1, FEW, 40])
def test_the_interval_misses_a_true_zero_rarely(n: int) -> None:
    rng = np.random.default_rng(n)
    intervals = [compare(rng.normal(0, 1, n), seed=i)[1:3] for i in range(60)]
    missed = sum(not low <= 0 <= high for low, high in intervals)
    assert missed <= 9  # 5% of them are 3; more than 9 come once in 2,000 times


def test_one_pair_says_nothing_about_spread() -> None:
    result = compare([0.5])
    assert result.delta == 0.5
    assert all(math.isnan(value) for value in result[1:4])


def test_a_seed_always_gives_the_same_and_another_nearly_the_same() -> None:
    differences = list(np.random.default_rng(1).normal(0.1, 0.3, 50))
    assert compare(differences, seed=3) == compare(differences, seed=3)
    assert compare(differences, seed=3) != compare(differences, seed=4)
    assert compare(differences, seed=3)[:4] == pytest.approx(compare(differences, seed=4)[:4], abs=0.01)


def weighted(differences: list[float], weights: list[float], *, seed: int = 0) -> PairedResult:
    """The same with weights."""
    candidate = np.array(differences, float)
    return compare_continuous(np.zeros_like(candidate), candidate, np.array(weights, float), seed=seed)


def test_the_mean_is_weighted() -> None:
    assert weighted([0.1, 0.4], [3, 1]).delta == pytest.approx(0.175)
    assert weighted([0.1, 0.4, 9.0], [3, 1, 0]).delta == pytest.approx(0.175)


@pytest.mark.parametrize("n", [5, FEW + 5])
def test_equal_weights_are_no_weights(n: int) -> None:
    differences = list(np.random.default_rng(n).normal(0.1, 0.3, n))
    assert weighted(differences, [7.0] * n)[:4] == pytest.approx(compare(differences)[:4])


def test_the_weighted_t_interval_by_hand() -> None:
    # A ratio of sums, linearised: residuals are w (d - mean) over the mean weight, which is 4/3.
    low, high = weighted([0.1, 0.2, 0.3], [1, 1, 2])[1:3]
    mean = (0.1 + 0.2 + 0.6) / 4
    residuals = [0.75 * (0.1 - mean), 0.75 * (0.2 - mean), 1.5 * (0.3 - mean)]
    reach = stats.t.ppf(0.975, 2) * math.sqrt(sum(r * r for r in residuals) / 2 / 3)
    assert (low, high) == pytest.approx((mean - reach, mean + reach))


def test_a_pair_is_resampled_with_its_weight() -> None:
    # The one pair that counts is either drawn or not: apart from its weight, the interval would be much narrower.
    differences, weights = [1.0] + [0.0] * 39, [1000.0] + [1.0] * 39
    heavy, light = weighted(differences, weights), weighted(differences, [1.0] * 40)
    assert heavy.delta == pytest.approx(1000 / 1039)
    assert heavy.ci_low < 0.1
    assert heavy.ci_high > 0.95
    assert light.ci_high < 0.2


def test_the_p_value_is_that_of_the_weighted_mean() -> None:
    assert weighted([1.0, -1.0, 1.0], [3, 1, 1]).p_value == 0.75  # of the 8 sums of 3, 1 and 1, six are 3 or more
    assert weighted([1.0, -1.0, 1.0], [1, 1, 1]).p_value == 1.0
    assert weighted([1.0, 1.0, 1.0, -1.0], [9, 9, 9, 1]).p_value == 0.25  # 26 or 28: four of 16


@pytest.mark.parametrize("n", [8, FEW, 60])
def test_the_weighted_interval_misses_a_true_zero_rarely(n: int) -> None:
    rng = np.random.default_rng(n)
    draws = [(rng.normal(0, 1, n), rng.gamma(4, size=n)) for _ in range(60)]
    intervals = [weighted(list(d), list(w), seed=i)[1:3] for i, (d, w) in enumerate(draws)]
    assert sum(not low <= 0 <= high for low, high in intervals) <= 9


@SLOW
@given(st.lists(st.tuples(st.integers(-3000, 3000), st.integers(1, 500)), min_size=2, max_size=30))
def test_weighted_results_are_possible(pairs: list[tuple[int, int]]) -> None:
    differences, weights = [d / 1000 for d, _ in pairs], [float(w) for _, w in pairs]
    result = weighted(differences, weights)
    total = sum(d * w for d, w in zip(differences, weights, strict=True))
    assert result.delta == pytest.approx(total / sum(weights), abs=1e-12)
    if len(differences) >= FEW:
        assert min(differences) - 1e-9 <= result.ci_low <= result.ci_high <= max(differences) + 1e-9
    assert result.ci_low - 1e-9 <= result.delta <= result.ci_high + 1e-9
    assert 0 < result.p_value <= 1


@SLOW
@given(DIFFERENCES)
def test_the_result_is_possible(differences: list[float]) -> None:
    result = compare(differences)
    assert result.delta == pytest.approx(sum(differences) / len(differences))
    if len(differences) >= FEW:  # below, the t interval may reach beyond what was seen
        assert min(differences) - 1e-9 <= result.ci_low <= result.ci_high <= max(differences) + 1e-9
    assert result.ci_low - 1e-9 <= result.delta <= result.ci_high + 1e-9
    assert 0 < result.p_value <= 1


@SLOW
@given(DIFFERENCES)
def test_swapping_the_models_turns_the_sign(differences: list[float]) -> None:
    there, back = compare(differences), compare([-d for d in differences])
    assert there.delta == -back.delta
    assert there.p_value == pytest.approx(back.p_value)
    spread = max(differences) - min(differences)
    assert (there.ci_low, there.ci_high) == pytest.approx((-back.ci_high, -back.ci_low), abs=0.2 * spread + 1e-9)


def test_nothing_compared_is_nothing_known() -> None:
    empty = np.zeros(0)
    for found in (compare_continuous(empty, empty, seed=0), compare_shares(empty, empty, seed=0)):
        assert found.interval == "none"
        assert all(math.isnan(value) for value in found[:4])


def test_a_value_that_is_no_number_leaves_no_limits() -> None:
    values = np.array([0.1, math.nan, 0.3])
    for found in (compare([0.1, math.nan, 0.3]), compare_shares(np.zeros(3), values, seed=0)):
        assert found.interval == "none"
        assert all(math.isnan(value) for value in found[:4])


@pytest.mark.parametrize("n", [FEW - 5, FEW + 5])
def test_less_confidence_is_a_narrower_interval(n: int) -> None:
    differences = np.random.default_rng(n).normal(0, 1, n)
    wide = compare(differences)
    narrow = mean_interval(differences, seed=0, confidence=0.9)
    assert wide.ci_low < narrow.low < narrow.high < wide.ci_high
    assert wide.interval == narrow.method == ("t" if n < FEW else "bca")


def test_both_one_sided_tests_agree_with_the_interval() -> None:
    # Equivalence by the 90% interval is TOST at 5%: statsmodels' p-value crosses 5% where a limit crosses the margin.
    candidate = np.random.default_rng(9).normal(0.02, 0.1, FEW - 2)
    low, high, _ = mean_interval(candidate, seed=0, confidence=0.9)
    for margin in (high * 0.98, high * 1.02):
        p_value, _, _ = ttost_paired(candidate, np.zeros_like(candidate), -margin, margin)
        assert (p_value < 0.05) == (-margin < low and high < margin)


def test_whole_shares_are_right_or_wrong() -> None:
    reference, candidate = np.array([1.0, 1, 1, 0, 0] * 6), np.array([1.0, 1, 0, 1, 0] * 6)
    shares, binary = compare_shares(reference, candidate, seed=0), compare_binary(reference == 1, candidate == 1)
    assert shares[:3] == pytest.approx(binary[:3])
    assert shares.p_value == pytest.approx(binary.p_value, abs=0.02)
    assert shares.interval == binary.interval


def test_shares_that_agree_still_have_an_interval() -> None:
    found = compare_shares(np.array([0.5, 1, 0]), np.array([0.5, 1, 0]), seed=0)
    assert (found.delta, found.p_value) == (0, 1)
    assert found.ci_low == -found.ci_high < -0.3
