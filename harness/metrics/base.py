"""What a metric is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from harness.types import Answer, Instance


@dataclass(frozen=True, slots=True)
class Metric:
    """A judgement of one answer."""

    name: str
    judge: Callable[[Instance, Answer], float]
    is_binary: bool
    """Whether every value is 0 or 1, so that flips can be counted."""
    higher_is_better: bool
