from __future__ import annotations

import itertools
import math
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.degradation.generation import first_difference, generation_rows


def frame(*rows: tuple[str, str, str, int | None, int | None], adapter: str = "generation") -> pd.DataFrame:
    """Rows of ``instances``: model, instance, answer, tokens predicted and accepted."""
    common: dict[str, Any] = {"scenario": "quiz", "adapter": adapter, "trial": 0, "perturbation": ""}
    names = ("model", "instance_id", "answer", "n_predicted", "n_accepted")
    return pd.DataFrame([common | dict(zip(names, row, strict=True)) for row in rows])


def curve(*answers: tuple[int | None, int | None]) -> list[tuple[float, float]]:
    rows = [("q", str(i), "", predicted, accepted) for i, (predicted, accepted) in enumerate(answers)]
    return [tuple(row) for row in first_difference(frame(*rows)).itertuples(index=False)]


def test_answers_are_compared_with_the_references() -> None:
    instances = frame(
        ("r", "1", "abcd", None, None),
        ("r", "2", "yes", None, None),
        ("r", "3", "", None, None),
        ("q", "1", "abxd", 4, 2),
        ("q", "2", "yes", 2, 2),
        ("q", "3", "", 1, 1),
    )
    (row,) = generation_rows(instances, "r").to_dict("records")
    assert (row["model"], row["scenario"], row["adapter"], row["perturbation"], row["n"]) == (
        *("q", "quiz", "generation", ""),
        3,
    )
    assert row["same_answer"] == pytest.approx(2 / 3)
    assert row["edit_distance"] == pytest.approx(0.25 / 3)
    assert row["first_difference"] == 2


@pytest.mark.parametrize("adapter", ["multiple_choice_separate_original", "language_modeling", "of a plugin"])
def test_what_is_only_scored_is_no_answer_in_words(adapter: str) -> None:
    assert generation_rows(frame(("r", "1", "a", None, None), ("q", "1", "b", None, None), adapter=adapter), "r").empty


def test_chats_and_labels_are_written_too() -> None:
    for adapter in ("generation_chat", "multiple_choice_joint"):
        instances = frame(("r", "1", "a", None, None), ("q", "1", "b", None, None), adapter=adapter)
        assert generation_rows(instances, "r")["same_answer"].tolist() == [0]


def test_an_answer_that_ends_alike_is_censored() -> None:
    # Three of four go on after token 2; the one that ended at 3 is at risk no more; one of two departs at 5.
    assert curve((9, 2), (3, 3), (9, 5), (9, 9), (None, None)) == [(2, 0.75), (5, pytest.approx(0.375))]


def test_the_median_is_where_half_have_departed() -> None:
    rows = [("r", str(i), "a", None, None) for i in range(4)]
    instances = frame(*rows, *(("q", str(i), "b", 9, n) for i, n in enumerate((1, 4, 6, 9))))
    assert generation_rows(instances, "r")["first_difference"].tolist() == [4]


def test_it_is_not_known_where_most_end_alike() -> None:
    answers = frame(*(("r", str(i), "a", None, None) for i in range(3)), *(("q", str(i), "a", 3, 3) for i in range(3)))
    assert math.isnan(generation_rows(answers, "r")["first_difference"].item())


@pytest.mark.parametrize("answers", [(), ((None, None),), ((3, 3), (1, 1))])
def test_where_none_depart_there_is_no_curve(answers: tuple[tuple[int | None, int | None], ...]) -> None:
    assert first_difference(frame(("q", "1", "", None, None)).head(0)).empty if not answers else curve(*answers) == []


@given(st.lists(st.tuples(st.integers(1, 20), st.integers(0, 20)).map(lambda pair: (pair[0], min(pair))), min_size=1))
def test_fewer_and_fewer_survive(answers: list[tuple[int, int]]) -> None:
    found = curve(*answers)
    shares = [1.0, *(share for _, share in found)]
    assert all(earlier > later >= 0 for earlier, later in itertools.pairwise(shares))
    assert [tokens for tokens, _ in found] == sorted({n for of, n in answers if n < of})
