from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import harness
from harness.analysis import analyse
from harness.degradation.power import design_effect, needed_noninferiority, power_noninferiority
from harness.errors import UserError
from harness.evidence.plan import needed, needed_of, shown_by
from harness.results import Run

RATES = st.floats(0.001, 0.3)
MARGINS = st.floats(0.005, 0.1)


def test_so_many_instances_have_the_power_that_is_promised() -> None:
    takes = needed(0.02, 0.02)
    assert power_noninferiority(takes.noninferiority, 0.02, 0.02) == pytest.approx(0.8, abs=0.03)
    assert takes.noninferiority < takes.equivalence


@settings(max_examples=20, deadline=None)
@given(RATES, MARGINS)
def test_a_difference_larger_than_the_flips_cannot_be(rate: float, margin: float) -> None:
    assert (needed(rate, margin).difference is None) == (margin > rate)


@settings(max_examples=20, deadline=None)
@given(RATES, MARGINS, st.floats(1, 20), st.floats(0, 1))
def test_clusters_take_more(rate: float, margin: float, size: float, icc: float) -> None:
    alone, together = needed(rate, margin), needed(rate, margin, design_effect(size, icc))
    assert together.noninferiority >= alone.noninferiority
    assert together.noninferiority == math.ceil(alone.noninferiority * (1 + (size - 1) * icc))


def test_what_instances_show() -> None:
    assert shown_by(400, 0.05) < shown_by(100, 0.05)
    assert shown_by(400, 0.05) < shown_by(400, 0.05, 5.5)
    assert math.isnan(shown_by(3, 0.05))


def test_a_run_says_what_each_of_its_scenarios_needs(real_run: Path) -> None:
    run = harness.load_run(real_run)
    found = needed_of(run, 0.01)
    table = run.findings.degradation.set_index(["model", "scenario", "adapter", "metric"])
    assert {one.model for one in found} == {"q8_0", "q2_k"}
    assert {one.scenario for one in found} == {"world_facts", "world_choice", "all"}
    one = found[0]
    row = table.loc[("q8_0", "world_facts", "generation", "exact_match")]
    assert one.needed.flip_rate == row["flip_high"] > row["flip_rate"]
    assert one.needed.noninferiority == needed_noninferiority(row["flip_high"], 0.01)
    assert one.n_more == one.needed.noninferiority - one.n > 0
    assert all(one.n_more == 0 for one in needed_of(run, 0.5, scenarios=["all"]))


def in_documents(run: Run) -> Run:
    """The same, but that four questions of world_facts at a time share a document, and q2_k lost one and gained one."""
    measured = run.measured
    place = measured.instances["instance_id"].drop_duplicates().reset_index(drop=True)
    number = pd.Series(place.index, place) // 4

    def changed(rows: pd.DataFrame) -> pd.DataFrame:
        rows = rows.copy()
        is_facts = rows["scenario"] == "world_facts"
        document = rows["instance_id"].map(number)
        rows.loc[is_facts, "group"] = document[is_facts].astype(str)
        wrong = (document == 0) & (rows["model"] == "f16") | (document == 1) & (rows["model"] == "q2_k")
        rows.loc[is_facts, "value"] = (~wrong[is_facts]).astype(float)
        rows.loc[is_facts, "correct"] = ~wrong[is_facts]
        return rows

    clustered = measured._replace(instances=changed(measured.instances), scores=changed(measured.scores))
    return replace(run, measured=clustered, findings=analyse(run.record, clustered))


def test_clusters_of_a_run_count_as_in_its_own_verdicts(real_run: Path) -> None:
    run = in_documents(harness.load_run(real_run))
    table = run.findings.degradation.set_index(["model", "scenario", "adapter", "metric"])
    row = table.loc[("q2_k", "world_facts", "generation", "exact_match")]
    assert (row["n_groups"], row["flips_to_wrong"], row["flips_to_right"]) == (10, 4, 4)
    (one,) = [one for one in needed_of(run, run.margin, scenarios=["world_facts"]) if one.model == "q2_k"]
    assert one.needed.effect > 3
    assert one.n_more == pytest.approx(row["n_more"], abs=one.needed.effect)  # the table counts whole effective ones
    (alone,) = [one for one in needed_of(run, 0.01, effect=1.0, scenarios=["world_facts"]) if one.model == "q2_k"]
    assert alone.n_more < one.n_more / 3


def test_scenarios_that_cannot_be_planned(real_run: Path) -> None:
    run = harness.load_run(real_run)
    bare = replace(run, findings=run.findings._replace(degradation=run.findings.degradation.iloc[:0]))
    with pytest.raises(UserError, match="The run has no right-or-wrong scenario that says anything"):
        needed_of(bare, 0.01)
    with pytest.raises(UserError, match="'world_text' is no right-or-wrong scenario of this run"):
        needed_of(run, 0.01, scenarios=["world_text"])
