from __future__ import annotations

import math

import numpy as np
import pytest

from tools import simulate_power, simulate_statistics
from tools.simulate_power import power
from tools.simulate_statistics import (
    coverage_alone,
    coverage_in_clusters,
    coverage_on_a_scale,
    is_met,
    null_families,
    peeking,
)
from tools.simulation import Share, Table, clustered_differences, flip_tables, share


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fewer sizes and rates."""
    monkeypatch.setattr(simulate_statistics, "SIZES", (50, 300))
    monkeypatch.setattr(simulate_statistics, "FLIP_RATES", (0.01, 0.1))
    monkeypatch.setattr(simulate_power, "FLIP_RATES", (0.01, 0.05))


@pytest.mark.usefixtures("small")
def test_the_statistics_keep_their_bars() -> None:
    tables = [
        coverage_alone(50, 1),
        Table("clusters", [], coverage_in_clusters(5, 0.2, 60, 1)),
        coverage_on_a_scale(12, 4),
        Table("families", [], [null_families(1, 0.0, 8, 1), null_families(10, 0.2, 8, 1)]),
        power(100, 1),
        peeking(60, 1),
    ]
    assert is_met(tables), "\n".join(map(str, tables))


@pytest.mark.usefixtures("small")
def test_an_interval_that_covers_too_little_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def wald(to_right: int, to_wrong: int, n: int) -> tuple[float, float]:
        delta = (to_right - to_wrong) / n
        reach = 1.96 * math.sqrt(((to_right + to_wrong) / n - delta**2) / n)
        return delta - reach, delta + reach

    monkeypatch.setattr(simulate_statistics, "agresti_min", wald)
    assert not is_met([coverage_alone(50, 1)])


@pytest.mark.usefixtures("small")
def test_verdicts_without_an_account_of_how_many_there_are_raise_alarms(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(simulate_statistics, "holm", np.array)
    assert not is_met([Table("families", [], [null_families(1, 0.0, 12, 1)])])


@pytest.mark.usefixtures("small")
def test_a_plan_that_promises_too_much_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(simulate_power, "power_noninferiority", lambda *_: 0.95)
    assert not is_met([power(100, 1)])


def test_a_bar_is_missed_when_chance_does_not_explain_it() -> None:
    assert share(940, 1000, at_least=0.93).is_met
    assert share(920, 1000, at_least=0.93).is_met  # two standard errors are 1.6 points
    assert not share(900, 1000, at_least=0.93).is_met
    assert not share(80, 1000, at_most=0.05).is_met
    assert str(Share(0.9, False)) == "90.0 !"


def test_drawn_pairs_are_as_they_are_said_to_be() -> None:
    rng = np.random.default_rng(0)
    tables, counts = flip_tables(rng, 200, 0.1, 0.75, 5000)
    assert counts.sum() == 5000
    assert (counts @ tables / 5000) == pytest.approx([5, 15], rel=0.05)
    drawn = clustered_differences(rng, 60_000, 20, 0.4, 0.5, 0.3)
    assert (drawn**2).mean() == pytest.approx(0.4, abs=0.02)
    assert drawn.reshape(-1, 20).sum(1).var() == pytest.approx(20 * 0.4 * (1 + 19 * 0.3), rel=0.06)


def test_tables_are_markdown() -> None:
    assert (
        str(Table("Title", ["a", "b"], [[1, Share(0.5, True)]]))
        == "**Title**\n\n| a | b |\n| --- | --- |\n| 1 | 50.0 |\n"
    )
