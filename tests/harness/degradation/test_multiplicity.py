from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.degradation.multiplicity import benjamini_hochberg, holm

P_VALUES = st.lists(st.one_of(st.floats(0, 1), st.just(math.nan)), max_size=30)


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.9, 0.8]).tolist() == [1.0, 1.0]


def test_benjamini_hochberg_by_hand() -> None:
    assert benjamini_hochberg([0.01, 0.02, 0.03, 0.5]) == pytest.approx([0.04, 0.04, 0.04, 0.5])


@pytest.mark.parametrize("adjust", [holm, benjamini_hochberg])
def test_what_is_no_test_is_not_counted(adjust: object) -> None:
    found = adjust([0.01, math.nan, 0.04])  # type: ignore[operator]
    assert math.isnan(found[1])
    assert found[[0, 2]] == pytest.approx(adjust([0.01, 0.04]))  # type: ignore[operator]
    assert adjust([]).tolist() == []  # type: ignore[operator]
    assert np.isnan(adjust([math.nan, math.nan])).all()  # type: ignore[operator]


@given(P_VALUES)
def test_adjusting_never_helps_and_holm_is_the_stricter(p_values: list[float]) -> None:
    known = ~np.isnan(p_values)
    raw, strict, loose = (np.array(p)[known] for p in (p_values, holm(p_values), benjamini_hochberg(p_values)))
    assert (strict >= raw - 1e-12).all()
    assert (loose >= raw - 1e-12).all()
    assert (strict >= loose - 1e-12).all()
    assert (strict <= 1).all()


def test_the_array_given_is_left_alone() -> None:
    given_values = np.array([0.01, 0.02])
    holm(given_values)
    assert given_values.tolist() == [0.01, 0.02]
