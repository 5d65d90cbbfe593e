"""Reports of models that are no files of ours: behind an endpoint that somebody started, or of another harness."""

from __future__ import annotations

import io
import math
import re
from collections.abc import Collection
from dataclasses import replace

import pytest
from made_run import make_run
from rich.console import Console

from harness.reports import numbers
from harness.reports.markdown import files, markdown_report
from harness.reports.overview import columns, legend, overview
from harness.reports.page import html_page
from harness.reports.plots.trade_off import accuracy_by_size, divergence_by_size
from harness.reports.recommendation import recommend
from harness.reports.terminal import print_table
from harness.results import Run

MODELS = ("f16", "q8_0", "q4_k_m", "q2_k")
URL = "http://127.0.0.1:8001/v1"


def run_with_unknown(unknown: Collection[str], *, n: int = 400, margin: float = 0.01) -> Run:
    """A run in which nothing is known of these models' files."""
    run = make_run(MODELS, [("facts", "generation", "exact_match")], n=n, margin=margin)
    nothing = {"file": None, "name": None, "sha256": None, "bytes": None, "bits_per_weight": None}
    models = [
        model | nothing | {"endpoint": {"url": URL, "model": f"served-{model['label']}"}}
        if model["label"] in unknown
        else model
        for model in run.models
    ]
    return replace(run, record=run.record | {"models": models})


@pytest.fixture(scope="module")
def nameless() -> Run:
    return run_with_unknown(MODELS)


def printed(run: Run) -> str:
    console = Console(file=io.StringIO(), width=100)
    print_table(console, run)
    return console.file.getvalue()  # type: ignore[attr-defined, no-any-return]


def test_what_nobody_knows_is_no_column(nameless: Run) -> None:
    assert not {"size", "bits"} & set(columns(nameless))
    assert "accuracy" in columns(nameless)
    assert not any("bits a weight" in line for line in legend(nameless))
    assert nameless.summary[["bytes", "bits_per_weight"]].isna().all(axis=None)


def test_what_is_known_of_some_is_a_dash_for_the_others() -> None:
    lines = {line.model: line for line in overview(run_with_unknown(["q4_k_m"], n=20))}
    assert (lines["q4_k_m"].size, lines["q4_k_m"].bits) == ("–", "–")
    assert (lines["q8_0"].size, lines["q8_0"].bits) == ("6.0 MB", "8.5")


def test_every_report_is_made(nameless: Run) -> None:
    page, text, shown = html_page(nameless), markdown_report(nameless), printed(nameless)
    for report in (page, text):
        assert f"served-q2_k at {URL}" in report
    for report in (page, text, shown):
        assert not re.search(r"\bnan\b|\bNone\b|<NA>", re.sub(r"<script.*?</script>", "", report, flags=re.DOTALL))


def test_no_point_is_drawn_where_no_size_is_known(nameless: Run) -> None:
    assert accuracy_by_size(nameless) is divergence_by_size(nameless) is None
    for plot in (
        accuracy_by_size(run_with_unknown(["q4_k_m"], n=20)),
        divergence_by_size(run_with_unknown(["q4_k_m"])),
    ):
        assert plot is not None
        assert [row[0] for row in plot.rows] == ["q2_k", "q8_0"]


def test_where_models_came_from() -> None:
    run = run_with_unknown(["q8_0", "q4_k_m", "q2_k"], n=3)
    run.models[2].update(endpoint={"url": URL, "model": None})
    run.models[3].update(endpoint=None, imported={"from": "helm", "path": "v1"})
    assert [row[1] for row in files(run)] == ["world-f16.gguf", f"served-q8_0 at {URL}", URL, "v1 (helm)"]
    assert [row[2:] for row in files(run)][1:] == 3 * [("–", "–", "–")]


@pytest.mark.parametrize(("unknown", "headline"), [("", "Take q4_k_m."), ("q8_0", None), ("q4_k_m", None)])
def test_the_smallest_cannot_be_taken_where_sizes_are_not_known(unknown: str, headline: str | None) -> None:
    run = run_with_unknown([unknown], n=1000, margin=0.1)
    table = run.findings.degradation
    table.loc[(table["scenario"] == "all") & table["model"].isin(["q8_0", "q4_k_m"]), "verdict"] = "non-inferior"
    table.loc[table["scenario"] != "all", "verdict"] = ""
    found = recommend(run)
    assert (found.model is None) == (headline is None)
    assert found.headline == headline or sorted(re.findall(r"q\d_\w+", found.headline)) == ["q4_k_m", "q8_0"]
    last = f"The size of {unknown} is not known, so this run does not say which of them to take."
    assert (found.reasons[-1] == last) == (headline is None)


def test_the_only_one_that_will_do_is_taken_whatever_its_size() -> None:
    found = recommend(run_with_unknown(MODELS, n=2000, margin=0.012))
    assert found.headline == "Take q8_0."
    assert not any("times smaller" in reason for reason in found.reasons)


def test_a_dash_is_for_files() -> None:
    assert numbers.size(math.nan) == numbers.bits(math.nan) == "–"
    assert (numbers.bits(4.5625), numbers.bits(4.5625, 2)) == ("4.6", "4.56")
