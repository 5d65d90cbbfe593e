from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.adaptation.window import ByteWindow
from harness.data.store import open_store
from harness.execution.concurrency import Concurrency
from harness.execution.predictions import Predictions
from harness.execution.runner import run_task
from harness.execution.tasks import Asking, Task, plan_tasks
from harness.models.bundled import BUNDLED_MODEL
from harness.models.config import QuantizeConfig, ServeConfig
from harness.models.quantize_child import Job
from harness.models.quantize_child import run as quantize
from harness.scenarios.table import SCENARIOS
from harness.serving.completions import complete
from harness.serving.endpoint import Endpoint
from harness.serving.process import ServerProcess
from harness.types import Completion

N = 24


@pytest.fixture(scope="module")
def task() -> Task:
    (found,) = plan_tasks(SCENARIOS["world_sums"], open_store(None), Asking(max_instances=N, seed=0))
    return found


@pytest.fixture(scope="module")
def candidate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Endpoint]:
    """A quantization of the bundled model."""
    folder = tmp_path_factory.mktemp("candidate")
    output = folder / "q8_0.gguf"
    assert quantize(Job(source=BUNDLED_MODEL, output=output, threads=1, quantize=QuantizeConfig(type="Q8_0"))) == 0
    with (
        ServerProcess(output, "q8_0", ServeConfig(), Path(folder, "server.log"), slots=4) as server,
        Endpoint(server.base_url, "q8_0", alive=server.check_alive) as found,
    ):
        yield found


def ask(endpoint: Endpoint, task: Task, predictions: Predictions | None, model: str = "q8_0") -> list[dict[str, Any]]:
    asked = run_task(endpoint, model, task, concurrency=Concurrency(1), tick=lambda: None, predictions=predictions)
    return [record.answer for record in asked.records]


def without(rows: list[dict[str, Any]], *names: str) -> list[dict[str, Any]]:
    return [{name: value for name, value in row.items() if name not in names} for row in rows]


def test_answers_are_the_same_and_where_they_depart_is_known(
    endpoint: Endpoint, candidate: Endpoint, task: Task
) -> None:
    predictions = Predictions("f16")
    reference = ask(endpoint, task, predictions, "f16")
    assert {(row["n_predicted"], row["n_accepted"]) for row in reference} == {(None, None)}
    predicted, plain = ask(candidate, task, predictions), ask(candidate, task, None)
    changing = ("seconds", "n_predicted", "n_accepted", "token_logprobs", "logprob")
    assert without(predicted, *changing) == without(plain, *changing)
    for row, other in zip(predicted, reference, strict=True):
        assert 0 <= row["n_accepted"] <= row["n_predicted"] > 0
        assert (row["n_accepted"] == row["n_predicted"]) == (row["answer"] == other["answer"])
    assert any(row["n_accepted"] == row["n_predicted"] for row in predicted)


def test_answers_of_another_vocabulary_are_no_prediction(
    endpoint: Endpoint, task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    predictions = Predictions("f16")
    assert not predictions.fit(endpoint, "q8_0")  # nothing is known yet
    assert predictions.fit(endpoint, "f16")
    assert predictions.fit(endpoint, "q8_0")
    monkeypatch.setattr(endpoint, "tokenize", ByteWindow().tokenize)
    assert not predictions.fit(endpoint, "q8_0")
    assert {row["n_predicted"] for row in ask(endpoint, task, predictions)} == {None}


def test_where_answers_are_timed_nothing_is_predicted(endpoint: Endpoint, candidate: Endpoint) -> None:
    """The reference has no predictions either, so times with them would compare something else."""
    (timed,) = plan_tasks(SCENARIOS["synthetic_efficiency"], open_store(None), Asking(max_instances=2, seed=0))
    predictions = Predictions("f16")
    ask(endpoint, timed, predictions, "f16")
    rows = ask(candidate, timed, predictions)
    assert {(row["n_predicted"], row["n_accepted"]) for row in rows} == {(None, None)}
    assert all(row["finish_reason"] for row in rows)


def test_only_the_reference_teaches(endpoint: Endpoint, candidate: Endpoint, task: Task) -> None:
    # A reference whose endpoint knows of no predictions was asked before.
    predictions = Predictions("f16")
    for model in ("q8_0", "q4_k_m"):
        assert {row["n_predicted"] for row in ask(candidate, task, predictions, model)} == {None}
    ask(endpoint, task, predictions, "f16")
    assert all(row["n_predicted"] for row in ask(candidate, task, predictions))


@pytest.mark.parametrize("ids", [(), (1, 2)])
def test_what_the_reference_wrote_is_kept_be_it_nothing(ids: tuple[int, ...], task: Task) -> None:
    predictions = Predictions("f16")
    instance, other = task.instances[:2]
    request = task.request(instance, ByteWindow())
    for model, generated in (("f16", ids), ("q8_0", (3,))):
        predictions.learn(model, task, instance, [Completion("", (), (), (), "stop", generated=generated)])
    assert predictions.added(request, task, instance).prediction == ids
    assert predictions.added(request, task, other).prediction == ()


def test_an_endpoint_without_predictions_is_asked_once(
    endpoint: Endpoint, task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []

    def forgetful(*arguments: Any, **named: Any) -> list[Completion]:
        asked.append(arguments)
        return [replace(completion, generated=()) for completion in complete(*arguments, **named)]

    monkeypatch.setattr("harness.serving.endpoint.complete", forgetful)
    rows = ask(endpoint, task, Predictions("f16"), "f16")
    assert len(asked) == N + 1
    assert {row["n_predicted"] for row in rows} == {None}
    assert not endpoint.predicts
