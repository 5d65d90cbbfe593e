from __future__ import annotations

import dataclasses
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.adaptation.window import Window
from harness.data.store import open_store
from harness.errors import DoesNotFit
from harness.execution.tasks import Asking, Task, plan_tasks
from harness.layout import Layout
from harness.perturbations.base import Change, Perturbation
from harness.perturbations.table import find_perturbations
from harness.scenarios.base import Data, Scenario
from harness.scenarios.world.scenarios import WORLD_SCENARIOS
from harness.types import Instance, Reference

Scenarios = Callable[..., Scenario]
Tasks = Callable[..., list[Task]]
Asked = Callable[..., Instance]

WORLD = {scenario.name: scenario for scenario in WORLD_SCENARIOS}
THINGS = [Instance(f"quiz-{i}", f"q{i}") for i in range(30)]
SHOWN = [Instance(f"quiz-t{i}", f"t{i}", (Reference(f"a{i}", True),)) for i in range(30)]


def changing(change: Change, name: str = "changed", *, references: bool = False) -> Perturbation:
    return Perturbation(name, "for a test", "robustness", change, references)


LOUD = changing(lambda text, _rng: text.upper(), "loud")
DARK = changing(lambda text, _rng: text.replace("pale", "dark"), "dark", references=True)


def test_every_way_of_asking_is_a_task_with_the_same_instances(scenario_of: Scenarios, tasks_of: Tasks) -> None:
    scenario = scenario_of(THINGS, "generation", "multiple_choice_joint", train=SHOWN, shots=3)
    first, second = tasks_of(scenario, max_instances=10)
    assert (first.adapter_name, second.adapter_name) == ("generation", "multiple_choice_joint")
    assert (first.label, second.label) == ("quiz (generation)", "quiz (multiple_choice_joint)")
    assert (first.instances, first.examples) == (second.instances, second.examples)
    assert len(first.instances) == 10
    assert set(first.instances) <= set(THINGS)
    assert list(first.examples) == [""]
    assert len(first.examples[""]) == 3
    assert set(first.examples[""]) <= set(SHOWN)


@pytest.mark.parametrize(("most", "count"), [(None, 30), (1, 1), (30, 30), (99, 30)])
def test_at_most_so_many_instances(most: int | None, count: int, scenario_of: Scenarios, tasks_of: Tasks) -> None:
    (task,) = tasks_of(scenario_of(THINGS, "generation"), max_instances=most)
    assert len(task.instances) == count
    assert task.label == "quiz"
    assert task.examples == {"": []}


def test_the_seed_decides_all_choices(tasks_of: Tasks) -> None:
    scenarios = [WORLD["world_facts"], WORLD["world_choice"]]
    once, again, other = (tasks_of(*scenarios, max_instances=20, seed=seed) for seed in (1, 1, 2))
    assert once == again
    for task, changed in zip(once, other, strict=True):
        assert task.instances != changed.instances
        assert task.examples != changed.examples


@pytest.mark.parametrize("scenario", WORLD.values(), ids=WORLD)
def test_examples_are_never_asked(scenario: Scenario, tasks_of: Tasks, window_of: Callable[[int], Window]) -> None:
    for task in tasks_of(scenario):
        examples = task.examples[""]
        assert len(examples) == task.spec.n_shots
        assert not {example.input for example in examples} & {instance.input for instance in task.instances}
        request = task.request(task.instances[0], window_of(100_000))
        prompt = str(request.prompts[0].whole)
        assert all(example.input in prompt for example in examples)
        assert request.n_examples == task.spec.n_shots
        assert prompt.count("Question:") in (task.spec.n_shots + 1, 0)


@pytest.mark.parametrize(
    ("room", "of_short", "of_long", "cut"),
    [(318, 4, 4, 0), (317, 4, 3, 0), (299, 4, 3, 0), (298, 3, 3, 0), (30, 0, 0, 0), (29, 0, 0, 1), (11, 0, 0, 19)],
)
def test_each_prompt_is_fitted_by_itself(
    room: int,
    of_short: int,
    of_long: int,
    cut: int,
    scenario_of: Scenarios,
    tasks_of: Tasks,
    window_of: Callable[[int], Window],
) -> None:
    # Blocks of 72 bytes, questions of 7 and 26, two tokens of an answer and two that servers may add.
    shown = [Instance(f"quiz-t{i}", str(i) * 60, (Reference("yes", True),)) for i in range(4)]
    asked = [Instance("quiz-0", "x"), Instance("quiz-1", "x" * 20)]
    layout = Layout(input_prefix="Q: ", output_prefix="A: ", instance_prefix="\n")
    (task,) = tasks_of(scenario_of(asked, "generation", train=shown, shots=4, layout=layout))
    short, long = (task.request(instance, window_of(room)) for instance in task.instances)
    assert (short.n_examples, short.n_dropped, short.n_cut) == (of_short, 4 - of_short, 0)
    assert (long.n_examples, long.n_dropped, long.n_cut) == (of_long, 4 - of_long, cut)
    assert long.text.endswith(f"Q: {'x' * (20 - cut)}\nA:")
    assert len(long.text) <= room - 4


def test_an_instance_that_never_fits_is_an_error_of_its_own(
    scenario_of: Scenarios, tasks_of: Tasks, asked: Asked, window_of: Callable[[int], Window]
) -> None:
    instances = [asked("What?", "*a", "b" * 50, name="quiz-0"), asked("What?", "*a", "b", name="quiz-1")]
    (task,) = tasks_of(scenario_of(instances, "multiple_choice_separate_original"))
    with pytest.raises(DoesNotFit, match=r"^The context of 45 tokens"):
        task.request(instances[0], window_of(45))
    assert task.request(instances[1], window_of(45)).n_cut == 0
    assert task.request(instances[0], window_of(95)).n_cut == 0


def test_fewer_instances_are_part_of_more_only_by_chance_but_keep_their_ids(tasks_of: Tasks) -> None:
    (few,), (all_of_them,) = (tasks_of(WORLD["world_sums"], max_instances=n) for n in (5, None))
    assert set(few.instances) < set(all_of_them.instances)


def test_each_trial_has_other_examples_and_the_same_instances(scenario_of: Scenarios, tasks_of: Tasks) -> None:
    tasks = tasks_of(scenario_of(THINGS, "generation", train=SHOWN, shots=3), trials=3)
    assert [task.trial for task in tasks] == [0, 1, 2]
    assert [task.label for task in tasks] == ["quiz", "quiz (trial 2)", "quiz (trial 3)"]
    assert len({task.instances for task in tasks}) == 1
    assert len({tuple(task.examples[""]) for task in tasks}) == 3


def test_the_second_trial_is_the_first_of_the_next_seed(scenario_of: Scenarios, tasks_of: Tasks) -> None:
    # HELM's trial i draws with seed i; so does ours with --seed 0.
    scenario = scenario_of(THINGS, "generation", train=SHOWN, shots=3)
    (_, second), (next_first,) = tasks_of(scenario, trials=2), tasks_of(scenario, seed=1)
    assert second.examples == next_first.examples


@pytest.mark.parametrize(("train", "shots"), [(SHOWN, 0), ([], 3)])
def test_without_examples_one_trial_is_enough(
    train: list[Instance], shots: int, scenario_of: Scenarios, tasks_of: Tasks
) -> None:
    (task,) = tasks_of(scenario_of(THINGS, "generation", train=train, shots=shots), trials=3)
    assert task.examples == {"": []}


def test_labels_name_the_adapter_and_the_trial_where_there_are_several(scenario_of: Scenarios, tasks_of: Tasks) -> None:
    scenario = scenario_of(THINGS, "generation", "multiple_choice_joint", train=SHOWN, shots=1)
    assert [task.label for task in tasks_of(scenario, trials=2, chat=True)] == [
        "quiz (generation_chat)",
        "quiz (generation_chat, trial 2)",
        "quiz (multiple_choice_joint_chat)",
        "quiz (multiple_choice_joint_chat, trial 2)",
    ]


def test_each_slice_has_examples_of_its_own_where_that_is_asked(scenario_of: Scenarios, tasks_of: Tasks) -> None:
    def in_kinds(instances: list[Instance]) -> list[Instance]:
        return [
            dataclasses.replace(instance, kind="even" if i % 2 == 0 else "odd") for i, instance in enumerate(instances)
        ]

    test, train = in_kinds(THINGS), in_kinds(SHOWN[:13])
    (mixed,) = tasks_of(scenario_of(test, "generation", train=train, shots=9))
    (apart,) = tasks_of(scenario_of(test, "generation", train=train, shots=9, examples_by_kind=True))
    assert {example.kind for example in mixed.examples[""]} == {"even", "odd"}
    assert {kind: len(examples) for kind, examples in apart.examples.items()} == {"even": 7, "odd": 6}
    for instance in apart.instances:
        assert {example.kind for example in apart.examples_for(instance)} == {instance.kind}
    assert apart.examples_for(Instance("quiz-99", "?", kind="neither")) == []


def test_metrics_are_looked_up_in_both_tables(scenario_of: Scenarios, tasks_of: Tasks) -> None:
    names = ("f1_score", "ece_10_bin", "exact_match")
    (task,) = tasks_of(scenario_of(THINGS, "generation", metrics=names))
    assert [metric.name for metric in task.metrics] == ["f1_score", "exact_match"]
    assert [metric.name for metric in task.set_metrics] == ["ece_10_bin"]


def test_perturbed_instances_follow_the_originals(scenario_of: Scenarios, tasks_of: Tasks) -> None:
    (task,) = tasks_of(
        scenario_of(THINGS, "generation", train=SHOWN, shots=3), max_instances=4, perturbations=(LOUD, DARK)
    )
    originals, changed = task.instances[:4], task.instances[4:]
    assert {instance.perturbation for instance in originals} == {""}
    assert [(i.id, i.input, i.perturbation) for i in changed] == [(i.id, i.input.upper(), "loud") for i in originals]
    # Examples are never changed: HELM's perturbations are of what is asked only.
    assert {example.perturbation for example in task.examples[""]} == {""}


def test_what_a_perturbation_left_as_it_was_is_not_asked_again(
    scenario_of: Scenarios, tasks_of: Tasks, asked: Asked
) -> None:
    same_question = asked("Which colour?", "*pale red", "blue", name="quiz-0")  # a changed choice alone is no change
    other_question = asked("Which pale colour?", "*pale red", "blue", name="quiz-1")
    (task,) = tasks_of(scenario_of([same_question, other_question], "multiple_choice_joint"), perturbations=(DARK,))
    assert [(i.id, i.perturbation) for i in task.instances] == [("quiz-0", ""), ("quiz-1", ""), ("quiz-1", "dark")]
    assert task.instances[2].gold == "dark red"
    assert task.n_indistinct == 0


def test_choices_that_a_perturbation_made_the_same_are_left_out_and_counted(
    scenario_of: Scenarios, tasks_of: Tasks, asked: Asked
) -> None:
    instances = [
        asked("Which pale colour?", "*pale red", "dark red", name="quiz-0"),
        asked("Which pale colour?", "*red", "pale blue", "dark blue", name="quiz-1"),
        asked("Which pale colour?", "*pale red", "blue", "blue", name="quiz-2"),  # two were the same before
        asked("Which pale colours?", "*pale red", "*dark red", name="quiz-3"),  # either of them is right
    ]
    scenario = scenario_of(instances, "multiple_choice_joint", "multiple_choice_separate_original")
    for task in tasks_of(scenario, perturbations=(DARK,)):
        assert [instance.id for instance in task.instances if instance.perturbation] == ["quiz-2", "quiz-3"]
        assert task.n_indistinct == 2


WORDS = st.lists(st.sampled_from(["Peter", "is", "not", "happy", "because", "He", "42", "?"]), min_size=1, max_size=6)


@given(texts=st.lists(WORDS.map(" ".join), min_size=1, max_size=5), seed=st.integers(0, 9))
def test_every_perturbed_instance_differs_from_its_original(texts: list[str], seed: int) -> None:
    test = [Instance(f"quiz-{i}", text, (Reference(text, True),)) for i, text in enumerate(texts)]
    scenario = dataclasses.replace(WORLD["world_facts"], load=lambda _store: Data([], test))
    perturbations = tuple(find_perturbations(["canonical", "lowercase"]))
    asking = Asking(max_instances=None, seed=seed, perturbations=perturbations)
    (task,) = plan_tasks(scenario, open_store(None), asking)
    originals = {i.id: i.input for i in task.instances if not i.perturbation}
    assert originals == {i.id: i.input for i in test}
    keys = [(i.id, i.perturbation) for i in task.instances]
    assert len(keys) == len(set(keys))
    for instance in task.instances:
        assert not instance.perturbation or instance.input != originals[instance.id]


def test_another_seed_draws_other_changes(scenario_of: Scenarios, tasks_of: Tasks) -> None:
    rng_shown = changing(lambda text, rng: f"{text} {rng.random()}")
    scenario = scenario_of(THINGS[:2], "generation")
    first, again, other = (tasks_of(scenario, perturbations=(rng_shown,), seed=seed)[0] for seed in (0, 0, 1))
    assert first.instances == again.instances
    assert not {i.input for i in first.instances[2:]} & {i.input for i in other.instances[2:]}


def test_running_text_is_never_put_into_a_chat_template(scenario_of: Scenarios, tasks_of: Tasks) -> None:
    (text, question) = tasks_of(scenario_of(THINGS[:1], "language_modeling", "generation"), chat=True)
    assert [text.adapter_name, question.adapter_name] == ["language_modeling", "generation_chat"]
    assert type(text.adapter) is not type(question.adapter)
