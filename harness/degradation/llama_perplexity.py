"""The figures that ``llama-perplexity --kl-divergence`` prints, by its rules, from rows of ``tokens``.

Its standard errors take tokens for independent, which those of one text are not: they are here to be compared with that
tool's output, and :mod:`harness.degradation.divergence` has intervals that allow for windows.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

KLD_PERCENTILES = {
    **{"kld_max": 1.0, "kld_p999": 0.999, "kld_p99": 0.99, "kld_p95": 0.95, "kld_p90": 0.9, "kld_median": 0.5},
    **{"kld_p10": 0.1, "kld_p05": 0.05, "kld_p01": 0.01, "kld_p001": 0.001, "kld_min": 0.0},
}
DELTA_P_PERCENTILES = {
    **{name.replace("kld", "delta_p"): fraction for name, fraction in KLD_PERCENTILES.items()},
    **{"delta_p_p75": 0.75, "delta_p_p25": 0.25},
}

Floats = NDArray[np.float64]


class Printed(NamedTuple):
    """A figure and what stands behind its +-: NaN where nothing does."""

    value: float
    uncertainty: float = math.nan


@np.errstate(invalid="ignore", over="ignore")  # infinite entries give infinite or undefined figures, without a word
def llama_statistics(tokens: pd.DataFrame) -> dict[str, Printed]:
    """Every figure that it prints, of one model.

    Args:
        tokens: the rows of one model, with the columns of :data:`harness.divergence.records.COLUMNS`.

    Returns:
        By our metric's name. Shares and differences of probabilities are fractions, where it prints percent.
    """
    kld, nll, nll_base = (
        sign * tokens[name].to_numpy(np.float64)
        for name, sign in (("kld", 1), ("logprob", -1), ("reference_logprob", -1))
    )
    delta_p = np.exp(-nll) - np.exp(-nll_base)
    n, same = len(tokens), float(tokens["same_top"].mean())
    rms = math.sqrt(np.mean(delta_p**2))
    return {
        **_perplexity(nll, nll_base),
        "kld_mean": _mean(kld),
        **{name: Printed(percentile(kld, fraction)) for name, fraction in KLD_PERCENTILES.items()},
        "delta_p_mean": _mean(delta_p),
        **{name: Printed(percentile(delta_p, fraction)) for name, fraction in DELTA_P_PERCENTILES.items()},
        "delta_p_rms": Printed(rms, 0.5 / rms * _mean(delta_p**2).uncertainty if rms else 0.0),
        "same_top": Printed(same, math.sqrt(same * (1 - same) / (n - 1)) if n > 1 else math.nan),
    }


def percentile(values: Floats, fraction: float) -> float:
    """Linear between the two nearest of the sorted values, at ``fraction * (n - 1)``.

    NaN of no values and where one is NaN; infinite beside an infinite one.
    """
    if not len(values) or np.isnan(values).any():
        return math.nan
    place = fraction * (len(values) - 1)
    low = min(int(place), len(values) - 1)
    high = min(low + 1, len(values) - 1)
    ordered = np.partition(values, (low, high))
    part = place - low
    if part == 0 or ordered[low] == ordered[high]:  # else 0 times an infinite neighbour would be NaN
        return float(ordered[low])
    return float((1 - part) * ordered[low] + part * ordered[high])


def _mean(values: Floats) -> Printed:
    """Mean and standard error; the latter is 0 for 10 values and fewer, and without spread."""
    n, mean = len(values), float(np.mean(values))
    variance = (float(np.mean(values**2)) - mean**2) / (n - 1) if n > 10 else 0.0
    return Printed(mean, math.nan if math.isnan(variance) else math.sqrt(max(variance, 0.0)))


def _perplexity(nll: Floats, nll_base: Floats) -> dict[str, Printed]:
    (log_ppl, u), (log_base, u_base) = _mean(nll), _mean(nll_base)
    ppl, base = float(np.exp(log_ppl)), float(np.exp(log_base))
    n = len(nll)
    covariance = (float(np.mean(nll * nll_base)) - log_ppl * log_base) / (n - 1) if n >= 10 else 0.0
    log_ratio, ratio = log_ppl - log_base, float(np.exp(log_ppl - log_base))
    log_unc = _root(u**2 + u_base**2 - 2 * covariance)
    return {
        "ppl": Printed(ppl, ppl * u),
        "ppl_reference": Printed(base, base * u_base),
        "correlation": Printed(covariance / (u * u_base) if u and u_base else math.nan),
        "log_ppl_ratio": Printed(log_ratio, log_unc),
        "ppl_ratio": Printed(ratio, ratio * log_unc),
        "ppl_difference": Printed(
            ppl - base, _root((ppl * u) ** 2 + (base * u_base) ** 2 - 2 * ppl * base * covariance)
        ),
    }


def _root(variance: float) -> float:
    """Of a variance that rounding may have made negative."""
    return math.sqrt(max(variance, 0.0))
