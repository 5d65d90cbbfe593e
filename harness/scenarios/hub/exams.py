"""Professional exams: MedQA (Jin et al. 2020, arXiv 2009.13081) and LSAT (Zhong et al. 2021, arXiv 2104.06598)."""

from __future__ import annotations

from harness.data.table import Row, Store, Table
from harness.scenarios.base import Data, Scenario
from harness.scenarios.hub.asking import ANY_SUBJECT, QUASI_JOINT_METRICS, about, joint, joint_layout
from harness.scenarios.hub.rows import grouped, labelled, question, read, read_if_there
from harness.types import Instance

_MED_QA_REVISION = "0fb93dd23a7339b6dcd27e241cb9b5eca62d4d18"
_MED_QA = Table("GBaker/MedQA-USMLE-4-options", "default", "test", _MED_QA_REVISION)
_MED_QA_TRAIN = Table("GBaker/MedQA-USMLE-4-options", "default", "train", _MED_QA_REVISION)
# No public code was found that pins a commit of this copy of the authors' files.
_LSAT = Table("olegbask/AR-LSAT", "default", "test", "main")
_LSAT_TRAIN = Table("olegbask/AR-LSAT", "default", "train", "main")


def _med_qa(name: str, row: Row) -> Instance:
    """Some options end in a stray line break or quotation mark, which HELM strips too."""
    options: dict[str, str] = row["options"]
    choices = [text.rstrip('"').rstrip() for text in options.values()]
    return question(name, row["question"], choices, labelled(list(options), row["answer_idx"]))


def _load_med_qa(store: Store) -> Data:
    return Data(
        read_if_there(store, _MED_QA_TRAIN, "med_qa-t", _med_qa),
        read(store, _MED_QA, "med_qa-", _med_qa),
    )


def _lsat(name: str, row: Row) -> Instance:
    text = f"{row['context']}\nQuestion: {row['question']}"
    return grouped(question(name, text, row["answers"], int(row["label"])), row["context"])


def _load_lsat(store: Store) -> Data:
    return Data(read_if_there(store, _LSAT_TRAIN, "lsat_qa-t", _lsat), read(store, _LSAT, "lsat_qa-", _lsat))


EXAMS = (
    Scenario(
        name="med_qa",
        description="US medical licensing exams with four choices",
        adapters=(joint(joint_layout(about("medicine"))),),
        metrics=QUASI_JOINT_METRICS,
        load=_load_med_qa,
        tables=(_MED_QA,),
        example_tables=(_MED_QA_TRAIN,),
        guess_rate=1 / 4,
    ),
    Scenario(
        name="lsat_qa",
        description="analytical reasoning of law school admission tests with five choices: HELM's task=all",
        adapters=(joint(joint_layout(ANY_SUBJECT, "Passage")),),
        metrics=QUASI_JOINT_METRICS,
        load=_load_lsat,
        tables=(_LSAT,),
        example_tables=(_LSAT_TRAIN,),
        guess_rate=1 / 5,
    ),
)
