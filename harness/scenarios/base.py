"""What a scenario is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from harness.types import Instance


class Data(NamedTuple):
    """The instances of a scenario."""

    train: list[Instance]
    """Drawn on for few-shot examples; never scored."""
    test: list[Instance]


@dataclass(frozen=True, slots=True)
class Scenario:
    """A named set of instances, and the ways of asking and judging that make it comparable."""

    name: str
    description: str
    adapters: tuple[str, ...]
    """Names in :data:`harness.adaptation.table.ADAPTERS`; each makes a task of its own."""
    metric: str
    """Name in :data:`harness.metrics.table.METRICS`."""
    load: Callable[[], Data]
    data_version: str
    """What the instances are made from: a seed, or a data set and its revision."""
    guess_rate: float = 0.0
    """Share of right answers that guessing gives."""
    max_tokens: int = 20
    """Longest answer in tokens, where answers are generated."""
    n_shots: int = 3
    """Solved examples before each question."""
