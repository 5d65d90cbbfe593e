from __future__ import annotations

from collections.abc import Callable

import pandas as pd
from made_run import make_run

from harness.reports.markdown import markdown_report
from harness.reports.overview import legend
from harness.results import Run

PAGE = """\
# What quantization cost

**Take q8_0.** Its answers are as often right as f16's, within 1 percentage point (+0.1 pp, 95% interval -0.4 .. +0.6, \
800 questions). It is 1.9 times smaller than f16. Smaller files lose more: q2_k.

| model | size | bits | accuracy | delta (95% interval) |  | flips | KLD | verdict, margin 1 point |
| --- | --- | --- | --- | --- | --- | --- | --- | --- |
| f16 | 11.3 MB | 16.0 | 0.981 |  |  |  | 0 | reference |
| q8_0 | 6.0 MB | 8.5 | 0.983 | +0.1 pp (-0.4 .. +0.6) | (↑) | 0.4% | 0.0006 | equivalent |
| q2_k | 2.3 MB | 3.0 | 0.662 | -31.9 pp (-35.1 .. -28.5) | ↓ | 32.4% | 0.61 | degraded beyond margin |

## q8_0 against f16

| scenario | metric | n | ref. | value | delta (95% interval) |  | flips | p | verdict |
| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |
| world_facts | exact_match | 400 | 0.963 | 0.965 | +0.2 pp (-0.7 .. +1.2) | (↑) | -1 +2 | 1.000 | non-inferior |
| world_choice (separate) | exact_match | 400 | 1.000 | 1.000 | +0.0 pp (-0.5 .. +0.5) |  | -0 +0 | 1.000 | equivalent |
| world_choice (joint) | exact_match | 400 | 0.250 | 0.287 | +3.8 pp (+1.7 .. +5.8) | ↑ | -1 +16 | <0.001 | \
non-inferior |
| world_text | bits_per_byte | 200 | 0.812 | 0.812 | +0.0000 (-0.0003 .. +0.0000) |  |  | 0.040 |  |

## q2_k against f16
"""
END = """
- A note.
- Another.

## What was run

| model | file | size | bits per weight | sha256 |
| --- | --- | --- | --- | --- |
| f16 | world-f16.gguf | 11.3 MB | 16.00 | HASH |
| q8_0 | world\\|q8_0.gguf | 6.0 MB | 8.50 | HASH |
| q2_k | world-q2_k.gguf | 2.3 MB | 2.96 | HASH |

Started 2026-11-23T01:02:03+00:00, on Linux x86_64, 2 cores, with python 3.11.7, quant-harness 0.1.0.

Run it again with:

    harness run --models q8_0,q2_k
"""


def test_the_page(degradation: pd.DataFrame, as_run: Callable[..., Run]) -> None:
    run = as_run(degradation, ["A note.", "Another."])
    page = markdown_report(run)
    assert page.startswith(PAGE)
    for model in run.models:
        page = page.replace(model["sha256"], "HASH")
    assert page.endswith(END)
    assert all(f"- {line}\n" in page for line in legend(run))


def test_every_row_has_as_many_cells_as_its_heading(degradation: pd.DataFrame, as_run: Callable[..., Run]) -> None:
    tables: list[list[int]] = [[]]
    for line in markdown_report(as_run(degradation)).splitlines():
        if line.startswith("|"):
            tables[-1].append(line.replace("\\|", "").count("|"))
        elif tables[-1]:
            tables.append([])
    assert [len(table) for table in tables] == [2 + 3, 2 + 4, 2 + 4, 2 + 3, 0]
    assert all(len(set(table)) == 1 for table in tables if table)


def test_without_notes_there_is_no_heading_for_them(degradation: pd.DataFrame, as_run: Callable[..., Run]) -> None:
    assert "## Notes" not in markdown_report(as_run(degradation))


def test_the_worst_case_has_a_row_and_single_perturbations_have_none(
    varied: pd.DataFrame, as_run: Callable[..., Run]
) -> None:
    page = markdown_report(as_run(varied))
    row = "| exact_match | 400 | 0.963 | 0.328 | -63.5 pp (-68.0 .. -58.4) | ↓ | -256 +2 | <0.001 |"
    for form in ("world_facts", "world_facts (worst(robustness))", "world_facts (worst(fairness))"):
        assert f"\n| {form} {row}" in page
    assert "lowercase" not in page


def test_a_scenario_of_divergence_alone() -> None:
    page = markdown_report(make_run(tasks=()))
    assert "This run does not say which to take." in page
    assert "## q8_0" not in page
    assert "| model | size | bits | KLD | KLD p99 | PPL ratio (95% interval) | same top p | tok/s |" in page
    assert "- verdict: " not in page
