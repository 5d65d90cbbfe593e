from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.degradation.sequential import e_value

COUNTS = st.integers(0, 400)


def test_without_flips_there_is_no_evidence() -> None:
    assert e_value(0, 0) == 1


def test_by_hand() -> None:
    assert e_value(1, 0) == pytest.approx(1)  # 2 B(2, 1)
    assert e_value(6, 0) == pytest.approx(2**6 / 7)
    assert e_value(8, 0) > 20 > e_value(7, 0)


@given(COUNTS, COUNTS)
def test_it_is_a_martingale(to_wrong: int, to_right: int) -> None:
    # Under a fair coin the next flip leaves it as it is on average, whatever was seen: so one may always look.
    mean = (e_value(to_wrong + 1, to_right) + e_value(to_wrong, to_right + 1)) / 2
    assert mean == pytest.approx(e_value(to_wrong, to_right), rel=1e-9)


@given(COUNTS, COUNTS)
def test_both_directions_count_the_same(to_wrong: int, to_right: int) -> None:
    assert e_value(to_wrong, to_right) == pytest.approx(e_value(to_right, to_wrong))


def test_more_than_a_float_holds_is_infinite() -> None:
    assert e_value(5000, 0) == math.inf
    assert 0 < e_value(5000, 5000) < 0.02
