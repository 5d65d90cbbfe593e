from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from token_rows import token_rows

from harness.degradation.llama_perplexity import DELTA_P_PERCENTILES, KLD_PERCENTILES, llama_statistics, percentile

FINITE = st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=60)


def standard_error(values: NDArray[np.float64]) -> float:
    """Of a mean, as if values were independent."""
    return float(values.std(ddof=1) / math.sqrt(len(values)))


@given(FINITE, st.floats(0, 1))
def test_percentiles_are_numpy_s(values: list[float], fraction: float) -> None:
    expected = np.quantile(values, fraction, method="linear")
    assert percentile(np.array(values), fraction) == pytest.approx(expected, rel=1e-9, abs=1e-6)


@given(FINITE, st.floats(0, 1), st.integers(1, 20))
def test_percentiles_beside_infinity_are_what_they_are_or_infinite(
    values: list[float], fraction: float, n_infinite: int
) -> None:
    found = percentile(np.array([*values, *[math.inf] * n_infinite]), fraction)
    below = fraction * (len(values) + n_infinite - 1) <= len(values) - 1
    assert math.isfinite(found) == below
    assert not math.isnan(found)


def test_percentiles_of_nothing_and_of_what_is_no_number_are_none() -> None:
    assert math.isnan(percentile(np.array([]), 0.5))
    assert math.isnan(percentile(np.array([1.0, math.nan]), 0.0))


def test_figures_are_those_of_an_oracle() -> None:
    rows = token_rows(n_windows=10, n_scored=30)
    found = llama_statistics(rows)
    kld, nll, base = rows["kld"].to_numpy(), -rows["logprob"].to_numpy(), -rows["reference_logprob"].to_numpy()
    delta_p, same = np.exp(-nll) - np.exp(-base), rows["same_top"].to_numpy(float)
    ratio = math.exp((nll - base).mean())
    expected = {
        "ppl": (math.exp(nll.mean()), math.exp(nll.mean()) * standard_error(nll)),
        "ppl_reference": (math.exp(base.mean()), math.exp(base.mean()) * standard_error(base)),
        "correlation": (np.corrcoef(nll, base)[0, 1], math.nan),
        "log_ppl_ratio": (math.log(ratio), standard_error(nll - base)),
        "ppl_ratio": (ratio, ratio * standard_error(nll - base)),
        "ppl_difference": (
            math.exp(nll.mean()) - math.exp(base.mean()),
            standard_error(math.exp(nll.mean()) * nll - math.exp(base.mean()) * base),
        ),
        "kld_mean": (kld.mean(), standard_error(kld)),
        "delta_p_mean": (delta_p.mean(), standard_error(delta_p)),
        "delta_p_rms": (
            math.sqrt((delta_p**2).mean()),
            standard_error(delta_p**2) / 2 / math.sqrt((delta_p**2).mean()),
        ),
        "same_top": (same.mean(), standard_error(same)),
        **{name: (np.quantile(kld, fraction), math.nan) for name, fraction in KLD_PERCENTILES.items()},
        **{name: (np.quantile(delta_p, fraction), math.nan) for name, fraction in DELTA_P_PERCENTILES.items()},
    }
    assert set(found) == set(expected)
    for name, figures in expected.items():
        assert tuple(found[name]) == pytest.approx(figures, rel=1e-8, nan_ok=True), name


def test_the_same_model_shows_no_difference() -> None:
    found = llama_statistics(token_rows(noise=0.0))
    assert found["kld_mean"] == found["delta_p_rms"] == (0.0, 0.0)
    assert found["ppl_ratio"] == found["same_top"] == (1.0, 0.0)
    assert found["correlation"].value == pytest.approx(1)


def test_ten_tokens_have_no_standard_error_and_one_token_figures() -> None:
    assert llama_statistics(token_rows(n_windows=1, n_scored=10))["kld_mean"].uncertainty == 0
    assert llama_statistics(token_rows(n_windows=1, n_scored=11))["kld_mean"].uncertainty > 0
    single = token_rows(n_windows=1, n_scored=1)
    assert llama_statistics(single)["kld_max"].value == single["kld"].iloc[0]


def test_what_is_infinite_stays_so() -> None:
    rows = token_rows()
    rows.loc[3, ["kld", "logprob"]] = math.inf, -math.inf
    found = llama_statistics(rows)
    assert found["kld_mean"].value == found["kld_max"].value == found["ppl"].value == math.inf
    assert math.isfinite(found["kld_median"].value)
    assert math.isfinite(found["delta_p_mean"].value)  # a probability of 0 is a number
