"""What a metric is: a judgement of one answer, or of all answers of a task together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd

from harness.methods import Evidence
from harness.types import Answer, Instance


@dataclass(frozen=True, slots=True)
class Metric:
    """A judgement of one answer."""

    name: str
    judge: Callable[[Instance, Answer], float]
    is_binary: bool
    """Whether every value is 0 or 1 but for ties, so that flips can be counted."""
    higher_is_better: bool
    is_share: bool = True
    """Whether values lie between 0 and 1 and differences are read as percentage points."""
    weight: Callable[[Answer], float] = lambda _answer: 1.0
    """What an answer counts for in the mean, such as the bytes of its text."""
    needs: Evidence | None = "words"
    """What an answer must have to be judged; None where any will do."""
    reads_details: bool = False
    """Whether it reads ``Instance.details``, which only the scenario that it is made for has."""
    reads_logprobs: bool = False
    """Whether it reads log-probabilities of what was generated, which not every endpoint gives."""


@dataclass(frozen=True, slots=True)
class SetMetric:
    """A judgement of all answers of one model to one task, which is no mean over them (BLEU, calibration)."""

    name: str
    judge: Callable[[pd.DataFrame], float]
    """From rows of ``instances.parquet`` (:data:`harness.execution.records.COLUMNS`) of one model and task."""
    higher_is_better: bool
    is_share: bool = True
    needs: Evidence | None = "words"
    reads_details: bool = False
    reads_logprobs: bool = False
