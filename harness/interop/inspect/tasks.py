"""One of our tasks as Inspect's: how it is asked, and a row of data for each question, its prompts written out."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.adaptation.window import ByteWindow
from harness.execution.tasks import Task
from harness.interop.asked import LeftOut, by_perturbation, right_words, task_words
from harness.methods import short_name
from harness.types import Instance, Request

Row = dict[str, Any]
KINDS: Mapping[str, str] = {
    "generation": "written",
    "multiple_choice_joint": "written",
    "multiple_choice_separate_original": "choices",
    "multiple_choice_separate_calibrated": "choices",
    "multiple_choice_separate_partial": "choices",
    "language_modeling": "text",
}
"""What ``quant_harness.py`` does with a method's questions. Other methods need what Inspect does not hand on: whether a
token is the likeliest, windows over a text, or a metric that finds the answer among the reasons."""


@dataclass(frozen=True, slots=True)
class InspectTask:
    """What Inspect needs to ask one task."""

    name: str
    """Also a file's and a Python function's."""
    spec: Mapping[str, Any]
    """Of ``tasks.json``."""
    rows: Sequence[Row]
    """One a question."""
    ours: str
    """Our main metric."""
    theirs: str
    """Inspect's figure that is the same; empty where it has none."""
    longest: int
    """UTF-8 bytes of the longest prompt with what comes after it, which has as many tokens at most."""


def inspect_tasks(task: Task) -> Iterator[InspectTask | LeftOut]:
    """What Inspect is to ask in place of one of our tasks: the originals, and each perturbation apart."""
    for perturbation, part in by_perturbation(task):
        yield _inspect_task(part, perturbation)


def _inspect_task(task: Task, perturbation: str) -> InspectTask | LeftOut:
    name = _name(task, perturbation)
    if task.is_chat:
        return LeftOut(name, "it goes through the chat template, and these prompts are sent as they are")
    if task.spec.method not in KINDS:
        return LeftOut(name, f"Inspect has no {short_name(task.spec.method)}")
    kind, window = KINDS[task.spec.method], ByteWindow()
    asked = [(instance, task.request(instance, window)) for instance in task.instances]
    if kind == "choices" and any(not isinstance(p.context, str) for _, request in asked for p in request.prompts):
        return LeftOut(name, "its choices stand after nothing, and Inspect gets no score of a first token")
    make = {"written": _written_row, "choices": _choices_row, "text": _text_row}[kind]
    ours = task.metrics[0].name
    return InspectTask(
        name=name,
        spec={"kind": kind, **_how(task, kind)},
        rows=[make(instance, request) for instance, request in asked],
        ours=ours,
        theirs="accuracy" if ours == "exact_match" and kind != "text" else "",
        longest=task.spec.max_tokens + max(_length(request) for _, request in asked),
    )


def _name(task: Task, perturbation: str) -> str:
    name = re.sub(r"\W", "_", task_words(task, perturbation), flags=re.ASCII)
    return name if name[0].isalpha() else f"task_{name}"


def _how(task: Task, kind: str) -> Row:
    if kind == "written":
        return {"max_tokens": task.spec.max_tokens, "stop": list(task.spec.stop)}
    if kind == "text":
        return {}
    is_original = task.spec.method == "multiple_choice_separate_original"
    return {"normalization": task.spec.normalization if is_original else "none"}  # the other two divide by nothing


def _written_row(instance: Instance, request: Request) -> Row:
    target = right_words(instance, request)
    return {"id": instance.id, "input": request.text, "target": target, "metadata": _about(instance)}


def _choices_row(instance: Instance, request: Request) -> Row:
    more = {
        "prompts": [[prompt.context, prompt.continuation] for prompt in request.prompts],
        "choices": [reference.text for reference in instance.references],
        "right": list(instance.right),
    }
    return {
        "id": instance.id,
        "input": instance.input,
        "target": list(instance.golds),
        "metadata": _about(instance) | more,
    }


def _text_row(instance: Instance, request: Request) -> Row:  # noqa: ARG001
    return {"id": instance.id, "input": instance.input, "metadata": _about(instance)}


def _about(instance: Instance) -> Row:
    return {"kind": instance.kind, "group": instance.group}


def _length(request: Request) -> int:
    return max(len(p.whole.encode() if isinstance(p.whole, str) else p.whole) for p in request.prompts)
