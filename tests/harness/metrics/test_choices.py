from __future__ import annotations

import math
from collections.abc import Callable
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.metrics.choices import CHOICE_ACCURACIES
from harness.types import Answer, Instance, Reference

Judged = Callable[..., float]
NAMES = ["acc", "acc_norm", "acc_bytes"]


@pytest.mark.parametrize(
    ("choices", "logprobs", "acc", "acc_norm", "acc_bytes"),
    [
        (["*oil", "tea"], (-1, -2), 1, 1, 1),
        (["*a long one", "tea"], (-4, -3), 0, 1, 1),  # -0.4 a character beats -1
        (["*oil", "tea", "tin"], (-1, -1, -2), 1 / 2, 1 / 2, 1 / 2),
        (["*oil", "*tea", "tin"], (-1, -1, -1), 2 / 3, 2 / 3, 2 / 3),
        (["*ééé", "four"], (-3, -3), 1 / 2, 0, 1),  # 3 characters, 6 bytes; 4 and 4
        (["*", "tea"], (-2, -3), 1, 0, 0),  # an empty choice counts as one character long
        (["*oil", "tea"], (-math.inf, -1), 0, 0, 0),
    ],
)
def test_accuracies_by_hand(
    choices: list[str], logprobs: tuple[float, ...], acc: float, acc_norm: float, acc_bytes: float, judged: Judged
) -> None:
    values = [judged(name, choices, choice_logprobs=logprobs) for name in NAMES]
    assert values == pytest.approx([acc, acc_norm, acc_bytes])


@pytest.mark.parametrize("name", NAMES)
def test_choices_that_were_not_scored_apart_are_not_judged(name: str, judged: Judged) -> None:
    assert math.isnan(judged(name, ["*oil", "tea"], "oil"))
    assert math.isnan(judged(name, ["*oil", "tea"], choice_logprobs=(-1, math.nan)))


@given(st.lists(st.tuples(st.text(max_size=3), st.booleans(), st.integers(-5, 0)), min_size=1), st.randoms())
def test_the_order_of_the_choices_does_not_matter(choices: list[tuple[str, bool, int]], random: Random) -> None:
    def values(of: list[tuple[str, bool, int]]) -> list[float]:
        instance = Instance("x", "", tuple(Reference(text, right) for text, right, _ in of))
        answer = Answer("", 0, (), 0, choice_logprobs=tuple(logprob for _, _, logprob in of))
        return [metric.judge(instance, answer) for metric in CHOICE_ACCURACIES]

    shuffled = random.sample(choices, len(choices))
    assert values(choices) == values(shuffled)
    assert all(0 <= value <= 1 for value in values(choices))
