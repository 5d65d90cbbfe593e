"""Instances that come in clusters (questions on one subject, or on one document) and are lost together.

Their differences are alike, so they say less than as many independent ones, and what supposes independence is too sure.
"""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import binom, t
from statsmodels.regression.linear_model import WLS

from harness.degradation.binary import CONFIDENCE, NO_INTERVAL, Interval, share_limits
from harness.degradation.continuous import bootstrap_interval, sign_flips
from harness.degradation.power import design_effect

MANY, FEWEST = 40, 10
"""From so many clusters on their own spread is trusted; with fewer than that many nothing can be said of it."""
SIGNS = 15
"""With fewer clusters than that there are too few patterns of signs for a p-value that outlasts Holm's adjustment."""
PRIOR_ICC = 0.2
"""Correlation within clusters that is supposed where there are no flips to tell, with the weight of one flip."""

Floats = NDArray[np.float64]
Labels = NDArray[np.object_]


def clustered(
    differences: Floats,
    groups: Labels,
    *,
    weights: Floats | None = None,
    confidence: float = CONFIDENCE,
    right_or_wrong: bool = False,
    seed: int,
) -> Interval:
    """Interval of the (weighted) mean difference that allows for clusters.

    Args:
        differences: ``[instances]``, candidate minus reference.
        groups: ``[instances]``, what each belongs to; an empty one stands alone.
        weights: ``[instances]``; without them each counts the same.
        confidence: of the two-sided interval.
        right_or_wrong: whether these are differences of answers that are right or wrong; ties and means over trials
            need not be whole.
        seed: of the bootstrap.

    Returns:
        ``clustered agresti-min`` for right-or-wrong answers that weigh the same; else ``clustered t`` from 40 clusters
        on, and ``cluster bootstrap`` below, or ``constant`` where all differences are the same. NaN limits and ``none``
        with fewer than 10 clusters, and where a difference is NaN.
    """
    clusters = cluster_codes(groups)
    n_clusters = _count(clusters)
    if n_clusters < FEWEST or np.isnan(differences).any():
        return NO_INTERVAL
    if right_or_wrong and _weigh_the_same(weights):
        return Interval(*_effective_agresti_min(differences, clusters, confidence), "clustered agresti-min")
    if np.ptp(differences) == 0:
        return Interval(float(differences[0]), float(differences[0]), "constant")
    weights = np.ones_like(differences) if weights is None else weights
    if n_clusters < MANY:
        sums = _sums(weights * differences, clusters), _sums(weights, clusters)
        return Interval(*bootstrap_interval(*sums, confidence, seed), "cluster bootstrap")
    fit = WLS(differences, np.ones_like(differences), weights=weights).fit(
        cov_type="cluster", cov_kwds={"groups": clusters}, use_t=True
    )
    low, high = fit.conf_int(alpha=1 - confidence)[0]
    return Interval(float(low), float(high), "clustered t")


def clustered_p(differences: Floats, groups: Labels, *, weights: Floats | None = None, seed: int) -> float:
    """Two-sided p-value of no difference: whole clusters change sides at random.

    Exact for right-or-wrong answers, and McNemar's there where each instance stands alone. Fewer than 15 clusters have
    too few patterns of signs to show anything: then the larger p-value of two tests is taken, one that has each
    instance stand alone and a t-test of the clusters. A single cluster has nothing to compare it with, so its instances
    stand alone. NaN with fewer than two instances, and where a difference is NaN.
    """
    if len(differences) < 2 or np.isnan(differences).any():
        return math.nan
    clusters, apart = cluster_codes(groups), np.arange(len(differences))
    n_clusters = _count(clusters)
    weights = None if _weigh_the_same(weights) else weights
    if 1 < n_clusters < SIGNS:
        return max(_sign_flips(differences, apart, weights, seed), _t_test(differences, clusters, weights))
    return _sign_flips(differences, apart if n_clusters == 1 else clusters, weights, seed)


def clustered_t_test(differences: Floats, groups: Labels) -> float:
    """Two-sided p-value of a mean of 0 by the spread of the clusters, for values on a scale.

    NaN with fewer than 10 clusters, and where a difference is not finite; 0 where all clusters say exactly the same.

    Args:
        differences: ``[instances]``, candidate minus reference.
        groups: ``[instances]``, what each belongs to; an empty one stands alone.
    """
    clusters = cluster_codes(groups)
    if _count(clusters) < FEWEST or not np.isfinite(differences).all():
        return math.nan
    if np.ptp(differences) == 0:  # rounding would leave an error that is not quite 0
        return float(differences[0] == 0)
    return _t_test(differences, clusters, None)


def cluster_codes(groups: Labels) -> NDArray[np.intp]:
    """A number for each group, from 0; every empty group is one of its own."""
    codes, names = pd.factorize(np.asarray(groups, object), sort=True)
    alone = codes == pd.Index(names).get_indexer([""])[0] if len(names) else codes < 0
    codes = np.where(alone, len(names) + np.arange(len(codes)), codes)
    return pd.factorize(codes, sort=True)[0]


def count_groups(groups: Labels) -> int:
    """How many there are; every empty group is one of its own."""
    return _count(cluster_codes(groups))


def clustering_effect(differences: Floats, groups: Labels) -> float:
    """The design effect: how many of these instances are worth one that stands alone, at least 1.

    For differences of right-or-wrong answers, shares of the credit included; the very one by which
    ``clustered agresti-min`` divides them. 1 with fewer than 10 clusters, of which nothing can be said.

    Args:
        differences: ``[instances]``, candidate minus reference.
        groups: ``[instances]``, what each belongs to; an empty one stands alone.
    """
    clusters = cluster_codes(groups)
    return _effect(differences, clusters) if _count(clusters) >= FEWEST else 1.0


def _count(clusters: NDArray[np.intp]) -> int:
    return int(clusters.max(initial=-1)) + 1


def _weigh_the_same(weights: Floats | None) -> bool:
    return weights is None or np.ptp(weights) == 0


def _sums(values: Floats, clusters: NDArray[np.intp]) -> Floats:
    return np.bincount(clusters, weights=values).astype(np.float64)


def _effective_agresti_min(differences: Floats, clusters: NDArray[np.intp], confidence: float) -> tuple[float, float]:
    """Agresti-Min's interval of the counts that as many independent instances as these are worth would have.

    The variance of the mean over clusters, over the one without them, is the design effect (at least 1), by which n and
    the flips are divided, and t with G - 1 degrees of freedom takes the normal's place. So Korn and Graubard (1998,
    Survey Methodology 24:193) have it for single proportions. A handful of flips does not tell how they cluster, so one
    more, with a design effect as of ``PRIOR_ICC``, is counted among them: without it, intervals of rare flips that
    come in clusters held the truth in as few as 55% of simulations.
    """
    n, n_clusters = len(differences), _count(clusters)
    effect = _effect(differences, clusters)
    reach = float(t.ppf((1 + confidence) / 2, n_clusters - 1))
    low, high = share_limits(differences.sum() / effect, (differences**2).sum() / effect, n / effect, reach)
    return float(low), float(high)


def _effect(differences: Floats, clusters: NDArray[np.intp]) -> float:
    """Variance of the mean by clusters over that without them, with one supposed flip among those that are seen."""
    sizes = np.bincount(clusters)
    residuals = differences - differences.mean()
    between = (_sums(residuals, clusters) ** 2).sum() * len(sizes) / (len(sizes) - 1)
    supposed = design_effect((sizes**2).sum() / len(differences), PRIOR_ICC)
    return max(float((between + supposed) / ((residuals**2).sum() + 1)), 1.0)


def _sign_flips(differences: Floats, clusters: NDArray[np.intp], weights: Floats | None, seed: int) -> float:
    if weights is None and np.isin(differences, (-1.0, 0.0, 1.0)).all():  # few sums, so all signs can be counted
        return _exact_sign_flips(_sums(differences, clusters).round().astype(int))
    return sign_flips(_sums(differences if weights is None else weights * differences, clusters), seed)


def _t_test(differences: Floats, clusters: NDArray[np.intp], weights: Floats | None) -> float:
    """Two-sided p-value of a ratio of sums over clusters, linearised; 0 where all clusters say exactly the same."""
    sizes = np.bincount(clusters, weights=weights).astype(np.float64)
    sums = _sums(differences if weights is None else weights * differences, clusters)
    error = math.sqrt(((sums - sizes * sums.sum() / sizes.sum()) ** 2).sum() * len(sums) / (len(sums) - 1))
    if error == 0:
        return float(sums.sum() == 0)
    return float(2 * t.sf(abs(sums.sum()) / error, len(sums) - 1))


def _exact_sign_flips(sums: NDArray[np.int_]) -> float:
    """Chance of a total at least as large, either way, if each cluster's sum could as well have the other sign.

    Clusters whose sums are equally large are one binomial distribution; these are convolved.
    """
    sizes, counts = np.unique(np.abs(sums[sums != 0]), return_counts=True)
    chances = np.ones(1)  # of the totals -reach, -reach + 2, ..., reach
    for size, count in zip(sizes, counts, strict=True):
        own = np.zeros(size * count + 1)
        own[::size] = binom.pmf(np.arange(count + 1), count, 0.5)
        chances = np.convolve(chances, own)
    reach = int((sizes * counts).sum())
    totals = np.arange(-reach, reach + 1, 2)
    return min(float(chances[np.abs(totals) >= abs(int(sums.sum()))].sum()), 1.0)
