from __future__ import annotations

import itertools
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.degradation.binary import compare_binary
from harness.degradation.continuous import FEW, compare_continuous
from harness.degradation.table import COLUMNS, degradation_table
from harness.errors import RunError

ISSUE = (
    "model,scenario,adapter,metric,n,value,reference_value,delta,ci_low,ci_high,p_value,flips_to_wrong,flips_to_right"
)
FACTS, TEXT = ("facts", "generation", "exact_match"), ("text", "language_modeling", "bits_per_byte")


def answers(model: str, values: list[float], task: tuple[str, str, str] = FACTS) -> pd.DataFrame:
    """Rows of ``instances.parquet``, as far as the table needs them."""
    scenario, adapter, metric = task
    binary = metric == "exact_match"
    return pd.DataFrame(
        {
            "model": model,
            "scenario": scenario,
            "adapter": adapter,
            "metric": metric,
            "instance_id": [f"{scenario}-{i:04}" for i in range(len(values))],
            "value": np.array(values, float),
            "correct": pd.array([bool(v) if binary else None for v in values], "boolean"),
        }
    )


def table(*parts: pd.DataFrame, seed: int = 0) -> pd.DataFrame:
    return degradation_table(pd.concat(parts, ignore_index=True), "f16", seed=seed)


@pytest.fixture
def mixed() -> list[pd.DataFrame]:
    """Two models and a reference, two tasks."""
    return [
        answers("f16", [1, 1, 1, 0]),
        answers("f16", [0.5, 0.6, 0.7], TEXT),
        answers("q8_0", [1, 1, 1, 0]),
        answers("q8_0", [0.5, 0.6, 0.7], TEXT),
        answers("q2_k", [0, 0, 1, 1]),
        answers("q2_k", [0.9, 0.7, 1.7], TEXT),
    ]


def test_columns_are_those_that_were_asked_for(mixed: list[pd.DataFrame]) -> None:
    found = table(*mixed)
    assert ",".join(found.columns) == ",".join(COLUMNS) == ISSUE
    assert found.dtypes[["n", "flips_to_wrong", "flips_to_right"]].tolist() == ["int64", "Int64", "Int64"]
    assert found.to_csv(index=False).splitlines()[1] == "f16,facts,generation,exact_match,4,0.75,0.75,,,,,,"


def test_rows_go_by_model_and_then_by_task_in_the_order_asked(mixed: list[pd.DataFrame]) -> None:
    found = table(*mixed)
    assert list(zip(found["model"], found["scenario"], strict=True)) == list(
        itertools.product(["f16", "q8_0", "q2_k"], ["facts", "text"])
    )
    assert list(found.index) == list(range(6))


def test_values_are_those_of_the_paired_comparison(mixed: list[pd.DataFrame]) -> None:
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


def test_the_reference_has_rows_without_a_comparison(mixed: list[pd.DataFrame]) -> None:
    own = table(*mixed).query("model == 'f16'")
    assert own["value"].tolist() == own["reference_value"].tolist() == [0.75, pytest.approx(0.6)]
    assert own.loc[:, "delta":].isna().all().all()


def test_pairs_go_by_instance_and_not_by_position() -> None:
    backwards = answers("q8_0", [1, 0, 0]).iloc[::-1]
    row = table(answers("f16", [1, 0, 0]), backwards).iloc[1]
    assert (row["delta"], row["flips_to_wrong"], row["flips_to_right"]) == (0, 0, 0)


@pytest.mark.parametrize(("reference", "candidate"), [(3, 2), (2, 3)])
def test_an_instance_without_its_pair_is_named(reference: int, candidate: int) -> None:
    with pytest.raises(RunError) as caught:
        table(answers("f16", [1] * reference), answers("q8_0", [1] * candidate))
    assert str(caught.value) == (
        "facts / generation / exact_match: instance 'facts-0002' was not asked of both q8_0 and the reference; "
        "run them again."
    )


def test_a_task_that_the_reference_was_not_asked_is_named() -> None:
    with pytest.raises(RunError, match=r"^text / language_modeling / bits_per_byte: instance 'text-0000' was not"):
        table(answers("f16", [1]), answers("q8_0", [1]), answers("q8_0", [1], TEXT))


@pytest.mark.parametrize("twice", ["f16", "q8_0"])
def test_an_instance_that_is_there_twice_is_refused(twice: str) -> None:
    parts = [answers("f16", [1, 0]), answers("q8_0", [1, 0])]
    with pytest.raises(RunError, match=r"^facts / .*: an instance of (q8_0|f16) or the reference is there twice"):
        table(*parts, answers(twice, [1]))


@pytest.mark.parametrize("model", ["f16", "q8_0"])
def test_an_instance_without_a_value_is_counted_out_for_both(model: str) -> None:
    values = {"f16": [0.5, 0.7, 0.9], "q8_0": [0.6, 0.9, 1.0]}
    values[model][1] = math.nan
    row = table(*(answers(name, each, TEXT) for name, each in values.items())).iloc[1]
    assert (row["n"], row["reference_value"], row["value"]) == (2, pytest.approx(0.7), pytest.approx(0.8))


def test_nothing_but_missing_values_leaves_nothing_to_say() -> None:
    row = table(answers("f16", [math.nan], TEXT), answers("q8_0", [0.5], TEXT)).iloc[1]
    assert row["n"] == 0
    assert row["value":"flips_to_right"].isna().all()


def test_values_that_differ_everywhere_are_still_one_task() -> None:
    # Both adapters of a scenario keep their own rows.
    other = ("facts", "multiple_choice_joint", "exact_match")
    found = table(*(answers(m, [1, 0], task) for m in ("f16", "q8_0") for task in (FACTS, other)))
    assert found["adapter"].tolist() == ["generation", "multiple_choice_joint"] * 2


@settings(max_examples=15, deadline=None)
@given(
    facts=st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=12),
    text=st.lists(st.tuples(st.floats(0, 9), st.floats(0, 9)), min_size=FEW, max_size=FEW + 5),
    random=st.randoms(use_true_random=False),
)
def test_the_order_of_the_rows_does_not_matter(
    facts: list[tuple[bool, bool]], text: list[tuple[float, float]], random: object
) -> None:
    parts = [
        answers(model, [pair[i] for pair in pairs], task)
        for i, model in enumerate(["f16", "q8_0"])
        for pairs, task in ((facts, FACTS), (text, TEXT))
    ]
    whole = pd.concat(parts, ignore_index=True)
    order = list(whole.index)
    random.shuffle(order)  # type: ignore[attr-defined]
    straight, shuffled = (
        degradation_table(rows, "f16", seed=0).sort_values(["model", "scenario"], ignore_index=True)
        for rows in (whole, whole.loc[order])
    )
    pd.testing.assert_frame_equal(straight, shuffled)
