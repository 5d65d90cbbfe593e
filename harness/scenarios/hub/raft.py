"""RAFT: eleven classifications as they come up at work, 50 labelled rows each; kinds are the tasks."""

from __future__ import annotations

import numpy as np

from harness.data.table import CONVERTED, Row, Store, Table
from harness.layout import Layout
from harness.scenarios.base import AdapterSpec, Data, Scenario
from harness.scenarios.hub.open_questions import LABELS, open_question
from harness.scenarios.hub.raft_tasks import RAFT_TASKS, RaftTask
from harness.scenarios.hub.rows import Unusable, grouped, read
from harness.types import Instance

SPLIT_SEED = 42
SHARE_OF_TESTS = 0.8
"""Of the labelled rows; the others are for examples. (The labels of RAFT's own test rows are secret.)"""

_TABLES = {task.name: Table("ought/raft", task.name, "train", CONVERTED) for task in RAFT_TASKS}


def layout(task: RaftTask) -> Layout:
    """The task's instructions with its labels, then the fields of a row."""
    labels = "".join(f"{number}. {label}\n" for number, label in enumerate(task.labels, 1))
    instructions = f"{task.instructions}\nPossible labels:\n{labels}"
    return Layout(instructions=instructions, input_prefix="", output_prefix="Label: ")


def split(instances: list[Instance]) -> Data:
    """Divided as HELM does, whose ``Dataset.train_test_split`` draws with numpy."""
    order = np.random.default_rng(SPLIT_SEED).permutation(len(instances))
    n_tests = _n_tests(len(instances))
    return Data([instances[i] for i in order[n_tests:]], [instances[i] for i in order[:n_tests]])


def _n_tests(n_rows: int) -> int:
    return int(np.ceil(SHARE_OF_TESTS * n_rows))


def _of_task(store: Store, task: RaftTask) -> Data:
    def make(name: str, row: Row) -> Instance:
        label = row["Label"]
        if not 1 <= label <= len(task.labels):
            raise Unusable(f"its label is {label}, none of 1 to {len(task.labels)}")
        text = "\n".join(f"{field}: {row[field]}" for field in task.fields)
        return grouped(open_question(name, text, [task.labels[label - 1]], task.name), task.name)

    return split(read(store, _TABLES[task.name], f"raft-{task.name}-", make))


def _load(store: Store) -> Data:
    parts = [_of_task(store, task) for task in RAFT_TASKS]
    return Data([one for part in parts for one in part.train], [one for part in parts for one in part.test])


RAFT = Scenario(
    name="raft",
    description="eleven classifications as they come up at work, 40 rows each",
    adapters=(
        AdapterSpec(
            method="generation",
            layouts={task.name: layout(task) for task in RAFT_TASKS},
            examples_by_kind=True,
            max_tokens=30,
        ),
    ),
    metrics=LABELS,
    load=_load,
    tables=tuple(_TABLES.values()),
    n_instances=lambda rows: sum(map(_n_tests, rows)),
)
