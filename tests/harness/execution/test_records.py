from __future__ import annotations

import math
from collections.abc import Callable

import pyarrow as pa
import pytest

from harness.execution.records import COLUMNS, SCHEMA, record
from harness.execution.tasks import Task, plan_tasks
from harness.scenarios.base import Scenario
from harness.types import Answer, Completion, Instance

ANSWER = Answer("oil", -1.5, (-1.0, -0.5), 4, "prompt", choice_logprobs=(-1.5, -2.5))
COMPLETION = Completion(" oil", (" o", "il"), (-1.0, -0.5), (0, 2), "stop")


@pytest.fixture
def task_of(scenario_of: Callable[..., Scenario]) -> Callable[[Instance, str], Task]:
    def make(instance: Instance, adapter: str) -> Task:
        (task,) = plan_tasks([scenario_of([instance], adapter)], max_instances=None, seed=0)
        return task

    return make


def test_a_row_of_a_choice(task_of: Callable[[Instance, str], Task], asked: Callable[..., Instance]) -> None:
    instance = asked("What?", "*oil", "tea", name="quiz-0")
    task = task_of(instance, "multiple_choice_separate_original")
    assert record("q8_0", task, instance, ANSWER, [COMPLETION, COMPLETION]) == {
        "model": "q8_0",
        "scenario": "quiz",
        "adapter": "multiple_choice_separate_original",
        "instance_id": "quiz-0",
        "kind": "",
        "metric": "exact_match",
        "value": 1.0,
        "correct": True,
        "valid": True,
        "answer": "oil",
        "gold": "oil",
        "prompt": "prompt",
        "logprob": -1.5,
        "n_bytes": 4,
        "token_logprobs": [-1.0, -0.5],
        "choices": ["oil", "tea"],
        "choice_logprobs": [-1.5, -2.5],
        "finish_reason": "stop",
    }


def test_one_right_answer_is_no_list_of_choices(
    task_of: Callable[[Instance, str], Task], asked: Callable[..., Instance]
) -> None:
    instance = asked("What?", "*tea", name="quiz-0")
    row = record("q8_0", task_of(instance, "generation"), instance, ANSWER, [COMPLETION])
    assert (row["choices"], row["correct"], row["value"]) == ([], False, 0.0)


def test_running_text_is_neither_right_nor_wrong(task_of: Callable[[Instance, str], Task]) -> None:
    instance = Instance("quiz-0", " oil")
    row = record("q8_0", task_of(instance, "language_modeling"), instance, ANSWER, [COMPLETION])
    assert (row["correct"], row["gold"]) == (None, "")
    assert row["value"] == pytest.approx(1.5 / math.log(2) / 4)


def test_rows_fit_the_schema_even_where_every_list_is_empty(task_of: Callable[[Instance, str], Task]) -> None:
    instance = Instance("quiz-0", " oil")
    empty = Answer("", 0.0, (), 0, "p")
    row = record("q8_0", task_of(instance, "language_modeling"), instance, empty, [COMPLETION])
    table = pa.Table.from_pylist([row], SCHEMA)
    assert table.schema == SCHEMA
    assert table.column_names == [column.name for column in COLUMNS] == list(row)
    assert table["choices"].to_pylist() == [[]]


def test_every_column_says_what_it_means() -> None:
    for field, column in zip(SCHEMA, COLUMNS, strict=True):
        assert field.metadata == {b"meaning": column.meaning.encode()}
        assert column.meaning
