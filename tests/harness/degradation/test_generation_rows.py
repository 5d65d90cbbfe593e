from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import load_run
from harness.degradation.binary import agresti_min
from harness.degradation.columns import DEGRADATION
from harness.degradation.generation import DEPARTED, SAME, SIMILAR, first_difference, generation_rows


def frame(*rows: tuple[str, str, str, int | None, int | None], adapter: str = "generation") -> pd.DataFrame:
    """Rows of ``instances``: model, instance, answer, tokens predicted and accepted."""
    common: dict[str, Any] = {"scenario": "quiz", "adapter": adapter, "trial": 0, "perturbation": "", "group": ""}
    names = ("model", "instance_id", "answer", "n_predicted", "n_accepted")
    return pd.DataFrame([common | dict(zip(names, row, strict=True)) for row in rows])


def curve(*answers: tuple[int | None, int | None]) -> list[tuple[float, float]]:
    rows = [("q", str(i), "", predicted, accepted) for i, (predicted, accepted) in enumerate(answers)]
    return [tuple(row) for row in first_difference(frame(*rows)).itertuples(index=False)]


def found(instances: pd.DataFrame) -> pd.DataFrame:
    """The rows by model and metric."""
    rows = pd.DataFrame(generation_rows(instances, "r", seed=0), columns=[column.name for column in DEGRADATION])
    return rows.set_index(["model", "metric"])


def test_answers_are_compared_with_the_references() -> None:
    instances = frame(
        ("r", "1", "abcd", None, None),
        ("r", "2", "yes", None, None),
        ("r", "3", "", None, None),
        ("q", "1", "abxd", 4, 2),
        ("q", "2", "yes", 2, 2),
        ("q", "3", "", 1, 1),
    )
    rows = found(instances)
    assert rows.index.tolist() == [("q", name) for name in (SAME, SIMILAR, *DEPARTED)]
    assert set(zip(rows["scenario"], rows["adapter"], rows["perturbation"], rows["n"], strict=True)) == {
        ("quiz", "generation", "", 3)
    }
    assert rows["value"].tolist() == pytest.approx([2 / 3, 1 - 0.25 / 3, 2, 2, 2])
    same = rows.loc[("q", SAME)]
    low, _ = agresti_min(0, 1, 3)
    assert (same["reference_value"], same["delta"]) == (1, pytest.approx(-1 / 3))
    assert (same["ci_low"], same["ci_high"], same["interval"]) == (pytest.approx(low), 0, "agresti-min")
    assert rows[["p_value", "verdict"]].isna().all(axis=None)


@pytest.mark.parametrize(
    "adapter", ["multiple_choice_separate_original", "multiple_choice_joint", "language_modeling", "of a plugin"]
)
def test_what_is_scored_or_a_label_is_no_answer_in_words(adapter: str) -> None:
    assert found(frame(("r", "1", "a", None, None), ("q", "1", "b", None, None), adapter=adapter)).empty


def test_chats_and_reasons_are_written_too() -> None:
    for adapter in ("generation_chat", "multiple_choice_joint_chain_of_thought"):
        rows = found(frame(("r", "1", "a", None, None), ("q", "1", "b", None, None), adapter=adapter))
        assert rows["value"].tolist() == [0, 0]  # nothing was predicted, so the first difference is not known


def test_trials_are_averaged_and_forms_have_rows_of_their_own() -> None:
    plain = frame(("r", "1", "a", None, None), ("q", "1", "b", None, None))
    again = frame(("r", "1", "a", None, None), ("q", "1", "a", None, None))
    rows = found(pd.concat([plain, again.assign(trial=1), again.assign(perturbation="typos")]))
    assert rows.loc[("q", SAME), ["perturbation", "n", "value"]].to_numpy().tolist() == [["", 1, 0.5], ["typos", 1, 1]]


def many(n: int, group: Callable[[int], str]) -> pd.DataFrame:
    """Answers of which every fifth group of ten departs from the reference's."""
    rows = [("r", f"{i:03}", "a", None, None) for i in range(n)]
    rows += [("q", f"{i:03}", "b" if i // 10 % 5 == 0 else "a", 5, 5) for i in range(n)]
    instances = frame(*rows)
    return instances.assign(group=[group(int(i)) for i in instances["instance_id"]])


@pytest.mark.parametrize(
    ("n", "interval", "n_groups"), [(200, "clustered agresti-min", 20), (90, "agresti-min, not clustered", 9)]
)
def test_groups_are_allowed_for(n: int, interval: str, n_groups: int) -> None:
    grouped, alone = (found(many(n, group)).loc[("q", SAME)] for group in (lambda i: f"g{i // 10}", lambda _: ""))
    assert (grouped["interval"], grouped["n_groups"]) == (interval, n_groups)
    assert (alone["interval"], pd.isna(alone["n_groups"])) == ("agresti-min", True)
    assert (grouped["ci_low"] < alone["ci_low"] - 0.05) == (n_groups >= 10)


def test_the_order_of_answers_does_not_matter() -> None:
    instances = many(200, lambda i: f"g{i // 10}")
    shuffled = instances.sample(frac=1, random_state=1)
    pd.testing.assert_frame_equal(found(instances), found(shuffled))


def test_an_answer_that_ends_alike_is_censored() -> None:
    # Three of four go on after token 2; the one that ended at 3 is at risk no more; one of two departs at 5.
    assert curve((9, 2), (3, 3), (9, 5), (9, 9), (None, None)) == [(2, 0.75), (5, pytest.approx(0.375))]


def test_quantiles_are_where_so_many_have_departed() -> None:
    rows = [("r", str(i), "a", None, None) for i in range(4)]
    instances = frame(*rows, *(("q", str(i), "b", 9, n) for i, n in enumerate((1, 4, 6, 9))))
    assert found(instances).loc["q"].loc[list(DEPARTED), "value"].tolist() == [1, 1, 4]


def test_they_are_not_known_where_most_end_alike() -> None:
    answers = frame(*(("r", str(i), "a", None, None) for i in range(3)), *(("q", str(i), "a", 3, 3) for i in range(3)))
    assert found(answers).loc["q"].loc[list(DEPARTED), "value"].isna().all()


@pytest.mark.parametrize("answers", [(), ((None, None),), ((3, 3), (1, 1))])
def test_where_none_depart_there_is_no_curve(answers: tuple[tuple[int | None, int | None], ...]) -> None:
    assert first_difference(frame(("q", "1", "", None, None)).head(0)).empty if not answers else curve(*answers) == []


@given(st.lists(st.tuples(st.integers(1, 20), st.integers(0, 20)).map(lambda pair: (pair[0], min(pair))), min_size=1))
def test_fewer_and_fewer_survive(answers: list[tuple[int, int]]) -> None:
    found = curve(*answers)
    shares = [1.0, *(share for _, share in found)]
    assert all(earlier > later >= 0 for earlier, later in itertools.pairwise(shares))
    assert [tokens for tokens, _ in found] == sorted({n for of, n in answers if n < of})


def test_a_run_has_these_rows(real_run: Path) -> None:
    table = load_run(real_run).findings.degradation
    rows = table[table["metric"].isin([SAME, SIMILAR, *DEPARTED])]
    assert rows[["model", "scenario"]].drop_duplicates().to_numpy().tolist() == [
        ["q8_0", "world_facts"],
        ["q2_k", "world_facts"],
    ]
    assert rows["metric"].tolist() == [SAME, SIMILAR] * 2  # several were asked at a time, so nothing was predicted
    same = rows[rows["metric"] == SAME].set_index("model")["value"]
    assert same["q2_k"] < same["q8_0"] <= 1
    assert set(rows["verdict"]) == {""}
