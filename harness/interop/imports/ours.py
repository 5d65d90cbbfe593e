"""Answers to what our own exports asked, by the names that they have in runs of ours."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from harness.interop.exported import ExportedInstance, ExportedTask
from harness.interop.imports.answered import Answered
from harness.perturbations.table import PERTURBATIONS


def groups_of(task: ExportedTask) -> dict[str, str]:
    """Whose worst case counts in which group, by perturbation."""
    known = PERTURBATIONS.get(task.perturbation)
    return {known.name: known.group} if known else {}


def by_our_names(answer: Answered, task: ExportedTask, told: ExportedInstance | None) -> Answered:
    """An answer with our id, trial, perturbation and what would have been right by our scenario.

    Args:
        answer: as the other harness has it.
        task: what was exported.
        told: what was exported of the instance; None where the other harness lost it.
    """
    if told is None:
        return replace(answer, perturbation=task.perturbation, trial=task.trial)
    columns = {**answer.columns, "kind": told.kind, "group": told.group}
    columns |= {"golds": told.golds, "gold": told.golds[0] if told.golds else ""}
    columns |= {"choices": told.choices, "gold_choices": told.right}
    return replace(
        answer,
        instance_id=told.id,
        perturbation=task.perturbation,
        trial=task.trial,
        columns=columns | _chosen(columns, told),
    )


def _chosen(columns: dict[str, Any], told: ExportedInstance) -> dict[str, Any]:
    """The choice by its words, where the other harness has a letter, or the context, for it."""
    letter, chosen = columns.get("answer"), columns.get("chosen")
    if chosen:
        return {"answer": told.choices[chosen[0]]} if chosen[0] < len(told.choices) else {}
    if letter not in told.labels or len(told.labels) != len(told.choices):
        return {}
    number = told.labels.index(letter)
    return {"answer": told.choices[number], "chosen": [number], "n_tied": 1}
