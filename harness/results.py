"""A run as its frames: what was measured, and what follows from it. The same in memory and from disk."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import pandas as pd

from harness.degradation.summary import summary_table
from harness.efficiency.samples import efficiency_table
from harness.metrics.kinds import ForeignMetric, Kinds
from harness.metrics.table import METRICS


class Measured(NamedTuple):
    """What models answered and how fast; everything else follows from this and the record."""

    instances: pd.DataFrame
    """A row a model and instance (:data:`harness.execution.records.COLUMNS`)."""
    scores: pd.DataFrame
    """A row a model, instance and metric (:data:`harness.execution.records.SCORE_COLUMNS`)."""
    tokens: pd.DataFrame
    """A row a model and token at which next-token distributions were compared; none where they were not."""
    efficiency: pd.DataFrame
    """A row a model, round and quantity; none where nothing was timed."""


class Findings(NamedTuple):
    """What follows from what was measured."""

    degradation: pd.DataFrame
    slices: pd.DataFrame
    notes: list[str]
    """What a reader must know before trusting the tables."""


def kinds_of(record: Mapping[str, Any]) -> Kinds:
    """What is known of every metric by which a run's single answers were judged: ours, and another harness' own.

    Args:
        record: ``run.json``. Its ``metrics`` are there where another harness judged, and win over ours of that name.
    """
    return METRICS | {name: ForeignMetric(**kind) for name, kind in record.get("metrics", {}).items()}


def main_metrics(record: Mapping[str, Any]) -> dict[tuple[str, str], str]:
    """By scenario and adapter, in the order asked: the metric that a task is judged by, which is its first.

    Args:
        record: ``run.json``.
    """
    return {(task["scenario"], task["adapter"]): task["metrics"][0] for task in record["tasks"]}


@dataclass(frozen=True)
class Run:
    """Everything that a run measured and found, for reports and notebooks."""

    record: dict[str, Any]
    """``run.json``."""
    measured: Measured
    findings: Findings

    @property
    def models(self) -> list[dict[str, Any]]:
        """What is known of each model's file, the reference first."""
        models: list[dict[str, Any]] = self.record["models"]
        return models

    @property
    def reference(self) -> str:
        """Label of what the others are compared with."""
        return str(self.record["reference"])

    @property
    def null(self) -> str | None:
        """Label of the reference's second run, which shows the noise floor; None where there was none."""
        label: str | None = self.record["null"]
        return label

    @property
    def margin(self) -> float:
        """The loss that counts as none, as a share: 0.01 is one percentage point."""
        return float(self.record["margin"])

    @property
    def main_metrics(self) -> dict[tuple[str, str], str]:
        """By scenario and adapter, in the order asked: the metric that a task is judged by."""
        return main_metrics(self.record)

    @cached_property
    def kinds(self) -> Kinds:
        """What is known of every metric by which single answers were judged."""
        return kinds_of(self.record)

    @cached_property
    def summary(self) -> pd.DataFrame:
        """A row a model, with the columns of :data:`harness.degradation.summary.COLUMNS`."""
        speeds = efficiency_table(self.measured.efficiency, self.models)
        return summary_table(
            self.findings.degradation,
            speeds,
            self.models,
            reference=self.reference,
            null=self.null,
            kinds=self.kinds,
        )

    @property
    def notes(self) -> list[str]:
        """Sentences on what was not asked or otherwise than it was meant to be, and on what the tables do not show."""
        return [*self.record["left_out"], *self.record["notes"], *self.findings.notes]
