"""Signs that two models' results are one model's."""

from __future__ import annotations

import pandas as pd

from harness.keys import QUESTION

FEWEST = 5
"""Answers to a task with a log-probability: of fewer nothing is said."""


def suspicions(instances: pd.DataFrame, reference: str) -> list[str]:
    """A sentence on each model whose every log-probability in a task is the reference's to the last digit.

    HELM's cache knows a request by the model's name and its words, and lm-eval's by the words alone: behind either, a
    second quantization can get the first one's answers without being asked.

    Args:
        instances: with the columns of :data:`harness.execution.records.COLUMNS`.
        reference: label of the reference.
    """
    rows = instances.dropna(subset=["logprob"])[["model", *QUESTION, "logprob"]]
    base = rows[rows["model"] == reference].drop(columns="model")
    found: list[str] = []
    for model, own in rows[rows["model"] != reference].groupby("model", sort=False):
        both = own.merge(base, on=QUESTION, suffixes=("", "_reference"))
        same = {
            f"{scenario} ({adapter})": len(task)
            for (scenario, adapter), task in both.groupby(["scenario", "adapter"], sort=False)
            if len(task) >= FEWEST and (task["logprob"] == task["logprob_reference"]).all()
        }
        if same:
            found.append(
                f"{', '.join(same)}: all {sum(same.values()):,} log-probabilities of {model} are {reference}'s to the "
                "last digit: the two may be one model, or a cache answered for the second (HELM's goes by the model's "
                "name, lm-eval's --use_cache by the prompt alone)."
            )
    return found
