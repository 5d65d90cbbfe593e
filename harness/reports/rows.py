"""The degradation table in words, task by task: what terminal, Markdown and HTML have in common."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, cast

import pandas as pd

from harness.degradation.verdict import Verdict
from harness.degradation.worst import WORST
from harness.methods import short_name
from harness.metrics.kinds import Kinds
from harness.metrics.table import METRICS
from harness.reports import numbers

HEADINGS = ("scenario", "metric", "n", "ref.", "value", "delta (95% interval)", "", "flips", "p", "verdict")


class Row(NamedTuple):
    """One line under one model; the fields are those of :data:`HEADINGS`."""

    scenario: str
    metric: str
    n: str
    reference: str
    value: str
    delta: str
    arrow: str
    flips: str
    p_value: str
    verdict: str


def rows_of(degradation: pd.DataFrame, model: str, margin: float, kinds: Kinds = METRICS) -> Iterator[Row]:
    """The lines of one model, in the order of the table: of every task the main metric, as asked and in the worst case.

    Other metrics and single perturbations are in the files only. The margin is that of the verdicts.
    """
    shown = main_rows(degradation, kinds)
    adapters = shown.groupby("scenario")["adapter"].nunique()
    for line in records(shown[shown["model"] == model]):
        metric = kinds[line["metric"]]
        interval = line["delta"], line["ci_low"], line["ci_high"]
        yield Row(
            scenario=task_name(line, several=adapters[line["scenario"]] > 1),
            metric=line["metric"],
            n=str(line["n"]),
            reference=numbers.figure(line["reference_value"]),
            value=numbers.figure(line["value"]),
            delta=numbers.difference(*interval, is_share=metric.is_share),
            arrow=numbers.arrow(*interval, higher_is_better=metric.higher_is_better, is_share=metric.is_share),
            flips="" if pd.isna(line["flips_to_wrong"]) else f"-{line['flips_to_wrong']} +{line['flips_to_right']}",
            p_value=numbers.p_value(line["p_value"]),
            verdict=verdict(line, margin, kinds),
        )


def records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Its rows by the names of the columns."""
    return cast("list[dict[str, Any]]", table.to_dict("records"))


def main_rows(degradation: pd.DataFrame, kinds: Kinds = METRICS) -> pd.DataFrame:
    """Of every task the main metric, as asked and in the worst case."""
    first = degradation.groupby(["scenario", "adapter"])["metric"].transform("first")
    forms = degradation["perturbation"].isin(["", *WORST.values()])
    return degradation[(degradation["metric"] == first) & forms & degradation["metric"].isin(list(kinds))]


def task_name(line: dict[str, Any], *, several: bool) -> str:
    """``world_choice (joint)``; the way of asking only where there are several of this scenario."""
    told = [short_name(line["adapter"])] if several else []
    told += [line["perturbation"]] if line["perturbation"] else []
    return f"{line['scenario']} ({', '.join(told)})" if told else line["scenario"]


def verdict(line: Mapping[str, Any], margin: float, kinds: Kinds = METRICS) -> str:
    """``inconclusive: 640 more instances``, or ``inconclusive: looks like a loss`` where more would rather show that.

    Args:
        line: of the degradation table, or of the summary.
        margin: the loss that counts as none, as a share.
        kinds: of the metrics.
    """
    word: str = line["verdict"]
    if word != Verdict.INCONCLUSIVE:
        return word
    if not pd.isna(line["n_more"]):
        return f"{word}: {numbers.count(int(line['n_more']))} more instances"
    return f"{word}: looks like a loss" if looks_lost(line, margin, kinds) else word


def looks_lost(line: Mapping[str, Any], margin: float, kinds: Kinds = METRICS) -> bool:
    """Whether the loss that is seen is the margin or more, so that more instances would rather show it."""
    metric = kinds.get(line.get("metric", ""))  # accuracy, which is none of these, is the better the more it is
    better = 1 if metric is None or metric.higher_is_better else -1
    return bool(better * line["delta"] <= -margin)
