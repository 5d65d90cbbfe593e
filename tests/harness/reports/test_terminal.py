from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest
from made_run import make_run
from rich.console import Console

from harness.reports.overview import legend
from harness.reports.terminal import MOST_ROWS, print_table
from harness.results import Run

OVERVIEW = """\

model    size bits accuracy      delta (95% interval)     flips    KLD
──────────────────────────────────────────────────────────────────────
f16   11.3 MB 16.0    0.981                                          0
q8_0   6.0 MB  8.5    0.983    +0.1 pp (-0.4 .. +0.6) (↑)  0.4% 0.0006
q2_k   2.3 MB  3.0    0.662 -31.9 pp (-35.1 .. -28.5) ↓   32.4%   0.61

verdict, margin 1 point
q8_0: equivalent
q2_k: degraded beyond margin

Take q8_0.
Its answers are as often right as f16's, within 1 percentage point (+0.1 pp, 95%
interval -0.4 .. +0.6, 800 questions).
It is 1.9 times smaller than f16.
Smaller files lose more: q2_k.
"""
WIDE = """\

model    size bits accuracy      delta (95% interval)     flips    KLD verdict, margin 1 point
──────────────────────────────────────────────────────────────────────────────────────────────
f16   11.3 MB 16.0    0.981                                          0 reference
q8_0   6.0 MB  8.5    0.983    +0.1 pp (-0.4 .. +0.6) (↑)  0.4% 0.0006 equivalent
q2_k   2.3 MB  3.0    0.662 -31.9 pp (-35.1 .. -28.5) ↓   32.4%   0.61 degraded beyond margin
"""


def shown(run: Run, width: int = 80) -> str:
    console = Console(width=width, file=io.StringIO(), record=True, markup=False, emoji=False)
    print_table(console, run)
    return "\n".join(line.rstrip() for line in console.export_text().splitlines())


def fits(text: str, width: int = 80) -> bool:
    return "…" not in text and max(map(len, text.splitlines())) <= width


def test_a_line_a_model_and_what_follows(degradation: pd.DataFrame, as_run: Callable[..., Run]) -> None:
    text = shown(as_run(degradation))
    assert text.startswith(OVERVIEW)
    assert fits(text)


def test_the_verdict_is_a_column_where_there_is_room(degradation: pd.DataFrame, as_run: Callable[..., Run]) -> None:
    text = shown(as_run(degradation), width=120)
    assert text.startswith(WIDE)
    assert fits(text, 120)


def test_the_rows_of_a_model(degradation: pd.DataFrame, as_run: Callable[..., Run]) -> None:
    text = shown(as_run(degradation), width=100)
    block = text[text.index("q2_k against f16") :].split("\n\n")[0].splitlines()
    assert block[1].split() == ["scenario", "metric", "value", "delta", "(95%", "interval)", "flips"]
    assert block[3].split() == ["world_facts", "exact_match", "0.328", *"-63.5 pp (-68.0 .. -58.4) ↓ -256 +2".split()]
    assert len(block) == 3 + 4


@pytest.mark.parametrize("width", [80, 100])
def test_no_figure_is_cut_however_wide_it_is(width: int, degradation: pd.DataFrame, as_run: Callable[..., Run]) -> None:
    compared = degradation["delta"].notna() & degradation["metric"].isin(["exact_match", "accuracy"])
    worst = degradation.copy()
    worst.loc[compared, ["delta", "ci_low", "ci_high"]] = [-0.9975, -1.0, -0.9841]
    worst.loc[compared, ["flips_to_wrong", "flips_to_right"]] = [1282, 1012]
    worst.loc[compared, "flip_rate"] = 1.0
    text = shown(as_run(worst), width)
    assert fits(text, width)
    assert text.count("-99.8 pp (-100.0 .. -98.4)") == 8
    assert text.count("-1282 +1012") == 6
    assert text.count("100.0%") == 2


@pytest.mark.parametrize("width", [80, 120])
def test_a_long_name_is_wrapped_and_not_cut(
    width: int, degradation: pd.DataFrame, as_run: Callable[..., Run], models: list[dict[str, Any]]
) -> None:
    name = "a-model-whose-name-alone-is-longer-than-forty-letters"
    task = "a_scenario_whose_name_alone_is_longer_than_forty_letters"
    models[1]["label"] = name
    text = shown(as_run(degradation.replace({"model": {"q8_0": name}, "scenario": {"world_facts": task}})), width)
    assert fits(text, width)
    # Names go on in the first column; whatever stands beside them there is taken out.
    words = "".join(line.split(" ")[0] for line in text.splitlines())
    assert name in words
    assert task in words


def test_of_many_rows_those_are_shown_in_which_something_is_seen(made: Run) -> None:
    tasks = tuple((f"task_{number}", "generation", "exact_match") for number in range(MOST_ROWS + 1))
    run = make_run(("f16", "q8_0", "q2_k"), tasks, n=12, tokens=False)
    text = shown(run)
    quiet, loud = (text[text.index(f"{model} against f16") :].split("\n\n")[0] for model in ("q8_0", "q2_k"))
    assert f"In {MOST_ROWS + 1} of {MOST_ROWS + 1} rows no change is shown." in quiet
    assert "task_" not in quiet
    assert "task_" in loud


def test_the_null_run_is_the_noise_floor(made: Run) -> None:
    assert "\nnull: noise floor\n" in shown(made)
    assert next(line for line in shown(made, 130).splitlines() if line.startswith("null")).endswith("noise floor")


def test_of_the_null_run_there_is_a_line_and_no_table(made: Run) -> None:
    text = shown(made)
    assert "null against" not in text
    assert "\nnull: 0 of 240 answers flipped; its rows are in degradation.csv.\n" in text
    assert " answers flipped;" not in shown(make_run(("f16", "q8_0", "null"), (), n=5))


def test_divergence_alone_is_shown_by_its_figures() -> None:
    text = shown(make_run(("f16", "q8_0", "q2_k"), (), n=5))
    heading = next(line for line in text.splitlines() if line.startswith("model"))
    told = ["model", "size", "bits", "KLD", "KLD p99", "PPL ratio (95% interval)", "same top p", "tok/s"]
    assert heading.split() == " ".join(told).split()
    assert "verdict" not in text.replace("No verdict can be given", "")
    assert not {"accuracy:", "flips:", "↓"} & set(text.split())
    assert "KLD p99: " in text
    assert "flips in report.html" not in text
    assert fits(text)


def test_what_no_model_has_is_no_column_and_not_explained() -> None:
    text = shown(make_run(("f16", "q8_0"), n=5, tokens=False, efficiency=False))
    assert not {"KLD", "KLD:", "tok/s", "tok/s:", "PPL"} & set(text.split())
    assert {"accuracy:", "flips:", "verdict:"} <= set(text.split())


def test_worst_cases_stand_below_what_was_asked(varied: pd.DataFrame, as_run: Callable[..., Run]) -> None:
    text = shown(as_run(varied), width=120)
    assert "lowercase" not in text
    names = [line.split("  ")[0].split(" exact")[0] for line in text.splitlines()]
    at = names.index("world_facts (worst(robustness))")
    assert names[at - 1 : at + 2] == ["world_facts", "world_facts (worst(robustness))", "world_facts (worst(fairness))"]


def test_notes_stand_below(degradation: pd.DataFrame, as_run: Callable[..., Run]) -> None:
    run = as_run(degradation, ["First [red]note[/].", "Second note."])
    told = [*legend(run), "First [red]note[/].", "Second note."]
    assert shown(run, width=600).splitlines()[-len(told) :] == told


@pytest.mark.parametrize(("colour", "task"), [("31", "world_facts"), ("32", "world_choice (joint)")])
def test_worse_is_red_and_better_is_green(
    colour: str, task: str, degradation: pd.DataFrame, as_run: Callable[..., Run]
) -> None:
    written = io.StringIO()
    console = Console(width=100, file=written, force_terminal=True, color_system="standard")
    print_table(console, as_run(degradation))
    coloured = [line for line in written.getvalue().splitlines() if f"\x1b[{colour}m" in line]
    assert any(task in line for line in coloured)
    assert not any(task in line for line in written.getvalue().splitlines() if f"\x1b[{63 - int(colour)}m" in line)
