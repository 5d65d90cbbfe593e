from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest, norm

from harness.degradation.flips import wilson


@pytest.mark.parametrize(("count", "n"), [(0, 10), (1, 10), (5, 100), (100, 100), (37, 1000)])
@pytest.mark.parametrize("confidence", [0.9, 0.95])
def test_it_is_scipys(count: int, n: int, confidence: float) -> None:
    expected = binomtest(count, n).proportion_ci(confidence, method="wilson")
    assert wilson(count, n, confidence) == pytest.approx((expected.low, expected.high))


def test_without_a_flip_there_is_still_an_upper_limit() -> None:
    z = float(norm.ppf(0.975))
    low, high = wilson(0, 100)
    assert low == 0
    assert high == pytest.approx(z**2 / (100 + z**2))


def test_without_an_instance_there_is_none() -> None:
    assert all(math.isnan(limit) for limit in wilson(0, 0))


@given(st.integers(1, 5000), st.floats(0, 1))
def test_the_limits_hold_the_share(n: int, share: float) -> None:
    low, high = wilson(share * n, n)
    assert 0 <= low <= share * n / n <= high <= 1
    lower, higher = wilson(share * 4 * n, 4 * n)
    assert higher - lower <= high - low + 1e-12
