from __future__ import annotations

import math
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from harness.errors import RunError
from harness.execution.runner import run_task
from harness.execution.tasks import Task, plan_tasks
from harness.models.bundled import BUNDLED_MODEL
from harness.models.config import ServeConfig
from harness.scenarios.base import Scenario
from harness.scenarios.table import SCENARIOS
from harness.serving.endpoint import Endpoint
from harness.serving.process import ServerProcess
from harness.types import Instance

COLUMNS = [
    "model",
    "scenario",
    "adapter",
    "instance_id",
    "kind",
    "metric",
    "value",
    "correct",
    "valid",
    "answer",
    "gold",
    "prompt",
    "logprob",
    "n_bytes",
    "token_logprobs",
    "choices",
    "choice_logprobs",
    "finish_reason",
]


def tasks_of(name: str, count: int) -> list[Task]:
    return plan_tasks([SCENARIOS[name]], max_instances=count, seed=0)


@pytest.mark.parametrize("name", ["world_sums", "world_choice", "world_text"])
def test_rows_say_all_about_each_instance(name: str, endpoint: Endpoint) -> None:
    for task in tasks_of(name, 6):
        ticks: list[None] = []
        rows = run_task(endpoint, "m", task, concurrency=3, tick=lambda seen=ticks: seen.append(None))
        assert len(ticks) == 6
        assert [row["instance_id"] for row in rows] == [instance.id for instance in task.instances]
        for row, instance in zip(rows, task.instances, strict=True):
            assert list(row) == COLUMNS
            assert (row["model"], row["scenario"], row["adapter"]) == ("m", name, task.adapter_name)
            assert (row["kind"], row["gold"], row["metric"]) == (instance.kind, instance.gold, task.metric.name)
            assert row["prompt"] == task.request(instance).prompts[0]
            assert row["logprob"] == pytest.approx(math.fsum(row["token_logprobs"]))
            assert row["token_logprobs"]
            assert row["logprob"] < 0 < row["n_bytes"]


def test_right_or_wrong_agrees_with_the_answer(endpoint: Endpoint) -> None:
    for task in tasks_of("world_choice", 8):
        for row in run_task(endpoint, "m", task, concurrency=4, tick=lambda: None):
            assert row["correct"] is (row["value"] == 1) is (row["valid"] and row["answer"] == row["gold"])
            assert len(row["choices"]) == 4
            assert row["gold"] in row["choices"]
            assert len(row["choice_logprobs"]) == (4 if "separate" in row["adapter"] else 0)


def test_bits_per_byte_is_neither_right_nor_wrong(endpoint: Endpoint) -> None:
    (task,) = tasks_of("world_text", 3)
    for row in run_task(endpoint, "m", task, concurrency=1, tick=lambda: None):
        assert row["correct"] is None
        assert row["choices"] == row["choice_logprobs"] == []
        assert row["value"] == pytest.approx(-row["logprob"] / math.log(2) / row["n_bytes"])
        assert len(row["prompt"].encode()) - 20 < row["n_bytes"] < len(row["prompt"].encode())


def test_results_do_not_depend_on_concurrency(endpoint: Endpoint) -> None:
    (task,) = tasks_of("world_facts", 12)
    one, many = (
        pd.DataFrame(run_task(endpoint, "m", task, concurrency=n, tick=lambda: None))[["instance_id", "answer"]]
        for n in (1, 12)
    )
    pd.testing.assert_frame_equal(one, many)


def test_an_instance_that_fails_is_named(
    endpoint: Endpoint, scenario_of: Callable[..., Scenario], asked: Callable[..., Instance]
) -> None:
    instances = [asked("short", "*a", name="quiz-0"), asked("word " * 5000, "*a", name="quiz-1")]
    tasks = plan_tasks([scenario_of(instances, "generation", "language_modeling")], max_instances=None, seed=0)
    with pytest.raises(
        RunError, match=r"^quiz \(generation\), instance quiz-1: The endpoint of world refused: .*tokens"
    ):
        run_task(endpoint, "m", tasks[0], concurrency=2, tick=lambda: None)


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
            run_task(endpoint, "m", task, concurrency=4, tick=tick)
        ended = time.monotonic()
    said = str(caught.value)
    assert said.startswith("world_sums, instance world_sums-")
    assert "The server for m was killed by signal 9." in said
    assert 3 <= len(ticks) < 100
    assert ended - ticks[2] < 30
