from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest
from rich.console import Console

from harness.reports.rows import LEGEND
from harness.reports.terminal import describe, print_table
from harness.results import Run

TABLE = """\

q8_0 (6.0 MB, 8.5 bits a weight), against f16 (11.3 MB, 16.0 bits a weight)
scenario                  n  ref. value         delta (95% interval)    flips
─────────────────────────────────────────────────────────────────────────────
world_facts             400 0.963 0.965       +0.2 pp (-0.7 .. +1.2)    -1 +2
world_choice (separate) 400 1.000 1.000       +0.0 pp (-0.5 .. +0.5)    -0 +0
world_choice (joint)    400 0.250 0.287       +3.8 pp (+1.7 .. +5.8) ↑ -1 +16
world_text              200 0.812 0.812 +0.0000 (-0.0003 .. +0.0000) ↑

q2_k (2.3 MB, 3.0 bits a weight), against f16 (11.3 MB, 16.0 bits a weight)
scenario                  n  ref. value         delta (95% interval)       flips
────────────────────────────────────────────────────────────────────────────────
world_facts             400 0.963 0.328    -63.5 pp (-68.0 .. -58.4) ↓   -256 +2
world_choice (separate) 400 1.000 0.998       -0.2 pp (-0.9 .. +0.4)       -1 +0
world_choice (joint)    400 0.250 0.250       +0.0 pp (-9.3 .. +9.3)   -180 +180
world_text              200 0.812 1.901 +1.0889 (+1.0512 .. +1.1307) ↓

delta: value minus reference, paired, with its 95% interval; ↓ worse, ↑ better
than the reference beyond it. flips: answers that turned wrong (-) and right
(+).
A note.
"""


def shown(run: Run, width: int = 80) -> str:
    console = Console(width=width, file=io.StringIO(), record=True, markup=False, emoji=False)
    print_table(console, run)
    return console.export_text()


def test_the_table(degradation: pd.DataFrame, as_run: Callable[..., Run]) -> None:
    text = shown(as_run(degradation, ["A note."]))
    assert [line.rstrip() for line in text.splitlines()] == TABLE.splitlines()
    assert fits(text)


def fits(text: str) -> bool:
    return "…" not in text and max(map(len, text.splitlines())) <= 80


def test_the_widest_figures_of_the_default_number_of_instances_fit(
    degradation: pd.DataFrame, as_run: Callable[..., Run]
) -> None:
    compared = degradation["delta"].notna() & (degradation["metric"] == "exact_match")
    worst = degradation.copy()
    worst.loc[compared, ["delta", "ci_low", "ci_high"]] = [-0.9975, -1.0, -0.9841]
    worst.loc[compared, ["flips_to_wrong", "flips_to_right"]] = [200, 200]
    text = shown(as_run(worst))
    assert "-99.8 pp (-100.0 .. -98.4)" in text
    assert "-200 +200" in text
    assert fits(text)


def test_where_it_gets_tight_names_are_wrapped_and_no_figure_is_cut(
    degradation: pd.DataFrame, as_run: Callable[..., Run]
) -> None:
    worst = degradation.assign(n=2000)
    worst.loc[worst["flips_to_wrong"].notna(), ["flips_to_wrong", "flips_to_right"]] = [1282, 1012]
    text = shown(as_run(worst))
    assert fits(text)
    assert text.count("-1282 +1012") == 6
    assert text.count("world_choice") == 4


def test_worst_cases_stand_below_what_was_asked(varied: pd.DataFrame, as_run: Callable[..., Run]) -> None:
    text = shown(as_run(varied))
    assert fits(text)
    assert text.count("(worst(robustness))") == text.count("(worst(fairness))") == 2
    assert "lowercase" not in text
    wide = [line.split(" 400 ")[0].rstrip() for line in shown(as_run(varied), width=120).splitlines()]
    at = wide.index("world_facts (worst(robustness))")
    assert wide[at - 1 : at + 2] == ["world_facts", "world_facts (worst(robustness))", "world_facts (worst(fairness))"]


def test_every_model_is_described_and_compared(
    degradation: pd.DataFrame, as_run: Callable[..., Run], models: list[dict[str, Any]]
) -> None:
    text = shown(as_run(degradation), width=120)
    assert [describe(model) for model in models] == [
        "f16 (11.3 MB, 16.0 bits a weight)",
        "q8_0 (6.0 MB, 8.5 bits a weight)",
        "q2_k (2.3 MB, 3.0 bits a weight)",
    ]
    assert [line for line in text.splitlines() if "against" in line] == [
        f"{describe(model)}, against {describe(models[0])}" for model in models[1:]
    ]


def test_notes_stand_below(degradation: pd.DataFrame, as_run: Callable[..., Run]) -> None:
    notes = ["First [red]note[/].", "Second note."]
    text = shown(as_run(degradation, notes), width=300)
    assert text.splitlines()[-3:] == [LEGEND, *notes]


@pytest.mark.parametrize(("colour", "task"), [("31", "world_facts"), ("32", "world_choice (joint)")])
def test_worse_is_red_and_better_is_green(
    colour: str, task: str, degradation: pd.DataFrame, as_run: Callable[..., Run]
) -> None:
    written = io.StringIO()
    console = Console(width=80, file=written, force_terminal=True, color_system="standard")
    print_table(console, as_run(degradation))
    coloured = [line for line in written.getvalue().splitlines() if f"\x1b[{colour}m" in line]
    assert coloured
    assert any(task in line for line in coloured)
    assert not any(task in line for line in written.getvalue().splitlines() if f"\x1b[{63 - int(colour)}m" in line)


def test_a_name_longer_than_its_column_is_shown_whole(degradation: pd.DataFrame, as_run: Callable[..., Run]) -> None:
    name = "a_scenario_whose_name_alone_is_longer_than_forty_letters"
    text = shown(as_run(degradation.replace({"scenario": {"world_facts": name}})))
    assert "…" not in text
    words = [line.split(" ")[0] for line in text.splitlines()]
    begin = next(i for i, word in enumerate(words) if word.startswith("a_scenario"))
    assert "".join(words[begin : begin + 3]).startswith(name)
