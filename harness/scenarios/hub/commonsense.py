"""Common sense: HellaSwag and OpenBookQA as HELM asks them, PIQA and WinoGrande as lm-eval does."""

from __future__ import annotations

from dataclasses import replace

from harness.data.table import CONVERTED, Row, Store, Table
from harness.scenarios.base import AdapterSpec, Data, Scenario
from harness.scenarios.hub.asking import CALIBRATED, EMPTY, QUESTION_ANSWER, SEPARATE, about, joint, joint_layout
from harness.scenarios.hub.rows import Unusable, labelled, question, read, read_if_there
from harness.types import Instance

_HELLASWAG = Table("Rowan/hellaswag", "default", "validation", "218ec52e09a7e7462a5400043bb9a69a41d06b76")
_OPENBOOKQA_REVISION = "388097ea7776314e93a529163e0fea805b8a6454"
_OPENBOOKQA = Table("allenai/openbookqa", "main", "test", _OPENBOOKQA_REVISION)
_OPENBOOKQA_TRAIN = Table("allenai/openbookqa", "main", "train", _OPENBOOKQA_REVISION)
# The data set itself is a script; the Hub keeps its tables on this branch, whose commits nobody pins.
_PIQA = Table("ybisk/piqa", "plain_text", "validation", CONVERTED)
_WINOGRANDE = Table("allenai/winogrande", "winogrande_xl", "validation", "01e74176c63542e6b0bcb004dcdea22d94fb67b5")


def _hellaswag(name: str, row: Row) -> Instance:
    """HELM's text, which keeps a space at its end where nothing follows ``ctx_a``."""
    unfinished = row["ctx_b"]
    text = f"{row['activity_label']}: {row['ctx_a']} {unfinished[:1].upper()}{unfinished[1:]}"
    return question(name, text, row["endings"], int(row["label"]))


def _load_hellaswag(store: Store) -> Data:
    return Data([], read(store, _HELLASWAG, "hellaswag-", _hellaswag))


def _openbookqa(name: str, row: Row) -> Instance:
    choices = row["choices"]
    return question(name, row["question_stem"], choices["text"], labelled(choices["label"], row["answerKey"]))


def _load_openbookqa(store: Store) -> Data:
    return Data(
        read_if_there(store, _OPENBOOKQA_TRAIN, "openbookqa-t", _openbookqa),
        read(store, _OPENBOOKQA, "openbookqa-", _openbookqa),
    )


def _piqa(name: str, row: Row) -> Instance:
    return question(name, row["goal"], [row["sol1"], row["sol2"]], row["label"])


def _load_piqa(store: Store) -> Data:
    return Data([], read(store, _PIQA, "piqa-", _piqa))


def _winogrande(name: str, row: Row) -> Instance:
    if "_" not in row["sentence"]:
        raise Unusable("its sentence has no blank (_)")
    return question(name, row["sentence"], [row["option1"], row["option2"]], labelled(["1", "2"], row["answer"]))


def _load_winogrande(store: Store) -> Data:
    return Data([], read(store, _WINOGRANDE, "winogrande-", _winogrande))


COMMONSENSE = (
    Scenario(
        name="hellaswag",
        description="which of four endings goes on; HELM's text (WikiHow markup stays), so acc_norm is not lm-eval's",
        adapters=(SEPARATE,),
        metrics=("exact_match", "acc", "acc_norm"),
        load=_load_hellaswag,
        tables=(_HELLASWAG,),
        guess_rate=1 / 4,
    ),
    Scenario(
        name="openbookqa",
        description="elementary science with four choices: calibrated as in HELM Classic, lettered as in HELM Lite",
        adapters=(CALIBRATED, joint(joint_layout(about("common sense")))),
        metrics=("exact_match",),
        load=_load_openbookqa,
        tables=(_OPENBOOKQA,),
        example_tables=(_OPENBOOKQA_TRAIN,),
        guess_rate=1 / 4,
    ),
    Scenario(
        name="piqa",
        description="which of two ways reaches a goal; prompts and scores as in lm-eval, 0 shots",
        adapters=(replace(QUESTION_ANSWER, normalization="none"),),
        metrics=("acc", "acc_norm"),
        load=_load_piqa,
        tables=(_PIQA,),
        guess_rate=1 / 2,
    ),
    Scenario(
        name="winogrande",
        description="whom a pronoun means: which of two names makes the rest likelier; as in lm-eval, 0 shots",
        adapters=(AdapterSpec(method="multiple_choice_separate_partial", layout=EMPTY, n_shots=0, max_tokens=0),),
        metrics=("acc",),
        load=_load_winogrande,
        tables=(_WINOGRANDE,),
        guess_rate=1 / 2,
    ),
)
