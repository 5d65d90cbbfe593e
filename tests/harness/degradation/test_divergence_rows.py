from __future__ import annotations

import math
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.regression.linear_model import OLS
from token_rows import token_rows

from harness.degradation.divergence import CONFIDENCE_EDGES, by_confidence, divergence_rows
from harness.degradation.llama_perplexity import llama_statistics

ESTIMATED = (
    "kld_mean",
    "kld_reverse_mean",
    "same_top",
    "delta_p_mean",
    "delta_p_rms",
    "ppl",
    "ppl_ratio",
    "log_ppl_ratio",
)
"""Metrics with an interval; of the others only the figure is known."""


def table(tokens: pd.DataFrame, seed: int = 0) -> pd.DataFrame:
    return pd.DataFrame(divergence_rows(tokens, seed=seed)).set_index(["model", "metric"])


def of(tokens: pd.DataFrame) -> pd.DataFrame:
    return table(tokens).loc["q4_0"]


def test_figures_are_those_of_llama_perplexity_s_rules() -> None:
    tokens = token_rows()
    rows, printed = of(tokens), llama_statistics(tokens)
    shared = set(rows.index) & set(printed)
    assert len(shared) >= 11
    for metric in shared:
        assert rows.loc[metric, "value"] == pytest.approx(printed[metric].value), metric
    assert rows.loc["ppl", "reference_value"] == pytest.approx(printed["ppl_reference"].value)
    assert rows.loc["kld_reverse_mean", "value"] == pytest.approx(tokens["kld_reverse"].mean())


def test_a_row_says_what_and_of_how_many() -> None:
    rows = of(token_rows(n_windows=12, n_scored=20))
    assert {tuple(row) for row in rows[["scenario", "adapter", "perturbation"]].to_numpy()} == {
        ("divergence", "next_token", "")
    }
    assert set(rows["n"]) == {240}
    assert set(rows["n_groups"]) == {12}
    assert rows["delta"].to_numpy() == pytest.approx(rows["value"] - rows["reference_value"])


@pytest.mark.parametrize(("n_windows", "method"), [(50, "clustered t"), (20, "cluster bootstrap"), (9, "none")])
def test_intervals_are_by_windows(n_windows: int, method: str) -> None:
    rows = of(token_rows(n_windows=n_windows))
    assert rows.loc["kld_mean", "interval"] == method
    known = rows[rows["interval"] != "none"]
    assert set(known.index) == (set() if method == "none" else set(ESTIMATED))
    assert ((known["ci_low"] < known["delta"]) & (known["delta"] < known["ci_high"])).all()
    assert rows.drop(index=known.index)[["ci_low", "ci_high"]].isna().all(axis=None)


def test_windows_that_differ_make_wider_intervals_than_tokens_would() -> None:
    tokens = pd.concat([token_rows(n_windows=25, noise=noise, seed=i) for i, noise in enumerate((0.1, 0.8))])
    tokens["window"] += np.repeat([0, 25], 25 * 20)
    row = of(tokens).loc["kld_mean"]
    assert (row["ci_high"] - row["ci_low"]) / 2 > 2 * 1.96 * llama_statistics(tokens)["kld_mean"].uncertainty


def test_the_ratio_s_p_value_is_of_a_t_test_by_windows() -> None:
    tokens = token_rows(n_windows=50, noise=0.6)
    differences = (tokens["reference_logprob"] - tokens["logprob"]).to_numpy()
    fit = OLS(differences, np.ones_like(differences)).fit(
        cov_type="cluster", cov_kwds={"groups": tokens["window"].to_numpy()}, use_t=True
    )
    rows = of(tokens)
    assert rows.loc["log_ppl_ratio", "p_value"] == pytest.approx(fit.pvalues[0])
    assert rows.drop(index="log_ppl_ratio")["p_value"].isna().all()
    low, high = fit.conf_int()[0]
    assert (rows.loc["log_ppl_ratio", ["ci_low", "ci_high"]].tolist()) == pytest.approx([low, high])
    assert (rows.loc["ppl_ratio", ["ci_low", "ci_high"]].tolist()) == pytest.approx([math.expm1(low), math.expm1(high)])


def test_a_perplexity_s_interval_is_its_ratio_s_at_small_losses() -> None:
    rows = of(token_rows(n_windows=50, noise=0.02))
    ppl, ratio = rows.loc["ppl"], rows.loc["ppl_ratio"]
    for limit in ("ci_low", "ci_high"):
        assert ppl[limit] == pytest.approx(ppl["reference_value"] * ratio[limit], rel=0.1)


def test_a_null_run_without_a_difference_is_constant() -> None:
    rows = of(token_rows(n_windows=40, noise=0.0))
    assert rows.loc["log_ppl_ratio", "p_value"] == 1
    for metric in ("kld_mean", "delta_p_mean", "delta_p_rms", "log_ppl_ratio", "ppl_ratio"):
        assert tuple(rows.loc[metric, ["delta", "ci_low", "ci_high", "interval"]]) == (0, 0, 0, "constant")
    assert tuple(rows.loc["same_top", ["value", "delta"]]) == (1, 0)


def test_an_infinite_divergence_is_told_and_counted() -> None:
    tokens = token_rows(n_windows=40)
    tokens.loc[[3, 700], ["kld", "kld_reverse"]] = math.inf
    tokens.loc[5, "logprob"] = -math.inf
    rows = of(tokens)
    assert rows.loc["kld_not_finite", "value"] == 2
    for metric in ("kld_mean", "kld_max", "kld_reverse_mean", "ppl", "ppl_ratio", "log_ppl_ratio"):
        assert rows.loc[metric, "value"] == math.inf
        assert rows.loc[metric, "interval"] == "none"
    assert (
        rows.loc[["kld_median", "kld_p99", "same_top", "delta_p_mean", "delta_p_rms"], "value"].map(math.isfinite).all()
    )
    assert rows.loc["delta_p_mean", "interval"] == "clustered t"


def test_what_is_no_number_spoils_only_what_is_made_of_it() -> None:
    tokens = token_rows(n_windows=40)
    tokens.loc[3, "kld"] = math.nan
    rows = of(tokens)
    assert rows.loc[["kld_mean", "kld_median", "kld_max"], "value"].isna().all()
    assert rows.loc["kld_not_finite", "value"] == 1
    assert math.isfinite(rows.loc["ppl_ratio", "value"])


def test_nothing_measured_has_no_rows() -> None:
    assert divergence_rows(token_rows().iloc[:0], seed=0) == []


def test_models_come_in_their_order() -> None:
    found = table(pd.concat([token_rows("q8_0"), token_rows("a")]))
    assert list(dict.fromkeys(found.index.get_level_values("model"))) == ["q8_0", "a"]


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**31), st.integers(1, 60), st.integers(1, 5))
def test_the_order_of_rows_does_not_matter(seed: int, n_windows: int, n_scored: int) -> None:
    tokens = token_rows(n_windows=n_windows, n_scored=n_scored, seed=seed)
    shuffled = of(tokens.sample(frac=1, random_state=seed % 1000))
    expected = of(tokens)
    numbers = ["value", "delta", "ci_low", "ci_high", "p_value"]
    # A resample that happens to be the sample counts as above or below it by rounding, which moves BCa limits a little.
    assert shuffled[numbers].to_numpy(float) == pytest.approx(expected[numbers].to_numpy(float), rel=5e-3, nan_ok=True)


def test_more_noise_diverges_more() -> None:
    found = [of(token_rows(noise=noise)).loc["kld_mean", "value"] for noise in (0.05, 0.2, 0.8)]
    assert found == sorted(found)


def test_divergence_by_how_sure_the_reference_was() -> None:
    tokens = token_rows(n_windows=40)
    found = by_confidence(tokens)
    assert found["n"].sum() == len(tokens)
    for row in found.itertuples():
        inside = tokens["reference_top"].between(row.top_low, row.top_high, inclusive="left")
        assert row.n == inside.sum()
        assert row.kld_mean == pytest.approx(tokens[inside]["kld"].mean())
        assert row.same_top == pytest.approx(tokens[inside]["same_top"].mean())


def test_a_reference_that_is_certain_is_in_the_last_bin() -> None:
    tokens = token_rows(n_windows=1, n_scored=2)
    tokens["reference_top"] = [1.0, 0.0]
    found = by_confidence(tokens)
    assert found[["top_low", "top_high"]].to_numpy().tolist() == [
        list(CONFIDENCE_EDGES[:2]),
        list(CONFIDENCE_EDGES[-2:]),
    ]
    assert by_confidence(tokens.iloc[:0]).empty


def test_the_docs_name_every_metric() -> None:
    page = (Path(__file__).parents[3] / "docs" / "statistics.md").read_text(encoding="utf-8")
    section = page.split("## Divergence")[1].split("\n## ")[0]
    assert set(of(token_rows()).index) <= set(re.findall(r"`(\w+)`", section))
