from __future__ import annotations

import math
import random

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import RunError
from harness.metrics.worst_case import worst_case

ROBUSTNESS = ("typos", "lowercase")


def asked(*rows: tuple[str, str, float]) -> pd.DataFrame:
    return pd.DataFrame(list(rows), columns=["instance_id", "perturbation", "value"])


def as_rows(table: pd.DataFrame) -> list[tuple[str, str, float]]:
    return [tuple(row) for row in table.itertuples(index=False)]


ANSWERED = asked(
    *(("b", "", 1.0), ("a", "", 0.5), ("b", "typos", 0.0), ("a", "typos", 0.7), ("a", "lowercase", 0.5)),
    ("a", "dialect", 0.0),
)


def test_each_instance_counts_for_its_worst_form() -> None:
    found = worst_case(ANSWERED, ROBUSTNESS, higher_is_better=True)
    assert as_rows(found) == [("b", "typos", 0.0), ("a", "", 0.5)]


def test_where_lower_is_better_the_greatest_is_the_worst() -> None:
    found = worst_case(ANSWERED, ROBUSTNESS, higher_is_better=False)
    assert as_rows(found) == [("b", "", 1.0), ("a", "typos", 0.7)]


def test_other_groups_do_not_count() -> None:
    assert as_rows(worst_case(ANSWERED, ["dialect"], higher_is_better=True)) == [("b", "", 1.0), ("a", "dialect", 0.0)]
    assert as_rows(worst_case(ANSWERED, [], higher_is_better=True)) == [("b", "", 1.0), ("a", "", 0.5)]


def test_what_is_not_known_is_the_worst() -> None:
    for higher_is_better in (True, False):
        found = worst_case(asked(("a", "", 1), ("a", "typos", math.nan)), ROBUSTNESS, higher_is_better=higher_is_better)
        assert found["value"].isna().all()


def test_models_tasks_and_trials_are_kept_apart_and_columns_kept() -> None:
    table = pd.concat([ANSWERED.assign(model=model, trial=trial) for model in "pq" for trial in (0, 1)])
    table["correct"] = table["value"] == 1
    found = worst_case(table, ROBUSTNESS, higher_is_better=True)
    assert list(found.columns) == list(table.columns)
    assert found[["model", "trial", "instance_id", "value"]].to_numpy().tolist() == [
        [model, trial, *worst] for model in "pq" for trial in (0, 1) for worst in (["b", 0.0], ["a", 0.5])
    ]
    assert not found["correct"].any()


def test_an_instance_without_its_original_is_named() -> None:
    with pytest.raises(RunError, match="'c' was asked only with a perturbation"):
        worst_case(asked(("a", "", 1), ("c", "typos", 1)), ROBUSTNESS, higher_is_better=True)


@settings(deadline=None)
@given(
    st.dictionaries(st.tuples(st.sampled_from("abc"), st.sampled_from(ROBUSTNESS)), st.floats(0, 1)),
    st.fixed_dictionaries({name: st.floats(0, 1) for name in "abc"}),
    st.integers(),
)
def test_it_is_the_minimum_in_any_order(
    changed: dict[tuple[str, str], float], originals: dict[str, float], seed: int
) -> None:
    rows = [
        *((name, "", value) for name, value in originals.items()),
        *((*key, value) for key, value in changed.items()),
    ]
    random.Random(seed).shuffle(rows)
    found = worst_case(asked(*rows), ROBUSTNESS, higher_is_better=True).set_index("instance_id")["value"].to_dict()
    assert found == {name: min(value for other, _, value in rows if other == name) for name in originals}
