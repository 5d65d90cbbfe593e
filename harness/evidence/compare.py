"""Two runs of the same questions: what changed between them, by the statistics that compare models."""

from __future__ import annotations

from typing import NamedTuple

import pandas as pd

from harness.degradation.columns import DEGRADATION, table_of
from harness.degradation.table import degradation_table
from harness.errors import UserError
from harness.evidence.changes import changes
from harness.evidence.judged import judged_metrics
from harness.keys import QUESTION
from harness.results import Run

TASK = ["scenario", "adapter"]
METRIC = [*TASK, "metric"]


class Comparison(NamedTuple):
    """What changed."""

    table: pd.DataFrame
    """The columns of :data:`harness.degradation.columns.DEGRADATION`: the second run's model is compared with the
    first one's of the same label. The Holm adjustment is for all tasks of one model."""
    mains: dict[tuple[str, str], str]
    """The main metric of each scenario and adapter that both runs judge by it."""
    notes: list[str]
    """What is not the same in the two, and what could not be compared."""


def compare_runs(before: Run, after: Run, *, margin: float) -> Comparison:
    """Pair every model of one run with the model of the same label in another, question by question.

    Args:
        before: the first run.
        after: the second.
        margin: the loss that counts as none, as a share.

    Raises:
        UserError: they have no model, no question or no metric in common.
    """
    labels = [model["label"] for model in after.models if model["label"] in {one["label"] for one in before.models}]
    if not labels:
        raise UserError("The two runs have no model in common; compare runs whose models have the same labels.")
    if not (len(before.measured.instances) and len(after.measured.instances)):
        raise UserError("One of the runs asked no questions, and only answers are compared; name two that asked some.")
    questions, apart = _common(before, after)
    if not len(questions):
        raise UserError("The two runs have no question in common; compare runs of the same scenarios.")
    metrics, unlike = _metrics(before, after, questions)
    if not len(metrics):
        raise UserError("The two runs judge no question by the same metric; compare runs of the same scenarios.")
    mains, others = _mains(before, after)
    says_something = judged_metrics(before).keys() & judged_metrics(after).keys()
    judged = {task: metric for task, metric in mains.items() if task in says_something}
    guessed = [
        f"{_named(*task)} gets no verdict, because the reference itself guesses there."
        for task in mains
        if task not in judged
    ]
    tables = [_of_model(label, questions, metrics, (before, after), judged, margin) for label in labels]
    notes = [*changes(before, after), *apart, *unlike, *others, *guessed]
    return Comparison(table_of(pd.concat(tables), DEGRADATION), mains, notes)


def _mains(before: Run, after: Run) -> tuple[dict[tuple[str, str], str], list[str]]:
    """The main metrics that are the same in both, and sentences on the others."""
    first, second = before.main_metrics, after.main_metrics
    notes = [
        f"{_named(*task)} has another main metric ({first[task]} and {second[task]}), so it gets no verdict."
        for task in second
        if first.get(task, second[task]) != second[task]
    ]
    return {task: metric for task, metric in second.items() if first.get(task) == metric}, notes


def _metrics(before: Run, after: Run, questions: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """What both runs judge each task by, answer by answer (of whole sets there are no pairs), and on the others."""
    asked = pd.MultiIndex.from_frame(questions[TASK].drop_duplicates())
    frames = [run.measured.scores[METRIC].drop_duplicates() for run in (before, after)]
    joined = frames[0].merge(frames[1], on=METRIC, how="outer", indicator=True)
    joined = joined[pd.MultiIndex.from_frame(joined[TASK]).isin(asked)]
    notes = [
        f"{_named(row.scenario, row.adapter)}: {row.metric} is only in the {where} run and is left out."
        for side, where in (("left_only", "first"), ("right_only", "second"))
        for row in joined[joined["_merge"] == side].itertuples()
    ]
    return joined.loc[joined["_merge"] == "both", METRIC], notes


def _named(scenario: object, adapter: object) -> str:
    return f"{scenario} ({adapter})"


def _of_model(
    label: str,
    questions: pd.DataFrame,
    metrics: pd.DataFrame,
    runs: tuple[Run, Run],
    mains: dict[tuple[str, str], str],
    margin: float,
) -> pd.DataFrame:
    """The rows of one model in what both runs have: the first run's answers are the reference."""
    reference = f"{label} before"
    scores: list[pd.DataFrame] = []
    instances: list[pd.DataFrame] = []
    for run, name in zip(runs, (reference, label), strict=True):
        judged = _among(_rows(run.measured.scores, questions, label), metrics)
        scores.append(judged.assign(model=name))
        instances.append(_rows(run.measured.instances, questions, label).assign(model=name))
    table = degradation_table(
        pd.concat(scores, ignore_index=True),
        pd.concat(instances, ignore_index=True),
        mains,
        reference=reference,
        margin=margin,
        seed=int(runs[1].record["seed"]),
        kinds=runs[1].kinds,
    )
    return table[table["model"] == label]


def _rows(frame: pd.DataFrame, questions: pd.DataFrame, label: str) -> pd.DataFrame:
    return _among(frame[frame["model"] == label], questions)


def _among(frame: pd.DataFrame, wanted: pd.DataFrame) -> pd.DataFrame:
    """The rows that have, in its columns, what a row of ``wanted`` has."""
    return frame[pd.MultiIndex.from_frame(frame[list(wanted)]).isin(pd.MultiIndex.from_frame(wanted))]


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
