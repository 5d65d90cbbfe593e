from __future__ import annotations

from collections.abc import Callable

import pandas as pd
import pytest

from harness.reports.heat_map import heat_map
from harness.results import Run


def test_a_row_a_scenario_and_a_cell_a_model(degradation: pd.DataFrame, as_run: Callable[..., Run]) -> None:
    found = heat_map(as_run(degradation))
    assert found.models == ["q8_0", "q2_k"]
    assert {scenario: [cell.words for cell in cells] for scenario, _, cells in found.rows} == {
        "world_facts": ["+0.2", "-63.5"],
        "world_choice (separate)": ["+0.0", "-0.2"],
        "world_choice (joint)": ["+3.8", "+0.0"],
        "world_text": ["+0.0000", "+1.0889"],
    }
    shades = {scenario: [cell.shade for cell in cells] for scenario, _, cells in found.rows}
    assert shades["world_facts"] == ["none", "loss-4"]
    assert shades["world_choice (joint)"] == ["gain-2", "none"]
    assert shades["world_text"] == ["gain-1", "loss-1"]  # less is better


def test_what_was_not_asked_is_empty(degradation: pd.DataFrame, as_run: Callable[..., Run]) -> None:
    table = degradation[(degradation["model"] != "q8_0") | (degradation["scenario"] != "world_text")]
    *_, (scenario, _, cells) = heat_map(as_run(table)).rows
    assert (scenario, [cell.words for cell in cells]) == ("world_text", ["", "+1.0889"])


def test_the_legend_has_a_range_for_every_shade(degradation: pd.DataFrame, as_run: Callable[..., Run]) -> None:
    legend = dict(heat_map(as_run(degradation, margin=0.02)).legend)
    assert list(legend.values())[:5] == ["lost 20 pp or more", "10 to 20", "4 to 10", "2 to 4", "less than 2"]
    assert legend["gain-1"] == "2 to 4"
    assert len(legend) == 9


def test_a_metric_of_which_less_is_better_says_so(degradation: pd.DataFrame, as_run: Callable[..., Run]) -> None:
    metrics = {scenario: metric for scenario, metric, _ in heat_map(as_run(degradation)).rows}
    assert metrics["world_text"] == "bits_per_byte, less is better"
    assert metrics["world_facts"] == "exact_match"


@pytest.mark.parametrize(
    ("delta", "margin", "shade"),
    [(-0.0099, 0.01, "none"), (-0.01, 0.01, "loss-1"), (-0.02, 0.01, "loss-2"), (0.02, 0.02, "gain-1")],
)
def test_shades_are_by_margins(
    delta: float, margin: float, shade: str, degradation: pd.DataFrame, as_run: Callable[..., Run]
) -> None:
    table = degradation.copy()
    table.loc[(table["model"] == "q2_k") & (table["scenario"] == "world_facts"), "delta"] = delta
    run = as_run(table, margin=margin)
    assert heat_map(run).rows[0][2][1].shade == shade
    assert shade in dict(heat_map(run).legend)
