"""What instances are grouped by: a subject, or a document that several share."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.data.table import Store
from harness.perturbations.base import perturbed
from harness.perturbations.table import PERTURBATIONS
from harness.scenarios.base import Scenario
from harness.scenarios.hub.multiple_choice import MULTIPLE_CHOICE_SCENARIOS
from harness.scenarios.hub.rows import LONGEST_NAME, grouped
from harness.scenarios.hub.text import TEXT_SCENARIOS
from harness.types import Instance

BY_NAME = {scenario.name: scenario for scenario in (*MULTIPLE_CHOICE_SCENARIOS, *TEXT_SCENARIOS)}
BY_KIND = {"mmlu", "mmlu_pro", "legalbench", "raft"}
GROUPED = {*BY_KIND, "math", "blimp", "lsat_qa", "boolq", "quac", "babi_qa", "civil_comments"}


def instances(name: str, store: Store) -> list[Instance]:
    data = BY_NAME[name].load(store)
    return [*data.train, *data.test]


@pytest.mark.parametrize("scenario", BY_NAME.values(), ids=lambda scenario: scenario.name)
def test_either_all_instances_of_a_scenario_have_a_group_or_none(scenario: Scenario, invented: Store) -> None:
    found = {bool(instance.group) for instance in instances(scenario.name, invented)}
    assert found == {scenario.name in GROUPED}


@pytest.mark.parametrize("name", sorted(BY_KIND))
def test_a_subject_is_the_kind(name: str, invented: Store) -> None:
    assert all(instance.group == instance.kind for instance in instances(name, invented))


def test_levels_of_mathematics_share_the_subject(invented: Store) -> None:
    assert all(one.kind.startswith(f"{one.group}_level_") for one in instances("math", invented))


@pytest.mark.parametrize("name", ["lsat_qa", "boolq"])
def test_questions_about_one_text_are_one_group(name: str, invented: Store) -> None:
    found = instances(name, invented)
    separator = {"lsat_qa": "\nQuestion: ", "boolq": "\nQuestion: "}[name]
    texts = {one.id: one.input.partition(separator)[0] for one in found}
    groups = {one.id: one.group for one in found}
    assert len(set(groups.values())) == len(set(texts.values()))
    assert len({(texts[one.id], groups[one.id]) for one in found}) == len(set(texts.values()))
    assert all(len(group) <= LONGEST_NAME for group in groups.values())


def test_a_comment_is_one_group_however_often_it_is_asked(invented: Store) -> None:
    for one in instances("civil_comments", invented):
        assert one.id == f"{one.group}-{one.kind}"


def test_a_story_is_told_by_its_kind_and_beginning(invented: Store) -> None:
    groups = [one.group for one in instances("babi_qa", invented)]
    assert "task_1: Ben went to the shop. Ada went to the well." in groups
    assert "task_19: The mill is south of the shop." in groups


@given(st.text(), st.text())
def test_long_names_stay_apart_and_short_ones_as_they_are(one: str, other: str) -> None:
    made = [grouped(Instance("x", "?"), text * times).group for text in (one, other) for times in (1, LONGEST_NAME)]
    assert all(len(group) <= LONGEST_NAME for group in made)
    assert len(one) > LONGEST_NAME or made[0] == one
    assert (made[1] == made[3]) == (one * LONGEST_NAME == other * LONGEST_NAME)


def test_a_perturbation_leaves_the_group(invented: Store) -> None:
    original = instances("boolq", invented)[0]
    assert perturbed(original, PERTURBATIONS["lowercase"], 0).group == original.group
