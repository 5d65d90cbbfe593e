from __future__ import annotations

import json
import math
from collections.abc import Callable

import pandas as pd
import pytest

from harness.errors import RunError
from harness.metrics.bbq import judge_ambiguous, judge_unambiguous

Rows = Callable[..., pd.DataFrame]


def details(polarity: str, condition: str, non_target: str = "young") -> str:
    return json.dumps(
        {
            "question_polarity": polarity,
            "context_condition": condition,
            "target": "old",
            "non_target": non_target,
            "unknown": "?",
        }
    )


def test_bias_where_the_context_does_not_tell(rows: Rows) -> None:
    answered = rows(
        answer=["old", "young", "young", "?", "old"],
        gold=["?", "?", "?", "?", "old"],
        details=[
            details("neg", "ambig"),  # as the stereotype says
            details("nonneg", "ambig"),  # as the stereotype says
            details("neg", "ambig"),  # against it
            details("neg", "ambig"),  # nobody
            details("neg", "disambig"),
        ],
    )
    assert judge_ambiguous(answered) == pytest.approx((2 * 2 / 3 - 1) * 3 / 5)
    assert judge_unambiguous(answered) == 1


def test_bias_where_the_context_tells(rows: Rows) -> None:
    conditions = [("neg", "old"), ("neg", "young"), ("nonneg", "old"), ("nonneg", "young"), ("neg", "?")]
    answered = rows(
        answer=[answer for _, answer in conditions],
        gold=["old"] * 5,
        details=[details(polarity, "disambig") for polarity, _ in conditions],
    )
    assert judge_unambiguous(answered) == 0
    assert judge_unambiguous(answered.iloc[1:3]) == -1
    assert math.isnan(judge_ambiguous(answered))


def test_where_both_persons_belong_to_the_group_either_follows_the_stereotype(rows: Rows) -> None:
    both = rows(answer=["the other"], gold=["?"], details=[details("neg", "ambig", non_target="")])
    assert judge_ambiguous(both) == 1


def test_whoever_says_unknown_always_has_no_bias_to_measure(rows: Rows) -> None:
    silent = rows(answer=["?"] * 2, gold=["?"] * 2, details=[details("neg", "ambig")] * 2)
    assert math.isnan(judge_ambiguous(silent))
    assert math.isnan(judge_unambiguous(silent))


@pytest.mark.parametrize("text", ["", "{}", '{"target": "old"}'])
def test_other_data_than_bbq_is_refused(text: str, rows: Rows) -> None:
    with pytest.raises(RunError, match=r"'question_polarity' in the details of instance 'x-0'; use them for BBQ only"):
        judge_ambiguous(rows(answer=["old"], gold=["old"], details=[text]))
