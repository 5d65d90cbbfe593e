from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.degradation.binary import agresti_min, exact_mcnemar
from harness.degradation.flips import wilson
from harness.degradation.power import needed_noninferiority
from harness.degradation.verdict import Judged, Limits, Verdict, judge

SEVERITY = {
    Verdict.BEYOND: 0,
    Verdict.DEGRADED: 1,
    Verdict.INCONCLUSIVE: 1,
    Verdict.SMALL: 2,
    Verdict.NONINFERIOR: 2,
    Verdict.EQUIVALENT: 3,
}


def of(low90: float, high90: float, low95: float, high95: float, *, significant: bool = False) -> Verdict:
    """The verdict for these limits, in percentage points, with a margin of one."""
    points = [value / 100 for value in ((low90 + high90) / 2, low90, high90, low95, high95)]
    return judge(Limits(*points), n=1000, flip_high=0.05, holm_significant=significant, margin=0.01).verdict


def flipped(to_right: int, to_wrong: int, n: int, margin: float = 0.01) -> Judged:
    """The verdict on counts, as if there were no other task."""
    limits = Limits(
        (to_right - to_wrong) / n, *agresti_min(to_right, to_wrong, n, 0.9), *agresti_min(to_right, to_wrong, n)
    )
    significant = exact_mcnemar(to_wrong, to_right) <= 0.05
    high = wilson(to_right + to_wrong, n)[1]
    return judge(limits, n=n, flip_high=high, holm_significant=significant, margin=margin)


@pytest.mark.parametrize(
    ("limits", "significant", "verdict"),
    [
        ((-3.0, -1.5, -3.2, -1.1), True, "degraded beyond margin"),
        ((-3.0, -1.5, -3.2, -0.9), True, "degraded"),
        ((-0.9, -0.2, -1.1, -0.1), True, "small loss, within margin"),
        ((-0.9, 0.9, -1.1, 1.1), False, "equivalent"),
        ((-0.9, 1.0, -1.1, 1.2), False, "non-inferior"),
        ((0.2, 3.0, 0.1, 3.3), True, "non-inferior"),  # a gain
        ((-1.0, 0.5, -1.1, 0.6), False, "inconclusive"),
        ((-3.0, -1.5, -3.2, -1.1), False, "inconclusive"),  # one of many tasks, and not the worst by far
        ((-0.9, -0.2, -1.1, -0.1), False, "equivalent"),
    ],
)
def test_the_first_rule_that_holds(limits: tuple[float, float, float, float], significant: bool, verdict: str) -> None:
    assert of(*limits, significant=significant) == verdict


def test_limits_that_are_not_known_are_inconclusive() -> None:
    nothing = Limits(*[math.nan] * 5)
    assert judge(nothing, n=0, flip_high=math.nan, holm_significant=False, margin=0.01) == ("inconclusive", None)
    found = judge(nothing._replace(delta=0.0), n=1, flip_high=0.5, holm_significant=True, margin=0.1)
    assert found == ("inconclusive", needed_noninferiority(0.5, 0.1) - 1)


def test_what_is_needed_is_counted_from_the_upper_limit_of_the_flips() -> None:
    found = flipped(5, 5, 200)
    assert found == ("inconclusive", needed_noninferiority(wilson(10, 200)[1], 0.01) - 200)
    assert found.n_more == pytest.approx(needed_noninferiority(0.0896, 0.01) - 200, abs=10)


def test_only_the_inconclusive_needs_more() -> None:
    assert flipped(0, 0, 1000) == ("equivalent", None)
    assert flipped(10, 90, 1000) == ("degraded beyond margin", None)


def test_a_loss_near_the_margin_needs_more_than_no_loss_would() -> None:
    # 6,000 would do if nothing were lost; but six tenths of a point are seen to be.
    found = flipped(202, 238, 6000)
    assert needed_noninferiority(wilson(440, 6000)[1], 0.01) < 6000
    assert found.verdict == "inconclusive"
    assert found.n_more is not None
    assert found.n_more > 2000


@pytest.mark.parametrize("n", [30, 10_000])
@pytest.mark.parametrize("delta", [-0.01, -0.167])
def test_where_more_instances_would_rather_show_the_loss_none_are_asked_for(n: int, delta: float) -> None:
    limits = Limits(delta, delta - 0.1, delta + 0.1, delta - 0.12, delta + 0.12)
    found = judge(limits, n=n, flip_high=0.3, holm_significant=False, margin=0.01)
    assert found == ("inconclusive", None)


@settings(deadline=None)  # the first look-ups of needed instances take their time
@given(st.integers(0, 40), st.integers(0, 40), st.integers(0, 3000), st.floats(0.001, 0.5), st.floats(1, 10))
def test_a_wider_margin_is_never_a_worse_verdict(
    right: int, wrong: int, same: int, margin: float, factor: float
) -> None:
    n = right + wrong + same + 1
    narrow, wide = flipped(right, wrong, n, margin), flipped(right, wrong, n, min(margin * factor, 0.9))
    assert SEVERITY[narrow.verdict] <= SEVERITY[wide.verdict]


@settings(deadline=None)  # the first look-ups of needed instances take their time
@given(st.integers(0, 40), st.integers(0, 40), st.integers(0, 3000))
def test_more_is_only_asked_of_the_inconclusive(right: int, wrong: int, same: int) -> None:
    found = flipped(right, wrong, right + wrong + same + 1)
    assert found.n_more is None or (found.verdict is Verdict.INCONCLUSIVE and found.n_more > 0)
