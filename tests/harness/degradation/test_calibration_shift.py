from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.degradation.calibration import CalibrationShift, Forecasts, calibration_shift, ece
from harness.degradation.continuous import compare_continuous


def honest(n: int, seed: int = 0) -> Forecasts:
    """Answers that are right as often as the confidence says."""
    rng = np.random.default_rng(seed)
    confidence = rng.uniform(0.05, 0.95, n)
    return Forecasts(confidence, (rng.uniform(size=n) < confidence).astype(float))


def boast(forecasts: Forecasts) -> Forecasts:
    """The same answers, too sure of themselves."""
    return forecasts._replace(confidence=forecasts.confidence**0.3)


def shift(reference: Forecasts, candidate: Forecasts, groups: Any = None, *, seed: int) -> CalibrationShift:
    """Of instances that stand alone, if there are no groups."""
    apart = np.full(len(reference.value), "", object)
    return calibration_shift(reference, candidate, apart if groups is None else groups, seed=seed)


def test_brier_and_log_loss_by_hand() -> None:
    reference = Forecasts(np.array([0.5, 0.5]), np.array([1.0, 0.0]))
    candidate = Forecasts(np.array([0.9, 0.9]), np.array([1.0, 0.0]))
    found = shift(reference, candidate, seed=0)
    assert found.brier.delta == pytest.approx((0.01 + 0.81) / 2 - 0.25)
    assert found.log_loss.delta == pytest.approx(-(math.log(0.9) + math.log(0.1)) / 2 - math.log(2))


def test_differences_are_paired() -> None:
    reference = honest(200)
    candidate = boast(reference)
    squares = [(side.confidence - side.value) ** 2 for side in (reference, candidate)]
    assert shift(reference, candidate, seed=3).brier == compare_continuous(*squares, seed=3)


def test_a_model_that_boasts_is_found() -> None:
    reference = honest(400)
    found = shift(reference, boast(reference), seed=0)
    assert min(found.brier.ci_low, found.log_loss.ci_low, found.ece.ci_low) > 0
    assert max(found.brier.p_value, found.log_loss.p_value) < 0.01
    assert math.isnan(found.ece.p_value)
    assert found.ece.interval == "percentile"
    assert found.ece.delta == pytest.approx(ece(boast(reference)) - ece(reference))


def test_fifteen_bins_of_equal_mass() -> None:
    # In each of 15 groups of two the confidence is off by 0.1, once too high and once too low.
    middles = np.repeat(np.linspace(0.15, 0.85, 15), 2)
    off = np.where(np.arange(30) // 2 % 2, 0.1, -0.1)
    assert ece(Forecasts(middles, middles + off)) == pytest.approx(0.1)
    assert ece(Forecasts(middles, middles)) == pytest.approx(0)


def test_a_certain_error_costs_much_and_not_infinitely() -> None:
    sure = Forecasts(np.ones(30), np.zeros(30))
    unsure = Forecasts(np.full(30, 0.5), np.zeros(30))
    assert shift(unsure, sure, seed=0).log_loss.delta == pytest.approx(-math.log(1e-6) - math.log(2))


def test_nothing_known_is_nothing_said() -> None:
    empty = Forecasts(np.zeros(0), np.zeros(0))
    unknown = Forecasts(np.array([0.5, math.nan]), np.array([1.0, 0.0]))
    for side in (empty, unknown):
        for result in shift(side, side, seed=0):
            assert result.interval == "none"
            assert all(math.isnan(value) for value in result[:4])


def test_one_instance_has_no_interval() -> None:
    for result in shift(honest(1), boast(honest(1)), seed=0):
        assert not math.isnan(result.delta)
        assert math.isnan(result.ci_low)


def test_no_change_is_none() -> None:
    for result in shift(honest(50), honest(50), seed=0):
        assert result[:3] == (0, 0, 0)


def repeated(forecasts: Forecasts, times: int) -> Forecasts:
    """Every answer so many times: as many instances that say nothing new."""
    return Forecasts(*(side.repeat(times) for side in forecasts))


@pytest.mark.parametrize(("n_groups", "method"), [(60, "clustered t"), (20, "cluster bootstrap")])
def test_what_a_group_says_again_is_nothing_new(n_groups: int, method: str) -> None:
    reference = honest(n_groups)
    sides = [repeated(side, 10) for side in (reference, boast(reference))]
    groups = np.array([f"g{i}" for i in range(n_groups)], object).repeat(10)
    once = shift(reference, boast(reference), seed=0)
    grouped, ignored = shift(*sides, groups, seed=0), shift(*sides, seed=0)
    assert [found.interval for found in grouped] == [method, method, "cluster percentile"]
    for one, many, few in zip(once, grouped, ignored, strict=True):
        assert many.ci_high - many.ci_low == pytest.approx(one.ci_high - one.ci_low, rel=0.2)
        assert few.ci_high - few.ci_low < 0.5 * (many.ci_high - many.ci_low)
    assert grouped.brier.p_value > 10 * ignored.brier.p_value


def test_of_few_groups_no_account_is_taken_and_that_is_said() -> None:
    reference = honest(90)
    groups = np.array([f"g{i}" for i in range(9)], object).repeat(10)
    grouped, apart = shift(reference, boast(reference), groups, seed=0), shift(reference, boast(reference), seed=0)
    for found, plain in zip(grouped, apart, strict=True):
        assert found.interval == f"{plain.interval}, not clustered"
        assert found[:3] == plain[:3]


@settings(max_examples=15, deadline=None)
@given(st.integers(2, 60), st.integers(0, 100))
def test_swapping_the_models_turns_the_sign(n: int, seed: int) -> None:
    reference, candidate = honest(n, seed), boast(honest(n, seed))
    for there, back in zip(shift(reference, candidate, seed=0), shift(candidate, reference, seed=0), strict=True):
        assert there.delta == pytest.approx(-back.delta)
        assert there.p_value == pytest.approx(back.p_value, nan_ok=True, abs=0.01)
