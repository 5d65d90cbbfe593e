from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from harness.data.mirror import Mirror
from harness.data.table import Store, Table
from harness.errors import MissingTable, UserError
from harness.execution.plan import plan
from harness.execution.tasks import Asking
from harness.scenarios.base import AdapterSpec, Data, Scenario
from harness.types import Instance, Reference

ASKING = Asking(max_instances=None, seed=0)


def make(name: str) -> Scenario:
    """A scenario of one table; its examples are in another."""
    test, train = (Table(name, "default", split, "any") for split in ("test", "train"))

    def load(store: Store) -> Data:
        def instances(table: Table) -> list[Instance]:
            rows = store.rows(table) if store.has(table) else []
            return [Instance(f"{name}-{i}", row["q"], (Reference("yes", True),)) for i, row in enumerate(rows)]

        return Data(instances(train), instances(test))

    spec = AdapterSpec(method="generation", n_shots=2)
    return Scenario(
        name=name,
        description=name,
        adapters=(spec,),
        metrics=("exact_match",),
        load=load,
        tables=(test,),
        example_tables=(train,),
    )


@pytest.fixture
def mirror(tmp_path: Path) -> Mirror:
    """The tables of ``here``, and a damaged one of ``torn``; nothing of ``away``."""
    for name in ("here", "torn"):
        (tmp_path / name / "default").mkdir(parents=True)
    pd.DataFrame({"q": ["1?", "2?"]}).to_parquet(tmp_path / "here" / "default" / "test.parquet")
    (tmp_path / "torn" / "default" / "test.parquet").write_bytes(b"PAR1")
    return Mirror(tmp_path)


def test_scenarios_without_data_are_left_out_and_told(mirror: Mirror) -> None:
    found = plan([make("away"), make("here"), make("torn")], mirror, ASKING)
    assert [(task.scenario.name, len(task.instances)) for task in found.tasks] == [("here", 2)]
    away, torn = found.left_out
    assert away.startswith("Left out: away: ")
    assert "away/default/test.parquet is not there" in away
    assert "`harness scenarios prefetch away`" in away
    assert torn.startswith("Left out: torn: ")
    assert "cannot be read as Parquet" in torn


def test_the_tables_that_were_read_are_recorded(mirror: Mirror, tmp_path: Path) -> None:
    scenario = make("here")
    (test,), (train,) = scenario.tables, scenario.example_tables
    before = plan([make("away"), scenario], mirror, ASKING).data
    assert before == {"here": {"made_from": "", "tables": [mirror.provenance(test)], "example_tables": []}}
    pd.DataFrame({"q": ["3?"]}).to_parquet(tmp_path / "here" / "default" / "train.parquet")
    assert plan([scenario], mirror, ASKING).data["here"]["example_tables"] == [mirror.provenance(train)]


def test_without_its_examples_a_scenario_is_asked_without(mirror: Mirror) -> None:
    (task,) = plan([make("here")], mirror, ASKING).tasks
    assert task.examples == {"": []}


def test_no_data_at_all_is_the_user_s_to_mend(mirror: Mirror) -> None:
    with pytest.raises(MissingTable, match=r"^away: "):
        plan([make("away")], mirror, ASKING)
    with pytest.raises(UserError, match=r"^The data of none of the 2 scenarios can be had: away: .* is not there"):
        plan([make("away"), make("torn")], mirror, ASKING)
