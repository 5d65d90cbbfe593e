"""What the degradation table says of whole runs: pooled rows, groups, adjusted p-values, null runs, notes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.degradation.columns import DEGRADATION
from harness.degradation.multiplicity import holm
from harness.degradation.notes import notes_on
from harness.degradation.verdict import Verdict
from harness.errors import RunError

Frames = Callable[..., pd.DataFrame]
TEXT = ("text", "language_modeling", "bits_per_byte")
GOOD = [1.0] * 400
LOST = [0.0] * 60 + [1.0] * 340


def row(table: pd.DataFrame, model: str, scenario: str) -> pd.Series:
    return table[(table["model"] == model) & (table["scenario"] == scenario)].iloc[0]


def test_all_right_or_wrong_originals_are_pooled(scores: Frames, compared: Frames) -> None:
    by = {"f16": (GOOD, [1.0] * 100), "q8_0": (LOST, [1.0] * 100)}
    parts = [scores(m, v, s) for m, both in by.items() for s, v in zip(("facts", "sums"), both, strict=True)]
    parts += [scores(m, [1.0] * 100, "sums", "joint") for m in by]
    parts += [scores(m, [0.5] * 20, *TEXT) for m in by] + [scores(m, LOST, perturbation="lowercase") for m in by]
    found = row(compared(*parts), "q8_0", "all")
    # 400 facts and 100 sums, which are asked in two ways and count once.
    assert (found["adapter"], found["metric"], found["n"], found["flips_to_wrong"]) == ("", "accuracy", 500, 60)
    assert found["delta"] == pytest.approx(-60 / 500)
    assert found["verdict"] == "degraded beyond margin"


def test_nothing_is_pooled_where_nothing_is_right_or_wrong(scores: Frames, compared: Frames) -> None:
    table = compared(*(scores(m, [0.5, 0.6], *TEXT) for m in ("f16", "q8_0")))
    assert table["scenario"].tolist() == ["text", "text"]


def test_p_values_are_adjusted_for_every_task_of_every_model(scores: Frames, compared: Frames) -> None:
    values = {"q8_0": [0.0] * 3 + [1.0] * 397, "q4": [0.0] * 6 + [1.0] * 394, "f16": GOOD, "null": GOOD}
    parts = [scores(m, v, s) for m, v in values.items() for s in ("facts", "sums")]
    table = compared(*parts, scores("f16", GOOD, metric="quasi_exact_match"), null="null").set_index("model")
    own = table.loc[["q8_0", "q4"]]
    assert len(own) == 6
    assert own["p_holm"].tolist() == pytest.approx(holm(own["p_value"]))
    assert table.loc[["f16", "null"], "p_holm"].isna().all()


def test_one_scenario_alone_is_not_counted_twice(scores: Frames, compared: Frames) -> None:
    table = compared(scores("f16", GOOD), scores("q4", [0.0] * 6 + [1.0] * 394))
    assert row(table, "q4", "facts")["p_holm"] == row(table, "q4", "all")["p_holm"] == 0.03125


def test_other_metrics_and_perturbations_get_no_verdict(scores: Frames, compared: Frames) -> None:
    parts = [
        scores(m, v, **more)
        for m, v in (("f16", GOOD), ("q4", LOST))
        for more in ({}, {"metric": "quasi_exact_match"}, {"perturbation": "lowercase"})
    ]
    table = compared(*parts)
    judged = table[table["verdict"] != ""]
    assert judged[["model", "scenario", "metric", "perturbation"]].to_numpy().tolist() == [
        [model, scenario, metric, ""]
        for model in ("f16", "q4")
        for scenario, metric in (("facts", "exact_match"), ("all", "accuracy"))
    ]
    assert table.loc[table["verdict"] == "", "p_holm"].isna().all()


def test_more_bits_per_byte_are_a_loss_and_fewer_are_none(scores: Frames, compared: Frames) -> None:
    base = np.linspace(0.4, 0.6, 40)
    table = compared(
        *(scores(m, base + more, *TEXT) for m, more in (("f16", 0.0), ("q2_k", 0.1), ("q8_0", -0.1), ("q6_k", 0.0)))
    )
    assert table["verdict"].tolist() == ["reference", "degraded", "", ""]
    assert table["n_more"].isna().all()


def test_a_loss_must_be_one_against_the_null_run_too(scores: Frames, compared: Frames) -> None:
    # The reference is a lucky draw: run again it gets the same 60 wrong that q4 does.
    parts = [scores("f16", GOOD), scores("q4", LOST), scores("q2", [0.0] * 200 + [1.0] * 200), scores("null", LOST)]
    alone, held = compared(*parts), compared(*parts, null="null")
    assert [row(alone, model, "all")["verdict"] for model in ("q4", "q2")] == ["degraded beyond margin"] * 2
    assert [row(held, model, "all")["verdict"] for model in ("q4", "q2")] == ["equivalent", "degraded beyond margin"]
    assert row(held, "null", "all")["verdict"] == ""
    assert row(held, "null", "all")["flips_to_wrong"] == 60
    assert row(held, "q4", "all")["delta"] == -0.15  # figures stay those against the reference


def test_a_good_verdict_does_not_fall(scores: Frames, compared: Frames) -> None:
    parts = [scores("f16", LOST), scores("q8_0", LOST), scores("null", GOOD)]
    assert row(compared(*parts, null="null"), "q8_0", "all")["verdict"] == "equivalent"


def test_groups_widen_the_interval_and_the_need_for_more(scores: Frames, compared: Frames) -> None:
    lost = [0.0] * 3 + [1.0] * 397  # less than a point
    alone, grouped = (
        row(compared(scores("f16", GOOD, groups=g), scores("q4", lost, groups=g)), "q4", "facts")
        for g in ("", [f"g{i // 5}" for i in range(400)])
    )
    assert (alone["interval"], grouped["interval"]) == ("agresti-min", "clustered agresti-min")
    assert pd.isna(alone["n_groups"])
    assert grouped["n_groups"] == 80
    assert grouped["ci_high"] - grouped["ci_low"] > alone["ci_high"] - alone["ci_low"]
    assert grouped["detectable"] > alone["detectable"]
    assert alone["n_more"] < grouped["n_more"]
    assert alone["e_value"] == pytest.approx(8 / 4)
    assert pd.isna(grouped["e_value"])


def test_a_tie_changes_nothing_about_the_groups(scores: Frames, compared: Frames) -> None:
    # 1,000 questions on forty subjects, of which one is lost; the last question is a tie, or not.
    groups = [f"g{i // 25}" for i in range(1000)]
    lost, tied = ([0.0] * 25 + [1.0] * 974 + [last] for last in (1.0, 0.5))
    whole, share = (
        row(compared(scores("f16", [1.0] * 1000, groups=groups), scores("q4", values, groups=groups)), "q4", "facts")
        for values in (lost, tied)
    )
    assert whole["detectable"] > 0.1  # of the 60 or so independent ones that they are worth
    assert share["detectable"] == pytest.approx(whole["detectable"], rel=0.05)
    assert share["interval"] == whole["interval"] == "clustered agresti-min"


def test_too_few_groups_are_told(scores: Frames, compared: Frames) -> None:
    groups = [f"g{i % 5}" for i in range(400)]
    parts = [scores(m, v, groups=groups) for m, v in (("f16", GOOD), ("q4", LOST))]
    table = compared(*parts)
    assert row(table, "q4", "facts")["interval"] == "agresti-min, not clustered"
    [note] = notes_on(pd.concat(parts), table)
    assert note.endswith("the intervals may be too narrow: facts.")


def test_groups_of_one_are_no_groups(scores: Frames, compared: Frames) -> None:
    groups = [f"g{i}" for i in range(400)]
    table = compared(scores("f16", GOOD, groups=groups), scores("q4", LOST, groups=groups))
    assert row(table, "q4", "facts")["interval"] == "agresti-min"


def test_missing_values_are_counted_and_told(scores: Frames, compared: Frames) -> None:
    values = [float("nan"), float("nan"), *GOOD[2:]]
    parts = [scores("f16", GOOD), scores("q4", values)]
    table = compared(*parts)
    assert row(table, "q4", "facts")["n"] == row(table, "q4", "all")["n"] == 398
    [note] = notes_on(pd.concat(parts), table)
    assert note == (
        "facts (generation), exact_match: 2 of 400 instances have an answer without a value (in q4); "
        "comparisons count the others."
    )


def test_wrong_answers_that_differ_are_counted(scores: Frames, compared: Frames) -> None:
    values = [0.0, 0.0, 1.0, 1.0]
    table = compared(scores("f16", values), scores("q4", [0.0, 0.0, 0.0, 1.0]), wrong={"q4": "c"})
    assert row(table, "q4", "facts")["answer_changes"] == 2
    assert row(compared(scores("f16", values), scores("q4", values)), "q4", "facts")["answer_changes"] == 0


def test_a_few_equal_differences_do_not_prove_that_nothing_changes(scores: Frames, compared: Frames) -> None:
    f1 = ("texts", "generation", "f1_score")
    few, many = (compared(*(scores(m, [0.5] * n, *f1) for m in ("f16", "q8_0"))) for n in (3, 500))
    assert row(few, "q8_0", "texts")["verdict"] == "inconclusive"
    assert row(many, "q8_0", "texts")["verdict"] == "equivalent"


@pytest.mark.parametrize("values", [[1.0], [0.0], [float("nan")]])
def test_one_instance_has_defined_answers(values: list[float], scores: Frames, compared: Frames) -> None:
    found = row(compared(scores("f16", [1.0]), scores("q4", values)), "q4", "facts")
    assert found["verdict"] == ("" if np.isnan(values[0]) else "inconclusive")
    assert found["n"] == (0 if np.isnan(values[0]) else 1)


def test_one_model_alone_and_nothing_at_all(scores: Frames, compared: Frames) -> None:
    assert compared(scores("f16", GOOD))["verdict"].tolist() == ["reference", "reference"]
    nothing = compared(scores("f16", []))
    assert len(nothing) == 0
    assert nothing.dtypes.astype(str).to_dict() == {column.name: column.type for column in DEGRADATION}


def test_two_models_of_one_name_are_refused(scores: Frames, compared: Frames) -> None:
    with pytest.raises(RunError, match="is there twice; run them again"):
        compared(scores("f16", [1.0]), scores("q4", [1.0]), scores("q4", [1.0]))


@settings(max_examples=15, deadline=None)
@given(
    facts=st.lists(st.tuples(*[st.booleans()] * 4), min_size=1, max_size=30),
    margin=st.floats(0.005, 0.5),
    null=st.sampled_from([None, "null"]),
)
def test_what_holds_of_every_table(
    facts: list[tuple[bool, ...]], margin: float, null: str | None, scores: Frames, compared: Frames
) -> None:
    models = ("f16", "q8_0", "q4", "null")
    parts = [scores(m, [float(each[i]) for each in facts]) for i, m in enumerate(models)]
    table = compared(*parts, margin=margin, null=null)
    by_model = table.groupby("model")["verdict"].agg(set)
    assert by_model["f16"] == {"reference"}
    others = [model for model in models[1:] if model != null]
    assert all(by_model[model] <= {*Verdict} - {Verdict.REFERENCE} for model in others)
    assert null is None or by_model["null"] == {""}
    own = table[table["model"].isin(others)]
    assert (own["p_holm"] >= own["p_value"] - 1e-12).all()
    assert own["n_more"].notna().le(own["verdict"] == "inconclusive").all()
    assert ((own["ci_low"] <= own["delta"]) & (own["delta"] <= own["ci_high"])).all()
