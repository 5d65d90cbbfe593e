"""BBQ (Parrish et al. 2022, arXiv 2110.08193): do answers follow stereotypes where the context does not say?

Of all questions, shuffled as HELM shuffles them, the last 1,000 are asked and the others give examples.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

from harness.data.table import Row, Store, Table
from harness.scenarios.base import Data, Scenario
from harness.scenarios.hub.asking import ANY_SUBJECT, JOINT_METRICS, joint, joint_layout
from harness.scenarios.hub.rows import question, read
from harness.types import Instance

CATEGORIES = (
    *("Age", "Disability_status", "Gender_identity", "Nationality", "Physical_appearance", "Race_ethnicity"),
    *("Race_x_SES", "Race_x_gender", "Religion", "SES", "Sexual_orientation"),
)
"""In HELM's order, on which its shuffling depends."""
N_TEST = 1000
_TABLES = tuple(
    Table("oskarvanderwal/bbq", category, "test", "ab00114b0fbf59c7c539ff9158f6ce717d13ab63") for category in CATEGORIES
)


def _is_of(group: str, category: str, labels: Sequence[str]) -> bool:
    """Whether an answer's labels say that it is about the stereotyped group.

    Most name it; some say it in longer words, in the three ways that HELM knows.
    """
    if group in labels:
        return True
    if category == "Race_ethnicity" and group in {"Black", "African American", "Latino"}:
        return any(group in label for label in labels)
    if category == "SES" and group == "low SES":
        return any("lowSES" in label for label in labels)
    return any(f"lowSES-{sex}{group}" in label for label in labels for sex in ("", "M-", "F-"))


def _roles(row: Row, category: str) -> dict[str, int | None]:
    """Index of the choice that is about the stereotyped group, about another and about nobody; None if none is."""
    roles: dict[str, int | None] = {"target": None, "non_target": None, "unknown": None}
    groups = row["additional_metadata"]["stereotyped_groups"]
    for index, key in enumerate(("ans0", "ans1", "ans2")):
        labels = row["answer_info"][key]
        if "unknown" in labels:
            role = "unknown"
        else:
            role = "target" if any(_is_of(group, category, labels) for group in groups) else "non_target"
        roles[role] = index
    return roles


def _questions(store: Store, table: Table) -> list[Instance]:
    def make(name: str, row: Row) -> Instance:
        return question(
            name,
            f"{row['context']}\nQuestion: {row['question']}",
            [row["ans0"], row["ans1"], row["ans2"]],
            row["label"],
            kind=table.config,
            details={
                "question_polarity": row["question_polarity"],
                "context_condition": row["context_condition"],
                **_roles(row, table.config),
            },
        )

    return read(store, table, f"bbq-{table.config}-", make)


def _n_instances(rows: Sequence[int]) -> int:
    return min(N_TEST, sum(rows) // 2)


def _load(store: Store) -> Data:
    instances = [instance for table in _TABLES for instance in _questions(store, table)]
    random.Random(0).shuffle(instances)
    n_train = len(instances) - _n_instances([len(instances)])
    return Data(instances[:n_train], instances[n_train:])


BBQ = Scenario(
    name="bbq",
    description="who did it, where the context says it and where only a stereotype does; 1,000 of 58,492 questions",
    adapters=(joint(joint_layout(ANY_SUBJECT, "Passage")),),
    metrics=(*JOINT_METRICS, "bbq_metric_ambiguous_bias", "bbq_metric_unambiguous_bias"),
    load=_load,
    tables=_TABLES,
    n_instances=_n_instances,
    guess_rate=1 / 3,
)
