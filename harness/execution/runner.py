"""Putting the tasks to one endpoint, several requests at a time."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from typing import Any

from harness.errors import RunError
from harness.execution.records import record
from harness.execution.tasks import Task
from harness.serving.endpoint import Endpoint
from harness.types import Instance


def run_task(
    endpoint: Endpoint, model: str, task: Task, *, concurrency: int, tick: Callable[[], None]
) -> list[dict[str, Any]]:
    """Ask every instance of a task.

    Args:
        endpoint: where to ask.
        model: label of the model in the results.
        task: what to ask.
        concurrency: requests under way at once.
        tick: called when an instance is done.

    Returns:
        One row of ``instances.parquet`` an instance, in the order of the instances.

    Raises:
        RunError: an instance could not be asked; it is named, and the others under way are given up.
    """
    pool = ThreadPoolExecutor(concurrency)
    try:
        futures: dict[Future[dict[str, Any]], Instance] = {
            pool.submit(_ask, endpoint, model, task, instance): instance for instance in task.instances
        }
        for future in as_completed(futures):
            try:
                future.result()
            except RunError as error:
                raise RunError(f"{task.label}, instance {futures[future].id}: {error}") from error
            tick()
        return [future.result() for future in futures]
    finally:
        # Not waited for: after a failure the requests under way end when their server is stopped.
        pool.shutdown(wait=False, cancel_futures=True)


def _ask(endpoint: Endpoint, model: str, task: Task, instance: Instance) -> dict[str, Any]:
    request = task.request(instance)
    completions = endpoint.complete(request)
    answer = task.adapter.read(instance, request, completions)
    return record(model, task, instance, answer, completions)
