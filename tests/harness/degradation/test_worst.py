from __future__ import annotations

from collections.abc import Callable

import pandas as pd
import pytest

from harness.degradation.worst import WORST, worst_cases
from harness.errors import RunError

Scores = Callable[..., pd.DataFrame]
TEXT = ("text", "language_modeling", "bits_per_byte")


def values(worst: pd.DataFrame, model: str, group: str, metric: str = "exact_match") -> list[float]:
    of_group = worst.query("model == @model and metric == @metric")
    found: list[float] = of_group[of_group["perturbation"] == WORST[group]]["value"].tolist()
    return found


def test_groups_are_named_in_the_column_perturbation() -> None:
    assert WORST == {"robustness": "worst(robustness)", "fairness": "worst(fairness)"}


def test_each_group_has_its_own_worst_case(scores: Scores) -> None:
    worst = worst_cases(
        pd.concat(
            [
                scores("f16", [1, 1, 1, 0]),
                scores("f16", [1, 0, 1, 1], perturbation="mild_mix"),
                scores("f16", [0, 1, 1, 1], perturbation="typos0.1"),
                scores("f16", [1, 1, 0, 0], perturbation="dialect"),
            ]
        )
    )
    assert values(worst, "f16", "robustness") == [0, 0, 1, 0]
    assert values(worst, "f16", "fairness") == [1, 1, 0, 0]
    assert len(worst) == 8
    assert set(worst["perturbation"]) == set(WORST.values())


@pytest.mark.parametrize(
    ("perturbation", "group"),
    [("typos0.1", "robustness"), ("gender_terms", "fairness"), ("person_name0.5", "fairness")],
)
def test_a_group_of_which_nothing_was_asked_has_no_rows(perturbation: str, group: str, scores: Scores) -> None:
    worst = worst_cases(pd.concat([scores("f16", [1]), scores("f16", [0], perturbation=perturbation)]))
    assert worst["perturbation"].tolist() == [WORST[group]]


def test_without_perturbations_there_are_no_rows_and_the_columns_stay(scores: Scores) -> None:
    asked = scores("f16", [1, 0])
    worst = worst_cases(asked)
    assert len(worst) == 0
    pd.testing.assert_frame_equal(pd.concat([asked, worst]), asked)


def test_an_instance_that_was_not_changed_counts_as_it_is(scores: Scores) -> None:
    changed = scores("f16", [0, 0, 0], perturbation="lowercase").iloc[[1]]
    worst = worst_cases(pd.concat([scores("f16", [1, 1, 0]), changed]))
    assert values(worst, "f16", "robustness") == [1, 0, 0]
    assert not set(worst["perturbation"]) - {"worst(robustness)"}


def test_where_lower_is_better_the_greatest_value_is_the_worst(scores: Scores) -> None:
    parts = scores("f16", [0.5, 0.9], *TEXT), scores("f16", [0.6, 0.8], *TEXT, perturbation="lowercase")
    assert values(worst_cases(pd.concat(parts)), "f16", "robustness", "bits_per_byte") == [0.6, 0.9]


def test_metrics_models_and_trials_are_kept_apart(scores: Scores) -> None:
    parts = [
        scores(model, [0.25 * trial + 0.5 * (model == "f16")], metric=metric, perturbation=perturbation, trial=trial)
        for model in ("f16", "q8_0")
        for trial in (0, 1)
        for perturbation in ("", "mild_mix")
        for metric in ("f1_score", "rouge_l")
    ]
    worst = worst_cases(pd.concat(parts))
    for metric in ("f1_score", "rouge_l"):
        assert values(worst, "f16", "robustness", metric) == [0.5, 0.75]
        assert values(worst, "q8_0", "robustness", metric) == [0, 0.25]


def test_the_worst_forms_are_compared_and_need_not_be_the_same_ones(
    scores: Scores, compared: Callable[..., pd.DataFrame]
) -> None:
    asked = pd.concat(
        [
            scores("f16", [1, 1, 1, 1]),
            scores("f16", [1, 1, 0, 1], perturbation="lowercase"),
            scores("q8_0", [0, 1, 1, 1]),
            scores("q8_0", [1, 0, 1, 1], perturbation="lowercase"),
        ]
    )
    table = compared(asked, worst_cases(asked)).query("scenario != 'all'")
    row = table[(table["model"] == "q8_0") & (table["perturbation"] == "worst(robustness)")].iloc[0]
    assert (row["n"], row["reference_value"], row["value"], row["delta"]) == (4, 0.75, 0.5, -0.25)
    assert (row["flips_to_wrong"], row["flips_to_right"]) == (2, 1)
    assert table["perturbation"].tolist() == ["", "lowercase", "worst(robustness)"] * 2


def test_an_original_that_is_not_there_is_named(scores: Scores) -> None:
    asked = pd.concat([scores("f16", [1]), scores("f16", [1, 0], perturbation="lowercase")])
    with pytest.raises(RunError, match=r"^Instance 'facts-0001' was asked only with a perturbation"):
        worst_cases(asked)
