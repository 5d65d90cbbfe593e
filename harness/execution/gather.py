"""What all models answered, in two tables; and a sentence on whatever was not asked as it was meant to be."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import pandas as pd
import pyarrow as pa

from harness.errors import RunError
from harness.execution.records import SCHEMA, SCORE_SCHEMA
from harness.execution.runner import Asked
from harness.execution.tasks import Task


class Tables(NamedTuple):
    """``instances`` and ``scores`` of a run."""

    instances: pa.Table
    scores: pa.Table
    notes: list[str]


def gather(tasks: Sequence[Task], asked: Sequence[Sequence[Asked]]) -> Tables:
    """Put together what each model answered to each task.

    Args:
        tasks: what was asked.
        asked: by model, and in it by task.

    An instance that one model could not take is left out for all of them, and counted.

    Raises:
        RunError: nothing is left.
    """
    answers, scores, notes = [], [], []
    for number, task in enumerate(tasks):
        of_task = [of_model[number] for of_model in asked]
        out = _left_out(task, of_task)
        kept = [record for one in of_task for record in one.records if _key(record.answer) not in out]
        answers += [record.answer for record in kept]
        scores += [score for record in kept for score in record.scores]
        notes += _notes(task, len(out), [record.answer for record in kept])
    if tasks and not answers:
        raise RunError("No question of these scenarios fits the context of every model; choose others.")
    return Tables(
        pa.Table.from_pylist(answers, SCHEMA),
        pa.Table.from_pylist(scores, SCORE_SCHEMA),
        notes,
    )


def frame(table: pa.Table) -> pd.DataFrame:
    """For statistics: in pandas, with a ``correct`` that may be missing."""
    found: pd.DataFrame = table.to_pandas()
    return found.astype({"correct": "boolean"})


def _key(answer: dict[str, Any]) -> tuple[str, str]:
    return answer["instance_id"], answer["perturbation"]


def _left_out(task: Task, asked: list[Asked]) -> set[tuple[str, str]]:
    """What some model could not take, and what perturbations made of such an original: it has no worst case."""
    too_long = {(instance.id, instance.perturbation) for one in asked for instance in one.left_out}
    keys = [(instance.id, instance.perturbation) for instance in task.instances]
    return {key for key in keys if key in too_long or (key[0], "") in too_long}


def _notes(task: Task, n_out: int, answers: list[dict[str, Any]]) -> list[str]:
    """On one task: the words for what the columns ``n_examples``, ``n_dropped``, ``n_cut`` and ``n_tied`` count.

    Args:
        task: what was asked.
        n_out: instances that were left out.
        answers: rows of ``instances`` of all models. A prompt that was shortened for any of them counts once.
    """
    total = len(task.instances)
    found: list[str] = []
    if task.scenario.slices:
        found.append(f"only its slices {', '.join(task.scenario.slices)} were asked")
    wanted = task.spec.n_shots
    had = min((len(task.examples_for(instance)) for instance in task.instances), default=0)
    if had < wanted:
        tables = " and ".join(map(str, task.scenario.example_tables))
        why = f"{tables} could not be had" if tables and not had else "there are no more"
        found.append(f"asked after {had} examples instead of {wanted}, because {why}")
    dropped, cut = (len({_key(answer) for answer in answers if answer[column]}) for column in ("n_dropped", "n_cut"))
    if dropped:
        found.append(f"{dropped} of {total} prompts lost examples to fit the context")
    if cut:
        found.append(f"{cut} of {total} inputs were cut to fit the context")
    if n_out:
        found.append(f"{n_out} of {total} instances were left out, because they do not fit the context at all")
    if task.n_indistinct:
        n, of = task.n_indistinct, total + task.n_indistinct
        found.append(f"{n} of {of} instances were left out, because a perturbation made two of their choices the same")
    tied = sum(answer["n_tied"] > 1 for answer in answers)
    if tied:
        found.append(f"{tied} of {len(answers)} answers are ties between choices and earn a share of the credit")
    return [f"{task.label}: {'; '.join(found)}."] if found else []
