"""MMLU (Hendrycks et al. 2021, arXiv 2009.03300): four choices in 57 subjects, five examples of the same subject."""

from __future__ import annotations

import dataclasses

from harness.data.table import Row, Store, Table
from harness.scenarios.base import Data, Scenario
from harness.scenarios.hub.asking import ANY_SUBJECT, JOINT_METRICS, about, joint, joint_layout
from harness.scenarios.hub.rows import grouped, question, read, read_if_there
from harness.types import Instance

SUBJECTS = """
abstract_algebra anatomy astronomy business_ethics clinical_knowledge college_biology college_chemistry
college_computer_science college_mathematics college_medicine college_physics computer_security conceptual_physics
econometrics electrical_engineering elementary_mathematics formal_logic global_facts high_school_biology
high_school_chemistry high_school_computer_science high_school_european_history high_school_geography
high_school_government_and_politics high_school_macroeconomics high_school_mathematics high_school_microeconomics
high_school_physics high_school_psychology high_school_statistics high_school_us_history high_school_world_history
human_aging human_sexuality international_law jurisprudence logical_fallacies machine_learning management marketing
medical_genetics miscellaneous moral_disputes moral_scenarios nutrition philosophy prehistory professional_accounting
professional_law professional_medicine professional_psychology public_relations security_studies sociology
us_foreign_policy virology world_religions
""".split()

_REVISION = "c30699e8356da336a370243923dbaf21066bb9fe"
_TEST = Table("cais/mmlu", "all", "test", _REVISION)
_DEV = Table("cais/mmlu", "all", "dev", _REVISION)


def _make(name: str, row: Row) -> Instance:
    asked = question(name, row["question"], row["choices"], row["answer"], kind=row["subject"])
    return grouped(asked, row["subject"])


def _load(store: Store) -> Data:
    return Data(read_if_there(store, _DEV, "mmlu-t", _make), read(store, _TEST, "mmlu-", _make))


MMLU = Scenario(
    name="mmlu",
    description="exam questions with four choices in 57 subjects; in 4 of 14,042 two choices read alike and both count",
    adapters=(
        dataclasses.replace(
            joint(joint_layout(ANY_SUBJECT)),
            layouts={subject: joint_layout(about(subject.replace("_", " "))) for subject in SUBJECTS},
            examples_by_kind=True,
        ),
    ),
    metrics=JOINT_METRICS,
    load=_load,
    tables=(_TEST,),
    example_tables=(_DEV,),
    guess_rate=1 / 4,
)
