"""HellaSwag through the whole harness against ``llama-perplexity --hellaswag``: from instances to judged records."""

from __future__ import annotations

from pathlib import Path

from bench import peers
from bench.hellaswag import Item
from bench.hellaswag import as_lines as lines_of
from bench.measure import Comparison, alternate
from bench.processes import our_server
from bench.setup import BenchError, Inputs
from harness.data.store import open_store
from harness.errors import HarnessError
from harness.execution.concurrency import Concurrency
from harness.execution.runner import run_task
from harness.execution.tasks import Asking, Task, plan_tasks
from harness.scenarios.hub.multiple_choice import MULTIPLE_CHOICE_SCENARIOS
from harness.serving.endpoint import Endpoint
from harness.types import Instance

SAME = 0.90
WARM_UP = 4
"""Instances that are asked before the time runs: more than one, since the first of all compiles."""


def measure(inputs: Inputs) -> list[Comparison]:
    """The scenario ``hellaswag`` as a run asks it, without the start of the server.

    A round takes instances of its own, since what a server has seen need not be computed again. The peer reads the
    same texts, and its time is that of its items alone, without loading the model.
    """
    assert inputs.model is not None
    assert inputs.hellaswag is not None
    if inputs.items < inputs.rounds:
        raise BenchError(f"{inputs.items} items do not make {inputs.rounds} rounds; choose more by --items.")
    model = inputs.model
    task = _task(inputs.hellaswag, inputs.items + WARM_UP, inputs.seed)
    warm_up, measured = task.instances[:WARM_UP], task.instances[WARM_UP:]
    rounds = [measured[number :: inputs.rounds] for number in range(inputs.rounds)]
    with our_server(inputs, model) as server, Endpoint(server.url.removesuffix("/completions"), model.stem) as endpoint:
        endpoint.self_test()
        concurrency = Concurrency(inputs.setup.slots)
        run_task(endpoint, "ours", _part(task, warm_up), concurrency=concurrency, tick=lambda: None)

        def ours(number: int) -> tuple[float, float]:
            inputs.say(f"harness, round {number + 1} of {inputs.rounds}: the harness")
            part = _part(task, rounds[number])
            asked = run_task(endpoint, "ours", part, concurrency=concurrency, tick=lambda: None)
            return len(part.instances) / asked.seconds, sum(record.answer["value"] for record in asked.records)

        def theirs(number: int) -> tuple[float, float]:
            inputs.say(f"harness, round {number + 1} of {inputs.rounds}: llama-perplexity")
            file = inputs.scratch / f"harness-{number}.txt"
            file.write_text(lines_of([_item(instance) for instance in rounds[number]]), encoding="utf-8")
            log = inputs.scratch / f"harness-llama-perplexity-{number}.log"
            run = peers.hellaswag(inputs, model, file, len(rounds[number]), log)
            return run.items_per_second, run.correct

        mine, peer = alternate(inputs.rounds, [ours, theirs])

    def accuracy(side: list[tuple[float, float]]) -> str:
        return f"{sum(correct for _, correct in side) / len(measured):.1%}"

    return [
        Comparison(
            row="harness",
            work="HellaSwag, whole harness",
            against="perplexity",
            unit="items/s",
            ours=tuple(rate for rate, _ in mine),
            theirs=tuple(rate for rate, _ in peer),
            bound=SAME,
            notes=(f"accuracy on {len(measured)} items: ours {accuracy(mine)}, theirs {accuracy(peer)}",),
        )
    ]


def _task(file: Path, count: int, seed: int) -> Task:
    """The scenario's task; the file lies in a folder of tables as ``Rowan/hellaswag/default/validation.parquet``."""
    (scenario,) = (one for one in MULTIPLE_CHOICE_SCENARIOS if one.name == "hellaswag")
    try:
        (task,) = plan_tasks(scenario, open_store(file.parents[3]), Asking(max_instances=count, seed=seed))
    except (HarnessError, IndexError) as error:
        raise BenchError(f"{file}: {error}") from error
    return task


def _part(task: Task, instances: tuple[Instance, ...]) -> Task:
    return Task(task.scenario, task.spec, instances, task.examples)


def _item(instance: Instance) -> Item:
    """What ``llama-perplexity`` reads, a line a text."""
    texts = (" ".join(reference.text.split()) for reference in instance.references)
    gold = next(index for index, reference in enumerate(instance.references) if reference.is_correct)
    return Item(" ".join(instance.input.split()), tuple(texts), gold)
