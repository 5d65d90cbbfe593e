"""HELM Capabilities: MMLU-Pro (arXiv 2406.01574) and GPQA (arXiv 2311.12022), reasoned about before the answer.

HELM leaves the temperature at its default of 1 here; these are asked at 0, like everything else, so that models can be
compared answer by answer.
"""

from __future__ import annotations

import dataclasses
import random

from harness.data.table import Row, Store, Table
from harness.layout import LETTERS, Layout
from harness.scenarios.base import AdapterSpec, Data, Scenario
from harness.scenarios.hub.rows import grouped, labelled, question, read
from harness.types import Instance, Reference

_MMLU_PRO = Table("TIGER-Lab/MMLU-Pro", "default", "test", "3373e0b32277875b8db2aa555a333b78a08477ea")
_GPQA = Table("Idavidrein/gpqa", "gpqa_main", "train", "90b8e5be2b1d3d2dbfe016cdab47981150600c4a")
_GPQA_EXAMPLES = (339, 105)
"""Rows that the paper shows as examples, and that HELM does not ask."""
_GPQA_SEED = 42

_STEP_BY_STEP = Layout(
    input_prefix="What is the correct answer to this question: ",
    input_suffix="\nChoices:\n",
    output_prefix="",
    global_suffix=(
        "Let’s think step by step. Based on your reasoning, what is the single, most likely answer choice? "
        'Format your response as follows: "The correct answer is (insert answer here)".'
    ),
)


def _reasoned(layout: Layout) -> AdapterSpec:
    return AdapterSpec(
        method="multiple_choice_joint_chain_of_thought", layout=layout, n_shots=0, max_tokens=4096, stop=()
    )


def _mmlu_pro(name: str, row: Row) -> Instance:
    asked = question(name, row["question"], row["options"], labelled(LETTERS, row["answer"]), kind=row["category"])
    return grouped(asked, row["category"])


def _load_mmlu_pro(store: Store) -> Data:
    return Data([], read(store, _MMLU_PRO, "mmlu_pro-", _mmlu_pro))


def _load_gpqa(store: Store) -> Data:
    # One generator for all rows in turn, as in HELM, so that its choices stand in the same order.
    rng = random.Random(_GPQA_SEED)

    def make(name: str, row: Row) -> Instance:
        answers = [row["Correct Answer"], *(row[f"Incorrect Answer {number}"] for number in (1, 2, 3))]
        order = list(range(len(answers)))
        rng.shuffle(order)
        instance = question(
            name,
            row["Question"].strip(),
            [answers[index].strip() for index in order],
            order.index(0),
            kind=row["High-level domain"],
        )
        references = tuple(
            Reference(reference.text, reference.is_correct, row["Explanation"] if reference.is_correct else "")
            for reference in instance.references
        )
        return dataclasses.replace(instance, references=references)

    instances = read(store, _GPQA, "gpqa-", make)
    return Data(
        [instance for row, instance in enumerate(instances) if row in _GPQA_EXAMPLES],
        [instance for row, instance in enumerate(instances) if row not in _GPQA_EXAMPLES],
    )


CAPABILITIES = (
    Scenario(
        name="mmlu_pro",
        description="harder exam questions with up to ten choices, reasoned about before the answer",
        adapters=(_reasoned(_STEP_BY_STEP),),
        metrics=("chain_of_thought_correctness",),
        load=_load_mmlu_pro,
        tables=(_MMLU_PRO,),
        guess_rate=1 / 10,
    ),
    Scenario(
        name="gpqa",
        description="graduate-level science, reasoned about before the answer; HELM's 446 of 448 questions (gated)",
        adapters=(_reasoned(dataclasses.replace(_STEP_BY_STEP, reference_prefix="(A) ")),),
        metrics=("chain_of_thought_correctness",),
        load=_load_gpqa,
        tables=(_GPQA,),
        n_instances=lambda rows: sum(rows) - sum(row < sum(rows) for row in _GPQA_EXAMPLES),
        guess_rate=1 / 4,
    ),
)
