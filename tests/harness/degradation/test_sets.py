from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.degradation.sets import compare_sets, judge_trials, set_table
from harness.degradation.table import COLUMNS, in_order
from harness.metrics.base import SetMetric
from harness.metrics.table import SET_METRICS

KEY = ("facts", "generation")
SHARE = SetMetric("share", lambda rows: float(rows["value"].mean()), higher_is_better=True)
SPREAD = SetMetric("spread", lambda rows: float(np.ptp(rows["value"])), higher_is_better=False)


def rows(values: Sequence[float]) -> list[pd.DataFrame]:
    """Rows of ``instances`` of one trial, as far as these judges need them."""
    return [pd.DataFrame({"instance_id": [f"x-{i:03}" for i in range(len(values))], "value": np.array(values, float)})]


def answers(
    model: str,
    values: Sequence[float],
    *,
    scenario: str = KEY[0],
    adapter: str = KEY[1],
    perturbation: str = "",
    trial: int = 0,
    logprob: float = -0.5,
) -> pd.DataFrame:
    (found,) = rows(values)
    what = {"model": model, "scenario": scenario, "adapter": adapter, "trial": trial, "perturbation": perturbation}
    return found.assign(**what, logprob=logprob, choice_logprobs=[[]] * len(found))


def test_the_difference_of_two_judgements() -> None:
    result = compare_sets(SPREAD.judge, rows([0.1, 0.2, 0.5]), rows([0.1, 0.9, 0.5]), seed=0)
    assert result.delta == pytest.approx(0.8 - 0.4)
    assert math.isnan(result.p_value)


def test_the_interval_of_a_mean_is_the_known_one() -> None:
    rng = np.random.default_rng(4)
    reference = rng.normal(0.5, 0.1, 400)
    candidate = reference + rng.normal(0.05, 0.2, 400)
    result = compare_sets(SHARE.judge, rows(reference), rows(candidate), seed=0)
    error = (candidate - reference).std(ddof=1) / math.sqrt(400)
    # Two hundred resamples leave an uncertainty of a few tenths of the standard error in each end.
    assert result.ci_low == pytest.approx(result.delta - 1.96 * error, abs=0.5 * error)
    assert result.ci_high == pytest.approx(result.delta + 1.96 * error, abs=0.5 * error)


def test_the_same_instances_are_drawn_on_both_sides() -> None:
    # All that differs between instances cancels out.
    reference = np.random.default_rng(1).normal(0, 10, 50)
    result = compare_sets(SHARE.judge, rows(reference), rows(reference + 0.25), seed=0)
    assert result[:3] == pytest.approx((0.25, 0.25, 0.25))


def test_the_same_instances_are_drawn_in_all_trials() -> None:
    # The second trial takes back what the first one adds; only an instance drawn in both leaves nothing.
    noise = np.random.default_rng(1).normal(0, 10, 50)
    reference = rows([0.0] * 50) * 2
    candidate = [*rows(noise), *rows(-noise)]
    assert compare_sets(SHARE.judge, reference, candidate, seed=0)[:3] == pytest.approx((0, 0, 0), abs=1e-12)


def test_trials_are_judged_one_by_one() -> None:
    trials = [*rows([0.0, 0.1]), *rows([0.5, 1.0])]
    assert judge_trials(SPREAD.judge, trials) == pytest.approx(0.3)  # all four together would be 1
    assert math.isnan(judge_trials(SHARE.judge, [*trials, *rows([math.nan])]))


def test_equal_answers_are_no_difference_at_all() -> None:
    same = rows([0, 1, 1, 0.5])
    assert compare_sets(SPREAD.judge, same, same, seed=0)[:3] == (0, 0, 0)


def test_a_seed_always_gives_the_same_and_another_nearly_the_same() -> None:
    rng = np.random.default_rng(2)
    sides = rows(rng.random(200)), rows(rng.random(200))
    first, again, other = (compare_sets(SHARE.judge, *sides, seed=seed) for seed in (3, 3, 4))
    assert first[:3] == again[:3]
    assert first[1:3] != other[1:3]
    assert first[1:3] == pytest.approx(other[1:3], abs=0.03)


def test_one_instance_says_nothing_about_spread() -> None:
    result = compare_sets(SHARE.judge, rows([0.5]), rows([1.0]), seed=0)
    assert result.delta == 0.5
    assert all(math.isnan(value) for value in result[1:4])
    assert result.interval == "none"


def test_what_cannot_be_judged_has_neither_difference_nor_interval() -> None:
    for sides in ((rows([math.nan] * 3), rows([1, 0, 1])), (rows([1, 0, 1]), rows([math.nan] * 3))):
        assert all(math.isnan(value) for value in compare_sets(SHARE.judge, *sides, seed=0)[:4])


def picky(needed: int) -> Callable[[pd.DataFrame], float]:
    """The mean, where there are so many different instances at least."""
    return lambda drawn: drawn["value"].mean() if drawn["instance_id"].nunique() >= needed else math.nan


def test_resamples_that_cannot_be_judged_do_not_count() -> None:
    reference, candidate = rows([0.0] * 12), rows([0.0, 1.0] * 6)
    some = compare_sets(picky(9), reference, candidate, seed=0)
    assert 0 < some.ci_low < some.delta == 0.5 < some.ci_high < 1
    none = compare_sets(picky(12), reference, candidate, seed=0)
    assert none.delta == 0.5
    assert all(math.isnan(value) for value in none[1:4])


@settings(max_examples=20, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=2, max_size=15))
def test_the_interval_is_possible(pairs: list[tuple[float, float]]) -> None:
    reference, candidate = (rows(side) for side in zip(*pairs, strict=True))
    result = compare_sets(SHARE.judge, reference, candidate, seed=0)
    differences = [other - one for one, other in pairs]
    assert min(differences) - 1e-9 <= result.ci_low <= result.ci_high <= max(differences) + 1e-9
    back = compare_sets(SHARE.judge, candidate, reference, seed=0)
    assert back[:3] == pytest.approx((-result.delta, -result.ci_high, -result.ci_low))


def table(*parts: pd.DataFrame, metrics: Sequence[SetMetric] = (SHARE,)) -> pd.DataFrame:
    return set_table(pd.concat(parts, ignore_index=True), {KEY: metrics}, "f16", seed=0)


def test_rows_are_those_of_the_degradation_table() -> None:
    found = in_order(table(answers("f16", [1, 1, 0, 0]), answers("q8_0", [1, 0, 0, 0])))
    assert list(found.columns) == COLUMNS
    own, other = found.to_dict("records")
    assert (own["model"], own["n"], own["value"], own["reference_value"]) == ("f16", 4, 0.5, 0.5)
    assert math.isnan(own["delta"])
    assert (other["model"], other["n"], other["value"], other["reference_value"]) == ("q8_0", 4, 0.25, 0.5)
    assert other["delta"] == -0.25
    assert other["ci_low"] <= other["delta"] <= other["ci_high"]
    assert (own["interval"], other["interval"], other["verdict"]) == ("", "percentile", "")
    assert found[["p_value", "flips_to_wrong", "flips_to_right"]].isna().all().all()


def test_each_metric_perturbation_and_model_has_a_row() -> None:
    parts = [answers(m, [1, 0, 1], perturbation=p) for m in ("f16", "q8_0", "q2_k") for p in ("", "lowercase")]
    found = table(*parts, metrics=(SHARE, SPREAD))
    assert found[["perturbation", "metric", "model"]].to_numpy().tolist() == [
        [perturbation, metric, model]
        for perturbation in ("", "lowercase")
        for metric in ("share", "spread")
        for model in ("f16", "q8_0", "q2_k")
    ]


def test_trials_are_averaged_and_count_no_instance_twice() -> None:
    found = table(answers("f16", [1, 0, 0, 0]), answers("f16", [1, 1, 1, 0], trial=1)).iloc[0]
    assert (found["n"], found["value"]) == (4, 0.5)


def test_pairs_go_by_instance_and_not_by_position() -> None:
    values = list(np.random.default_rng(0).normal(0, 10, 30))
    straight, backwards = answers("f16", values), answers("q8_0", values).iloc[::-1]
    row = table(straight, backwards).iloc[1]
    assert row["ci_low"] == row["ci_high"] == row["delta"] == 0


def test_a_task_without_set_metrics_has_no_rows() -> None:
    found = table(answers("f16", [1, 0], scenario="sums"), answers("f16", [1, 0], adapter="joint"))
    assert len(found) == 0


CONFIDENCE = math.exp(-0.5)
REAL = {
    # Right in three of four, and then in one of four: half of them change from one distance to the other.
    "brier": 0.5 * (CONFIDENCE**2 - (1 - CONFIDENCE) ** 2),
    "ece_1_bin": abs(CONFIDENCE - 0.25) - abs(CONFIDENCE - 0.75),
}


@pytest.mark.parametrize("name", REAL)
def test_real_metrics_can_be_compared(name: str) -> None:
    parts = answers("f16", [1, 1, 1, 0]), answers("q8_0", [1, 0, 0, 0])
    row = table(*parts, metrics=(SET_METRICS[name],)).iloc[1]
    assert row["delta"] == pytest.approx(REAL[name])
    assert row["ci_low"] <= row["delta"] <= row["ci_high"]
