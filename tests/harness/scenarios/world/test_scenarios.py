from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import cache

import pytest
from world_oracle import FIELDS, Oracle

from harness.adaptation.table import ADAPTERS
from harness.metrics.table import METRICS
from harness.scenarios.base import Data, Scenario
from harness.scenarios.table import SCENARIOS
from harness.scenarios.world.facts import World
from harness.scenarios.world.questions import N_CHOICES, pair_is_held_out

DIGESTS = {
    "world_facts": (2000, "71f841ce94c4a2d7"),
    "world_two_step": (2000, "fa849d3f6b78886a"),
    "world_sums": (1776, "f302b237c2824da0"),
    "world_larger": (2000, "82c98190c5eb2b93"),
    "world_older": (2000, "81756dc09273d9a8"),
    "world_choice": (2000, "fe5f53e380c39606"),
    "world_text": (200, "b6aafc66e2f21cd4"),
}
"""Number of instances, and a digest of all of them: results of two runs are comparable only where both are the same."""

load: Callable[[Scenario], Data] = cache(lambda scenario: scenario.load())
each_scenario = pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=SCENARIOS)


@each_scenario
def test_instances_are_the_same_in_every_run(scenario: Scenario) -> None:
    data = load(scenario)
    assert data == scenario.load()
    digest = hashlib.sha256(repr(data).encode()).hexdigest()[:16]
    assert (len(data.test), digest) == DIGESTS[scenario.name]


@each_scenario
def test_ids_are_unique(scenario: Scenario) -> None:
    data = load(scenario)
    ids = [instance.id for instance in data.train + data.test]
    assert len(ids) == len(set(ids))
    assert all(name.startswith(f"{scenario.name}-") for name in ids)


@each_scenario
def test_no_question_is_both_an_example_and_a_test(scenario: Scenario) -> None:
    data = load(scenario)
    assert len({instance.input for instance in data.test}) == len(data.test)
    assert not {instance.input for instance in data.train} & {instance.input for instance in data.test}
    assert len(data.train) >= scenario.n_shots


@each_scenario
def test_every_reference_answer_is_right(scenario: Scenario, oracle: Oracle) -> None:
    data = load(scenario)
    if scenario.name == "world_text":
        assert not any(instance.references or instance.kind for instance in data.test)
        return
    for side, held_out in ((data.train, False), (data.test, True)):
        for instance in side:
            read = oracle.read(instance.input)
            assert instance.kind == read.kind
            if read.held_out is None:
                assert read.pair is not None
                assert pair_is_held_out(read.kind, *read.pair) == held_out
            else:
                assert read.held_out == held_out
            assert [r.text for r in instance.references if r.is_correct] == [instance.gold]
            assert instance.gold in read.answers
            # A wrong choice that is true as well would make the question unfair.
            assert len({r.text for r in instance.references} & set(read.answers)) == 1


@each_scenario
def test_adapters_and_metric_exist(scenario: Scenario) -> None:
    assert set(scenario.adapters) <= ADAPTERS.keys()
    assert scenario.metric in METRICS
    assert scenario.adapters
    assert scenario.description


def test_choices_are_four() -> None:
    data = load(SCENARIOS["world_choice"])
    assert {len(instance.references) for instance in data.train + data.test} == {N_CHOICES}


def test_kinds_cover_what_a_scenario_is_about(world: World) -> None:
    asked = {name: {instance.kind for instance in load(SCENARIOS[name]).test} for name in SCENARIOS}
    assert asked["world_facts"] == asked["world_choice"]
    assert asked["world_facts"] | asked["world_two_step"] == FIELDS.keys()
    assert not asked["world_facts"] & asked["world_two_step"]
