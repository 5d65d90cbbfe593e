from __future__ import annotations

import math
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import harness
from harness.degradation.power import needed_noninferiority, power_noninferiority
from harness.errors import UserError
from harness.evidence.plan import Clusters, needed, needed_of, shown_by

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
    alone, together = needed(rate, margin), needed(rate, margin, Clusters(size, icc))
    assert together.noninferiority >= alone.noninferiority
    assert together.noninferiority == math.ceil(alone.noninferiority * (1 + (size - 1) * icc))


def test_what_instances_show() -> None:
    assert shown_by(400, 0.05) < shown_by(100, 0.05)
    assert shown_by(400, 0.05) < shown_by(400, 0.05, Clusters(10, 0.5))
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


def test_scenarios_that_cannot_be_planned(real_run: Path) -> None:
    run = harness.load_run(real_run)
    with pytest.raises(UserError, match="'world_text' is no right-or-wrong scenario of this run"):
        needed_of(run, 0.01, scenarios=["world_text"])
