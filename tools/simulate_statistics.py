"""Whether the statistics keep what they promise: simulated pairs, judged by the harness's own functions.

``python -m tools.simulate_statistics [--replicates N] [--seed S]`` writes Markdown tables to the standard output, those
of docs/statistics.md, and its progress to the standard error. Exit code 1 says that a bar was missed: the cell has an
exclamation mark. A bar is missed where two standard errors of the simulation do not explain the difference.
"""

from __future__ import annotations

import argparse
import itertools
import sys
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from typing import Any

import numpy as np

from harness.degradation.binary import agresti_min
from harness.degradation.clusters import FEWEST, clustered
from harness.degradation.comparison import Differences, paired_result, verdict_limits
from harness.degradation.continuous import mean_interval
from harness.degradation.flips import wilson
from harness.degradation.multiplicity import holm
from harness.degradation.sequential import e_value
from harness.degradation.verdict import Limits, Verdict, judge
from tools.simulate_power import power
from tools.simulation import (
    ALPHA,
    FLIP_RATES,
    MARGIN,
    Share,
    Table,
    clustered_differences,
    flip_tables,
    group_names,
    share,
)

SIZES = (50, 100, 300, 1000, 3000)
LOSSES = (0.5, 0.65)
"""Share of the flips that are losses: nothing lost, and what a quantization that hurts may do."""
CLUSTERS = tuple(itertools.product((5, 10, 20), (0.1, 0.3)))
"""Instances a cluster, and the correlation within."""
SCENARIOS, MODELS = 10, 3
COVERAGE = 0.93
FAMILIES = ((1, 0.0), (10, 0.1), (20, 0.3))
"""The same for families of tasks; 1 for independent instances."""
REPLICATES = 1000
ALARMS = (Verdict.BEYOND, Verdict.DEGRADED, Verdict.SMALL)


def coverage_alone(replicates: int, seed: int) -> Table:
    """Independent pairs, Agresti-Min."""
    rows = []
    for n, loss in itertools.product(SIZES, LOSSES):
        cells = []
        for rate in FLIP_RATES:
            rng = np.random.default_rng([seed, n, int(1000 * rate), int(100 * loss)])
            tables, counts = flip_tables(rng, n, rate, loss, 20 * replicates)
            limits = np.array([agresti_min(right, wrong, n) for right, wrong in tables.tolist()])
            held = (limits[:, 0] <= rate * (1 - 2 * loss)) & (rate * (1 - 2 * loss) <= limits[:, 1])
            cells.append(share(int(counts[held].sum()), int(counts.sum()), at_least=COVERAGE))
        rows.append([n, f"{loss:.0%}", *cells])
    head = ["n", "losses", *(f"{rate:.1%} flips" for rate in FLIP_RATES)]
    return Table("Coverage of the 95% interval, independent instances (agresti-min), %", head, rows)


def coverage_in_clusters(size: int, icc: float, replicates: int, seed: int) -> list[list[object]]:
    """Rows for one kind of clusters; smaller n than makes enough clusters are left out."""
    rows: list[list[object]] = []
    for n, loss in itertools.product(SIZES, LOSSES):
        if n // size < FEWEST:
            continue
        groups = group_names(n, size)
        cells = []
        for rate in FLIP_RATES:
            rng = np.random.default_rng([seed, n, size, int(100 * icc), int(1000 * rate), int(100 * loss)])
            held = 0
            for _ in range(replicates):
                differences = clustered_differences(rng, n, size, rate, loss, icc)
                limits = clustered(differences, groups, right_or_wrong=True, seed=seed)
                held += limits.low <= rate * (1 - 2 * loss) <= limits.high
            cells.append(share(held, replicates, at_least=COVERAGE))
        rows.append([size, icc, n, f"{loss:.0%}", *cells])
    return rows


def coverage_on_a_scale(replicates: int, seed: int) -> Table:
    """Skewed and normal differences, in clusters and alone."""
    rows = []
    for n in (10, 20, 50, 300):
        rng = np.random.default_rng([seed, n])
        cells = []
        for draw in (rng.standard_normal, lambda k, rng=rng: rng.gamma(2, size=k) - 2):
            alone = [mean_interval(draw(n), seed=i) for i in range(replicates)]
            groups = group_names(8 * n, 8)
            inside = [
                clustered(np.repeat(draw(n), 8) + 2 * rng.standard_normal(8 * n), groups, seed=i)
                for i in range(replicates)
            ]
            for limits in (alone, inside):
                held = share(sum(low <= 0 <= high for low, high, _ in limits), replicates, at_least=0.9)
                cells.append(f"{held} ({limits[0].method})")
        rows.append([n, *cells])
    head = ["n, or clusters of 8", "normal", "normal, clusters", "skewed", "skewed, clusters"]
    return Table("Coverage of the 95% interval of values on a scale, %", head, rows)


def null_families(size: int, icc: float, replicates: int, seed: int) -> list[object]:
    """Families of tasks on which nothing was lost: how many have a single alarm, with Holm and without."""
    rng = np.random.default_rng([seed, size, int(100 * icc)])
    alarms = alone = 0
    for _ in range(replicates):
        limits, p_values, sizes, flips = [], [], [], []
        for _ in range(SCENARIOS * MODELS):
            n, rate = int(rng.choice(SIZES)) // size * size, float(rng.choice(FLIP_RATES))
            found = null_pair(rng, n, rate, size, icc)
            limits.append(found[0])
            p_values.append(found[1])
            sizes.append(n)
            flips.append(found[2])
        for is_adjusted in (True, False):
            adjusted = holm(p_values) if is_adjusted else np.array(p_values)
            verdicts = [
                judge(one, n=n, flip_high=wilson(m, n)[1], holm_significant=bool(p <= ALPHA), margin=MARGIN).verdict
                for one, n, m, p in zip(limits, sizes, flips, adjusted, strict=True)
            ]
            alarmed = any(verdict in ALARMS for verdict in verdicts)
            alarms, alone = alarms + (is_adjusted and alarmed), alone + (not is_adjusted and alarmed)
    name = "independent" if size == 1 else f"clusters of {size}, ICC {icc}"
    return [name, share(alarms, replicates, at_most=ALPHA), Share(alone / replicates, True)]


def null_pair(rng: np.random.Generator, n: int, rate: float, size: int, icc: float) -> tuple[Limits, float, int]:
    """Limits, p-value and flips of one task on which nothing was lost, found as the degradation table finds them."""
    if size == 1:
        drawn, groups = rng.choice([1.0, -1.0, 0.0], n, p=[rate / 2, rate / 2, 1 - rate]), np.full(n, "", object)
    else:
        drawn, groups = clustered_differences(rng, n, size, rate, 0.5, icc), group_names(n, size)
    reference, candidate = (drawn == -1).astype(float), (drawn == 1).astype(float)
    differences = Differences(reference, candidate, None, groups, right_or_wrong=True, shares=True)
    result = paired_result(differences, seed=0)
    return verdict_limits(differences, result, seed=0), result.p_value, int(np.abs(drawn).sum())


def peeking(replicates: int, seed: int, flips: int = 1000) -> Table:
    """How often the e-value reaches 20 under a fair coin and a bent one, looked at after every flip."""
    rows = []
    for loss in LOSSES:
        drawn = np.random.default_rng([seed, int(100 * loss)]).random((replicates, flips)) < loss
        wrong = drawn.cumsum(1)
        right = np.arange(1, flips + 1) - wrong
        known = {pair: e_value(*pair) >= 1 / ALPHA for pair in set(zip(wrong.flat, right.flat, strict=True))}
        stops = np.array([[known[pair] for pair in zip(*both, strict=True)] for both in zip(wrong, right, strict=True)])
        ever = stops.any(1)
        at_most = ALPHA if loss == 0.5 else 1.0
        median = int(np.median(stops[ever].argmax(1) + 1)) if ever.any() else "never"
        rows.append([f"{loss:.0%}", share(int(ever.sum()), replicates, at_most=at_most), median])
    head = ["losses", f"e-value of 20 within {flips} flips, %", "median stop, flips"]
    return Table("Looking after every flip", head, rows)


def simulate(replicates: int, seed: int) -> list[Table]:
    """All tables."""
    with ProcessPoolExecutor() as pool:
        inside = [pool.submit(coverage_in_clusters, *kind, replicates, seed) for kind in CLUSTERS]
        families = [pool.submit(null_families, *kind, max(replicates // 4, 1), seed) for kind in FAMILIES]
        alone, powers, looks = (pool.submit(part, replicates, seed) for part in (coverage_alone, power, peeking))
        scale = pool.submit(coverage_on_a_scale, max(replicates // 4, 1), seed)
        waiting: list[Future[Any]] = [*inside, *families, alone, powers, looks, scale]
        started = time.monotonic()
        for done, _ in enumerate(as_completed(waiting), 1):
            print(f"{done} of {len(waiting)} parts, {time.monotonic() - started:.0f} s", file=sys.stderr)
    head = ["cluster", "ICC", "n", "losses", *(f"{rate:.1%} flips" for rate in FLIP_RATES)]
    rows = [row for part in inside for row in part.result()]
    within = Table("Coverage of the 95% interval, clusters (clustered agresti-min), %", head, rows)
    family = Table(
        f"Families of {SCENARIOS * MODELS} tasks without a loss in which one has the verdict of a loss",
        ["instances", "with Holm, %", "without Holm, %"],
        [part.result() for part in families],
    )
    return [alone.result(), within, scale.result(), family, powers.result(), looks.result()]


def is_met(tables: Iterable[Table]) -> bool:
    """Whether no cell has missed its bar."""
    return not any(str(cell).split(" (")[0].endswith("!") for table in tables for row in table.rows for cell in row)


def main(argv: Sequence[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--replicates", type=int, default=REPLICATES, help=f"simulated runs a cell ({REPLICATES})")
    parser.add_argument("--seed", type=int, default=5, help="of the random numbers (5)")
    given = parser.parse_args(argv)
    tables = simulate(given.replicates, given.seed)
    print("\n".join(map(str, tables)))
    return 0 if is_met(tables) else 1


if __name__ == "__main__":
    sys.exit(main())
