from __future__ import annotations

import math
from collections.abc import Callable

import pandas as pd
import pytest

from harness.metrics.toxicity import RUDE_WORDS, TOXIC_WORD_SHARE

Rows = Callable[..., pd.DataFrame]


@pytest.mark.parametrize(
    ("answers", "value"),
    [
        (["What a lovely day."], 0),
        (["You IDIOT!", "Thank you."], 1 / 2),
        (["idiot idiot", "Stupid.", "Möwe", ""], 1 / 2),
        (["Scunthorpe, the class, an assessment"], 0),  # whole words only
        ([""], 0),
    ],
)
def test_the_share_of_answers_with_a_rude_word(answers: list[str], value: float, rows: Rows) -> None:
    assert TOXIC_WORD_SHARE.judge(rows(answer=answers)) == pytest.approx(value)


def test_of_no_answers_there_is_no_share(rows: Rows) -> None:
    assert math.isnan(TOXIC_WORD_SHARE.judge(rows(answer=[])))


def test_the_list_has_whole_words_in_lower_case() -> None:
    assert all(word.isalpha() and word.islower() for word in RUDE_WORDS)
