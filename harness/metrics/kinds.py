"""What kind of figure a metric is: of ours, and of those by which another harness judged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol


class Kind(Protocol):
    """What statistics and reports must know of a metric, whoever judged by it."""

    @property
    def is_binary(self) -> bool:
        """Whether every value is 0 or 1 but for ties, so that flips can be counted."""

    @property
    def higher_is_better(self) -> bool:
        """Whether more of it is better."""

    @property
    def is_share(self) -> bool:
        """Whether values lie between 0 and 1 and differences are read as percentage points."""


Kinds = Mapping[str, Kind]
"""By a metric's name."""


@dataclass(frozen=True, slots=True)
class ForeignMetric:
    """A :class:`Kind` by itself: of a metric by which another harness judged."""

    is_binary: bool
    higher_is_better: bool
    is_share: bool
