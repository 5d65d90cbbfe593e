from __future__ import annotations

import math
from collections.abc import Callable
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.metrics.golds import best_of_golds
from harness.metrics.matches import MATCHES, last_number
from harness.metrics.normalization import normalize
from harness.types import Answer, Instance, Reference

Judged = Callable[..., float]
OF_TEXTS = [metric for metric in MATCHES if metric.name != "greedy_match"]


@pytest.mark.parametrize(
    ("choices", "text", "value"),
    [
        (["*oil"], "oil", 1),
        (["*oil"], " oil\n", 1),
        (["* oil "], "oil", 1),
        (["*oil"], "Oil", 0),
        (["*oil"], "oil.", 0),
        (["*oil"], "", 0),
        (["*"], "", 0),
        (["tea", "*oil"], "tea", 0),
        (["*tea", "*oil", "tin"], "oil", 1),
        (["*Öl"], "Öl", 1),
        (["*Öl"], "O\u0308l", 0),
        (["tea"], "tea", 0),
        ([], "", 0),
    ],
)
def test_exact_match_goes_by_letter_and_by_any_right_reference(
    choices: list[str], text: str, value: float, judged: Judged
) -> None:
    assert judged("exact_match", choices, text) == value


@pytest.mark.parametrize(("chosen", "value"), [((1,), 1), ((0,), 0), ((0, 1), 1 / 2), ((0, 1, 2), 2 / 3), ((1, 2), 1)])
def test_choices_that_tie_earn_the_share_of_them_that_is_right(
    chosen: tuple[int, ...], value: float, judged: Judged
) -> None:
    # The text is that of the first: without the tie it would be judged as a whole.
    assert judged("exact_match", ["tea", "*oil", "*tin"], "oil", chosen=chosen) == pytest.approx(value)


@pytest.mark.parametrize(
    ("metric", "choices", "text", "value"),
    [
        ("quasi_exact_match", ["*The Oil"], "oil!", 1),
        ("quasi_exact_match", ["*oil"], "  an  OIL.", 1),
        ("quasi_exact_match", ["*tea", "*oil"], "the oil", 1),
        ("quasi_exact_match", ["*café"], "Café", 1),
        ("quasi_exact_match", ["*«oil»"], "oil", 0),  # only ASCII punctuation is removed
        ("quasi_exact_match", ["*theory"], "ory", 0),  # an article is a whole word
        ("quasi_exact_match", ["*The"], "", 0),
        ("quasi_exact_match", ["oil", "*tea"], "oil", 0),
        ("prefix_exact_match", ["*Yes"], "Yes, because", 1),
        ("prefix_exact_match", ["*Yes"], "yes", 0),
        ("prefix_exact_match", ["*No", "*Yes"], "Yes", 1),
        ("prefix_exact_match", ["*Yes, sir"], "Yes", 0),
        ("prefix_exact_match", ["*Yes"], "", 0),
        ("quasi_prefix_exact_match", ["*Yes"], "The yes. Because", 1),
        ("quasi_prefix_exact_match", ["*Yes"], "Oh yes", 0),
        ("quasi_prefix_exact_match", ["*Yes"], "", 0),
        ("exact_match_indicator", ["*by steps: ## 15"], "so it is ## 15", 1),
        ("exact_match_indicator", ["*15"], "it is 15 ", 1),
        ("exact_match_indicator", ["*15"], "it is 16", 0),
        ("exact_match_indicator", ["*15"], "", 0),
        ("exact_match_indicator", ["*yes no", "*no yes"], "yes", 1),
        ("final_number_exact_match", ["*The answer is 15."], "The answer is 15 eggs, in all.", 1),
        ("final_number_exact_match", ["*#### 1,234"], "$1234", 1),
        ("final_number_exact_match", ["*-3.5"], "3 or -3.5!", 1),
        ("final_number_exact_match", ["*15"], "15 or 16", 0),
        ("final_number_exact_match", ["*5"], "15", 0),
        ("final_number_exact_match", ["*none"], "none", 0),
        ("final_number_exact_match", ["*7", "*8"], "8", 1),
        ("final_number_exact_match", ["*7"], "", 0),
        ("first_word_match", ["*Ben"], "Ben, who said", 1),
        ("first_word_match", ["*the"], "The end", 1),
        ("first_word_match", ["*Ben"], "Benjamin", 0),
        ("first_word_match", ["*..."], "...", 0),
        ("first_word_match", ["*Ben"], "", 0),
    ],
)
def test_looser_matches(metric: str, choices: list[str], text: str, value: float, judged: Judged) -> None:
    assert judged(metric, choices, text) == value


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("", ""),
        ("a, b", ""),
        ("1,000.50", "1000.50"),
        ("10 12", "12"),
        ("3.", "3"),
        ("x=-4", "-4"),
        ("7 eggs, ok", "7"),
    ],
)
def test_the_last_number_of_a_text(text: str, number: str) -> None:
    assert last_number(text) == number


def test_greedy_match_is_what_the_adapter_found(judged: Judged) -> None:
    assert judged("greedy_match", ["*x"], is_greedy=True) == 1
    assert judged("greedy_match", ["*x"], is_greedy=False) == 0
    assert math.isnan(judged("greedy_match", ["*x"]))


@pytest.mark.parametrize("metric", [metric.name for metric in OF_TEXTS])
def test_an_invalid_answer_is_wrong_even_if_it_says_the_right_words(metric: str, judged: Judged) -> None:
    assert judged(metric, ["*15"], "15") == 1
    assert judged(metric, ["*15"], "15", valid=False) == 0


TEXTS = st.text(st.sampled_from("aAeé 12,.-\nthe"), max_size=12)


@given(TEXTS, st.lists(TEXTS, max_size=4), st.randoms())
def test_the_order_of_the_references_does_not_matter(text: str, golds: list[str], random: Random) -> None:
    def values(texts: list[str]) -> list[float]:
        instance = Instance("x", "", tuple(Reference(gold, is_correct=True) for gold in texts))
        return [metric.judge(instance, Answer(text, 0, (), 0)) for metric in OF_TEXTS]

    shuffled = random.sample(golds, len(golds))
    assert values(golds) == values(shuffled)
    assert set(values(golds)) <= {0, 1}


@given(st.text(min_size=1).filter(str.strip))
def test_a_text_matches_itself(text: str) -> None:
    instance = Instance("x", "", (Reference(text, is_correct=True),))
    loose = OF_TEXTS[:5]
    assert [metric.judge(instance, Answer(text, 0, (), 0)) for metric in loose] == [1] * len(loose)


@given(st.text())
def test_normalizing_leaves_no_white_space_but_single_spaces_between_words(text: str) -> None:
    once = normalize(text)
    assert once == " ".join(once.split())
    assert normalize(f"  {text}\n") == once


def test_the_best_reference_counts() -> None:
    instance = Instance("x", "", (Reference("a", True), Reference("bb", True), Reference("cccc", False)))
    judge = best_of_golds(lambda gold, text: len(gold) / 10 + len(text) / 100)
    assert judge(instance, Answer("xyz", 0, (), 0)) == pytest.approx(0.23)
