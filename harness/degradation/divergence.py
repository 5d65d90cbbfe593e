"""``tokens`` to rows of ``degradation``: how far next-token distributions moved, by llama-perplexity's names and rules.

Tokens of one window are alike, so intervals are those of means over windows; llama-perplexity's own standard errors,
which take tokens for independent, are in :mod:`harness.degradation.llama_perplexity`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from harness.degradation.binary import NO_INTERVAL, Interval
from harness.degradation.clusters import clustered, clustered_t_test
from harness.degradation.llama_perplexity import percentile

SCENARIO, ADAPTER = "divergence", "next_token"
CONFIDENCE_EDGES = (0.0, 0.25, 0.5, 0.75, 0.9, 0.99, 1.0)
"""Borders of the bins of ``reference_top``; the last bin has its upper border."""

Floats = NDArray[np.float64]
Groups = NDArray[np.object_]


class Figure(NamedTuple):
    """One metric of one model."""

    value: float
    reference: float
    """What a model like the reference in everything would have; the reference's own perplexity for ``ppl``."""
    limits: Interval
    """Of ``value - reference``."""
    p_value: float = math.nan


@np.errstate(invalid="ignore", over="ignore")  # infinite entries give infinite or undefined figures, without a word
def divergence_rows(tokens: pd.DataFrame, *, seed: int) -> list[dict[str, object]]:
    """Rows of ``degradation`` for every model in ``tokens``.

    Args:
        tokens: with the columns of :data:`harness.divergence.records.COLUMNS`.
        seed: of the bootstrap over windows.

    ``n`` counts tokens and ``n_groups`` windows. Where an entry is infinite (the model gives nothing to what the
    reference thinks possible) means over it are infinite and have no interval; where one is NaN, so is every figure
    made of it. ``kld_not_finite`` counts both.
    """
    rows: list[dict[str, object]] = []
    for model, frame in tokens.groupby("model", sort=False) if len(tokens) else ():
        groups = frame["window"].astype(str).to_numpy(object)
        what: dict[str, object] = {"model": model, "scenario": SCENARIO, "adapter": ADAPTER, "perturbation": ""}
        counts: dict[str, object] = {"n": len(frame), "n_groups": frame["window"].nunique()}
        for metric, (value, reference, limits, p_value) in _figures(frame, groups, seed).items():
            rows.append(
                {**what, "metric": metric, **counts, "value": value, "reference_value": reference}
                | {"delta": value - reference, "p_value": p_value}
                | {"ci_low": limits.low, "ci_high": limits.high, "interval": limits.method}
            )
    return rows


def by_confidence(tokens: pd.DataFrame) -> pd.DataFrame:
    """Divergence by how sure the reference was: where it knew what comes, and where anything might.

    Returns:
        A row for each model and bin of ``reference_top`` (:data:`CONFIDENCE_EDGES`) with tokens in it: ``model``,
        ``top_low``, ``top_high``, ``n``, ``kld_mean``, ``kld_median``, ``kld_p99``, ``same_top``.
    """
    edges = np.array(CONFIDENCE_EDGES)
    columns = ["model", "top_low", "top_high", "n", "kld_mean", "kld_median", "kld_p99", "same_top"]
    bins = np.clip(np.searchsorted(edges, tokens["reference_top"], side="right") - 1, 0, len(edges) - 2)
    rows: list[tuple[object, ...]] = []
    for model in tokens["model"].unique():
        for number in range(len(edges) - 1):
            part = tokens[(tokens["model"] == model) & (bins == number)]
            if len(part):
                kld = part["kld"].to_numpy(np.float64)
                figures = (float(kld.mean()), percentile(kld, 0.5), percentile(kld, 0.99), part["same_top"].mean())
                rows.append((model, edges[number], edges[number + 1], len(part), *figures))
    return pd.DataFrame(rows, columns=columns)


def _figures(frame: pd.DataFrame, groups: Groups, seed: int) -> dict[str, Figure]:
    kld, reverse, bound, log_p, log_p_reference = (
        frame[name].to_numpy(np.float64) for name in ("kld", "kld_reverse", "kld_bound", "logprob", "reference_logprob")
    )
    delta_p = np.exp(log_p) - np.exp(log_p_reference)
    same_top = frame["same_top"].to_numpy(np.float64)

    def mean(values: Floats) -> Figure:
        return Figure(float(np.mean(values)), 0.0, _interval(values, groups, seed))

    def plain(value: float) -> Figure:
        return Figure(value, 0.0, NO_INTERVAL)

    square = mean(delta_p**2)
    rms = _mapped(square.limits, lambda limit: math.sqrt(max(limit, 0.0)))
    return {
        "kld_mean": mean(kld),
        "kld_median": plain(percentile(kld, 0.5)),
        "kld_p90": plain(percentile(kld, 0.9)),
        "kld_p95": plain(percentile(kld, 0.95)),
        "kld_p99": plain(percentile(kld, 0.99)),
        "kld_p999": plain(percentile(kld, 0.999)),
        "kld_max": plain(percentile(kld, 1.0)),
        "kld_reverse_mean": mean(reverse),
        "kld_bound_mean": plain(float(np.mean(bound))),
        "kld_not_finite": plain(float((~np.isfinite(kld)).sum())),
        "same_top": Figure(
            float(np.mean(same_top)), 1.0, clustered(same_top - 1, groups, right_or_wrong=True, seed=seed)
        ),
        "delta_p_mean": mean(delta_p),
        "delta_p_rms": Figure(math.sqrt(square.value), 0.0, rms),
        **_perplexity(-log_p, -log_p_reference, groups, seed),
        "near_ties": plain(float(frame["near_tie"].sum())),
    }


def _perplexity(nll: Floats, nll_reference: Floats, groups: Groups, seed: int) -> dict[str, Figure]:
    """Perplexity, its ratio to the reference's and the logarithm of that, in which the two are paired."""
    differences = nll - nll_reference
    log_ratio, limits = float(np.mean(differences)), _interval(differences, groups, seed)
    log_ppl, log_reference = float(np.mean(nll)), float(np.mean(nll_reference))
    ppl, reference = float(np.exp(log_ppl)), float(np.exp(log_reference))
    # Linearised: to first order a perplexity moves by itself times what the mean of the logarithms moves by.
    moved = ppl * (nll - log_ppl) - reference * (nll_reference - log_reference) + (ppl - reference)
    return {
        "ppl": Figure(ppl, reference, _interval(moved, groups, seed)),
        "ppl_ratio": Figure(float(np.exp(log_ratio)), 1.0, _mapped(limits, np.expm1)),
        "log_ppl_ratio": Figure(log_ratio, 0.0, limits, clustered_t_test(differences, groups)),
    }


def _interval(differences: Floats, groups: Groups, seed: int) -> Interval:
    """Of a mean over windows of what is measured on a scale."""
    if not np.isfinite(differences).all():
        return NO_INTERVAL
    return clustered(differences, groups, seed=seed)


def _mapped(limits: Interval, function: Callable[[float], float]) -> Interval:
    """The limits of an increasing function of what they are limits of."""
    return Interval(float(function(limits.low)), float(function(limits.high)), limits.method)
