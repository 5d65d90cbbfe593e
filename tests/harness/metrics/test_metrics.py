from __future__ import annotations

import math
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.metrics.bits_per_byte import BITS_PER_BYTE
from harness.metrics.exact_match import EXACT_MATCH
from harness.metrics.table import METRICS
from harness.types import Answer, Instance

Asked = Callable[..., Instance]


def answer(text: str = "", *, logprob: float = 0, n_bytes: int = 0, valid: bool = True) -> Answer:
    return Answer(text, logprob, (), n_bytes, "p", valid=valid)


@pytest.mark.parametrize(
    ("choices", "given", "value"),
    [
        (["*oil"], "oil", 1),
        (["*oil"], " oil\n", 1),
        (["* oil "], "oil", 1),
        (["*oil"], "Oil", 0),
        (["*oil"], "oil.", 0),
        (["*oil"], "", 0),
        (["tea", "*oil"], "tea", 0),
        (["*tea", "*oil", "tin"], "oil", 1),
        (["tea"], "tea", 0),
        ([], "", 0),
    ],
)
def test_exact_match_goes_by_letter_and_by_any_right_reference(
    choices: list[str], given: str, value: float, asked: Asked
) -> None:
    assert EXACT_MATCH.judge(asked("What?", *choices), answer(given)) == value


def test_an_invalid_answer_is_wrong_even_if_it_says_the_right_words(asked: Asked) -> None:
    assert EXACT_MATCH.judge(asked("What?", "*oil"), answer("oil", valid=False)) == 0


@given(logprob=st.floats(-1e6, 0), n_bytes=st.integers(1, 10**6))
def test_bits_per_byte_is_the_code_length(logprob: float, n_bytes: int) -> None:
    bits = BITS_PER_BYTE.judge(Instance("x", ""), answer(logprob=logprob, n_bytes=n_bytes))
    assert bits >= 0
    assert -bits * n_bytes * math.log(2) == pytest.approx(logprob)


def test_bits_per_byte_of_a_model_that_knows_nothing() -> None:
    uniform = answer(logprob=100 * math.log(1 / 256), n_bytes=100)
    assert BITS_PER_BYTE.judge(Instance("x", ""), uniform) == pytest.approx(8)


def test_bits_per_byte_of_nothing_is_unknown() -> None:
    assert math.isnan(BITS_PER_BYTE.judge(Instance("x", ""), answer()))


def test_metrics_go_by_their_names() -> None:
    assert list(METRICS) == ["exact_match", "bits_per_byte"]
    assert all(metric.name == name for name, metric in METRICS.items())
    assert {name: (m.is_binary, m.higher_is_better) for name, m in METRICS.items()} == {
        "exact_match": (True, True),
        "bits_per_byte": (False, False),
    }
