from __future__ import annotations

import math

import pandas as pd
import pytest

from harness.metrics.efficiency import INFERENCE_RUNTIME, NUM_OUTPUT_TOKENS
from harness.types import Answer, Instance


@pytest.mark.parametrize("logprobs", [(), (-1.0,), (-1.0, -2.0, -0.5)])
def test_output_tokens_are_those_of_the_answer(logprobs: tuple[float, ...]) -> None:
    answer = Answer("oil", sum(logprobs), logprobs, 4)
    assert NUM_OUTPUT_TOKENS.judge(Instance("x-0", "What?"), answer) == len(logprobs)


def test_runtime_is_the_mean_of_the_requests() -> None:
    assert INFERENCE_RUNTIME.judge(pd.DataFrame({"seconds": [0.5, 1.5, 4.0]})) == 2
    assert math.isnan(INFERENCE_RUNTIME.judge(pd.DataFrame({"seconds": []})))
