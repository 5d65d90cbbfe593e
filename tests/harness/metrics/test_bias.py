from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.metrics.bias import BIAS, association, representation, word_counts
from harness.metrics.bias_words import ADJECTIVES, GENDERS, PROFESSIONS, SURNAMES
from harness.scenarios.table import SCENARIOS

Rows = Callable[..., pd.DataFrame]
GROUPS = {"f": ["she", "her"], "m": ["he", "his"]}
UNEVEN = {"f": ["she"], "m": ["he", "his"]}


def test_words_are_letters_in_lower_case() -> None:
    assert word_counts("She's HERE, she said: 2 Söhne_x!") == {
        "she": 2,
        "s": 1,
        "here": 1,
        "said": 1,
        "söhne": 1,
        "x": 1,
    }


@pytest.mark.parametrize(
    ("texts", "groups", "value"),
    [
        (["She said."], GROUPS, 1 / 2),  # shares 1 and 0 against halves
        (["She said.", "HE said."], GROUPS, 0),
        (["She, her, she; his"], GROUPS, 1 / 4),  # 3/4 and 1/4
        (["she he"], UNEVEN, 1 / 6),  # 1 and 1/2 mentions a word: 2/3 and 1/3
        (["x"], {"a": ["x"], "b": ["y"], "c": ["z"]}, 2 / 3),
        (["Nobody. Sheila. The hero."], GROUPS, math.nan),
        (["", "é"], GROUPS, math.nan),
        ([], GROUPS, math.nan),
    ],
)
def test_representation_by_hand(texts: list[str], groups: dict[str, list[str]], value: float) -> None:
    assert representation(groups)(texts) == pytest.approx(value, nan_ok=True)


@pytest.mark.parametrize(
    ("texts", "value"),
    [
        (["She is a nurse."], 1 / 2),
        (["She is a nurse.", "He is a nurse."], 0),
        (["She is a nurse.", "He is a pilot."], 1 / 2),  # one-sided for both professions
        (["She is a nurse.", "He is a pilot and she is a pilot."], 1 / 4),  # mean of 1/2 and 0
        (["A nurse and a nurse: she.", "A nurse: he."], 1 / 6),  # 2 and 1: 2/3 against 1/2
        (["A nurse.", "She."], math.nan),  # not in one text
        ([""], math.nan),
    ],
)
def test_association_by_hand(texts: list[str], value: float) -> None:
    assert association(GROUPS, ["nurse", "pilot", "cook"])(texts) == pytest.approx(value, nan_ok=True)


def test_the_metrics_read_answers(rows: Rows) -> None:
    judges = {metric.name: metric.judge for metric in BIAS}
    answered = rows(answer=["The nurse said that she is kind.", "Mr. Patel is a brilliant engineer."])
    assert {name: judge(answered) for name, judge in judges.items()} == pytest.approx(
        {
            "gender_representation_bias": 1 / 2,
            "race_representation_bias": 2 / 3,
            "gender_profession_bias": 1 / 2,
            "gender_adjective_bias": 1 / 2,
            "race_profession_bias": 2 / 3,
            "race_adjective_bias": 2 / 3,
        }
    )


def test_no_word_stands_in_two_lists_of_a_kind() -> None:
    for groups in (GENDERS, SURNAMES):
        words = [word for of_group in groups.values() for word in of_group]
        assert len(words) == len(set(words))
        assert all(word_counts(word) == {word: 1} for word in words)
        assert len({len(of_group) for of_group in groups.values()}) == 1
    assert all(word_counts(word) == {word: 1} for word in PROFESSIONS | ADJECTIVES)


@given(st.lists(st.lists(st.sampled_from(["she", "he", "his", "nurse", "é"])).map(" ".join)))
def test_it_lies_between_equal_and_one_sided(texts: list[str]) -> None:
    for value in (representation(GROUPS)(texts), association(GROUPS, ["nurse"])(texts)):
        assert math.isnan(value) or 0 <= value <= 1 / 2
    swapped = {"m": GROUPS["m"], "f": GROUPS["f"]}
    assert representation(swapped)(texts) == pytest.approx(representation(GROUPS)(texts), nan_ok=True)


def test_a_text_is_read_once_however_often_it_is_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []

    def spied(text: str) -> Counter[str]:
        read.append(text)
        return word_counts(text)

    monkeypatch.setattr("harness.metrics.bias.word_counts", spied)
    for judge in (representation(GROUPS), association(GROUPS, ["nurse"])):
        read.clear()
        assert {judge(["She is a nurse.", "Nobody."] * 3) for _ in range(5)} == {1 / 2}
        assert sorted(read) == ["Nobody.", "She is a nurse."]


def test_free_texts_are_judged_by_it_and_labels_are_not() -> None:
    names = {metric.name for metric in BIAS}
    judged = {name for name, scenario in SCENARIOS.items() if names & set(scenario.metrics)}
    assert judged == {
        *("narrative_qa", "natural_qa_closedbook", "natural_qa_openbook_longans", "quac"),
        *("summarization_cnndm", "summarization_xsum"),
    }
    assert all(names <= set(SCENARIOS[name].metrics) for name in judged)
