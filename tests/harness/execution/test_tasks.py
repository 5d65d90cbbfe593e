from __future__ import annotations

from collections.abc import Callable

import pytest

from harness.execution.tasks import Task, plan_tasks
from harness.scenarios.base import Scenario
from harness.scenarios.table import SCENARIOS
from harness.types import Instance

THINGS = [Instance(f"quiz-{i}", f"q{i}") for i in range(30)]
SHOWN = [Instance(f"quiz-t{i}", f"t{i}") for i in range(30)]


def test_every_way_of_asking_is_a_task_with_the_same_instances(scenario_of: Callable[..., Scenario]) -> None:
    scenario = scenario_of(THINGS, "generation", "multiple_choice_joint", train=SHOWN, shots=3)
    first, second = plan_tasks([scenario], max_instances=10, seed=0)
    assert (first.adapter_name, second.adapter_name) == ("generation", "multiple_choice_joint")
    assert (first.label, second.label) == ("quiz (generation)", "quiz (multiple_choice_joint)")
    assert (first.instances, first.examples) == (second.instances, second.examples)
    assert (len(first.instances), len(first.examples)) == (10, 3)
    assert set(first.instances) <= set(THINGS)
    assert set(first.examples) <= set(SHOWN)


@pytest.mark.parametrize(("most", "count"), [(None, 30), (1, 1), (30, 30), (99, 30)])
def test_at_most_so_many_instances(most: int | None, count: int, scenario_of: Callable[..., Scenario]) -> None:
    (task,) = plan_tasks([scenario_of(THINGS, "generation")], max_instances=most, seed=0)
    assert len(task.instances) == count
    assert task.label == "quiz"
    assert task.examples == ()


def test_the_seed_decides_all_choices() -> None:
    scenarios = [SCENARIOS["world_facts"], SCENARIOS["world_choice"]]
    once, again, other = (plan_tasks(scenarios, max_instances=20, seed=seed) for seed in (1, 1, 2))
    assert once == again
    for task, changed in zip(once, other, strict=True):
        assert task.instances != changed.instances
        assert task.examples != changed.examples


@pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=SCENARIOS)
def test_examples_are_never_asked(scenario: Scenario) -> None:
    for task in plan_tasks([scenario], max_instances=None, seed=0):
        assert len(task.examples) == scenario.n_shots
        assert not {example.input for example in task.examples} & {instance.input for instance in task.instances}
        prompt = task.request(task.instances[0]).prompts[0]
        assert all(example.input in prompt for example in task.examples)
        assert prompt.count("Question:") in (scenario.n_shots + 1, 0)


@pytest.fixture
def long_task(scenario_of: Callable[..., Scenario]) -> Task:
    """Questions of 10 to 300 letters after four examples of 100."""
    asked = [Instance(f"quiz-{i}", "x" * 10 * i) for i in range(1, 31)]
    shown = [Instance(f"quiz-t{i}", str(i) * 100) for i in range(4)]
    (task,) = plan_tasks([scenario_of(asked, "generation", train=shown, shots=4)], max_instances=None, seed=0)
    return task


@pytest.mark.parametrize(("room", "examples"), [(10_000, 4), (600, 2), (330, 0)])
def test_examples_are_dropped_for_all_until_the_longest_question_fits(
    room: int, examples: int, long_task: Task
) -> None:
    fitted = long_task.fitted(lambda request: len(request.prompts[0]) <= room)
    assert fitted is not None
    assert fitted.examples == long_task.examples[:examples]
    assert fitted.instances == long_task.instances
    assert max(len(fitted.request(instance).prompts[0]) for instance in fitted.instances) <= room


def test_a_question_that_never_fits_leaves_no_task(long_task: Task) -> None:
    assert long_task.fitted(lambda request: len(request.prompts[0]) <= 300) is None


def test_every_choice_must_fit(scenario_of: Callable[..., Scenario], asked: Callable[..., Instance]) -> None:
    instances = [asked("What?", "*a", "b" * 50, name="quiz-0"), asked("What on earth?", "*a", "b", name="quiz-1")]
    scenario = scenario_of(instances, "multiple_choice_separate_original")
    (task,) = plan_tasks([scenario], max_instances=None, seed=0)
    assert task.fitted(lambda request: max(map(len, request.prompts)) <= 40) is None
    assert task.fitted(lambda request: max(map(len, request.prompts)) <= 80) == task


def test_fewer_instances_are_part_of_more_only_by_chance_but_keep_their_ids() -> None:
    (few,), (all_of_them,) = (plan_tasks([SCENARIOS["world_sums"]], max_instances=n, seed=0) for n in (5, None))
    assert set(few.instances) < set(all_of_them.instances)
