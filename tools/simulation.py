"""What the simulations of the statistics share: pairs that are drawn, shares that have bars, tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from harness.degradation.flips import wilson

FLIP_RATES = (0.005, 0.01, 0.03, 0.05, 0.1)
MARGIN, ALPHA = 0.01, 0.05

Counts = NDArray[np.int64]
Floats = NDArray[np.float64]


class Share(NamedTuple):
    """How often something happened, and whether it may have."""

    value: float
    is_met: bool

    def __str__(self) -> str:
        return f"{100 * self.value:.1f}{'' if self.is_met else ' !'}"


class Table(NamedTuple):
    """A Markdown table: its title, its head and its rows."""

    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[object]]

    def __str__(self) -> str:
        lines = [self.head, ["---"] * len(self.head), *self.rows]
        return "\n".join([f"**{self.title}**", "", *("| " + " | ".join(map(str, line)) + " |" for line in lines), ""])


def share(hits: float, n: int, *, at_least: float = 0.0, at_most: float = 1.0) -> Share:
    """A share with its bar, which is missed where chance (two standard errors) does not explain it."""
    low, high = wilson(hits, n, confidence=0.95)
    return Share(hits / n, high >= at_least and low <= at_most)


def flip_tables(rng: np.random.Generator, n: int, rate: float, loss: float, replicates: int) -> tuple[Counts, Counts]:
    """Distinct outcomes ``[distinct, (to_right, to_wrong)]`` of n independent pairs, and how often each came."""
    drawn = rng.multinomial(n, [rate * (1 - loss), rate * loss, 1 - rate], replicates)[:, :2]
    return np.unique(drawn, axis=0, return_counts=True)


def clustered_differences(rng: np.random.Generator, n: int, size: int, rate: float, loss: float, icc: float) -> Floats:
    """Differences ``[n]``, cluster after cluster: Dirichlet-multinomial, so their correlation within one is the ICC."""
    shares = np.array([rate * (1 - loss), rate * loss, 1 - rate])
    gammas = rng.gamma(shares * (1 / icc - 1), size=(n // size, 3)) + 1e-300
    tables = rng.multinomial(size, gammas / gammas.sum(1, keepdims=True))
    return np.repeat(np.tile([1.0, -1.0, 0.0], len(tables)), tables.ravel())


def group_names(n: int, size: int) -> NDArray[np.object_]:
    """Labels for :func:`clustered_differences`."""
    return np.array([f"subject {i // size}" for i in range(n)], object)
