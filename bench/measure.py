"""Comparisons: both sides measured in turn over several rounds, judged by the median."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """One line of the table: ours against theirs, a figure a round each."""

    row: str
    """The name by which it is chosen on the command line."""
    work: str
    against: str
    unit: str
    ours: tuple[float, ...]
    theirs: tuple[float, ...]
    bound: float
    """What the median of ``scores`` is held to."""
    excess: bool = False
    """False: the score is ours / theirs, at least ``bound``. True: ours - theirs, at most ``bound``."""
    notes: tuple[str, ...] = ()
    """What else was seen, a sentence each."""

    @property
    def scores(self) -> tuple[float, ...]:
        """The ratio (or the excess) of every round: what disturbs the machine in a round disturbs both sides of it."""
        pairs = zip(self.ours, self.theirs, strict=True)
        return tuple(ours - theirs if self.excess else ours / theirs for ours, theirs in pairs)

    @property
    def score(self) -> float:
        """Their median."""
        return statistics.median(self.scores)

    @property
    def holds(self) -> bool:
        """Whether the score keeps to its bound."""
        return self.score <= self.bound if self.excess else self.score >= self.bound


def alternate(rounds: int, sides: Sequence[Callable[[int], T]]) -> list[list[T]]:
    """Measure every side once a round, a round beginning with another side than the one before.

    Args:
        rounds: how many.
        sides: each takes the number of the round and returns what it measured.

    Returns:
        What each side measured, ``[sides][rounds]``.
    """
    measured: list[list[T]] = [[] for _ in sides]
    for number in range(rounds):
        for position in range(len(sides)):
            side = (number + position) % len(sides)
            measured[side].append(sides[side](number))
    return measured
