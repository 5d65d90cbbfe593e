from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_run import make_run

from harness.efficiency.samples import Quantity
from harness.reports.plots.base import Plot, clipped
from harness.reports.plots.forest import EVERY, MOST_ROWS, TOGETHER, forest
from harness.reports.plots.speed import speed
from harness.reports.plots.spread import divergence_spread, perplexity
from harness.reports.plots.trade_off import MOST_LABELS, accuracy_by_size, divergence_by_size, pareto
from harness.results import Run

Make = Callable[[Run], Plot | None]
MAKERS: list[Make] = [
    *(divergence_by_size, accuracy_by_size, forest, divergence_spread, perplexity),
    *(lambda run: speed(run, Quantity.DECODE), lambda run: speed(run, Quantity.PREFILL)),
]


def made_of(make: Make, run: Run) -> Plot:
    found = make(run)
    assert found is not None
    return found


@pytest.mark.parametrize("make", MAKERS)
def test_every_plot_has_words_and_the_figures_as_a_table(make: Make, made: Run) -> None:
    found = made_of(make, made)
    assert found.title
    assert found.caption.endswith((".", ")."))
    assert found.rows
    assert all(len(row) == len(found.headings) for row in found.rows)
    for view in found.views.values():
        assert view["layout"]["height"] > 60
        assert json.dumps(view, allow_nan=True)


@pytest.mark.parametrize("make", MAKERS)
def test_what_was_not_measured_is_not_drawn(make: Make) -> None:
    assert make(make_run(tasks=(), tokens=False, efficiency=False)) is None
    assert make(make_run(("f16",), n=10, tokens=False, efficiency=False)) is None


@given(st.lists(st.tuples(st.integers(1, 5), st.integers(1, 5).map(float)), min_size=1, max_size=12))
def test_on_the_line_is_what_nothing_beats(points: list[tuple[int, float]]) -> None:
    sizes, losses = [list(column) for column in zip(*points, strict=True)]
    found = pareto(sizes, losses)
    assert any(found)
    for (size, loss), on in zip(points, found, strict=True):
        beaten = any(a <= size and b <= loss and (a < size or b < loss) for a, b in points)
        assert on != beaten


@given(st.lists(st.floats(-100, 100), min_size=1, max_size=20))
def test_only_what_is_far_outside_is_set_at_the_edge(points: list[float]) -> None:
    values, outside, edge = clipped(points, 0.01)
    assert len(values) == len(points)
    for value, point, out in zip(values, points, outside, strict=True):
        assert (value == edge and point < value) if out else value == point
    assert (edge is None) == (not any(outside))


def test_a_model_beyond_the_edge_is_named_with_its_figure(made: Run) -> None:
    (trace,) = made_of(accuracy_by_size, made).views[""]["data"]
    place = [text.split()[0] for text in trace["text"]].index("q2_k")
    assert trace["marker"]["symbol"][place] == "triangle-down"
    assert trace["y"][place] == pytest.approx(-10)
    assert float(trace["text"][place].split()[1]) < -40


def test_the_reference_against_itself_is_the_floor(made: Run) -> None:
    plot = made_of(divergence_by_size, made)
    assert "reference against itself" in plot.caption
    assert plot.views[""]["layout"]["shapes"]
    without = made_of(divergence_by_size, make_run(n=10))
    assert "--null" in without.caption
    assert not without.views[""]["layout"]["shapes"]


def test_many_models_are_named_only_on_the_line() -> None:
    run = make_run(("f16", *(f"m{number:02}" for number in range(30))), tasks=())
    trace = made_of(divergence_by_size, run).views[""]["data"][1]
    assert len(trace["text"]) == 30
    assert sum(bool(text) for text in trace["text"]) < MOST_LABELS


def test_all_models_stand_side_by_side_where_there_is_room(made: Run) -> None:
    views = made_of(forest, made).views
    assert list(views) == [EVERY, "q8_0", "q4_k_m", "q2_k", "null"]
    labels = views["q2_k"]["layout"]["yaxis"]["ticktext"]
    assert labels == [TOGETHER, "facts", "quiz (separate)", "quiz (joint)"]
    many = tuple((f"task_{number}", "generation", "exact_match") for number in range(MOST_ROWS // 2))
    views = made_of(forest, make_run(("f16", "q8_0", "q2_k"), many, n=4, tokens=False)).views
    assert list(views) == ["q8_0", "q2_k"]


def test_a_scenario_has_a_row_for_its_name_and_one_for_each_model(made: Run) -> None:
    plot = made_of(forest, made)
    drawing = plot.views[EVERY]
    rows, heads = drawing["data"][0]["y"], [head["y"] for head in drawing["layout"]["annotations"]]
    assert sorted([*rows, *heads]) == list(range(len(plot.rows) + 4))
    assert drawing["layout"]["yaxis"]["tickvals"] == rows
    assert drawing["layout"]["yaxis"]["ticktext"] == ["q8_0", "q4_k_m", "q2_k", "null"] * 4
    assert drawing["layout"]["annotations"][1]["text"] == "<b>facts</b>"
    assert not plot.views["q2_k"]["layout"]["annotations"]


def test_what_an_interval_beyond_the_edge_has_within_is_drawn(
    degradation: pd.DataFrame, as_run: Callable[..., Run]
) -> None:
    table = degradation.copy()
    facts = (table["model"] == "q2_k") & (table["scenario"] == "world_facts")
    table.loc[facts, ["delta", "ci_low", "ci_high"]] = [-0.2, -0.45, 0.02]
    (trace,) = made_of(forest, as_run(table)).views["q2_k"]["data"]
    place = trace["text"].index("  -20.0")
    assert trace["x"][place] == pytest.approx(-10)
    assert (trace["error_x"]["arrayminus"][place], trace["error_x"]["array"][place]) == (0, pytest.approx(12))
    table.loc[table["scenario"] == "all", ["delta", "ci_low", "ci_high"]] = [[0.0] * 3, [0.0] * 3, [-0.2, -0.45, 0.02]]
    (trace,) = made_of(accuracy_by_size, as_run(table)).views[""]["data"]
    assert (trace["error_y"]["arrayminus"][0], trace["error_y"]["array"][0]) == (0, pytest.approx(12))


def test_captions_explain_the_marks_that_are_drawn(made: Run) -> None:
    for make, triangle in ((accuracy_by_size, "▼"), (forest, "◀")):
        plot = made_of(make, made)
        symbols = {symbol for view in plot.views.values() for symbol in view["data"][-1]["marker"]["symbol"]}
        assert ("● within the margin" in plot.caption) == ("circle" in symbols)
        assert ("◇ undecided" in plot.caption) == ("diamond-open" in symbols)
        assert triangle in plot.caption


def test_percentiles_rise_and_the_worst_token_is_the_last(made: Run) -> None:
    plot = made_of(divergence_spread, made)
    tokens = made.measured.tokens
    *marks, _mean = plot.views[""]["data"][1:]
    for place, row in enumerate(plot.rows):
        values = [trace["x"][place] for trace in marks]
        assert values == sorted(values)
        assert values[-1] == tokens.loc[tokens["model"] == row[0], "kld"].max()


def test_infinite_divergence_is_left_out(made: Run) -> None:
    tokens = made.measured.tokens.copy()
    tokens.loc[tokens["model"] == "q2_k", "kld"] = float("inf")
    run = Run(made.record, made.measured._replace(tokens=tokens), made.findings)
    assert "q2_k" not in [row[0] for row in made_of(divergence_spread, run).rows]


def test_perplexity_is_drawn_around_one(degradation: pd.DataFrame, as_run: Callable[..., Run]) -> None:
    row: dict[str, Any] = {"model": "q8_0", "scenario": "divergence", "metric": "ppl_ratio"}
    row |= {"value": 1.02, "reference_value": 1.0, "ci_low": 0.01, "ci_high": 0.03}
    run = as_run(pd.concat([degradation, pd.DataFrame([row])]))
    plot = made_of(perplexity, run)
    assert plot.rows == [("q8_0", "1.0200", "1.0100 .. 1.0300")]
    bars = plot.views[""]["data"][0]["error_x"]
    assert (bars["array"], bars["arrayminus"]) == (pytest.approx([0.01]), pytest.approx([0.01]))
