from __future__ import annotations

import math
from collections.abc import Callable
from random import Random

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.metrics.calibration import CALIBRATION, confidences

Rows = Callable[..., pd.DataFrame]
JUDGES = {metric.name: metric.judge for metric in CALIBRATION}


def said(confidence: list[float], value: list[float]) -> pd.DataFrame:
    none: list[list[float]] = [[]] * len(value)
    return pd.DataFrame({"value": value, "logprob": np.log(confidence), "choice_logprobs": none})


def test_confidence_of_generated_answers_and_of_choices(rows: Rows) -> None:
    third = -math.log(3)
    answered = rows(
        answer=["x", "x", "x", "c", "a", "a", "lone"],
        choices=[[], [], [], ["a", "b", "c"], ["a", "b", "c"], np.array(["a", "b"], object), []],
        logprob=[math.log(0.25), 0.1, math.nan, -1.0, -1.0, -1.0, -1.0],
        choice_logprobs=[[], [], [], [0.0, 0.0, math.log(2)], [third] * 3, np.array([-500.0, -900.0]), [-1.0]],
    )
    expected = [0.25, 1, math.nan, 0.5, 1 / 3, 1, 1]
    assert confidences(answered) == pytest.approx(expected, nan_ok=True)


def test_the_confidence_is_that_of_the_choice_that_was_judged_and_not_of_the_likeliest(rows: Rows) -> None:
    # The likeliest per token may be the less likely as a whole: 4 tokens of -1 against one of -2.
    answered = rows(
        answer=["long words", "short", "neither", "far"],
        choices=[["short", "long words"]] * 3 + [["near", "far"]],
        logprob=[-4.0, -2.0, -2.0, -2000.0],
        choice_logprobs=[[-2.0, -4.0]] * 3 + [[-1.0, -2000.0]],
    )
    likelier = 1 / (1 + math.exp(-2))
    assert confidences(answered) == pytest.approx([1 - likelier, likelier, math.nan, 0], nan_ok=True)


@pytest.mark.parametrize(
    ("confidence", "value", "expected"),
    [
        # Two bins of one: gaps 0.1 and 0.6; in one bin 0.75 against 1/2.
        ([0.9, 0.6], [1, 0], {"ece_10_bin": 0.35, "ece_1_bin": 0.25, "brier": (0.01 + 0.36) / 2}),
        # Gaps cancel in one bin: 0.6 + 0.4 = 1 of 2.
        ([0.6, 0.4], [1, 0], {"ece_10_bin": 0.4, "ece_1_bin": 0.0, "brier": 0.16}),
        # Equal confidences are one bin and one rank, however they are ordered.
        ([0.5, 0.5], [1, 0], {"ece_10_bin": 0.0, "selective_acc@10": 0.5, "selective_cov_acc_area": 0.5}),
        # Most confident first: 1/1, 1/2, 2/3.
        ([0.7, 0.9, 0.8], [1, 1, 0], {"selective_acc@10": 1.0, "selective_cov_acc_area": (1 + 1 / 2 + 2 / 3) / 3}),
        # Fractional credit counts as it is.
        ([0.8], [0.5], {"ece_10_bin": 0.3, "ece_1_bin": 0.3, "brier": 0.09, "selective_acc@10": 0.5}),
        ([0.25] * 4, [1, 0, 0, 0], {"ece_10_bin": 0.0, "ece_1_bin": 0.0, "brier": 0.1875}),
    ],
)
def test_calibration_by_hand(confidence: list[float], value: list[float], expected: dict[str, float]) -> None:
    found = {name: JUDGES[name](said(confidence, value)) for name in expected}
    assert found == pytest.approx(expected)


def test_ten_bins_hold_as_many_rows_each() -> None:
    confidence = np.linspace(0.01, 0.99, 40)
    value = np.tile([1.0, 0.0, 0.0, 1.0], 10)
    by_hand = np.mean([abs(np.mean((confidence - value)[i : i + 4])) for i in range(0, 40, 4)])
    assert JUDGES["ece_10_bin"](said(list(confidence), list(value))) == pytest.approx(by_hand)


def test_selective_accuracy_looks_at_one_more_than_a_tenth() -> None:
    confidence = list(np.linspace(0.9, 0.1, 20))
    assert JUDGES["selective_acc@10"](said(confidence, [1, 1, 0, *[0] * 17])) == pytest.approx(2 / 3)


@pytest.mark.parametrize(
    "unknown",
    [
        {"value": [], "logprob": []},
        {"value": [1.0, 0.0], "logprob": [0.0, 0.0]},  # an endpoint that knows no log-probabilities
        {"value": [1.0, 0.0], "logprob": [-1.0, math.nan]},
        {"value": [1.0, math.nan], "logprob": [-1.0, -1.0]},
        {"value": [3.5, 1.0], "logprob": [-1.0, -1.0]},  # bits per byte are no accuracy
    ],
)
@pytest.mark.parametrize("name", JUDGES)
def test_what_cannot_be_judged(name: str, unknown: dict[str, list[float]], rows: Rows) -> None:
    assert math.isnan(JUDGES[name](rows(**unknown)))


PAIRS = st.lists(st.tuples(st.sampled_from([0.1, 0.2, 0.5, 0.8, 0.99]), st.sampled_from([0.0, 0.5, 1.0])), min_size=1)


@settings(deadline=None)
@given(PAIRS, st.randoms())
def test_values_are_bounded_and_the_order_of_rows_does_not_matter(
    pairs: list[tuple[float, float]], random: Random
) -> None:
    shuffled = random.sample(pairs, len(pairs))
    for judge in JUDGES.values():
        value = judge(said(*map(list, zip(*pairs, strict=True))))
        assert 0 <= value <= 1
        assert value == pytest.approx(judge(said(*map(list, zip(*shuffled, strict=True)))))


@settings(deadline=None)
@given(PAIRS)
def test_one_bin_never_finds_more_than_ten(pairs: list[tuple[float, float]]) -> None:
    answered = said(*map(list, zip(*pairs, strict=True)))
    assert JUDGES["ece_1_bin"](answered) <= JUDGES["ece_10_bin"](answered) + 1e-12
