"""What every scenario asks, letter by letter: a changed prompt shows as a changed file in ``golden/``.

``UPDATE_GOLDEN=1 pytest tests/harness/scenarios/test_golden_prompts.py`` writes the files again.
"""

from __future__ import annotations

import itertools
import os
from pathlib import Path

import pytest

from harness.adaptation.window import Window
from harness.data.table import Store
from harness.execution.tasks import Asking, Task, plan_tasks
from harness.scenarios.base import Scenario
from harness.scenarios.generated.scenarios import GENERATED_SCENARIOS
from harness.scenarios.hub.multiple_choice import MULTIPLE_CHOICE_SCENARIOS
from harness.scenarios.hub.text import TEXT_SCENARIOS
from harness.scenarios.table import SCENARIOS
from harness.types import Instance, Prompt

GOLDEN = Path(__file__).parent / "golden"
ALL = (*SCENARIOS.values(), *GENERATED_SCENARIOS, *MULTIPLE_CHOICE_SCENARIOS, *TEXT_SCENARIOS)
SHOWN: dict[str, Scenario] = {scenario.name: scenario for scenario in ALL}


def shown(text: str | tuple[int, ...], window: Window) -> str:
    """Token ids as the text that they stand for."""
    return text if isinstance(text, str) else window.detokenize(list(text))


def rendered(task: Task, instance: Instance, window: Window) -> str:
    """All prompts of one instance. What the model is to say, or what is scored, stands in brackets after its context.

    A context that several prompts share stands once.
    """
    request = task.request(instance, window)
    heading = f"{task.adapter_name}: {instance.id}, {request.n_examples} examples, max_tokens {request.max_tokens}"
    lines = [f"=== {heading}, {'echo' if request.echo else f'stop {list(request.stop)}'}"]

    def context(prompt: Prompt) -> str:
        return shown(prompt.context, window)

    for text, prompts in itertools.groupby(request.prompts, context):
        lines.append(text + "\n".join(f"⟦{shown(prompt.continuation, window)}⟧" for prompt in prompts))
    return "\n".join(lines) + "\n"


def golden(scenario: Scenario, store: Store, window: Window) -> str:
    """One instance of each adapter; and where slices are asked in their own ways, one of each such slice."""
    texts = []
    for task in plan_tasks(scenario, store, Asking(max_instances=None, seed=0)):
        first = {task.spec.layout_of(instance): instance for instance in reversed(task.instances)}
        texts += [rendered(task, instance, window) for instance in reversed(first.values())]
    return "\n".join(texts)


@pytest.mark.parametrize("name", SHOWN)
def test_prompts_are_the_golden_ones(name: str, invented: Store, window: Window) -> None:
    path = GOLDEN / f"{name}.txt"
    text = golden(SHOWN[name], invented, window)
    if os.environ.get("UPDATE_GOLDEN"):
        path.write_text(text, encoding="utf-8", newline="\n")
    assert text == path.read_text(encoding="utf-8")


def test_every_golden_file_has_a_scenario() -> None:
    assert {path.stem for path in GOLDEN.iterdir()} <= SHOWN.keys()
