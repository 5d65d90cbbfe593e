from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pytest

from harness.execution.gather import frame
from harness.execution.records import COLUMNS, SCHEMA, SCORE_COLUMNS, SCORE_SCHEMA, Record, _predicted, record
from harness.execution.tasks import Task
from harness.scenarios.base import Scenario
from harness.types import Answer, Completion, Instance, Prompt, Reference, Request

ANSWER = Answer("oil", -1.5, (-1.0, -0.5), 4, tokens=(" o", "il"))
CHOICE = dataclasses.replace(ANSWER, choice_logprobs=(-1.5, -2.5), chosen=(0,))
COMPLETION = Completion(" oil", (" o", "il"), (-1.0, -0.5), (0, 2), "stop")
REQUEST = Request((Prompt("prompt", " oil"), Prompt("prompt", " tea")), 0, n_examples=2, n_dropped=3, n_cut=1)

Make = Callable[..., Record]


@pytest.fixture
def make(scenario_of: Callable[..., Scenario], tasks_of: Callable[..., list[Task]]) -> Make:
    """The record of an answer to one instance."""

    def make(
        instance: Instance,
        method: str = "generation",
        answer: Answer = ANSWER,
        request: Request = REQUEST,
        metrics: tuple[str, ...] | None = None,
        **asking: Any,
    ) -> Record:
        train = [Instance("quiz-t0", "?", (Reference("!", True),))]
        task = tasks_of(scenario_of([instance], method, metrics=metrics, train=train, shots=1), **asking)[-1]
        return record("q8_0", task, instance, request, answer, [COMPLETION], 0.25)

    return make


def test_a_log_probability_that_is_not_known_is_null(make: Make, asked: Callable[..., Instance]) -> None:
    unknown = dataclasses.replace(ANSWER, logprob=math.nan, token_logprobs=(), tokens=())
    row = make(asked("What?", "*oil"), answer=unknown).answer
    assert (row["logprob"], row["token_logprobs"], row["tokens"]) == (None, [], [])


def test_a_row_of_a_choice(make: Make, asked: Callable[..., Instance]) -> None:
    found = make(asked("What?", "*oil", "tea", name="quiz-0"), "multiple_choice_separate_original", CHOICE)
    assert found.answer == {
        "model": "q8_0",
        "scenario": "quiz",
        "adapter": "multiple_choice_separate_original",
        "trial": 0,
        "instance_id": "quiz-0",
        "perturbation": "",
        "group": "",
        "kind": "",
        "metric": "exact_match",
        "value": 1.0,
        "correct": True,
        "valid": True,
        "answer": "oil",
        "gold": "oil",
        "golds": ["oil"],
        "prompt": "prompt",
        "n_examples": 2,
        "n_dropped": 3,
        "n_cut": 1,
        "logprob": -1.5,
        "n_bytes": 4,
        "token_logprobs": [-1.0, -0.5],
        "tokens": [" o", "il"],
        "choices": ["oil", "tea"],
        "gold_choices": [0],
        "choice_logprobs": [-1.5, -2.5],
        "choice_lengths": [],
        "chosen": [0],
        "n_tied": 1,
        "is_greedy": None,
        "finish_reason": "stop",
        "n_predicted": None,
        "n_accepted": None,
        "seconds": 0.25,
        "details": "",
    }


def test_every_metric_has_a_score_of_its_own(make: Make, asked: Callable[..., Instance]) -> None:
    answer = Answer("light oil", -1.5, (-1.5,), 9)
    metrics = ("f1_score", "exact_match", "ece_10_bin", "bits_per_byte")
    found = make(asked("What?", "*oil", name="quiz-0"), answer=answer, metrics=metrics)
    what = {
        "model": "q8_0",
        "scenario": "quiz",
        "adapter": "generation",
        "trial": 0,
        "instance_id": "quiz-0",
        "perturbation": "",
        "group": "",
    }
    bits = pytest.approx(1.5 / math.log(2) / 9)
    assert found.scores == [
        what | {"metric": "f1_score", "value": pytest.approx(2 / 3), "weight": 1.0, "correct": None},
        what | {"metric": "exact_match", "value": 0.0, "weight": 1.0, "correct": False},
        what | {"metric": "bits_per_byte", "value": bits, "weight": 9.0, "correct": None},
    ]
    assert (found.answer["metric"], found.answer["value"]) == ("f1_score", pytest.approx(2 / 3))


def test_trials_chat_perturbations_and_groups_travel_into_every_row(make: Make) -> None:
    instance = Instance("quiz-0", "WHAT?", (Reference("oil", True),), perturbation="loud", group="fuel")
    found = make(instance, trials=3, chat=True)
    for row in (found.answer, *found.scores):
        assert (row["trial"], row["adapter"], row["perturbation"], row["group"]) == (
            2,
            "generation_chat",
            "loud",
            "fuel",
        )


@pytest.mark.parametrize(
    ("chosen", "value", "correct"), [((0,), 1.0, True), ((1,), 0.0, False), ((0, 1), 0.5, False), ((1, 2), 0.0, False)]
)
def test_a_tie_earns_a_share_and_is_not_right(
    chosen: tuple[int, ...], value: float, correct: bool, make: Make, asked: Callable[..., Instance]
) -> None:
    answer = Answer("oil", -1.5, (-1.5,), 4, choice_logprobs=(-1.5, -1.5, -1.5), chosen=chosen)
    row = make(asked("What?", "*oil", "tea", "tin"), "multiple_choice_separate_original", answer).answer
    assert (row["value"], row["correct"], row["n_tied"]) == (value, correct, len(chosen))


def test_one_right_answer_is_no_list_of_choices(make: Make, asked: Callable[..., Instance]) -> None:
    row = make(asked("What?", "*tea", name="quiz-0"), answer=Answer("oil", -1.5, (), 4)).answer
    assert (row["choices"], row["correct"], row["value"], row["n_tied"]) == ([], False, 0.0, 0)


def test_all_right_answers_are_kept(make: Make, asked: Callable[..., Instance]) -> None:
    row = make(asked("What?", "*tea", "*oil"), answer=Answer("oil", -1.5, (), 4)).answer
    assert (row["gold"], row["golds"], row["correct"]) == ("tea", ["tea", "oil"], True)


def test_running_text_is_neither_right_nor_wrong(make: Make) -> None:
    request = Request((Prompt("", " oil"),), 0, echo=True)
    row = make(Instance("quiz-0", " oil"), "language_modeling", request=request).answer
    assert (row["correct"], row["gold"], row["golds"], row["prompt"]) == (None, "", [], " oil")
    assert row["value"] == pytest.approx(1.5 / math.log(2) / 4)


def test_a_judgement_that_there_is_not_is_null_and_not_wrong(make: Make) -> None:
    found = make(Instance("quiz-0", " oil"), answer=Answer("", 0.0, (), 0), metrics=("greedy_match", "bits_per_byte"))
    assert (found.answer["value"], found.answer["correct"]) == (None, None)
    table = pa.Table.from_pylist(found.scores, SCORE_SCHEMA)
    assert table["value"].null_count == table["correct"].null_count == 2


def test_prompts_of_token_ids_are_shown_whole(make: Make) -> None:
    row = make(Instance("quiz-0", "?"), request=Request((Prompt((1, 20), (3,)),), 0, echo=True)).answer
    assert row["prompt"] == "1 20 3"


def test_details_are_json_that_can_be_read(make: Make) -> None:
    details = {"rules": ["no_comma"], "Ö": {"n": 1}}
    row = make(Instance("quiz-0", "?", details=details)).answer
    assert json.loads(row["details"]) == details
    assert "Ö" in row["details"]


def test_rows_fit_the_schemas_even_where_every_list_is_empty(make: Make) -> None:
    found = make(Instance("quiz-0", " oil"), "language_modeling", Answer("", 0.0, (), 0))
    table = pa.Table.from_pylist([found.answer], SCHEMA)
    assert table.schema == SCHEMA
    assert table.column_names == [column.name for column in COLUMNS] == list(found.answer)
    assert table["choices"].to_pylist() == [[]]
    scores = pa.Table.from_pylist(found.scores, SCORE_SCHEMA)
    assert scores.column_names == [column.name for column in SCORE_COLUMNS] == list(found.scores[0])
    assert str(frame(scores)["correct"].dtype) == "boolean"


@pytest.mark.parametrize(("schema", "columns"), [(SCHEMA, COLUMNS), (SCORE_SCHEMA, SCORE_COLUMNS)])
def test_every_column_says_what_it_means(schema: pa.Schema, columns: tuple[Any, ...]) -> None:
    for field, column in zip(schema, columns, strict=True):
        assert field.metadata == {b"meaning": column.meaning.encode()}
        assert column.meaning


@pytest.mark.parametrize(
    ("predicted", "generated", "counts"),
    [
        ((1, 2, 3), (1, 2, 3), (3, 3)),
        ((1, 2, 3), (1, 5, 3), (3, 1)),
        ((1, 2, 3), (1, 2), (3, 2)),
        ((1, 2), (1, 2, 3), (2, 2)),
        ((1, 2), (), (2, 0)),
        ((), (1, 2), (None, None)),
    ],
)
def test_a_prediction_counts_up_to_the_first_other_token(
    predicted: tuple[int, ...], generated: tuple[int, ...], counts: tuple[int | None, int | None]
) -> None:
    completion = dataclasses.replace(COMPLETION, generated=generated)
    assert _predicted(dataclasses.replace(REQUEST, prediction=predicted), completion) == counts
