"""``scores`` to ``degradation``: for each task and metric a row a model, paired with the reference."""

from __future__ import annotations

import pandas as pd

from harness.degradation.columns import DEGRADATION, table_of
from harness.degradation.comparison import compare
from harness.degradation.judging import judge_rows, milder
from harness.degradation.pairs import TASK, pairs, with_answers
from harness.degradation.pooled import ALL, Mains, pooled
from harness.degradation.verdict import Verdict
from harness.metrics.kinds import Kinds

COLUMNS = [column.name for column in DEGRADATION]
TASK_ORDER = ["model", "scenario", "adapter"]
_SAID = ["p_holm", "verdict", "n_more"]
_LIMITS = ["low90", "high90", "low95", "high95", "effect"]


def degradation_table(
    scores: pd.DataFrame,
    instances: pd.DataFrame,
    mains: Mains,
    *,
    reference: str,
    null: str | None = None,
    margin: float,
    seed: int,
    kinds: Kinds,
) -> pd.DataFrame:
    """Compare every model with the reference, task by task, and say what follows.

    Args:
        scores: one row a model, trial, instance, perturbation and metric, with the columns of
            :data:`harness.execution.records.SCORE_COLUMNS`; worst cases beside single forms.
        instances: the answers, with the columns of :data:`harness.execution.records.COLUMNS`.
        mains: the main metric of each scenario and adapter that is to be judged, in the order asked.
        reference: label of the model that the others are compared with.
        null: label of the reference's second run; a loss must be one against it too.
        margin: the loss that counts as none, as a share: 0.01 is one point.
        seed: for the bootstrap and the permutation test.
        kinds: of the metrics.

    Returns:
        A row for each model and task with the columns of :data:`~harness.degradation.columns.DEGRADATION`, in the order
        in which they first appear, and a row ``all`` for each model after them, if anything was right or wrong. ``n``
        counts instances; over several trials an instance's value is their mean. The reference has rows of its own,
        without a comparison.

    Raises:
        RunError: an instance was asked of one model and not of the reference, or the other way round; it is named.
    """
    answered = with_answers(scores, instances)
    everything = pd.concat([answered, pooled(answered, mains, kinds)], ignore_index=True)
    table = _compared(everything, mains, reference, seed, kinds)
    judged = table["is_judged"] & (table["model"] != reference)
    said = judge_rows(table[judged], null=null, margin=margin, kinds=kinds)
    if null is not None and judged.any():
        said = milder(said, _against_null(everything, mains, table[judged], reference, null, margin, seed, kinds))
    table = table.join(said)
    table.loc[table["is_judged"] & (table["model"] == reference), "verdict"] = str(Verdict.REFERENCE)
    return in_order(table)


def in_order(*tables: pd.DataFrame) -> pd.DataFrame:
    """The tables as one, by model and then by scenario and adapter, each in the order in which it first appears."""
    known = [table for table in tables if len(table)]
    table = table_of(pd.concat(known, ignore_index=True) if known else [], DEGRADATION)
    order = {column: {name: i for i, name in enumerate(table[column].unique())} for column in TASK_ORDER}
    table = table.sort_values(TASK_ORDER, key=lambda values: values.map(order[str(values.name)]), kind="stable")
    return table.reset_index(drop=True)


def _compared(scores: pd.DataFrame, mains: Mains, reference: str, seed: int, kinds: Kinds) -> pd.DataFrame:
    """Figures of every model and task, and ``is_judged``: whether a verdict is to be given."""
    rows: list[dict[str, object]] = []
    for task, model, paired in pairs(scores, reference):
        is_judged = _is_judged(task, mains)
        is_share = task["scenario"] == ALL or kinds[task["metric"]].is_share
        found = compare(paired, seed=seed, judged=is_judged and is_share, is_reference=model == reference)
        rows.append({"model": model, **task, **found, "is_judged": is_judged})
    figures = [name for name in COLUMNS if name not in _SAID]
    return pd.DataFrame(rows).reindex(columns=[*figures, *_LIMITS, "is_judged"]).astype({"is_judged": bool})


def _is_judged(task: dict[str, str], mains: Mains) -> bool:
    if task["scenario"] == ALL:
        return True
    return not task["perturbation"] and task["metric"] == mains.get((task["scenario"], task["adapter"]))


def _against_null(
    scores: pd.DataFrame,
    mains: Mains,
    table: pd.DataFrame,
    reference: str,
    null: str,
    margin: float,
    seed: int,
    kinds: Kinds,
) -> pd.DataFrame:
    """What the same rows say with the null run in the reference's place; by the index of ``table``."""
    keys = pd.MultiIndex.from_frame(table[TASK].drop_duplicates())
    asked = pd.MultiIndex.from_frame(scores[TASK]).isin(keys) & (scores["model"] != reference)
    other = _compared(scores[asked], mains, null, seed, kinds)
    rows = table[["model", *TASK]].reset_index().merge(other, on=["model", *TASK], how="left", validate="one_to_one")
    return judge_rows(rows.set_index("index"), null=null, margin=margin, kinds=kinds)
