"""Putting the tasks to one endpoint, several requests at a time."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from typing import NamedTuple

from harness.errors import DoesNotFit, RunError
from harness.execution.concurrency import Concurrency
from harness.execution.predictions import Predictions
from harness.execution.records import Record, record
from harness.execution.tasks import Task
from harness.metrics.efficiency import INFERENCE_RUNTIME
from harness.serving.endpoint import Endpoint
from harness.types import Instance, Request


class Asked(NamedTuple):
    """What became of a task."""

    records: list[Record]
    """In the order of the instances."""
    left_out: list[Instance]
    """Those that do not fit the context, whatever is left out of their prompts."""
    seconds: float
    """From the first prompt that was made to the last answer."""

    def summary(self, task: Task) -> str:
        """``exact_match 0.941 over 400, 23.4 a second``, for the progress display."""
        main = [row.scores[0] for row in self.records if row.scores[0]["value"] is not None]
        weights = math.fsum(score["weight"] for score in main)
        mean = math.fsum(score["value"] * score["weight"] for score in main) / weights if weights else math.nan
        rate = len(self.records) / max(self.seconds, 1e-9)
        return f"{task.metrics[0].name} {mean:.3f} over {len(self.records)}, {rate:.1f} a second"


def run_task(
    endpoint: Endpoint,
    model: str,
    task: Task,
    *,
    concurrency: Concurrency,
    tick: Callable[[], None],
    predictions: Predictions | None = None,
) -> Asked:
    """Ask every instance of a task.

    Args:
        endpoint: where to ask.
        model: label of the model in the results.
        task: what to ask.
        concurrency: lets requests through.
        tick: called when an instance is done.
        predictions: what the reference wrote, and where its answers are kept if this is the reference.

    Raises:
        RunError: an instance could not be asked; it is named, and the others under way are given up.
    """
    begin = time.monotonic()
    concurrency.look_again()
    pool = ThreadPoolExecutor(concurrency.most)
    try:
        made = pool.map(lambda instance: _request(task, instance, endpoint), task.instances)
        requests = dict(zip(task.instances, made, strict=True))
        fitting = {instance: request for instance, request in requests.items() if request}
        left_out = [instance for instance, request in requests.items() if not request]
        generates = any(not request.echo for request in fitting.values())
        predictable = generates and INFERENCE_RUNTIME not in task.set_metrics  # the reference is timed without
        known = predictions if predictions and predictable and predictions.fit(endpoint, model) else None
        for _ in left_out:
            tick()
        # Prompts with the same beginning one after the other, so that the server still has it when the next one comes.
        order = sorted(fitting, key=lambda instance: fitting[instance].text)
        futures: dict[Future[Record], Instance] = {
            pool.submit(_ask, endpoint, model, task, instance, fitting[instance], concurrency, known): instance
            for instance in order
        }
        answered: dict[Instance, Record] = {}
        for future in as_completed(futures):
            try:
                answered[futures[future]] = future.result()
            except RunError as error:
                raise _named(task, futures[future], error) from error
            tick()
        return Asked([answered[instance] for instance in fitting], left_out, time.monotonic() - begin)
    finally:
        # Not waited for: after a failure the requests under way end when their server is stopped.
        pool.shutdown(wait=False, cancel_futures=True)


def _request(task: Task, instance: Instance, endpoint: Endpoint) -> Request | None:
    try:
        return task.request(instance, endpoint)
    except DoesNotFit:
        return None
    except RunError as error:
        raise _named(task, instance, error) from error


def _named(task: Task, instance: Instance, error: RunError) -> RunError:
    return RunError(f"{task.label}, instance {instance.id}: {error}")


def _ask(
    endpoint: Endpoint,
    model: str,
    task: Task,
    instance: Instance,
    request: Request,
    concurrency: Concurrency,
    predictions: Predictions | None,
) -> Record:
    if predictions is not None and not request.echo:
        request = predictions.added(request, task, instance)
    with concurrency.one():
        begin = time.monotonic()
        completions = endpoint.complete(request)
        seconds = time.monotonic() - begin
    if predictions is not None and not request.echo:
        predictions.learn(model, task, instance, completions)
    answer = task.adapter.read(instance, request, completions)
    return record(model, task, instance, request, answer, completions, seconds)
