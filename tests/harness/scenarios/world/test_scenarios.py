from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from functools import cache

import pytest
from world_oracle import FIELDS, Oracle

from harness.adaptation.table import ADAPTERS
from harness.data.store import open_store
from harness.layout import QUESTION
from harness.metrics.table import METRICS, SET_METRICS
from harness.scenarios.base import Data, Scenario
from harness.scenarios.world.facts import WORLD_SEED, World
from harness.scenarios.world.questions import N_CHOICES, pair_is_held_out
from harness.scenarios.world.scenarios import WORLD_SCENARIOS
from harness.types import Instance, Reference

DIGESTS = {
    "world_facts": (2000, "b7eacffc89bf2e7d"),
    "world_two_step": (2000, "47e5885ee8f04a67"),
    "world_sums": (1776, "1702f4853650d0a0"),
    "world_larger": (2000, "cc7d6790fe10f01b"),
    "world_older": (2000, "2b346ed5ec45a463"),
    "world_choice": (2000, "f82fe63b6654c9f4"),
    "world_text": (200, "852cce321ae8bd4c"),
}
"""Number of instances, and a digest of all of them: results of two runs are comparable only where both are the same."""

SCENARIOS = {scenario.name: scenario for scenario in WORLD_SCENARIOS}
load: Callable[[Scenario], Data] = cache(lambda scenario: scenario.load(open_store(None)))
each_scenario = pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=SCENARIOS)


def plain(instance: Instance) -> list[object]:
    """All that there is in an instance of the world."""
    assert instance == Instance(instance.id, instance.input, instance.references, instance.kind)
    assert all(reference == Reference(reference.text, reference.is_correct) for reference in instance.references)
    references = [[reference.text, reference.is_correct] for reference in instance.references]
    return [instance.id, instance.input, references, instance.kind]


@each_scenario
def test_instances_are_the_same_in_every_run(scenario: Scenario) -> None:
    data = load(scenario)
    assert data == scenario.load(open_store(None))
    digest = hashlib.sha256(json.dumps([[plain(instance) for instance in side] for side in data]).encode())
    assert (len(data.test), digest.hexdigest()[:16]) == DIGESTS[scenario.name]
    assert scenario.made_from == f"world {WORLD_SEED}"


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
    assert all(len(data.train) >= spec.n_shots for spec in scenario.adapters)


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
def test_adapters_and_metrics_exist(scenario: Scenario) -> None:
    assert {spec.method for spec in scenario.adapters} <= ADAPTERS.keys()
    assert scenario.metrics[0] in METRICS
    assert set(scenario.metrics) <= METRICS.keys() | SET_METRICS.keys()
    assert scenario.adapters
    assert scenario.description
    assert not scenario.tables


def test_the_bundled_world_is_asked_as_its_corpus_asks() -> None:
    for scenario in WORLD_SCENARIOS:
        for spec in scenario.adapters:
            assert spec.layout == QUESTION
            # The corpus shows up to four solved questions before one.
            assert spec.n_shots == (0 if scenario.name == "world_text" else 3)


def test_guessing_is_right_as_often_as_the_scenario_says() -> None:
    for scenario in WORLD_SCENARIOS:
        data = load(scenario)
        choices = {len(instance.references) for instance in data.test}
        expected = {"world_choice": 1 / N_CHOICES, "world_larger": 0.5, "world_older": 0.5}.get(scenario.name, 0)
        assert scenario.guess_rate == expected
        assert choices == {N_CHOICES if scenario.name == "world_choice" else 0 if scenario.name == "world_text" else 1}


def test_choices_are_four() -> None:
    data = load(SCENARIOS["world_choice"])
    assert {len(instance.references) for instance in data.train + data.test} == {N_CHOICES}


def test_kinds_cover_what_a_scenario_is_about(world: World) -> None:
    asked = {name: {instance.kind for instance in load(SCENARIOS[name]).test} for name in SCENARIOS}
    assert asked["world_facts"] == asked["world_choice"]
    assert asked["world_facts"] | asked["world_two_step"] == FIELDS.keys()
    assert not asked["world_facts"] & asked["world_two_step"]
