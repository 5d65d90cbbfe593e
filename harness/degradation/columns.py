"""The columns of ``degradation`` and ``slices``: declared once, filled by the statistics, read by reports and docs."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from harness.columns import COUNT, MAYBE_COUNT, NUMBER, TEXT, TRUTH, Column

DEGRADATION = (
    Column("model", TEXT, "what is compared with the reference; the reference has rows too"),
    Column("scenario", TEXT, "what was asked; `all` for the right-or-wrong scenarios together, `divergence` for texts"),
    Column("adapter", TEXT, "how it was asked; empty for `all`"),
    Column("perturbation", TEXT, "what was done to the instances; empty for originals, `worst(...)` for a worst case"),
    Column("metric", TEXT, "how it was judged; the first one of a task is its main metric"),
    Column("n", COUNT, "instances with a value in both models"),
    Column(
        "n_groups",
        MAYBE_COUNT,
        "groups that share a subject or document, or stand alone; missing where all stand alone",
    ),
    Column("value", NUMBER, "mean over these instances, or the judgement of all of them"),
    Column("reference_value", NUMBER, "the same of the reference"),
    Column("delta", NUMBER, "value minus reference value, in the metric's unit (0.01 is a percentage point)"),
    Column("ci_low", NUMBER, "lower limit of the 95% confidence interval of delta"),
    Column("ci_high", NUMBER, "upper limit"),
    Column("interval", TEXT, "how the interval was found"),
    Column("p_value", NUMBER, "of no difference, two-sided"),
    Column("p_holm", NUMBER, "the same, adjusted (Holm) for all main metrics of all models; missing for other rows"),
    Column("flips_to_wrong", MAYBE_COUNT, "answers right in the reference and wrong here, in all trials"),
    Column("flips_to_right", MAYBE_COUNT, "answers wrong in the reference and right here, in all trials"),
    Column("answer_changes", MAYBE_COUNT, "answers wrong in both, and not the same, in all trials"),
    Column("flip_rate", NUMBER, "share of the answers that flipped, either way"),
    Column("flip_low", NUMBER, "lower limit of its 95% interval (Wilson)"),
    Column("flip_high", NUMBER, "upper limit"),
    Column("e_value", NUMBER, "evidence against no difference that may be looked at any time; 20 is enough at 5%"),
    Column("detectable", NUMBER, "the least loss that so many instances show four times of five at this flip rate"),
    Column("verdict", TEXT, "what can be said with the run's margin; for main metrics of originals only"),
    Column(
        "n_more",
        MAYBE_COUNT,
        "instances that an inconclusive verdict still needs; missing where more would rather show a loss",
    ),
)
SLICES = (
    Column("model", TEXT, "what is compared with the reference"),
    Column("scenario", TEXT, "what was asked"),
    Column("adapter", TEXT, "how it was asked"),
    Column("kind", TEXT, "slice of the scenario; empty where it has none"),
    Column("n", COUNT, "instances with an answer of both models that is right or wrong"),
    Column("delta", NUMBER, "share of right answers minus the reference's"),
    Column("p_value", NUMBER, "of the slice not having lost, or not more than the rest of what the model was asked"),
    Column("p_bh", NUMBER, "the same, adjusted (Benjamini-Hochberg) for all slices of the model"),
    Column("attributed", TRUTH, "whether the loss is this slice's own: p_bh is at most 5%"),
)


def table_of(rows: Sequence[dict[str, object]] | pd.DataFrame, columns: Sequence[Column[str]]) -> pd.DataFrame:
    """A frame with just these columns in this order and with their types; what a row does not have is missing."""
    table = pd.DataFrame(rows).reindex(columns=[column.name for column in columns])
    texts = {column.name: "" for column in columns if column.type == TEXT}
    table = table.astype(dict.fromkeys(texts, object)).fillna(texts)
    return table.astype({column.name: column.type for column in columns})
