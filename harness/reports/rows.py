"""The degradation table in words: what the terminal and the Markdown page have in common."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import pandas as pd

from harness.degradation.worst import WORST
from harness.methods import short_name
from harness.metrics.table import METRICS
from harness.reports import numbers

HEADINGS = ("scenario", "n", "ref.", "value", "delta (95% interval)", "", "flips", "p")

LEGEND = (
    "delta: value minus reference, paired, with its 95% interval; ↓ worse, ↑ better than the reference beyond it. "
    "flips: answers that turned wrong (-) and right (+)."
)


class Row(NamedTuple):
    """One line under one model; the fields are those of :data:`HEADINGS`."""

    scenario: str
    n: str
    reference: str
    value: str
    delta: str
    arrow: str
    flips: str
    p_value: str


def rows_of(degradation: pd.DataFrame, model: str) -> Iterator[Row]:
    """The lines of one model, in the order of the table: of every task the main metric, as asked and in the worst case.

    Other metrics and single perturbations are in the files only.
    """
    adapters = degradation.groupby("scenario")["adapter"].nunique()
    first = degradation.groupby(["scenario", "adapter"])["metric"].transform("first")
    forms = degradation["perturbation"].isin(["", *WORST.values()])
    shown = degradation[(degradation["model"] == model) & (degradation["metric"] == first) & forms]
    for line in shown.to_dict("records"):
        metric = METRICS[line["metric"]]
        told = [short_name(line["adapter"])] if adapters[line["scenario"]] > 1 else []
        told += [line["perturbation"]] if line["perturbation"] else []
        yield Row(
            scenario=f"{line['scenario']} ({', '.join(told)})" if told else line["scenario"],
            n=str(line["n"]),
            reference=numbers.figure(line["reference_value"]),
            value=numbers.figure(line["value"]),
            delta=numbers.difference(line["delta"], line["ci_low"], line["ci_high"], is_share=metric.is_share),
            arrow=numbers.arrow(line["ci_low"], line["ci_high"], higher_is_better=metric.higher_is_better),
            flips="" if pd.isna(line["flips_to_wrong"]) else f"-{line['flips_to_wrong']} +{line['flips_to_right']}",
            p_value=numbers.p_value(line["p_value"]),
        )
