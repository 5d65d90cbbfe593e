"""Whether as many instances as ``harness plan`` asks for show what they are to show, as often as it says."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np
from scipy.stats import norm

from harness.degradation.binary import agresti_min, exact_mcnemar
from harness.degradation.power import (
    needed_equivalence,
    needed_mcnemar,
    needed_noninferiority,
    power_equivalence,
    power_mcnemar,
    power_noninferiority,
)
from tools.simulation import ALPHA, FLIP_RATES, MARGIN, Table, flip_tables, share

POWER_BAND = 0.03


class Plan(NamedTuple):
    """A question that ``harness plan`` answers with a number of instances."""

    name: str
    needed: Callable[[float], int]
    """Instances, by flip rate."""
    textbook: Callable[[float], float]
    """The same by the formula."""
    promised: Callable[[int, float], float]
    """The power at so many instances and this flip rate."""
    succeeds: Callable[[int, int, int], bool]
    """From flips to right, flips to wrong and n."""
    delta: float = 0.0
    """True difference."""

    def loss(self, rate: float) -> float:
        """Share of losses among the flips."""
        return (1 - self.delta / rate) / 2


def plans() -> list[Plan]:
    """Non-inferiority, equivalence and McNemar."""
    z95, z975, z80, z90 = (float(norm.ppf(level)) for level in (0.95, 0.975, 0.8, 0.9))

    def within(right: int, wrong: int, n: int, *, both: bool = False, margin: float = MARGIN) -> bool:
        low, high = agresti_min(right, wrong, n, 0.9)
        return low > -margin and (high < margin or not both)

    def noninferior(margin: float) -> Plan:
        return Plan(
            f"non-inferior, margin {margin:.0%}",
            lambda rate: needed_noninferiority(rate, margin),
            lambda rate: (z95 + z80) ** 2 * rate / margin**2,
            lambda n, rate: power_noninferiority(n, rate, margin),
            partial(within, margin=margin),
        )

    return [
        noninferior(0.01),
        noninferior(0.02),
        Plan(
            "equivalent, margin 1%",
            needed_equivalence,
            lambda rate: (z95 + z90) ** 2 * rate / MARGIN**2,
            lambda n, rate: power_equivalence(n, rate, MARGIN),
            partial(within, both=True),
        ),
        Plan(
            "McNemar, loss of 1%",
            needed_mcnemar,
            lambda rate: ((z975 * rate**0.5 + z80 * (rate - MARGIN**2) ** 0.5) / MARGIN) ** 2,
            lambda n, rate: power_mcnemar(n, rate, MARGIN),
            lambda right, wrong, _: exact_mcnemar(wrong, right) <= ALPHA,
            -MARGIN,
        ),
    ]


def power(replicates: int, seed: int) -> Table:
    """At as many instances as are said to be needed; and what the textbook's formula would have promised as 80%."""
    rows = []
    for plan in plans():
        for rate in FLIP_RATES:
            if rate < abs(plan.delta):
                continue
            n, textbook = plan.needed(rate), math.ceil(plan.textbook(rate))
            promised, draws = plan.promised(n, rate), 10 * replicates
            bars = {"at_least": promised - POWER_BAND, "at_most": promised + POWER_BAND}
            found = share(simulated_power(plan, n, rate, draws, seed), draws, **bars)
            there = f"{100 * plan.promised(textbook, rate):.1f}"
            rows.append([plan.name, f"{rate:.1%}", n, f"{100 * promised:.1f}", found, textbook, there])
    head = ["question", "flips", "needed", "promised, %", "simulated, %", "textbook's n", "power there, %"]
    return Table("Power at the least number of instances that promises 80%", head, rows)


def simulated_power(plan: Plan, n: int, rate: float, replicates: int, seed: int) -> int:
    """Successes."""
    tables, counts = flip_tables(np.random.default_rng([seed, n]), n, rate, plan.loss(rate), replicates)
    found = [plan.succeeds(right, wrong, n) for right, wrong in tables.tolist()]
    return int(counts[found].sum())
