from __future__ import annotations

import pytest

from harness.data.table import Store
from harness.scenarios.base import Scenario
from harness.scenarios.hub.multiple_choice import MULTIPLE_CHOICE_SCENARIOS
from harness.scenarios.hub.text import TEXT_SCENARIOS
from harness.scenarios.selection import find_scenarios

HUB = {scenario.name: scenario for scenario in (*MULTIPLE_CHOICE_SCENARIOS, *TEXT_SCENARIOS)}
BY_RULE = [scenario for scenario in HUB.values() if scenario.n_instances]
BY_CONTENT = [scenario for scenario in HUB.values() if not scenario.n_instances]


def counts(scenario: Scenario, store: Store) -> list[int]:
    return [len(list(store.rows(table))) for table in scenario.tables]


@pytest.mark.parametrize("scenario", BY_RULE, ids=lambda one: one.name)
def test_where_a_rule_says_how_many_are_asked_it_is_right(scenario: Scenario, invented: Store) -> None:
    assert scenario.n_instances
    assert scenario.n_instances(counts(scenario, invented)) == len(scenario.load(invented).test)


@pytest.mark.parametrize("scenario", BY_CONTENT, ids=lambda one: one.name)
def test_else_the_rows_are_not_the_instances(scenario: Scenario, invented: Store) -> None:
    assert sum(counts(scenario, invented)) != len(scenario.load(invented).test)


@pytest.mark.parametrize(
    ("name", "rows", "asked"),
    [
        ("bbq", [58_492], 1_000),
        ("raft", [50] * 11, 440),
        ("truthful_qa", [817], 654),
        ("movie_reviews", [1_000], 900),
        ("boolq_closed_book", [3_270], 2_943),
        ("gpqa", [448], 446),
        ("mmlu", [14_042], 14_042),
    ],
)
def test_the_numbers_of_the_published_tables(name: str, rows: list[int], asked: int) -> None:
    rule = HUB[name].n_instances
    assert rule
    assert rule(rows) == asked


def test_of_a_slice_no_rule_knows_how_many_there_are() -> None:
    (slice_,) = find_scenarios(["mmlu:anatomy"], HUB)
    assert slice_.n_instances is None


@pytest.mark.parametrize("name", ["truthful_qa", "movie_reviews", "boolq_closed_book"])
def test_rules_hold_of_the_real_tables(name: str, mirror: Store) -> None:
    test_where_a_rule_says_how_many_are_asked_it_is_right(HUB[name], mirror)
