from __future__ import annotations

from collections.abc import Iterator
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


def ask(endpoint: Endpoint, task: Task, predictions: Predictions | None) -> list[dict[str, Any]]:
    asked = run_task(endpoint, "m", task, concurrency=Concurrency(1), tick=lambda: None, predictions=predictions)
    return [record.answer for record in asked.records]


def without(rows: list[dict[str, Any]], *names: str) -> list[dict[str, Any]]:
    return [{name: value for name, value in row.items() if name not in names} for row in rows]


def test_answers_are_the_same_and_where_they_depart_is_known(
    endpoint: Endpoint, candidate: Endpoint, task: Task
) -> None:
    predictions = Predictions()
    reference = ask(endpoint, task, predictions)
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
    predictions = Predictions()
    assert predictions.fit(endpoint)
    assert predictions.fit(endpoint)
    monkeypatch.setattr(endpoint, "tokenize", ByteWindow().tokenize)
    assert not predictions.fit(endpoint)
    assert {row["n_predicted"] for row in ask(endpoint, task, predictions)} == {None}


def test_the_first_answer_is_kept(task: Task) -> None:
    predictions = Predictions()
    instance, other = task.instances[:2]
    request = task.request(instance, ByteWindow())
    for ids in ((), (1, 2), (3,)):
        predictions.learn(task, instance, [Completion("", (), (), (), "stop", generated=ids)])
    assert predictions.added(request, task, instance).prediction == (1, 2)
    assert predictions.added(request, task, other).prediction == ()


def test_an_endpoint_without_predictions_is_asked_once(
    endpoint: Endpoint, task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []
    send = endpoint._send

    def forgetful(request: Any) -> Any:
        asked.append(request)
        answer = send(request)
        for choice in answer.choices:
            choice.generated_token_ids = None
        return answer

    monkeypatch.setattr(endpoint, "_send", forgetful)
    rows = ask(endpoint, task, Predictions())
    assert len(asked) == N + 1
    assert {row["n_predicted"] for row in rows} == {None}
    assert not endpoint.predicts
