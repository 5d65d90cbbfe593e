from __future__ import annotations

import math
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.degradation.binary import agresti_min, exact_mcnemar
from harness.degradation.power import (
    design_effect,
    detectable,
    needed_equivalence,
    needed_mcnemar,
    needed_noninferiority,
    power_equivalence,
    power_mcnemar,
    power_noninferiority,
)


@pytest.mark.parametrize(
    ("rate", "noninferior", "equivalent", "mcnemar", "wide"),
    [(0.05, 3092, 4282, 3923, 773), (0.1, 6183, 8564, 7847, 1546)],
)
def test_with_many_flips_it_is_nearly_the_textbooks(
    rate: float, noninferior: int, equivalent: int, mcnemar: int, wide: int
) -> None:
    assert needed_noninferiority(rate, 0.01) == pytest.approx(noninferior, rel=0.01)
    assert needed_noninferiority(rate, 0.02) == pytest.approx(wide, rel=0.02)
    assert needed_equivalence(rate, 0.01) == pytest.approx(equivalent, rel=0.01)
    assert needed_mcnemar(rate, 0.01) == pytest.approx(mcnemar, rel=0.05)  # the exact test is conservative
    assert needed_mcnemar(rate, 0.01) >= mcnemar


def test_with_few_flips_the_textbook_promises_too_much() -> None:
    assert power_noninferiority(155, 0.01, 0.02) < 0.7  # where it promises 80%
    n = needed_noninferiority(0.01, 0.02)
    assert power_noninferiority(n, 0.01, 0.02) >= 0.8 > power_noninferiority(n - 1, 0.01, 0.02)


def drawn(n: int, flip_rate: float, delta: float) -> list[tuple[int, int]]:
    """Flips to right and to wrong of 4,000 runs."""
    rates = [(flip_rate + delta) / 2, (flip_rate - delta) / 2, 1 - flip_rate]
    return [(int(b), int(c)) for b, c, _ in np.random.default_rng(n).multinomial(n, rates, 4000)]


@pytest.mark.parametrize(("n", "rate"), [(100, 0.02), (700, 0.01), (2000, 0.03)])
def test_the_powers_are_what_happens(n: int, rate: float) -> None:
    limits = [agresti_min(*pair, n, 0.9) for pair in drawn(n, rate, 0.0)]
    assert power_noninferiority(n, rate, 0.01) == pytest.approx(np.mean([low > -0.01 for low, _ in limits]), abs=0.03)
    both = [low > -0.01 and high < 0.01 for low, high in limits]
    assert power_equivalence(n, rate, 0.01) == pytest.approx(np.mean(both), abs=0.03)
    found = [exact_mcnemar(wrong, right) <= 0.05 for right, wrong in drawn(n, rate, -0.01)]
    assert power_mcnemar(n, rate, -0.01) == pytest.approx(np.mean(found), abs=0.03)


def test_a_true_loss_makes_it_harder() -> None:
    assert needed_noninferiority(0.05, 0.01, delta=-0.005) == pytest.approx(
        4 * needed_noninferiority(0.05, 0.01), rel=0.02
    )
    with pytest.raises(ValueError, match="within a margin"):
        needed_noninferiority(0.05, 0.01, delta=-0.01)


@pytest.mark.parametrize(
    "ask",
    [
        lambda: needed_mcnemar(0.01, 0.02),
        lambda: needed_mcnemar(0.01, 0.0),
        lambda: needed_noninferiority(1.1, 0.01),
        lambda: needed_equivalence(-0.1, 0.01),
    ],
)
def test_what_cannot_be_is_refused(ask: object) -> None:
    with pytest.raises(ValueError, match="difference of"):
        ask()  # type: ignore[operator]


def test_without_flips_the_interval_still_has_a_width() -> None:
    n = needed_noninferiority(0.0, 0.01)
    assert agresti_min(0, 0, n, 0.9)[0] > -0.01 > agresti_min(0, 0, n - 1, 0.9)[0]


@pytest.mark.parametrize("n", [0, 1, 5])
def test_a_few_instances_cannot_show_any_loss(n: int) -> None:
    assert math.isnan(detectable(n, 0.1))


def test_what_is_detectable_is_found_four_times_of_five() -> None:
    for n, rate in ((50, 0.02), (300, 0.05), (3000, 0.05)):
        loss = detectable(n, rate)
        assert power_mcnemar(n, max(rate, loss), loss) == pytest.approx(0.8, abs=0.005)
    assert detectable(needed_mcnemar(0.05, 0.01), 0.05) == pytest.approx(0.01, rel=0.01)
    assert math.isnan(detectable(100, math.nan))


@settings(max_examples=30, deadline=None)
@given(st.integers(6, 2000), st.floats(0, 0.5))
def test_more_instances_detect_less(n: int, rate: float) -> None:
    assert 0 < detectable(2 * n, rate) <= detectable(n, rate) <= 1


@settings(max_examples=30, deadline=None)
@given(st.floats(0.005, 0.3), st.floats(0.01, 0.1))
def test_more_flips_and_less_margin_need_more(rate: float, margin: float) -> None:
    n = needed_noninferiority(rate, margin)
    assert needed_noninferiority(rate / 2, margin) <= n <= needed_noninferiority(rate, margin / 2)
    assert n <= needed_equivalence(rate, margin)


@pytest.mark.parametrize(("rate", "delta"), [(0.05, 0.0014), (0.2, 0.0025), (0.01, -0.0001), (0.9, 0.01)])
def test_the_shortcut_for_many_flips_keeps_the_power(rate: float, delta: float) -> None:
    n = needed_mcnemar(rate, delta)
    assert n * rate > 10_000
    assert power_mcnemar(n, rate, delta) == pytest.approx(0.8, abs=0.0005)


def test_the_smallest_difference_is_not_searched_for() -> None:
    begin = time.process_time()
    assert needed_mcnemar(0.05, 1e-5) == pytest.approx((1.959964 + 0.841621) ** 2 * 0.05 / 1e-10, rel=1e-3)
    assert time.process_time() - begin < 0.5


def test_clusters_multiply() -> None:
    assert design_effect(1, 0.3) == 1
    assert design_effect(20, 0.1) == pytest.approx(2.9)
