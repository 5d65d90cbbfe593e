from __future__ import annotations

import math
import os
import signal
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from harness.continuation import first_of_continuation
from harness.data.store import open_store
from harness.errors import RunError
from harness.execution.concurrency import Concurrency
from harness.execution.records import COLUMNS
from harness.execution.runner import run_task
from harness.execution.tasks import Asking, Task, plan_tasks
from harness.models.bundled import BUNDLED_MODEL
from harness.models.config import ServeConfig
from harness.scenarios.base import Scenario
from harness.scenarios.table import SCENARIOS
from harness.serving.endpoint import Endpoint
from harness.serving.process import ServerProcess
from harness.types import Instance


def tasks_of(name: str, count: int) -> list[Task]:
    return plan_tasks(SCENARIOS[name], open_store(None), Asking(max_instances=count, seed=0))


def ask(endpoint: Endpoint, task: Task, most: int = 4) -> list[dict[str, Any]]:
    """Rows of ``instances``."""
    asked = run_task(endpoint, "m", task, concurrency=Concurrency(most), tick=lambda: None)
    return [record.answer for record in asked.records]


@pytest.mark.parametrize("name", ["world_sums", "world_choice", "world_text"])
def test_rows_say_all_about_each_instance(name: str, endpoint: Endpoint) -> None:
    for task in tasks_of(name, 6):
        ticks: list[None] = []
        tick = partial(ticks.append, None)
        asked = run_task(endpoint, "m", task, concurrency=Concurrency(3), tick=tick)
        assert (len(ticks), asked.left_out) == (6, [])
        rows = [record.answer for record in asked.records]
        weights = [row["n_bytes"] if name == "world_text" else 1 for row in rows]
        mean = np.average([row["value"] for row in rows], weights=weights)
        assert asked.summary(task).startswith(f"{task.metrics[0].name} {mean:.3f} over 6, ")
        assert [row["instance_id"] for row in rows] == [instance.id for instance in task.instances]
        for row, instance in zip(rows, task.instances, strict=True):
            assert list(row) == [column.name for column in COLUMNS]
            assert (row["model"], row["scenario"], row["adapter"]) == ("m", name, task.adapter_name)
            assert (row["kind"], row["gold"], row["metric"]) == (instance.kind, instance.gold, task.metrics[0].name)
            request = task.request(instance, endpoint)
            assert row["prompt"] == request.text
            assert instance.input in row["prompt"]
            assert row["logprob"] == pytest.approx(math.fsum(row["token_logprobs"]))
            assert row["token_logprobs"]
            assert row["logprob"] < 0 < row["n_bytes"]


def test_right_or_wrong_agrees_with_the_answer(endpoint: Endpoint) -> None:
    for task in tasks_of("world_choice", 8):
        for row in ask(endpoint, task):
            assert row["correct"] is (row["value"] == 1) is (row["valid"] and row["answer"] == row["gold"])
            assert len(row["choices"]) == 4
            assert row["gold"] in row["choices"]
            assert len(row["choice_logprobs"]) == (4 if "separate" in row["adapter"] else 0)


def test_bits_per_byte_is_neither_right_nor_wrong(endpoint: Endpoint) -> None:
    (task,) = tasks_of("world_text", 3)
    for row in ask(endpoint, task, 1):
        assert row["correct"] is None
        assert row["choices"] == row["choice_logprobs"] == []
        assert row["value"] == pytest.approx(-row["logprob"] / math.log(2) / row["n_bytes"])
        assert row["n_bytes"] == len(row["prompt"].encode())  # the model begins with BOS, so nothing is left out


def test_results_do_not_depend_on_concurrency(endpoint: Endpoint) -> None:
    (task,) = tasks_of("world_facts", 12)
    one, many = (pd.DataFrame(ask(endpoint, task, most))[["instance_id", "answer"]] for most in (1, 12))
    pd.testing.assert_frame_equal(one, many)


def test_an_instance_that_does_not_fit_is_left_out_and_named(
    endpoint: Endpoint, scenario_of: Callable[..., Scenario], asked: Callable[..., Instance]
) -> None:
    hopeless = asked("Which?", "*a", "word " * 5000, name="quiz-1")
    scenario = scenario_of([asked("Which?", "*a", "b", name="quiz-0"), hopeless], "multiple_choice_separate_original")
    (task,) = plan_tasks(scenario, open_store(None), Asking(max_instances=None, seed=0))
    ticks: list[None] = []
    found = run_task(endpoint, "m", task, concurrency=Concurrency(2), tick=partial(ticks.append, None))
    assert [record.answer["instance_id"] for record in found.records] == ["quiz-0"]
    assert found.left_out == [hopeless]
    assert len(ticks) == 2


def test_an_instance_that_fails_is_named(
    endpoint: Endpoint, scenario_of: Callable[..., Scenario], asked: Callable[..., Instance]
) -> None:
    # More choices than a request may hold prompts.
    instances = [asked("Which?", "*a", *(f"b{i}" for i in range(2000)), name="quiz-1")]
    scenario = scenario_of(instances, "multiple_choice_separate_original")
    (task,) = plan_tasks(scenario, open_store(None), Asking(max_instances=None, seed=0))
    with pytest.raises(RunError, match=r"^quiz, instance quiz-1: The endpoint of world refused: .*1024|1,024"):
        ask(endpoint, task)


def test_contexts_are_not_scored_where_the_endpoint_can_leave_them_out(
    endpoint: Endpoint, asked: Callable[..., Instance], scenario_of: Callable[..., Scenario]
) -> None:
    instance = asked("What does Bara sell?", "*oil", "tea and wool", name="quiz-0")
    (task,) = plan_tasks(
        scenario_of([instance], "multiple_choice_separate_original"),
        open_store(None),
        Asking(max_instances=None, seed=0),
    )
    (whole,) = ask(endpoint, task)
    request = task.request(instance, endpoint)
    assert all(None not in completion.token_logprobs[1:] for completion in endpoint.complete(request))
    endpoint.self_test()
    (late,) = ask(endpoint, task)
    for completion, prompt in zip(endpoint.complete(request), request.prompts, strict=True):
        first = first_of_continuation(completion, prompt)
        assert first > 3
        assert set(completion.token_logprobs[:first]) == {None}
    assert late["choice_logprobs"] == pytest.approx(whole["choice_logprobs"], abs=0.01)


def test_a_server_that_dies_ends_the_task_soon(tmp_path: Path) -> None:
    (task,) = tasks_of("world_sums", 400)
    ticks: list[float] = []
    with (
        ServerProcess(BUNDLED_MODEL, "m", ServeConfig(), tmp_path / "log", slots=4) as server,
        Endpoint(server.base_url, "m", alive=server.check_alive) as endpoint,
    ):
        pid = server.pid

        def tick() -> None:
            ticks.append(time.monotonic())
            if len(ticks) == 3:
                os.kill(pid, signal.SIGKILL)

        with pytest.raises(RunError) as caught:
            run_task(endpoint, "m", task, concurrency=Concurrency(4), tick=tick)
        ended = time.monotonic()
    said = str(caught.value)
    assert said.startswith("world_sums, instance world_sums-")
    assert "The server for m was killed by signal 9." in said
    assert 3 <= len(ticks) < 100
    assert ended - ticks[2] < 30
