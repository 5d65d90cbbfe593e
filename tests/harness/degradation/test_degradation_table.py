from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.degradation.binary import compare_binary
from harness.degradation.columns import DEGRADATION
from harness.degradation.continuous import FEW, compare_continuous, compare_shares
from harness.degradation.pooled import ALL
from harness.degradation.table import COLUMNS, in_order
from harness.errors import RunError
from harness.execution.records import SCORE_COLUMNS

ISSUE = (
    "model,scenario,adapter,perturbation,metric,n,n_groups,value,reference_value,delta,ci_low,ci_high,interval,p_value,"
    "p_holm,flips_to_wrong,flips_to_right,answer_changes,flip_rate,flip_low,flip_high,e_value,detectable,verdict,n_more"
)
TEXT = ("text", "language_modeling", "bits_per_byte")
COMPARISON = ["delta", "ci_low", "ci_high", "p_value", "interval"]

Scores = Callable[..., pd.DataFrame]
Table = Callable[..., pd.DataFrame]


@pytest.fixture(scope="session")
def table(compared: Callable[..., pd.DataFrame]) -> Table:
    """Only the rows of single tasks."""

    def make(*parts: pd.DataFrame, **options: Any) -> pd.DataFrame:
        found = compared(*parts, **options)
        return found[found["scenario"] != ALL].reset_index(drop=True)

    return make


@pytest.fixture
def mixed(scores: Scores) -> list[pd.DataFrame]:
    """Two models and a reference, two tasks."""
    return [
        scores("f16", [1, 1, 1, 0]),
        scores("f16", [0.5, 0.6, 0.7], *TEXT),
        scores("q8_0", [1, 1, 1, 0]),
        scores("q8_0", [0.5, 0.6, 0.7], *TEXT),
        scores("q2_k", [0, 0, 1, 1]),
        scores("q2_k", [0.9, 0.7, 1.7], *TEXT),
    ]


def test_the_columns_that_it_needs_are_those_of_scores(mixed: list[pd.DataFrame]) -> None:
    assert list(mixed[0].columns) == [column.name for column in SCORE_COLUMNS]


def test_columns_are_those_that_were_asked_for(mixed: list[pd.DataFrame], table: Table) -> None:
    found = table(*mixed)
    assert ",".join(found.columns) == ",".join(COLUMNS) == ISSUE
    assert found.dtypes.astype(str).to_dict() == {column.name: column.type for column in DEGRADATION}
    first = "f16,facts,generation,,exact_match,4,,0.75,0.75,,,,,,,,,,,,,,,reference,"
    assert found.to_csv(index=False).splitlines()[1] == first


def test_rows_go_by_model_and_then_by_task_in_the_order_asked(mixed: list[pd.DataFrame], table: Table) -> None:
    found = table(*mixed)
    assert list(zip(found["model"], found["scenario"], strict=True)) == list(
        itertools.product(["f16", "q8_0", "q2_k"], ["facts", "text"])
    )
    assert list(found.index) == list(range(6))


def test_values_are_those_of_the_paired_comparison(mixed: list[pd.DataFrame], table: Table) -> None:
    found = table(*mixed, seed=7).set_index(["model", "scenario"])
    facts, text = found.loc[("q2_k", "facts")], found.loc[("q2_k", "text")]
    assert tuple(facts[["n", "value", "reference_value", "flips_to_wrong", "flips_to_right"]]) == (4, 0.5, 0.75, 2, 1)
    expected = compare_binary(np.array([1, 1, 1, 0], bool), np.array([0, 0, 1, 1], bool))
    assert tuple(facts[list(expected._fields)]) == expected
    assert (text["n"], text["value"], text["reference_value"]) == (3, pytest.approx(1.1), pytest.approx(0.6))
    expected = compare_continuous(np.array([0.5, 0.6, 0.7]), np.array([0.9, 0.7, 1.7]), seed=7)
    assert tuple(text[list(expected._fields)]) == expected
    assert pd.isna(text["flips_to_wrong"])
    assert pd.isna(text["flips_to_right"])


def test_the_reference_has_rows_without_a_comparison(mixed: list[pd.DataFrame], table: Table) -> None:
    own = table(*mixed).query("model == 'f16'")
    assert own["value"].tolist() == own["reference_value"].tolist() == [0.75, pytest.approx(0.6)]
    assert own.loc[:, "delta":].drop(columns=["interval", "verdict"]).isna().all(axis=None)
    assert own[["interval", "verdict"]].to_numpy().tolist() == [["", "reference"]] * 2


def test_pairs_go_by_instance_and_not_by_position(scores: Scores, table: Table) -> None:
    backwards = scores("q8_0", [1, 0, 0]).iloc[::-1]
    row = table(scores("f16", [1, 0, 0]), backwards).iloc[1]
    assert (row["delta"], row["flips_to_wrong"], row["flips_to_right"]) == (0, 0, 0)


@pytest.mark.parametrize(("reference", "candidate"), [(3, 2), (2, 3)])
@pytest.mark.parametrize(("perturbation", "task"), [("", "generation"), ("lowercase", "generation / lowercase")])
def test_an_instance_without_its_pair_is_named(
    reference: int, candidate: int, perturbation: str, task: str, scores: Scores, table: Table
) -> None:
    with pytest.raises(RunError) as caught:
        table(*(scores(m, [1] * n, perturbation=perturbation) for m, n in (("f16", reference), ("q8_0", candidate))))
    assert str(caught.value) == (
        f"facts / {task} / exact_match: instance 'facts-0002' was not asked of both q8_0 and the reference; "
        "run them again."
    )


def test_a_trial_without_its_pair_is_named(scores: Scores, table: Table) -> None:
    with pytest.raises(RunError, match=r"instance 'facts-0000' was not asked of both q8_0 and the reference"):
        table(scores("f16", [1]), scores("q8_0", [1]), scores("q8_0", [1], trial=1))


def test_a_task_that_the_reference_was_not_asked_is_named(scores: Scores, table: Table) -> None:
    with pytest.raises(RunError, match=r"^text / language_modeling / bits_per_byte: instance 'text-0000' was not"):
        table(scores("f16", [1]), scores("q8_0", [1]), scores("q8_0", [1], *TEXT))


@pytest.mark.parametrize("twice", ["f16", "q8_0"])
def test_an_instance_that_is_there_twice_is_refused(twice: str, scores: Scores, table: Table) -> None:
    parts = [scores("f16", [1, 0]), scores("q8_0", [1, 0])]
    with pytest.raises(RunError, match=r"^facts / .*: an instance of (q8_0|f16) or the reference is there twice"):
        table(*parts, scores(twice, [1]))


@pytest.mark.parametrize("model", ["f16", "q8_0"])
@pytest.mark.parametrize("task", [TEXT, ("facts", "generation", "exact_match")], ids=lambda task: task[0])
def test_an_instance_without_a_value_is_counted_out_for_both(
    model: str, task: tuple[str, str, str], scores: Scores, table: Table
) -> None:
    values = {"f16": [1.0, 0.0, 1.0], "q8_0": [0.0, 1.0, 1.0]}
    values[model][1] = math.nan
    row = table(*(scores(name, each, *task) for name, each in values.items())).iloc[1]
    assert (row["n"], row["reference_value"], row["value"], row["delta"]) == (2, 1.0, 0.5, -0.5)


@pytest.mark.parametrize("metric", ["bits_per_byte", "exact_match"])
def test_nothing_but_missing_values_leaves_nothing_to_say(metric: str, scores: Scores, table: Table) -> None:
    row = table(scores("f16", [math.nan], metric=metric), scores("q8_0", [1.0], metric=metric)).iloc[1]
    assert row["n"] == 0
    assert row["value":].drop(["interval", "verdict"]).isna().all()
    assert (row["interval"], row["verdict"]) == ("", "")


def test_values_that_differ_everywhere_are_still_one_task(scores: Scores, table: Table) -> None:
    # Both adapters of a scenario keep their own rows.
    found = table(*(scores(m, [1, 0], adapter=a) for m in ("f16", "q8_0") for a in ("generation", "joint")))
    assert found["adapter"].tolist() == ["generation", "joint"] * 2


def test_every_metric_has_a_row_and_the_main_one_comes_first(scores: Scores, table: Table) -> None:
    metrics = ("quasi_exact_match", "f1_score", "exact_match")
    found = table(*(scores(m, [1, 0.5], metric=metric) for m in ("f16", "q8_0") for metric in metrics))
    assert found["metric"].tolist() == [*metrics] * 2
    assert found["flips_to_wrong"].isna().tolist() == [True, True, True, False, True, False]


def test_perturbations_are_rows_of_their_own(scores: Scores, table: Table) -> None:
    parts = [
        scores(model, values, perturbation=perturbation)
        for model, by in (("f16", ([1, 1, 0, 1], [1, 0])), ("q8_0", ([1, 1, 0, 0], [0, 0])))
        for perturbation, values in zip(("", "lowercase"), by, strict=True)
    ]
    found = table(*parts)
    figures = found[["perturbation", "n", "reference_value", "value"]].to_numpy().tolist()
    assert figures == [
        ["", 4, 0.75, 0.75],
        ["lowercase", 2, 0.5, 0.5],
        ["", 4, 0.75, 0.5],
        ["lowercase", 2, 0.5, 0.0],
    ]


def test_means_are_weighted_by_the_reference(scores: Scores, table: Table) -> None:
    weights = [100.0, 300.0]
    # What the candidate's own weights say does not count: both sides must be means of the same kind.
    parts = scores("f16", [1.0, 2.0], *TEXT, weights=weights), scores("q8_0", [1.5, 2.1], *TEXT, weights=[1.0, 1.0])
    row = table(*parts).iloc[1]
    assert row["reference_value"] == pytest.approx(1.75)
    assert row["value"] == pytest.approx((1.5 + 3 * 2.1) / 4)
    expected = compare_continuous(np.array([1.0, 2.0]), np.array([1.5, 2.1]), np.array(weights), seed=0)
    assert tuple(row[COMPARISON]) == expected
    assert row["delta"] == pytest.approx(row["value"] - row["reference_value"])


def test_trials_are_averaged_by_instance(scores: Scores, table: Table) -> None:
    of_trial = {"f16": ([1, 1, 0], [1, 0, 0]), "q8_0": ([0, 1, 0], [1, 1, 0])}
    parts = [scores(m, values, trial=i) for m, trials in of_trial.items() for i, values in enumerate(trials)]
    row = table(*parts, seed=3).iloc[1]
    assert (row["n"], row["reference_value"], row["value"]) == (3, 0.5, 0.5)
    # Means over trials are halves: shares of right and wrong.
    expected = compare_shares(np.array([1, 0.5, 0]), np.array([0.5, 1, 0]), seed=3)
    assert tuple(row[COMPARISON]) == expected
    assert (row["flips_to_wrong"], row["flips_to_right"]) == (1, 1)


def test_trials_that_all_agree_prove_no_more_than_one_of_them(scores: Scores, table: Table) -> None:
    one, three = (
        table(*(scores(m, v, trial=i) for m, v in (("f16", [1] * 9), ("q8_0", [0] * 6 + [1] * 3)) for i in range(n)))
        for n in (1, 3)
    )
    counts = ["flips_to_wrong", "answer_changes", "e_value"]
    pd.testing.assert_frame_equal(one.drop(columns=counts), three.drop(columns=counts))
    assert three["e_value"].isna().all()  # three times the same flip is no evidence of three
    assert (one["flips_to_wrong"][1], three["flips_to_wrong"][1]) == (6, 18)


def test_a_tie_makes_the_comparison_one_of_shares(scores: Scores, table: Table) -> None:
    reference, candidate = [1.0, 1.0, 0.0, 0.5], [1.0, 0.25, 1.0, 0.5]
    row = table(scores("f16", reference), scores("q8_0", candidate), seed=5).iloc[1]
    expected = compare_shares(np.array(reference), np.array(candidate), seed=5)
    assert tuple(row[COMPARISON]) == expected
    # A tie is not right, in whichever model: only the second and the third have changed sides.
    assert (row["flips_to_wrong"], row["flips_to_right"]) == (1, 1)


def test_in_order_puts_tables_together_task_by_task(scores: Scores, table: Table) -> None:
    single = table(*(scores(m, [1, 0], s) for m in ("f16", "q8_0") for s in ("facts", "sums")))
    others = [
        {"model": model, "scenario": scenario, "adapter": "generation", "perturbation": "", "metric": "bleu", "n": 2}
        for scenario in ("sums", "facts")
        for model in ("q8_0", "f16")
    ]
    found = in_order(single, pd.DataFrame(others))
    assert list(found.columns) == COLUMNS
    assert found[["model", "scenario", "metric"]].agg(" ".join, axis=1).tolist() == [
        f"{model} {scenario} {metric}"
        for model in ("f16", "q8_0")
        for scenario in ("facts", "sums")
        for metric in ("exact_match", "bleu")
    ]
    assert found.dtypes[["n", "flips_to_wrong", "flips_to_right"]].tolist() == ["int64", "Int64", "Int64"]
    assert found["delta"].isna().sum() == 6


def test_in_order_leaves_a_table_alone_that_has_nothing_beside_it(mixed: list[pd.DataFrame], table: Table) -> None:
    single = table(*mixed)
    pd.testing.assert_frame_equal(in_order(single, pd.DataFrame()), single)


@settings(max_examples=15, deadline=None)
@given(
    facts=st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=12),
    text=st.lists(st.tuples(st.floats(0, 9), st.floats(0, 9), st.integers(1, 99)), min_size=FEW, max_size=FEW + 5),
    random=st.randoms(use_true_random=False),
)
def test_the_order_of_the_rows_does_not_matter(
    facts: list[tuple[bool, bool]],
    text: list[tuple[float, float, int]],
    random: object,
    scores: Scores,
    compared: Table,
) -> None:
    weights = [float(weight) for *_, weight in text]
    parts = [
        *(scores(m, [pair[i] for pair in facts], trial=t) for i, m in enumerate(["f16", "q8_0"]) for t in (0, 1)),
        *(scores(m, [each[i] for each in text], *TEXT, weights=weights) for i, m in enumerate(["f16", "q8_0"])),
    ]
    whole = pd.concat(parts, ignore_index=True)
    order = list(whole.index)
    random.shuffle(order)  # type: ignore[attr-defined]
    straight, shuffled = (
        compared(rows).sort_values(["model", "scenario"], ignore_index=True) for rows in (whole, whole.loc[order])
    )
    pd.testing.assert_frame_equal(straight, shuffled)
