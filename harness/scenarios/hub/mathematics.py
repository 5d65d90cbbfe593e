"""Sums in words and in LaTeX, solved step by step: gsm (Cobbe et al. 2021) and math (Hendrycks et al. 2021)."""

from __future__ import annotations

import numpy as np

from harness.data.table import Row, Store, Table
from harness.layout import Layout
from harness.scenarios.base import AdapterSpec, Data, Scenario
from harness.scenarios.hub.open_questions import open_question
from harness.scenarios.hub.rows import Unusable, grouped, read, read_if_there
from harness.types import Instance

SUBJECTS = (
    "algebra",
    "counting_and_probability",
    "geometry",
    "intermediate_algebra",
    "number_theory",
    "prealgebra",
    "precalculus",
)
MATH_ORDER_SEED = 42

_GSM_REVISION = "740312add88f781978c0658806c59bc2815b9866"
_GSM_TRAIN = Table("openai/gsm8k", "main", "train", _GSM_REVISION)
_GSM = Table("openai/gsm8k", "main", "test", _GSM_REVISION)
# HELM reads hendrycks/competition_math, which is no longer on the Hub.
_MATH_REVISION = "21a5633873b6a120296cce3e2df9d5550074f4a3"
_MATH_TRAIN = tuple(Table("EleutherAI/hendrycks_math", subject, "train", _MATH_REVISION) for subject in SUBJECTS)
_MATH = tuple(Table("EleutherAI/hendrycks_math", subject, "test", _MATH_REVISION) for subject in SUBJECTS)

MATH_LAYOUT = Layout(
    instructions="Given a mathematics problem, determine the answer. Simplify your answer as much as possible.\n",
    instance_prefix="###\n",
    input_prefix="Problem: ",
)


def _gsm(name: str, row: Row) -> Instance:
    """The solution in one line; its last words are "The answer is" and the number."""
    solution = row["answer"].replace("####", "The answer is").replace("\n", " ")
    return open_question(name, row["question"], [f"{solution}."])


def _load_gsm(store: Store) -> Data:
    return Data(read_if_there(store, _GSM_TRAIN, "gsm-t", _gsm), read(store, _GSM, "gsm-", _gsm))


def _load_math(store: Store) -> Data:
    """The solution is the reference, of which the metric compares what stands in ``\\boxed{}``."""
    train: list[Instance] = []
    test: list[Instance] = []
    for subject, train_table, test_table in zip(SUBJECTS, _MATH_TRAIN, _MATH, strict=True):

        def make(name: str, row: Row, subject: str = subject) -> Instance:
            level = row["level"].removeprefix("Level ")
            if level == row["level"]:
                raise Unusable(f"its level is {level!r}, not 'Level' and a number")
            asked = open_question(name, row["problem"], [row["solution"]], f"{subject}_level_{level}")
            return grouped(asked, subject)

        train += read_if_there(store, train_table, f"math-{subject}-t", make)
        test += read(store, test_table, f"math-{subject}-", make)
    return Data(_in_order(train), _in_order(test))


def _in_order(instances: list[Instance]) -> list[Instance]:
    """By the problems' text, then shuffled: HELM's order, on which its draw of examples depends."""
    by_text = sorted(instances, key=lambda one: one.input)
    return [by_text[i] for i in np.random.default_rng(MATH_ORDER_SEED).permutation(len(by_text))]


MATHEMATICS = (
    Scenario(
        name="gsm",
        description="grade school sums in words, solved step by step",
        adapters=(
            AdapterSpec(
                method="generation",
                layout=Layout(input_prefix="Q: ", output_prefix="A: "),
                max_tokens=400,
                stop=("\n\n",),
            ),
        ),
        metrics=("final_number_exact_match", "exact_match_indicator"),
        load=_load_gsm,
        tables=(_GSM,),
        example_tables=(_GSM_TRAIN,),
    ),
    Scenario(
        name="math",
        description="competition problems in seven subjects and five levels, solved step by step",
        adapters=(
            AdapterSpec(
                method="generation",
                layout=MATH_LAYOUT,
                n_shots=8,
                examples_by_kind=True,
                max_tokens=400,
                stop=("###",),
            ),
        ),
        metrics=("math_equiv_chain_of_thought",),
        load=_load_math,
        tables=_MATH,
        example_tables=_MATH_TRAIN,
    ),
)
