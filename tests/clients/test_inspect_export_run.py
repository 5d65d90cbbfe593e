"""Inspect asks what `harness export inspect` wrote, by the command in its README, and finds what we find."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pytest

from harness.data.store import open_store
from harness.execution.concurrency import Concurrency
from harness.execution.records import Record
from harness.execution.runner import run_task
from harness.execution.tasks import Asking, Task, plan_tasks
from harness.interop.inspect.folder import write_inspect
from harness.interop.models import model_at
from harness.interop.source import Source
from harness.scenarios.base import AdapterSpec, Data, Scenario
from harness.scenarios.table import SCENARIOS
from harness.serving.endpoint import Endpoint
from harness.types import Instance, Reference

if TYPE_CHECKING:
    from conftest import Client

    from tests.conftest import ServerUnderTest

METHODS = ("multiple_choice_separate_original", "multiple_choice_separate_calibrated")
WRITTEN, CHOICES = (
    ("world_facts", "world_choice_joint"),
    ("world_choice_separate", "odd_separate", "odd_calibrated", "blank"),
)
TEXT = "world_text"


def _choice(name: str, text: str, *choices: str) -> Instance:
    return Instance(name, text, tuple(Reference(one.removeprefix("*"), one.startswith("*")) for one in choices))


ODD = Scenario(
    name="odd",
    description="Letters that are several tokens, and choices of several lengths",
    adapters=tuple(AdapterSpec(method=method, n_shots=0, normalization="character") for method in METHODS),
    metrics=("exact_match",),
    load=lambda _store: Data(
        [],
        [
            _choice("odd-0", "Which of these is a town?", "*Łódź", "naïve 🙂", "a longer answer, with a comma"),
            _choice("odd-1", "日本の首都は?", "大阪", "*東京", "京都"),
        ],
    ),
    made_from="1",
)


@pytest.fixture(scope="module")
def tasks() -> list[Task]:
    """Eight tasks; one of them is such that Inspect cannot ask it."""
    greedy = Scenario(
        name="greedy",
        description="What Inspect cannot ask",
        adapters=(AdapterSpec(method="continuation", n_shots=0),),
        metrics=("greedy_match",),
        load=lambda _store: Data([], [_choice("greedy-0", "The capital of Broomland is", "*Kirripolis")]),
        made_from="1",
    )
    blank = Scenario(
        name="blank",
        description="Choices in the middle",
        adapters=(AdapterSpec(method="multiple_choice_separate_partial", n_shots=0),),
        metrics=("exact_match",),
        load=lambda _store: Data([], [_choice("blank-0", "The money of _ is the leek.", "*Zoxia", "Broomland")]),
        made_from="1",
    )
    scenarios = [*(SCENARIOS[name] for name in ("world_facts", "world_choice", "world_text")), ODD, blank, greedy]
    asking = Asking(max_instances=8, seed=3)
    return [task for scenario in scenarios for task in plan_tasks(scenario, open_store(None), asking)]


@pytest.fixture(scope="module")
def ours(tasks: list[Task], either_world: ServerUnderTest) -> dict[str, dict[str, Record]]:
    """What we find: by the names that Inspect has for the tasks, and by instance."""
    with Endpoint(either_world.url, either_world.id) as endpoint:
        asked = [
            run_task(endpoint, "model", task, concurrency=Concurrency(4), tick=lambda: None).records for task in tasks
        ]
    names = (WRITTEN[0], CHOICES[0], WRITTEN[1], TEXT, *CHOICES[1:], "greedy")
    return {
        name: {record.answer["instance_id"]: record for record in records}
        for name, records in zip(names, asked, strict=True)
    }


@pytest.fixture(scope="module")
def theirs(
    tasks: list[Task], either_world: ServerUnderTest, clients_python: Client, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, dict[str, Any]]:
    """What Inspect finds, in the same order."""
    folder = tmp_path_factory.mktemp("inspect")
    source = Source(models=(model_at("world", either_world.url),), tasks=tuple(tasks), notes=(), store=open_store(None))
    assert write_inspect(folder, source, 8001) == ["Left out: greedy: Inspect has no continuation."]
    readme = (folder / "README.md").read_text(encoding="utf-8")
    command = re.search(r"    (LOCAL_API_KEY(?:.*\\\n)*.*)\n", readme)
    assert command is not None
    clients_python.shell(f"{command[1]} --log-format json --display plain", cwd=folder)
    logs = [json.loads(path.read_text(encoding="utf-8")) for path in (folder / "logs").glob("*.json")]
    assert [log["status"] for log in logs] == ["success"] * 7
    return {log["eval"]["task"]: {sample["id"]: sample for sample in log["samples"]} for log in logs}


def value(record: Record) -> float:
    """The main metric."""
    found: float = record.scores[0]["value"]
    return found


@pytest.mark.parametrize("task", WRITTEN)
def test_answers_are_the_same(ours: Mapping[str, Any], theirs: Mapping[str, Any], task: str) -> None:
    assert set(theirs[task]) == set(ours[task])
    for name, sample in theirs[task].items():
        score = sample["scores"]["right_answer"]
        assert sample["input"] == ours[task][name].answer["prompt"]
        assert score["value"] == value(ours[task][name])


@pytest.mark.parametrize("task", CHOICES)
def test_choices_are_as_likely(ours: Mapping[str, Any], theirs: Mapping[str, Any], task: str) -> None:
    assert set(theirs[task]) == set(ours[task])
    for name, sample in theirs[task].items():
        score = sample["scores"]["right_choice"]
        assert score["metadata"]["choice_logprobs"] == pytest.approx(
            list(ours[task][name].answer["choice_logprobs"]), abs=1e-3
        )
        assert score["value"] == value(ours[task][name])


def test_texts_are_as_likely(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> None:
    assert set(theirs[TEXT]) == set(ours[TEXT])
    for name, sample in theirs[TEXT].items():
        found = sample["scores"]["perplexity"]["metadata"]
        row = ours[TEXT][name].answer
        assert found["num_tokens"] == len(row["token_logprobs"])
        tokens = [one["logprob"] for one in sample["output"]["choices"][0]["prompt_logprobs"]["content"]]
        assert tokens == pytest.approx(list(row["token_logprobs"]), abs=1e-3)
        assert found["sum_log_probs"] == pytest.approx(sum(tokens))
