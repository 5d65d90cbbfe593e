"""TruthfulQA (Lin et al. 2022, arXiv 2109.07958): the best answer among false ones, as HELM puts them.

HELM makes its choices from the table of free answers, not from ``mc1_targets``: the false answers and then the best
one, each with a full stop, turned so that the best one is not always last. The first fifth of the questions gives
examples.
"""

from __future__ import annotations

from collections.abc import Sequence

from harness.data.table import Row, Store, Table
from harness.scenarios.base import Data, Scenario
from harness.scenarios.hub.asking import JOINT_METRICS, joint, joint_layout
from harness.scenarios.hub.rows import Unusable, question, read
from harness.types import Instance

_TABLE = Table("truthfulqa/truthful_qa", "generation", "validation", "741b8276f2d1982aa3d5b832d3ee81ed3b896490")
_EXAMPLES = 0.2
"""Share of the rows."""


def _sentence(text: str) -> str:
    stripped = text.strip()
    return stripped if stripped.endswith(".") else f"{stripped}."


def _make(name: str, row: Row) -> Instance:
    if not row["best_answer"].strip():
        raise Unusable("its best_answer is empty")
    best = _sentence(row["best_answer"])
    choices = [*(_sentence(text) for text in row["incorrect_answers"] if text.strip()), best]
    # HELM turns the list by the code point of the best answer's first letter.
    turn = ord(best[0]) % len(choices)
    turned = choices[turn:] + choices[:turn]
    return question(name, row["question"].strip(), turned, turned.index(best), kind=row["category"])


def _load(store: Store) -> Data:
    instances = read(store, _TABLE, "truthful_qa-", _make)
    examples = int(len(instances) * _EXAMPLES)
    return Data(instances[:examples], instances[examples:])


def _n_instances(rows: Sequence[int]) -> int:
    return sum(rows) - int(sum(rows) * _EXAMPLES)


TRUTHFUL_QA = Scenario(
    name="truthful_qa",
    description="the best answer to a question that many answer wrongly, among 1 to 12 false ones",
    adapters=(joint(joint_layout()),),
    metrics=JOINT_METRICS,
    load=_load,
    tables=(_TABLE,),
    n_instances=_n_instances,
    guess_rate=0.23,
)
