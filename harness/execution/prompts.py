"""How one instance of a scenario looks to a model, for people who want to see it before anything is asked."""

from __future__ import annotations

from collections.abc import Iterator

from harness.adaptation.window import ByteWindow
from harness.data.table import Store
from harness.execution.tasks import Asking, plan_tasks
from harness.scenarios.base import Scenario


def shown_prompts(scenario: Scenario, store: Store) -> Iterator[str]:
    """The prompts of one instance, drawn at random, by adapter: what a run asks if everything fits the context.

    Raises:
        MissingTable: the scenario's data cannot be had.
    """
    window = ByteWindow()
    for task in plan_tasks(scenario, store, Asking(max_instances=1, seed=0)):
        (instance,) = task.instances
        request = task.request(instance, window)
        answers = (
            "its own text is scored"
            if not instance.references
            else f"{len(request.prompts)} prompts, each scored for what stands between brackets at its end"
            if request.echo
            else f"the model goes on, up to {request.max_tokens} tokens"
        )
        yield f"=== {task.label}, {instance.id}, after {request.n_examples} examples; {answers}\n"
        for prompt in request.prompts:
            if not instance.references:
                yield f"{request.text}\n"
                break
            context, scored = (
                part if isinstance(part, str) else window.detokenize(list(part))
                for part in (prompt.context, prompt.continuation)
            )
            yield f"{context}{f'⟦{scored}⟧' if scored else ''}\n"
