"""Two models side by side, question by question."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import pandas as pd

from harness.errors import RunError
from harness.keys import ANSWER

TASK = ["scenario", "adapter", "perturbation", "metric"]
PAIR = ["trial", "instance_id"]


class Pairs(NamedTuple):
    """What one model and the reference made of one task."""

    task: dict[str, str]
    """The values of :data:`TASK`."""
    model: str
    rows: pd.DataFrame
    """By trial and instance: ``value``, ``correct`` and ``answer`` of both, with the suffixes ``_reference`` and
    ``_candidate``, and ``weight`` and ``group``."""


def with_answers(scores: pd.DataFrame, instances: pd.DataFrame) -> pd.DataFrame:
    """Scores with the column ``answer``: what was said; missing where ``instances`` does not have it (worst cases).

    Raises:
        RunError: an answer is there twice; it is named.
    """
    twice = instances[instances.duplicated(ANSWER)]
    if len(twice):
        model, scenario, adapter, instance = twice.iloc[0][["model", "scenario", "adapter", "instance_id"]]
        raise RunError(f"{scenario} / {adapter}: the answer of {model} to {instance!r} is there twice; run it again.")
    if not len(scores):
        return scores.assign(answer=pd.Series(dtype=object))
    return scores.merge(instances[[*ANSWER, "answer"]], on=ANSWER, how="left")


def pairs(scores: pd.DataFrame, reference: str) -> Iterator[Pairs]:
    """Every model's pairs with the reference in every task, in the order in which they first appear.

    The reference is paired with itself too.

    Args:
        scores: the columns of ``scores`` and ``answer``.
        reference: label of the model that the others are compared with.

    Raises:
        RunError: an instance was asked of one of the two only, or is there twice; it is named.
    """
    for task, of_task in scores.groupby(TASK, sort=False):
        base = of_task[of_task["model"] == reference].set_index(PAIR)
        for model, of_model in of_task.groupby("model", sort=False):
            named = " / ".join(str(part) for part in task if part)
            rows = _paired(base, of_model.set_index(PAIR), str(model), named)
            yield Pairs(dict(zip(TASK, map(str, task), strict=True)), str(model), rows)


def _paired(base: pd.DataFrame, other: pd.DataFrame, model: str, task: str) -> pd.DataFrame:
    alone = base.index.symmetric_difference(other.index)
    if len(alone):
        raise RunError(
            f"{task}: instance {alone[0][1]!r} was not asked of both {model} and the reference; run them again."
        )
    if base.index.has_duplicates or other.index.has_duplicates:
        raise RunError(f"{task}: an instance of {model} or the reference is there twice; run them again.")
    columns = ["value", "correct", "answer"]
    suffixes = ("_reference", "_candidate")
    paired = base[[*columns, "weight", "group"]].merge(
        other[columns], left_index=True, right_index=True, suffixes=suffixes
    )
    return paired.sort_index()  # resampling goes by position: the order of the rows must not decide the interval
