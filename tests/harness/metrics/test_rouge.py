from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.metrics.rouge import ROUGE
from harness.types import Answer, Instance, Reference

Judged = Callable[..., float]


@pytest.mark.parametrize(
    ("metric", "choices", "text", "value"),
    [
        ("rouge_1", ["*the cat sat on the mat"], "the cat lay on a mat", 4 / 6),  # the, cat, on, mat
        ("rouge_2", ["*the cat sat on the mat"], "the cat lay on a mat", 1 / 5),  # the cat
        ("rouge_l", ["*the cat sat on the mat"], "mat the on cat sat", 6 / 11),  # the cat sat: 3/5 and 3/6
        ("rouge_1", ["*running dogs"], "DOG runs!", 1),  # stems: run, dog
        ("rouge_2", ["*running dogs"], "DOG runs!", 0),
        ("rouge_1", ["*one two", "*three four"], "three four", 1),
        ("rouge_1", ["*one two", "three"], "three", 0),
        ("rouge_1", ["*one"], "", 0),
        ("rouge_2", ["*one"], "one", 0),  # a word has no pairs
        ("rouge_l", ["*один два"], "один два", 0),  # only ASCII letters make words
        ("rouge_1", ["*café au lait"], "café", 2 / 4),  # caf, au, lait
        ("rouge_l", [], "one", 0),
    ],
)
def test_rouge_by_hand(metric: str, choices: list[str], text: str, value: float, judged: Judged) -> None:
    assert judged(metric, choices, text) == pytest.approx(value)


@settings(deadline=None)  # the first example loads a library
@given(st.text(st.sampled_from("ab é.\n")), st.text(st.sampled_from("ab é.\n")))
def test_rouge_is_symmetric_and_bounded(left: str, right: str) -> None:
    def value(gold: str, text: str, index: int) -> float:
        return ROUGE[index].judge(Instance("x", "", (Reference(gold, True),)), Answer(text, 0, (), 0))

    for index in range(len(ROUGE)):
        assert value(left, right, index) == pytest.approx(value(right, left, index))
        assert 0 <= value(left, right, index) <= 1
