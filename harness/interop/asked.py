"""What the exports have in common: which tasks others can ask, what these are called, and which answers are right."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple, Protocol, TypeVar

from harness.errors import UserError
from harness.execution.tasks import Task
from harness.methods import short_name
from harness.types import Instance, Request

T = TypeVar("T")


class LeftOut(NamedTuple):
    """A task that another harness cannot ask."""

    name: str
    why: str
    """As the end of a sentence."""


class Exported(Protocol):
    """A task as another harness asks it."""

    @property
    def name(self) -> str:
        """Also a file's."""

    @property
    def longest(self) -> int:
        """UTF-8 bytes of the longest prompt with what comes after it, which has as many tokens at most."""


def without_left_out(found: Iterable[T | LeftOut], harness: str) -> tuple[list[T], list[str]]:
    """The tasks that can be asked, and a sentence for each other.

    Args:
        found: both.
        harness: the name of the one that is to ask them.

    Raises:
        UserError: it can ask none.
    """
    tasks: list[T] = []
    notes: list[str] = []
    for one in found:
        if isinstance(one, LeftOut):
            notes.append(f"Left out: {one.name}: {one.why}.")
        else:
            tasks.append(one)
    if not tasks:
        raise UserError(f"{harness} can ask none of these tasks; name other scenarios. {' '.join(notes)}")
    return tasks, notes


def by_perturbation(task: Task) -> Iterator[tuple[str, Task]]:
    """The originals of a task, and what each perturbation made of them, as tasks of their own; and its name."""
    for kind in dict.fromkeys(instance.perturbation for instance in task.instances):
        yield kind, replace(task, instances=tuple(one for one in task.instances if one.perturbation == kind))


def task_words(task: Task, perturbation: str) -> str:
    """A name for one of :func:`by_perturbation`: ``world_choice_separate``, ``world_facts_typos``."""
    parts = [task.scenario.name]
    parts += [short_name(task.spec.method)] if len(task.scenario.adapters) > 1 else []
    parts += [f"trial{task.trial + 1}"] if task.trial else []
    parts += [perturbation] if perturbation else []
    return "_".join(parts)


def right_words(instance: Instance, request: Request) -> list[str]:
    """Every right answer to what a model writes: letters of choices where it is to write one."""
    return [request.labels[index] for index in instance.right] if request.labels else list(instance.golds)


def too_long(tasks: Sequence[Exported], context: int, what_then: str) -> list[str]:
    """A sentence on the tasks whose prompts may not fit the context, if there are any.

    Args:
        tasks: those that are asked.
        context: tokens that every model holds.
        what_then: what the other harness does with such a prompt, as the end of a sentence.
    """
    found = [task.name for task in tasks if task.longest > context]
    if not found:
        return []
    return [f"Some prompts of {', '.join(found)} may not fit the context of {context:,} tokens: {what_then}."]


def write_lines(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write JSON lines. They are ASCII, for some readers end a line at U+2028 and the like too."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="ascii")
