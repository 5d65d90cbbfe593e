"""A run that is good in all and bad in one scenario: every report says so where it recommends."""

from __future__ import annotations

import io
import re
from html import unescape

import numpy as np
import pandas as pd
import pytest
from made_run import make_run
from rich.console import Console

from harness.analysis import analyse
from harness.reports.markdown import markdown_report
from harness.reports.page import html_page
from harness.reports.recommendation import recommend
from harness.reports.terminal import print_table
from harness.results import Run

TASKS = (("facts", "generation", "exact_match"), *((f"quiz_{n}", "generation", "exact_match") for n in range(12)))
LOST = "Take q8_0, but not for facts: it lost 15.0 points there."


@pytest.fixture(scope="module")
def one_lost() -> Run:
    """Of a model that answers as the reference does, 30 of 200 facts are wrong, and nothing else of 2,600 answers."""
    run = make_run(("f16", "q8_0"), TASKS, n=200, tokens=False, efficiency=False, margin=0.02)
    frames = run.measured.instances.copy(), run.measured.scores.copy()
    for frame in frames:
        facts = (frame["scenario"] == "facts") & (frame["model"] == "q8_0")
        number = frame["instance_id"].str[-4:].astype(int)
        right = np.where(facts, number >= 30, True)
        frame["value"], frame["correct"] = right.astype(float), pd.array(right, "boolean")
    measured = run.measured._replace(instances=frames[0], scores=frames[1])
    return Run(run.record, measured, analyse(run.record, measured))


def terminal(run: Run) -> str:
    console = Console(width=80, file=io.StringIO(), record=True, markup=False, emoji=False)
    print_table(console, run)
    return console.export_text()


def test_all_together_are_within_the_margin_and_one_is_beyond(one_lost: Run) -> None:
    verdicts = one_lost.findings.degradation.query("model == 'q8_0' and verdict != ''").set_index("scenario")["verdict"]
    assert verdicts["all"] == "small loss, within margin"
    assert verdicts["facts"] == "degraded beyond margin"
    assert "facts" not in verdicts[verdicts != "degraded beyond margin"]


def test_it_is_in_the_headline_of_every_report(one_lost: Run) -> None:
    assert recommend(one_lost).headline == LOST
    assert LOST in " ".join(terminal(one_lost).split())
    assert f"**{LOST}**" in markdown_report(one_lost)
    assert re.search(rf'<h2 id="take-title">{re.escape(LOST)}</h2>', html_page(one_lost))


def test_and_how_much_is_among_the_reasons_of_every_report(one_lost: Run) -> None:
    reason = recommend(one_lost).reasons[1]
    assert re.fullmatch(r"In facts it lost 15\.0 points \(-.* \.\. -.*\), more than the margin\.", reason)
    for report in (terminal(one_lost), markdown_report(one_lost), unescape(html_page(one_lost))):
        assert reason in " ".join(report.split())


def test_a_model_that_lost_nowhere_so_much_is_taken_though_it_is_larger(one_lost: Run) -> None:
    label = "large"
    larger = {**one_lost.models[1], "label": label, "bytes": 2 * one_lost.models[1]["bytes"]}
    record = one_lost.record | {"models": [*one_lost.models, larger]}
    frames = [
        pd.concat([frame, frame[frame["model"] == "f16"].assign(model=label)], ignore_index=True)
        for frame in one_lost.measured[:2]
    ]
    measured = one_lost.measured._replace(instances=frames[0], scores=frames[1])
    found = recommend(Run(record, measured, analyse(record, measured)))
    assert found.headline == "Take large."
    assert "q8_0 is smaller, but lost more than the margin in facts." in found.reasons
