from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest
from made_run import make_run

from harness.degradation.advice import names
from harness.reports.recommendation import recommend, speed_ratio
from harness.results import Run

Judged = Callable[..., Run]


@pytest.fixture
def judged(degradation: pd.DataFrame, as_run: Callable[..., Run]) -> Judged:
    """A run whose two quantizations have these verdicts, and need so many more instances; ``lost`` by single tasks."""

    def make(
        q8_0: str, q2_k: str, n_more: int | None = None, lost: dict[tuple[str, str], str] | None = None, **record: Any
    ) -> Run:
        table = degradation.copy()
        table.loc[table["scenario"] != "all", "verdict"] = ""
        for (model, scenario), verdict in (lost or {}).items():
            table.loc[(table["model"] == model) & (table["scenario"] == scenario), "verdict"] = verdict
        for model, verdict in (("q8_0", q8_0), ("q2_k", q2_k)):
            pooled = (table["model"] == model) & (table["scenario"] == "all")
            table.loc[pooled, ["verdict", "n_more"]] = [verdict, n_more if verdict == "inconclusive" else None]
        return as_run(table, **record)

    return make


@pytest.mark.parametrize(
    ("q8_0", "q2_k", "taken"),
    [
        ("equivalent", "equivalent", "q2_k"),
        ("equivalent", "non-inferior", "q2_k"),
        ("non-inferior", "inconclusive", "q8_0"),
        ("equivalent", "small loss, within margin", "q8_0"),
        ("small loss, within margin", "degraded", "q8_0"),
        ("inconclusive", "small loss, within margin", "q2_k"),
        ("inconclusive", "degraded", None),
        ("inconclusive", "inconclusive", None),
        ("degraded", "degraded beyond margin", None),
        ("", "", None),
    ],
)
def test_the_smallest_that_is_shown_to_be_good_is_taken(
    q8_0: str, q2_k: str, taken: str | None, judged: Judged
) -> None:
    found = recommend(judged(q8_0, q2_k))
    assert found.model == taken
    assert found.reasons
    assert (found.headline == f"Take {taken}.") == (taken is not None)


def test_it_says_when_it_does_not_know(judged: Judged) -> None:
    found = recommend(judged("inconclusive", "degraded", n_more=640))
    assert found.headline == "This run does not yet say which to take."
    assert found.reasons == ["q8_0 needs some 640 more instances for a verdict."]


def test_it_says_what_to_type(judged: Judged) -> None:
    unsure = {"q8_0": "inconclusive", "q2_k": "inconclusive", "n_more": 641}
    asked = [recommend(judged(**unsure, spec={"max_instances": limit})).reasons[-1] for limit in (400, 40, None)]
    assert asked[:2] == ["Ask again with --max-instances 721.", "Ask again with --max-instances 73."]
    assert asked[2] == "q8_0 needs some 641 more instances for a verdict."
    beside = recommend(judged("non-inferior", "inconclusive", n_more=800, spec={"max_instances": 400}))
    assert beside.reasons[-1] == "Ask again with --max-instances 800."
    hopeless = recommend(judged("inconclusive", "inconclusive", spec={"max_instances": 400}))
    assert not any("--max-instances" in reason for reason in hopeless.reasons)


def test_it_does_not_know_from_divergence_alone(judged: Judged) -> None:
    found = recommend(judged("", ""))
    assert found.headline == "This run does not say which to take."
    assert "no scenario with right or wrong answers" in found.reasons[0]


def test_more_instances_are_not_asked_for_where_they_would_rather_show_a_loss(judged: Judged) -> None:
    found = recommend(judged("inconclusive", "inconclusive"))
    assert found.reasons == [
        "q2_k looks like a loss beyond the margin (-31.9 pp, 95% interval -35.1 .. -28.5, 800 questions); more would "
        "rather show that.",
        "Of q8_0 this run cannot say whether its loss is within the margin.",
    ]


def test_scenarios_that_lost_are_told(judged: Judged) -> None:
    one = recommend(judged("degraded", "equivalent", lost={("q2_k", "world_facts"): "degraded beyond margin"}))
    assert one.headline == "Take q2_k, but not for world_facts: it lost 63.5 points there."
    assert one.reasons[1] == "In world_facts it lost 63.5 points (-68.0 .. -58.4), more than the margin."
    several = {("q2_k", task): "degraded" for task in ("world_facts", "world_choice")}
    two = recommend(judged("degraded", "equivalent", lost=several))
    assert two.headline == ("Take q2_k, but not for world_facts, world_choice (separate) and world_choice (joint).")
    assert (
        two.reasons[2] == "In world_choice (separate) it lost 0.2 points (-0.9 .. +0.4), perhaps more than the margin."
    )


def test_losses_that_need_not_matter_are_told_below(judged: Judged) -> None:
    lost = {("q2_k", "world_facts"): "small loss, within margin", ("q2_k", "world_text"): "degraded"}
    found = recommend(judged("degraded", "equivalent", lost=lost))
    assert found.headline == "Take q2_k."
    assert found.reasons[1:3] == [
        "In world_facts it lost 63.5 points (-68.0 .. -58.4), less than the margin.",
        "In world_text its bits_per_byte got worse: +1.0889 (+1.0512 .. +1.1307).",
    ]


@pytest.mark.parametrize(
    ("q8_0", "q2_k", "lost", "taken"),
    [
        ("equivalent", "equivalent", ["q2_k"], "q8_0"),
        ("equivalent", "equivalent", ["q2_k", "q8_0"], "q2_k"),
        ("small loss, within margin", "equivalent", ["q2_k"], "q8_0"),
        ("inconclusive", "equivalent", ["q2_k"], "q2_k"),
    ],
    ids=["another is without", "none is without", "a small loss is rather taken", "the only one"],
)
def test_what_lost_beyond_the_margin_somewhere_is_taken_only_if_nothing_else_is_left(
    q8_0: str, q2_k: str, lost: list[str], taken: str, judged: Judged
) -> None:
    beyond = {(model, "world_facts"): "degraded beyond margin" for model in lost}
    found = recommend(judged(q8_0, q2_k, lost=beyond))
    assert found.model == taken
    assert ("but not for world_facts" in found.headline) == (taken in lost)
    passed_over = "q2_k is smaller, but lost more than the margin in world_facts."
    assert (passed_over in found.reasons) == (taken == "q8_0")


def test_a_smaller_file_with_a_small_loss_is_named(judged: Judged) -> None:
    (*_, last) = recommend(judged("equivalent", "small loss, within margin")).reasons
    assert last.startswith("q2_k is smaller, but is shown to lose, though within the margin (-31.9 pp, ")


def test_names_are_told_up_to_some() -> None:
    assert [names(list("abcde")[:n]) for n in (1, 2, 3, 5)] == ["a", "a and b", "a, b and c", "a, b, c and 2 more"]


def test_where_all_are_worse_none_is_taken(judged: Judged) -> None:
    assert recommend(judged("degraded", "degraded beyond margin")).headline.startswith("Stay with f16")


def test_it_says_why_and_what_is_open(judged: Judged) -> None:
    found = recommend(judged("non-inferior", "inconclusive", n_more=5000, margin=0.02))
    assert found.reasons == [
        "It loses less than 2 percentage points against f16 (+0.1 pp, 95% interval -0.4 .. +0.6, 800 questions).",
        "It is 1.9 times smaller than f16.",
        "q2_k needs some 5,000 more instances for a verdict.",
    ]


def test_one_model_leaves_nothing_to_choose(degradation: pd.DataFrame, as_run: Callable[..., Run]) -> None:
    run = as_run(degradation[degradation["model"] == "f16"])
    run.record["models"] = run.models[:1]
    assert recommend(run).headline == "There is nothing to choose from."


def test_the_null_run_is_never_taken(made: Run) -> None:
    assert recommend(made).model != "null"


def test_a_speed_is_compared_only_where_the_rounds_are_apart(made: Run) -> None:
    assert speed_ratio(made, "q2_k") == pytest.approx(1.5)
    assert math.isnan(speed_ratio(made, "q8_0"))  # 0.2% faster, and rounds differ by 8%
    assert math.isnan(speed_ratio(make_run(n=5, efficiency=False), "q2_k"))
