"""Two runs of the same questions: what changed between them, by the statistics that compare models."""

from __future__ import annotations

from typing import Any, NamedTuple

import pandas as pd

from harness.degradation.columns import DEGRADATION, table_of
from harness.degradation.table import degradation_table
from harness.errors import UserError
from harness.evidence.changes import changes
from harness.results import Run

QUESTION = ["scenario", "adapter", "perturbation", "trial", "instance_id"]


class Comparison(NamedTuple):
    """What changed."""

    table: pd.DataFrame
    """The columns of :data:`harness.degradation.columns.DEGRADATION`: the second run's model is compared with the
    first one's of the same label. The Holm adjustment is for all tasks of one model."""
    mains: dict[tuple[str, str], str]
    """The main metric of each scenario and adapter that both runs have."""
    notes: list[str]
    """What is not the same in the two, and what could not be compared."""


def compare_runs(before: Run, after: Run, *, margin: float) -> Comparison:
    """Pair every model of one run with the model of the same label in another, question by question.

    Args:
        before: the first run.
        after: the second.
        margin: the loss that counts as none, as a share.

    Raises:
        UserError: they have no model, or no question, in common.
    """
    labels = [model["label"] for model in after.models if model["label"] in {one["label"] for one in before.models}]
    if not labels:
        raise UserError("The two runs have no model in common; compare runs whose models have the same labels.")
    mains = _mains(before.record)
    mains = {task: metric for task, metric in _mains(after.record).items() if mains.get(task) == metric}
    questions, apart = _common(before, after)
    if not len(questions):
        raise UserError("The two runs have no question in common; compare runs of the same scenarios.")
    tables = [_of_model(label, questions, (before, after), mains, margin) for label in labels]
    # Metrics that are judged answer by answer; those of whole sets are no pairs of anything.
    return Comparison(table_of(pd.concat(tables), DEGRADATION), mains, [*changes(before, after), *apart])


def _mains(record: dict[str, Any]) -> dict[tuple[str, str], str]:
    return {(task["scenario"], task["adapter"]): task["metrics"][0] for task in record["tasks"]}


def _of_model(
    label: str,
    questions: pd.DataFrame,
    runs: tuple[Run, Run],
    mains: dict[tuple[str, str], str],
    margin: float,
) -> pd.DataFrame:
    """The rows of one model: the first run's answers are the reference."""
    reference = f"{label} before"
    scores: list[pd.DataFrame] = []
    instances: list[pd.DataFrame] = []
    for run, name in zip(runs, (reference, label), strict=True):
        scores.append(_rows(run.measured.scores, questions, label).assign(model=name))
        instances.append(_rows(run.measured.instances, questions, label).assign(model=name))
    metrics = set(scores[0]["metric"]) & set(scores[1]["metric"])
    together = pd.concat(scores, ignore_index=True)
    table = degradation_table(
        together[together["metric"].isin(metrics)],
        pd.concat(instances, ignore_index=True),
        mains,
        reference=reference,
        margin=margin,
        seed=int(runs[1].record["seed"]),
    )
    return table[table["model"] == label]


def _rows(frame: pd.DataFrame, questions: pd.DataFrame, label: str) -> pd.DataFrame:
    of_model = frame[frame["model"] == label]
    return of_model[pd.MultiIndex.from_frame(of_model[QUESTION]).isin(pd.MultiIndex.from_frame(questions))]


def _common(before: Run, after: Run) -> tuple[pd.DataFrame, list[str]]:
    """The questions that both runs have, and sentences on the others."""
    frames = [_questions(run) for run in (before, after)]
    joined = frames[0].merge(frames[1], on=QUESTION, how="outer", suffixes=("_before", "_after"), indicator=True)
    is_both = joined["_merge"] == "both"
    is_other = is_both & (joined["right_before"] != joined["right_after"])
    notes: list[str] = []
    for what, rows in (
        ("are only in the first run", joined["_merge"] == "left_only"),
        ("are only in the second run", joined["_merge"] == "right_only"),
        ("have another right answer under the same id", is_other),
    ):
        counts = joined[rows].groupby("scenario", sort=False).size()
        notes += [f"{scenario}: {count:,} questions {what} and are left out." for scenario, count in counts.items()]
    kept = joined[is_both & ~is_other]
    is_new = kept["prompt_before"] != kept["prompt_after"]
    for scenario, count in kept[is_new].groupby("scenario", sort=False).size().items():
        notes.append(f"{scenario}: {count:,} questions are put in other words, or after other examples.")
    return kept[QUESTION], notes


def _questions(run: Run) -> pd.DataFrame:
    """One row a question, as the reference was asked it, and what would have been right."""
    rows = run.measured.instances
    rows = rows[rows["model"] == run.reference]
    right = rows["golds"].map(list).map(repr) + rows["choices"].map(list).map(repr)
    return rows[[*QUESTION, "prompt"]].assign(right=right)
