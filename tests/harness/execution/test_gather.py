from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from harness.data.table import Table
from harness.errors import RunError
from harness.execution.gather import Tables, frame, gather
from harness.execution.records import SCHEMA, SCORE_SCHEMA, record
from harness.execution.runner import Asked
from harness.execution.tasks import Task
from harness.perturbations.base import Perturbation
from harness.perturbations.table import PERTURBATIONS
from harness.scenarios.base import Scenario
from harness.scenarios.selection import find_scenarios
from harness.types import Answer, Completion, Instance, Prompt, Reference, Request

CHOICES = (Reference("a", True), Reference("b", False))
FOUR = [Instance(f"quiz-{i}", f"Q{i}", CHOICES) for i in range(4)]
PLAIN = Request((Prompt("Q", " a"), Prompt("Q", " b")), 0, echo=True)
RIGHT = Answer("a", -1.0, (-1.0,), 1, choice_logprobs=(-1.0, -2.0), chosen=(0,))
TIE = Answer("a", -1.0, (-1.0,), 1, choice_logprobs=(-1.0, -1.0), chosen=(0, 1))

Scenarios = Callable[..., Scenario]
Tasks = Callable[..., list[Task]]
Key = tuple[str, str]


@pytest.fixture
def task(scenario_of: Scenarios, tasks_of: Tasks) -> Task:
    """Four questions, asked once."""
    (found,) = tasks_of(scenario_of(FOUR, "multiple_choice_separate_original"))
    return found


def answered(
    model: str,
    task: Task,
    left_out: tuple[Key, ...] = (),
    requests: dict[str, Request] | None = None,
    answers: dict[str, Answer] | None = None,
) -> Asked:
    """What a model made of a task: it could not take some, and for some ids request or answer are particular."""
    out = [instance for instance in task.instances if (instance.id, instance.perturbation) in left_out]
    completion = Completion(" a", (" a",), (-1.0,), (0,), "length")
    records = [
        record(
            model,
            task,
            instance,
            (requests or {}).get(instance.id, PLAIN),
            (answers or {}).get(instance.id, RIGHT),
            [completion, completion],
            0.1,
        )
        for instance in task.instances
        if instance not in out
    ]
    return Asked(records, out, 1.0)


def gathered(task: Task, **of_model: dict[str, Any]) -> Tables:
    """Both models' answers to one task."""
    return gather([task], [[answered(model, task, **of_model.get(model, {}))] for model in ("f16", "q2_k")])


def keys(tables: Tables, model: str) -> list[Key]:
    rows = frame(tables.instances).query(f"model == '{model}'")
    return list(zip(rows["instance_id"], rows["perturbation"], strict=True))


def test_both_tables_hold_all_models_in_their_order(task: Task) -> None:
    found = gathered(task)
    assert (found.instances.schema, found.scores.schema) == (SCHEMA, SCORE_SCHEMA)
    assert frame(found.instances)["model"].tolist() == ["f16"] * 4 + ["q2_k"] * 4
    assert frame(found.scores)["instance_id"].tolist() == [instance.id for instance in FOUR] * 2
    assert found.notes == []


def test_tasks_follow_one_another(scenario_of: Scenarios, tasks_of: Tasks) -> None:
    tasks = tasks_of(scenario_of(FOUR, "multiple_choice_joint", "multiple_choice_separate_original"))
    found = frame(gather(tasks, [[answered(model, task) for task in tasks] for model in ("f16", "q2_k")]).scores)
    assert found["adapter"].tolist() == ["multiple_choice_joint"] * 8 + ["multiple_choice_separate_original"] * 8
    assert found["model"].tolist() == (["f16"] * 4 + ["q2_k"] * 4) * 2


@pytest.mark.parametrize("model", ["f16", "q2_k"])
def test_what_one_model_cannot_take_is_left_out_for_all_and_counted(model: str, task: Task) -> None:
    found = gathered(task, **{model: {"left_out": (("quiz-1", ""),)}})
    assert keys(found, "f16") == keys(found, "q2_k") == [("quiz-0", ""), ("quiz-2", ""), ("quiz-3", "")]
    assert set(frame(found.scores)["instance_id"]) == {"quiz-0", "quiz-2", "quiz-3"}
    assert found.notes == ["quiz: 1 of 4 instances were left out, because they do not fit the context at all."]


def test_what_two_models_cannot_take_adds_up(task: Task) -> None:
    one, other = {"left_out": (("quiz-1", ""), ("quiz-2", ""))}, {"left_out": (("quiz-2", ""), ("quiz-3", ""))}
    found = gathered(task, f16=one, q2_k=other)
    assert keys(found, "q2_k") == [("quiz-0", "")]
    assert found.notes == ["quiz: 3 of 4 instances were left out, because they do not fit the context at all."]


@pytest.mark.parametrize(
    ("too_long", "kept", "n_out"),
    [(("quiz-1", "lowercase"), ["quiz-1", "quiz-0", "quiz-0"], 1), (("quiz-1", ""), ["quiz-0", "quiz-0"], 2)],
)
def test_a_form_goes_alone_and_an_original_takes_its_forms_with_it(
    too_long: Key, kept: list[str], n_out: int, scenario_of: Scenarios, tasks_of: Tasks
) -> None:
    scenario = scenario_of(FOUR[:2], "multiple_choice_separate_original")
    (task,) = tasks_of(scenario, perturbations=(PERTURBATIONS["lowercase"],))
    found = gathered(task, q2_k={"left_out": (too_long,)})
    assert sorted(name for name, _ in keys(found, "f16")) == sorted(kept)
    assert found.notes == [f"quiz: {n_out} of 4 instances were left out, because they do not fit the context at all."]


def test_a_task_may_vanish_but_not_all_of_them(scenario_of: Scenarios, tasks_of: Tasks) -> None:
    tasks = tasks_of(scenario_of(FOUR, "multiple_choice_joint", "multiple_choice_separate_original"))
    everything = tuple((instance.id, "") for instance in FOUR)
    first = answered("f16", tasks[0], left_out=everything)
    found = gather(tasks, [[first, answered("f16", tasks[1])]])
    assert set(frame(found.instances)["adapter"]) == {"multiple_choice_separate_original"}
    assert found.notes == [
        "quiz (multiple_choice_joint): 4 of 4 instances were left out, because they do not fit the context at all."
    ]
    with pytest.raises(RunError, match=r"^No question of these scenarios fits the context of every model; choose"):
        gather(tasks[:1], [[first]])


SHORTENED = {
    "n_dropped": "prompts lost examples to fit the context",
    "n_cut": "inputs were cut to fit the context",
}


@pytest.mark.parametrize("column", SHORTENED)
@pytest.mark.parametrize("models", [["f16"], ["q2_k"], ["f16", "q2_k"]], ids=str)
def test_what_was_shortened_for_any_model_is_counted_once(column: str, models: list[str], task: Task) -> None:
    short = Request(PLAIN.prompts, 0, echo=True, **{column: 7})
    found = gathered(task, **{model: {"requests": {"quiz-0": short, "quiz-3": short}} for model in models})
    assert found.notes == [f"quiz: 2 of 4 {SHORTENED[column]}."]


def test_what_was_left_out_is_not_counted_as_shortened_too(task: Task) -> None:
    short = Request(PLAIN.prompts, 0, echo=True, n_dropped=5)
    found = gathered(task, f16={"requests": {"quiz-1": short}}, q2_k={"left_out": (("quiz-1", ""),)})
    assert found.notes == ["quiz: 1 of 4 instances were left out, because they do not fit the context at all."]


def test_ties_of_all_models_are_counted(task: Task) -> None:
    found = gathered(task, f16={"answers": {"quiz-0": TIE}}, q2_k={"answers": {"quiz-0": TIE, "quiz-1": TIE}})
    assert found.notes == ["quiz: 3 of 8 answers are ties between choices and earn a share of the credit."]
    scores = frame(found.scores)
    assert scores["value"].tolist() == [0.5, 1, 1, 1, 0.5, 0.5, 1, 1]
    assert scores["correct"].tolist() == [False, True, True, True, False, False, True, True]


@pytest.mark.parametrize(("there_are", "note"), [(0, True), (2, True), (3, False), (9, False)])
def test_too_few_examples_are_told(there_are: int, note: bool, scenario_of: Scenarios, tasks_of: Tasks) -> None:
    train = [Instance(f"quiz-t{i}", "?", CHOICES) for i in range(there_are)]
    (task,) = tasks_of(scenario_of(FOUR, "multiple_choice_separate_original", train=train, shots=3))
    said = [f"quiz: asked after {there_are} examples instead of 3, because there are no more."]
    assert gathered(task).notes == (said if note else [])


def test_slices_are_told(scenario_of: Scenarios, tasks_of: Tasks) -> None:
    instances = [Instance(f"quiz-{kind}", "?", CHOICES, kind=kind) for kind in ("easy", "hard", "odd")]
    scenario = scenario_of(instances, "multiple_choice_separate_original")
    (sliced,) = find_scenarios(["quiz:easy+odd"], {"quiz": scenario})
    (task,) = tasks_of(sliced)
    assert [instance.kind for instance in task.instances] == ["easy", "odd"]
    assert gathered(task).notes == ["quiz: only its slices easy, odd were asked."]


def test_a_table_of_examples_that_could_not_be_had_is_named(scenario_of: Scenarios, tasks_of: Tasks) -> None:
    (task,) = tasks_of(scenario_of(FOUR, "multiple_choice_separate_original", shots=3))
    table = Table("org/quiz", "main", "train", "0" * 40)
    assert gathered(replace(task, scenario=replace(task.scenario, example_tables=(table,)))).notes == [
        "quiz: asked after 0 examples instead of 3, because org/quiz (main, train) could not be had."
    ]


def test_a_slice_without_examples_is_told_even_where_others_have_them(scenario_of: Scenarios, tasks_of: Tasks) -> None:
    train = [Instance(f"quiz-t{i}", "?", CHOICES, kind="easy") for i in range(5)]
    test = [Instance("quiz-0", "?", CHOICES, kind="easy"), Instance("quiz-1", "??", CHOICES, kind="hard")]
    scenario = scenario_of(test, "multiple_choice_joint", train=train, shots=2, examples_by_kind=True)
    (task,) = tasks_of(scenario)
    assert gathered(task).notes == ["quiz: asked after 0 examples instead of 2, because there are no more."]


def test_choices_that_a_perturbation_made_one_are_told(scenario_of: Scenarios, tasks_of: Tasks) -> None:
    instances = [Instance("quiz-0", "A pale one?", (Reference("pale", True), Reference("dark", False)))]
    dark = Perturbation(
        "dark", "", "fairness", lambda text, _rng: text.replace("pale", "dark"), changes_references=True
    )
    (task,) = tasks_of(scenario_of(instances, "multiple_choice_joint"), perturbations=(dark,))
    found = gathered(task)
    assert found.notes == [
        "quiz: 1 of 2 instances were left out, because a perturbation made two of their choices the same."
    ]
    assert keys(found, "f16") == [("quiz-0", "")]


def test_all_that_is_to_be_said_of_a_task_is_one_sentence(scenario_of: Scenarios, tasks_of: Tasks) -> None:
    scenario = scenario_of(FOUR, "multiple_choice_joint", "multiple_choice_separate_original", shots=1)
    tasks = tasks_of(scenario, chat=True)
    short = Request(PLAIN.prompts, 0, echo=True, n_dropped=1, n_cut=2)
    asked = answered("f16", tasks[0], (("quiz-2", ""),), {"quiz-0": short}, {"quiz-3": TIE})
    notes = gather(tasks, [[asked, answered("f16", tasks[1])]]).notes
    too_few = "asked after 0 examples instead of 1, because there are no more"
    assert notes == [
        f"quiz (multiple_choice_joint_chat): {too_few}; "
        "1 of 4 prompts lost examples to fit the context; 1 of 4 inputs were cut to fit the context; "
        "1 of 4 instances were left out, because they do not fit the context at all; "
        "1 of 3 answers are ties between choices and earn a share of the credit.",
        f"quiz (multiple_choice_separate_original_chat): {too_few}.",
    ]
