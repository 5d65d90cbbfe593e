"""ifeval: instructions that a program can check (Zhou et al. 2023, arXiv 2311.07911)."""

from __future__ import annotations

from harness.data.table import Row, Store, Table
from harness.layout import Layout
from harness.scenarios.base import AdapterSpec, Data, Scenario
from harness.scenarios.hub.open_questions import open_question
from harness.scenarios.hub.rows import Unusable, read
from harness.types import Instance

_TABLE = Table("google/IFEval", "default", "train", "966cd89545d6b6acfd7638bc708b98261ca58e84")


def _prompt(_number: str, row: Row) -> Instance:
    names, kwargs = row["instruction_id_list"], row["kwargs"]
    if not names or len(names) != len(kwargs):
        raise Unusable(f"it has {len(names)} instructions, and arguments for {len(kwargs)}")
    details = {"instruction_id_list": names, "kwargs": kwargs}
    return open_question(f"ifeval-{row['key']}", row["prompt"].strip(), [], details=details)


def _load(store: Store) -> Data:
    return Data([], read(store, _TABLE, "", _prompt))


IFEVAL = Scenario(
    name="ifeval",
    description="prompts with instructions that a program can check, such as a number of words",
    adapters=(
        AdapterSpec(
            method="generation",
            layout=Layout(input_prefix="", output_prefix=""),
            n_shots=0,
            max_tokens=4096,
            stop=(),
        ),
    ),
    metrics=(
        "ifeval_strict_accuracy",
        "ifeval_prompt_strict_accuracy",
        "ifeval_loose_accuracy",
        "ifeval_prompt_loose_accuracy",
    ),
    load=_load,
    tables=(_TABLE,),
)
