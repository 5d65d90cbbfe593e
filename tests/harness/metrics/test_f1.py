from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.metrics.f1 import f1, listed

Judged = Callable[..., float]


@pytest.mark.parametrize(
    ("choices", "text", "value"),
    [
        (["*red house"], "the red car", 1 / 2),  # 1 of 2 words each way
        (["*red house by sea"], "red", 2 / 5),  # precision 1, recall 1/4
        (["*red red house"], "red house", 1),  # sets: repetition does not count
        (["*blue", "*Red House!"], "a red house", 1),
        (["*blue", "*red house by sea"], "red sea", 2 / 3),
        (["*Straße"], "straße", 1),
        (["*red", "blue"], "blue", 0),
        (["*the"], "the", 0),  # nothing is left of either
        (["*red"], "", 0),
        ([], "red", 0),
    ],
)
def test_f1_of_words(choices: list[str], text: str, value: float, judged: Judged) -> None:
    assert judged("f1_score", choices, text) == pytest.approx(value)


@pytest.mark.parametrize(
    ("choices", "text", "value"),
    [
        (["*Bob is kind and strong."], "Bob is strong and kind.", 1),
        (["*Bob is kind and strong."], "Bob is kind.", 2 / 3),
        (["*Bob is kind."], "Bob is kind and weak and old.", 1 / 2),
        (["*Bob is kind."], "Bob is kind.\nBob is weak.", 1),
        (["*Nothing."], "Nothing.", 1),
        (["*Nothing."], "Bob is kind.", 0),
        (["*Bob is kind."], "Nothing.", 0),
        (["*Bob is kind."], "", 0),
        (["*Bob is naïve.", "*Bob is old."], "Bob is naïve.", 1),
    ],
)
def test_f1_of_what_sentences_list(choices: list[str], text: str, value: float, judged: Judged) -> None:
    assert judged("f1_set_match", choices, text) == pytest.approx(value)


def test_what_a_sentence_lists() -> None:
    assert listed("If someone is old then Bob is kind and strong.") == {"kind", "strong"}
    assert listed("kind") == {"kind"}
    assert listed("Nothing.") == set()


SETS = st.sets(st.sampled_from("abcdef"))


@given(SETS, SETS)
def test_f1_is_symmetric_and_bounded_and_1_for_equals_alone(left: set[str], right: set[str]) -> None:
    assert f1(left, right) == f1(right, left)
    assert 0 <= f1(left, right) <= 1
    assert (f1(left, right) == 1) == (left == right and bool(left))
