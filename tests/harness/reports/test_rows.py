from __future__ import annotations

import pandas as pd
import pytest

from harness.degradation.table import in_order
from harness.reports.rows import HEADINGS, Row, rows_of, verdict


def test_a_row_for_each_task_in_the_order_of_the_table(degradation: pd.DataFrame) -> None:
    lost = "-63.5 pp (-68.0 .. -58.4)", "↓", "-256 +2", "<0.001", "degraded beyond margin"
    unsure = "inconclusive: 1,240 more instances"
    assert list(rows_of(degradation, "q2_k", 0.01)) == [
        Row("world_facts", "exact_match", "400", "0.963", "0.328", *lost),
        Row(
            *("world_choice (separate)", "exact_match", "400", "1.000", "0.998"),
            *("-0.2 pp (-0.9 .. +0.4)", "(↓)", "-1 +0", "1.000", unsure),
        ),
        Row(
            *("world_choice (joint)", "exact_match", "400", "0.250", "0.250"),
            *("+0.0 pp (-9.3 .. +9.3)", "", "-180 +180", "1.000", "inconclusive"),
        ),
        Row(
            *("world_text", "bits_per_byte", "200", "0.812", "1.901"),
            *("+1.0889 (+1.0512 .. +1.1307)", "↓", "", "<0.001", "degraded"),
        ),
    ]


def test_less_is_better_for_bits_and_more_for_answers(degradation: pd.DataFrame) -> None:
    table = degradation.assign(delta=degradation["delta"].replace(-0.00003, -0.0003))
    assert [row.arrow for row in rows_of(table, "q8_0", 0.01)] == ["(↑)", "", "↑", "↑"]
    assert [row.arrow for row in rows_of(degradation, "q8_0", 0.01)] == ["(↑)", "", "↑", ""]  # +0.0000


def test_the_reference_has_values_and_no_comparison(degradation: pd.DataFrame) -> None:
    for row in rows_of(degradation, "f16", 0.01):
        assert row.value == row.reference != ""
        assert row[5:] == ("", "", "", "", "reference")


def test_the_adapter_is_named_only_where_there_are_several(degradation: pd.DataFrame) -> None:
    one = degradation[degradation["adapter"] != "multiple_choice_joint"]
    assert [row.scenario for row in rows_of(one, "q8_0", 0.01)] == ["world_facts", "world_choice", "world_text"]


def test_there_is_a_heading_for_each_field(degradation: pd.DataFrame) -> None:
    assert len(HEADINGS) == len(Row._fields)


def test_a_model_that_is_not_there_has_no_rows(degradation: pd.DataFrame) -> None:
    assert list(rows_of(degradation, "q4_0", 0.01)) == []


def test_of_every_task_the_main_metric_is_shown_as_asked_and_in_the_worst_case(varied: pd.DataFrame) -> None:
    names = [row.scenario for row in rows_of(varied, "q2_k", 0.01)]
    assert names == [
        "world_facts",
        "world_facts (worst(robustness))",
        "world_facts (worst(fairness))",
        "world_choice (separate)",
        "world_choice (joint)",
        "world_text",
    ]
    assert len(varied.query("model == 'q2_k'")) == len(names) + 6  # the others are in the files only


def test_the_first_metric_of_a_task_is_its_main_one(degradation: pd.DataFrame) -> None:
    facts = degradation[degradation["scenario"] == "world_facts"]
    f1 = facts.assign(metric="f1_score", value=0.25, flips_to_wrong=pd.NA, flips_to_right=pd.NA)
    shown = [(row.value, row.flips) for row in rows_of(in_order(f1, facts), "q8_0", 0.01)]
    assert shown == [("0.250", "")]
    shown = [(row.value, row.flips) for row in rows_of(in_order(facts, f1), "q8_0", 0.01)]
    assert shown == [("0.965", "-1 +2")]


def test_adapter_and_worst_case_stand_in_one_pair_of_brackets(degradation: pd.DataFrame) -> None:
    choice = degradation[degradation["scenario"] == "world_choice"]
    table = in_order(choice, choice.assign(perturbation="worst(fairness)"))
    names = [row.scenario for row in rows_of(table, "q8_0", 0.01)]
    assert names == [
        "world_choice (separate)",
        "world_choice (separate, worst(fairness))",
        "world_choice (joint)",
        "world_choice (joint, worst(fairness))",
    ]


@pytest.mark.parametrize(
    ("delta", "n_more", "metric", "words"),
    [
        (-0.002, 640, "exact_match", "inconclusive: 640 more instances"),
        (-0.01, None, "exact_match", "inconclusive: looks like a loss"),
        (-0.004, None, "exact_match", "inconclusive"),
        (0.02, None, "exact_match", "inconclusive"),
        (0.02, None, "bits_per_byte", "inconclusive: looks like a loss"),
        (-0.02, None, None, "inconclusive: looks like a loss"),
    ],
    ids=["more would do", "the margin", "less than it", "a gain", "less is better", "of the summary"],
)
def test_without_instances_that_would_do_it_says_what_more_would_show(
    delta: float, n_more: int | None, metric: str | None, words: str
) -> None:
    line = {"verdict": "inconclusive", "delta": delta, "n_more": n_more} | ({"metric": metric} if metric else {})
    assert verdict(line, 0.01) == words
    assert verdict(line | {"verdict": "equivalent"}, 0.01) == "equivalent"
