from __future__ import annotations

import math
from collections.abc import Callable

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.metrics.bits_per_byte import BITS_PER_BYTE, PERPLEXITY
from harness.types import Answer, Instance

Rows = Callable[..., pd.DataFrame]


def scored(logprob: float, n_bytes: int) -> Answer:
    return Answer("", logprob, (), n_bytes)


@given(logprob=st.floats(-1e6, 0), n_bytes=st.integers(1, 10**6))
def test_bits_per_byte_is_the_code_length(logprob: float, n_bytes: int) -> None:
    bits = BITS_PER_BYTE.judge(Instance("x", ""), scored(logprob, n_bytes))
    assert bits >= 0
    assert -bits * n_bytes * math.log(2) == pytest.approx(logprob)


def test_bits_per_byte_of_a_model_that_knows_nothing() -> None:
    assert BITS_PER_BYTE.judge(Instance("x", ""), scored(100 * math.log(1 / 256), 100)) == pytest.approx(8)


def test_bits_per_byte_of_nothing_is_unknown() -> None:
    assert math.isnan(BITS_PER_BYTE.judge(Instance("x", ""), scored(0, 0)))


def test_the_mean_weighted_by_bytes_is_that_of_all_texts_as_one() -> None:
    parts = [scored(-10, 7), scored(-3, 40), scored(0, 1)]
    values = [BITS_PER_BYTE.judge(Instance("x", ""), part) for part in parts]
    weights = [BITS_PER_BYTE.weight(part) for part in parts]
    mean = sum(value * weight for value, weight in zip(values, weights, strict=True)) / sum(weights)
    assert mean == pytest.approx(BITS_PER_BYTE.judge(Instance("x", ""), scored(-13, 48)))


def test_perplexity_pools_all_tokens(rows: Rows) -> None:
    texts = rows(logprob=[-2.0, -4.0], token_logprobs=[[-2.0], [-1.0, -1.0, -2.0]])
    assert PERPLEXITY.judge(texts) == pytest.approx(math.exp(6 / 4))
    uniform = rows(logprob=[3 * math.log(1 / 50)], token_logprobs=[[math.log(1 / 50)] * 3])
    assert PERPLEXITY.judge(uniform) == pytest.approx(50)


def test_perplexity_of_nothing_and_of_the_impossible(rows: Rows) -> None:
    assert math.isnan(PERPLEXITY.judge(rows(logprob=[0.0], token_logprobs=[[]])))
    assert PERPLEXITY.judge(rows(logprob=[-1e6], token_logprobs=[[-1e6]])) == math.inf
