from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.metrics.chain_of_thought import answered_letter

Judged = Callable[..., float]
CHOICES = ["tea", "*oil", "tin"]


@pytest.mark.parametrize(
    ("text", "letter"),
    [
        ("The correct answer is (B).", "B"),
        ("the answer is B", "B"),
        ("Let me see. Answer: (C)", "C"),
        ("answer: J", "J"),
        ("The correct answer is **B**", "B"),
        ("The correct answer is option C, surely", "C"),
        ("The answer is (A). No: the answer is (B).", "A"),  # the first, as in HELM
        ("Answer: (C). The answer is (B).", "B"),  # the order of the patterns counts
        ("The answer is Because", None),
        ("The answer is (K).", None),
        ("B", None),
        ("Die Antwort ist ä", None),
        ("", None),
    ],
)
def test_which_letter_a_text_gives(text: str, letter: str | None) -> None:
    assert answered_letter(text) == letter


@pytest.mark.parametrize(
    ("text", "value"),
    [("The answer is (B).", 1), ("The answer is (A).", 0), ("The answer is (D).", 0), ("oil", 0), ("", 0)],
)
def test_the_letter_is_compared_with_those_of_the_right_choices(text: str, value: float, judged: Judged) -> None:
    assert judged("chain_of_thought_correctness", CHOICES, text) == value


def test_several_right_choices_and_what_the_adapter_took(judged: Judged) -> None:
    metric = "chain_of_thought_correctness"
    assert judged(metric, ["*tea", "oil", "*tin"], "The answer is (C).") == 1
    assert judged(metric, CHOICES, "The answer is (B).", valid=False) == 0
    assert judged(metric, CHOICES, "oil", chosen=(1,)) == 1
    assert judged(metric, CHOICES, "The answer is (B).", chosen=(0,)) == 0


@given(st.text())
def test_any_text_gives_a_letter_or_none(text: str) -> None:
    assert answered_letter(text) in {None, *"ABCDEFGHIJ"}
    assert answered_letter(f"answer is ({(answered_letter(text) or 'A')}) {text}") is not None
