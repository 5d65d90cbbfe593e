from __future__ import annotations

from collections.abc import Callable

import pandas as pd

from harness.reports.markdown import markdown_report
from harness.reports.rows import LEGEND
from harness.results import Run

PAGE = """\
# What quantization cost

| model | file | size | bits per weight | sha256 |
| --- | --- | --- | --- | --- |
| f16 | world-f16.gguf | 11.3 MB | 16.00 | 663136000000 |
| q8_0 | world\\|q8_0.gguf | 6.0 MB | 8.50 | 71385f300000 |
| q2_k | world-q2_k.gguf | 2.3 MB | 2.96 | 71325f6b0000 |

## q8_0 against f16

| scenario | n | ref. | value | delta (95% interval) |  | flips | p |
| --- | --- | --- | --- | --- | --- | --- | --- |
| world_facts | 400 | 0.963 | 0.965 | +0.2 pp (-0.7 .. +1.2) |  | -1 +2 | 1.000 |
| world_choice (separate) | 400 | 1.000 | 1.000 | +0.0 pp (-0.5 .. +0.5) |  | -0 +0 | 1.000 |
| world_choice (joint) | 400 | 0.250 | 0.287 | +3.8 pp (+1.7 .. +5.8) | ↑ | -1 +16 | <0.001 |
| world_text | 200 | 0.812 | 0.812 | +0.0000 (-0.0003 .. +0.0000) | ↑ |  | 0.040 |

## q2_k against f16

| scenario | n | ref. | value | delta (95% interval) |  | flips | p |
| --- | --- | --- | --- | --- | --- | --- | --- |
| world_facts | 400 | 0.963 | 0.328 | -63.5 pp (-68.0 .. -58.4) | ↓ | -256 +2 | <0.001 |
| world_choice (separate) | 400 | 1.000 | 0.998 | -0.2 pp (-0.9 .. +0.4) |  | -1 +0 | 1.000 |
| world_choice (joint) | 400 | 0.250 | 0.250 | +0.0 pp (-9.3 .. +9.3) |  | -180 +180 | 1.000 |
| world_text | 200 | 0.812 | 1.901 | +1.0889 (+1.0512 .. +1.1307) | ↓ |  | <0.001 |

LEGEND

- A note.
- Another.

Run it again with:

    harness run --models q8_0,q2_k
"""


def test_the_page(degradation: pd.DataFrame, as_run: Callable[..., Run]) -> None:
    page = markdown_report(as_run(degradation, ["A note.", "Another."]))
    assert page == PAGE.replace("LEGEND", LEGEND)


def test_every_row_has_as_many_cells_as_its_heading(degradation: pd.DataFrame, as_run: Callable[..., Run]) -> None:
    lines = markdown_report(as_run(degradation)).splitlines()
    tables = [[]]
    for line in lines:
        if line.startswith("|"):
            tables[-1].append(line.replace("\\|", "").count("|"))
        elif tables[-1]:
            tables.append([])
    assert [len(table) for table in tables] == [2 + 3, 2 + 4, 2 + 4, 0]
    assert all(len(set(table)) == 1 for table in tables if table)


def test_without_notes_there_is_no_empty_list(degradation: pd.DataFrame, as_run: Callable[..., Run]) -> None:
    assert "\n- " not in markdown_report(as_run(degradation))


def test_the_worst_case_has_a_row_and_single_perturbations_have_none(
    varied: pd.DataFrame, as_run: Callable[..., Run]
) -> None:
    page = markdown_report(as_run(varied))
    row = "| 400 | 0.963 | 0.328 | -63.5 pp (-68.0 .. -58.4) | ↓ | -256 +2 | <0.001 |"
    assert (
        f"| world_facts {row}\n| world_facts (worst(robustness)) {row}\n| world_facts (worst(fairness)) {row}" in page
    )
    assert "lowercase" not in page
