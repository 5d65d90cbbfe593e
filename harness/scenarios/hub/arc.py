"""ARC (Clark et al. 2018, arXiv 1803.05457): school science, as lm-eval asks it; 3 to 5 choices."""

from __future__ import annotations

from dataclasses import replace

from harness.data.table import Row, Store, Table
from harness.scenarios.base import Data, Scenario
from harness.scenarios.hub.asking import QUESTION_ANSWER
from harness.scenarios.hub.rows import labelled, question, read
from harness.types import Instance, Normalization

_REVISION = "210d026faf9955653af8916fad021475a3f00453"


def _make(name: str, row: Row) -> Instance:
    choices = row["choices"]
    return question(name, row["question"], choices["text"], labelled(choices["label"], row["answerKey"]))


def _scenario(
    name: str, config: str, description: str, normalization: Normalization, metrics: tuple[str, ...]
) -> Scenario:
    table = Table("allenai/ai2_arc", config, "test", _REVISION)

    def load(store: Store) -> Data:
        return Data([], read(store, table, f"{name}-", _make))

    return Scenario(
        name=name,
        description=f"{description}; prompts and scores as in lm-eval, 0 shots",
        adapters=(replace(QUESTION_ANSWER, normalization=normalization),),
        metrics=metrics,
        load=load,
        tables=(table,),
        guess_rate=1 / 4,
    )


ARC = (
    _scenario("arc_easy", "ARC-Easy", "school science, easier questions", "none", ("acc", "acc_norm")),
    _scenario("arc_challenge", "ARC-Challenge", "school science, harder questions", "character", ("acc_norm", "acc")),
)
