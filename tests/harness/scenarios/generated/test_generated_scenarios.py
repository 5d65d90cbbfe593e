from __future__ import annotations

import hashlib
from functools import cache

import pytest

from harness.adaptation.table import ADAPTERS
from harness.data.table import Row, Table
from harness.metrics.table import METRICS, SET_METRICS
from harness.scenarios.base import Data, Scenario
from harness.scenarios.generated.scenarios import GENERATED_SCENARIOS
from harness.types import Answer, Instance

DIGESTS = {
    "dyck_language": (3, 500, "9b88bb5e78a1bea5"),
    "synthetic_reasoning": (3000, 3000, "3c341f5183f25907"),
    "synthetic_reasoning_natural": (2000, 2000, "92ddd65c4426f347"),
    "synthetic_efficiency": (0, 50, "b0f454cc6e28f290"),
}
"""Numbers of instances, and a digest of all of them: results of two runs are comparable only where all are the same."""

PROMPTS = {
    "dyck_language": (
        ("( [ ]", " )"),
        "{ (",
        "Please complete the rest of the following Dyck sequences, making sure that the parentheses are closed"
        " properly.\n\nInput: ( [ ] )\nInput: { (",
    ),
    "synthetic_reasoning": (
        ("Rules: X + Y | Result: a + b", "X + Y"),
        "Rules: Y - X | Result: c - d",
        "Please solve the following problem.\n\nRules: X + Y | Result: a + b\nTarget: X + Y\n\n"
        "Rules: Y - X | Result: c - d\nTarget:",
    ),
    "synthetic_reasoning_natural": (
        ("If ...\nFact:\nIt is.\nThe following:", "Nothing."),
        "If not ...\nFact:\nIt is.\nThe following:",
        "Please solve the following problem.\n\nRules:\nIf ...\nFact:\nIt is.\nThe following:\nNothing.\n\n"
        "Rules:\nIf not ...\nFact:\nIt is.\nThe following:\n",
    ),
    "synthetic_efficiency": (None, "Once upon", "Once upon"),
}
"""An example, a question, and the prompt that HELM's adapter makes of them."""


class NoStore:
    """Has no tables, since nothing here needs one."""

    def rows(self, table: Table) -> list[Row]:
        raise AssertionError(table)

    def has(self, table: Table) -> bool:
        raise AssertionError(table)


@cache
def load(scenario: Scenario) -> Data:
    return scenario.load(NoStore())


each_scenario = pytest.mark.parametrize("scenario", GENERATED_SCENARIOS, ids=lambda scenario: scenario.name)


@each_scenario
def test_instances_are_the_same_in_every_run(scenario: Scenario) -> None:
    data = load(scenario)
    assert data == scenario.load(NoStore())
    texts = [(instance.id, instance.kind, instance.input, instance.golds) for instance in data.train + data.test]
    digest = hashlib.sha256(repr(texts).encode()).hexdigest()[:16]
    assert (len(data.train), len(data.test), digest) == DIGESTS[scenario.name]


@each_scenario
def test_ids_and_questions_are_unique(scenario: Scenario) -> None:
    data = load(scenario)
    found = data.train + data.test
    assert len({instance.id for instance in found}) == len({instance.input for instance in found}) == len(found)
    assert all(instance.id.startswith(f"{scenario.name}-") for instance in found)


@each_scenario
def test_what_a_scenario_names_is_there(scenario: Scenario) -> None:
    data = load(scenario)
    (adapter,) = scenario.adapters
    assert adapter.method in ADAPTERS
    assert scenario.metrics[0] in METRICS
    assert set(scenario.metrics) <= METRICS.keys() | SET_METRICS.keys()
    assert not scenario.tables
    assert scenario.made_from == "generated/1"
    for kind in {instance.kind for instance in data.test}:
        assert sum(instance.kind == kind for instance in data.train) >= adapter.n_shots


@each_scenario
def test_prompts_are_helms(scenario: Scenario) -> None:
    example, question, prompt = PROMPTS[scenario.name]
    (adapter,) = scenario.adapters
    layout = adapter.layout_of(Instance("", question))
    solved = [layout.solved(layout.input(example[0]), example[1])] if example else []
    assert layout.prompt(solved, layout.asked(layout.input(question))) == prompt


@each_scenario
def test_longest_answers_may_be_written(scenario: Scenario) -> None:
    (adapter,) = scenario.adapters
    longest = max((i.gold for i in load(scenario).test), key=lambda gold: len(gold.split()))
    assert len(longest.split()) <= adapter.max_tokens
    assert not any(stop in longest for stop in adapter.stop)


def test_metrics_give_the_right_answers_their_due() -> None:
    for scenario in GENERATED_SCENARIOS[:3]:
        for instance in load(scenario).test[:20]:
            right = Answer(instance.gold.strip(), 0.0, (), 0)
            wrong = Answer("no such thing", 0.0, (), 0)
            for name in scenario.metrics:
                assert METRICS[name].judge(instance, right) == 1
                assert METRICS[name].judge(instance, wrong) == 0
