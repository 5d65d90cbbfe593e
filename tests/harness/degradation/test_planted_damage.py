"""Damage that was planted is found where it was planted, through real servers; and a null run has none.

The doctored model reads *money* as *language* and the other way round, so it answers with the one when asked for the
other: two groups of facts are swapped. Everything else it knows as before.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pytest
from doctored_gguf import swap_words

from harness.data.mirror import Mirror
from harness.degradation.slices import slice_table
from harness.degradation.table import degradation_table
from harness.execution.concurrency import Concurrency
from harness.execution.gather import Tables, frame, gather
from harness.execution.runner import Asked, run_task
from harness.execution.tasks import Asking, Task, plan_tasks
from harness.metrics.table import METRICS
from harness.models.bundled import BUNDLED_MODEL
from harness.models.config import ServeConfig
from harness.scenarios.world.scenarios import WORLD_SCENARIOS
from harness.serving.endpoint import Endpoint
from harness.serving.process import ServerProcess

PLANTED = {"money", "language"}
N_INSTANCES = {"world_facts": 140, "world_larger": 20}
"""The fewest with ten of every kind, since smaller slices are not looked at."""

pytestmark = pytest.mark.timeout(1800)  # half a minute, if nothing else keeps the machine busy


def ask(model: Path, label: str, serve: ServeConfig, tasks: Sequence[Task], slots: int, folder: Path) -> list[Asked]:
    """All tasks, put to a server of its own."""
    with (
        ServerProcess(model, label, serve, folder / f"{label}.log", slots=slots) as server,
        Endpoint(server.base_url, label, alive=server.check_alive) as endpoint,
    ):
        endpoint.self_test()
        endpoint.room = endpoint.context
        return [run_task(endpoint, label, task, concurrency=Concurrency(slots), tick=lambda: None) for task in tasks]


@pytest.fixture(scope="module")
def answered(tmp_path_factory: pytest.TempPathFactory) -> Tables:
    """What the reference, the doctored model and a null run said: of the same file, decoded in other batches."""
    folder = tmp_path_factory.mktemp("planted")
    doctored = swap_words(BUNDLED_MODEL, folder / "doctored.gguf", ("money", "language"))
    store = Mirror(folder)
    tasks = [
        task
        for scenario in WORLD_SCENARIOS
        if scenario.name in N_INSTANCES
        for task in plan_tasks(scenario, store, Asking(max_instances=N_INSTANCES[scenario.name], seed=0))
    ]
    asked = [
        ask(BUNDLED_MODEL, "f16", ServeConfig(), tasks, 8, folder),
        ask(doctored, "doctored", ServeConfig(), tasks, 8, folder),
        ask(BUNDLED_MODEL, "null", ServeConfig(batch_size=64), tasks, 3, folder),
    ]
    return gather(tasks, asked)


@pytest.fixture(scope="module")
def slices(answered: Tables) -> pd.DataFrame:
    return slice_table(frame(answered.instances), "f16")


def test_every_kind_of_fact_is_looked_at(slices: pd.DataFrame) -> None:
    kinds = slices[slices["model"] == "doctored"]["kind"]
    assert len(kinds) == 9
    assert set(kinds) > PLANTED


def test_damage_is_attributed_to_the_planted_slices_and_to_nothing_else(slices: pd.DataFrame) -> None:
    found = slices[(slices["model"] == "doctored") & slices["attributed"]]
    assert set(found["kind"]) == PLANTED
    assert found["delta"].max() < -0.9


def test_a_null_run_attributes_nothing(slices: pd.DataFrame) -> None:
    null = slices[slices["model"] == "null"]
    assert len(null) == 9
    assert not null["attributed"].any()


def test_the_table_says_so_too_and_gives_the_null_run_no_verdict(answered: Tables) -> None:
    scores, instances = frame(answered.scores), frame(answered.instances)
    mains = dict.fromkeys(((name, "generation") for name in N_INSTANCES), "exact_match")
    table = degradation_table(
        scores, instances, mains, reference="f16", null="null", margin=0.01, seed=0, kinds=METRICS
    )
    verdicts = table.set_index(["model", "scenario"])["verdict"]
    assert verdicts["doctored"].to_dict() == {
        "world_facts": "degraded beyond margin",
        "world_larger": "inconclusive",  # 20 questions cannot show that a loss is below one point
        "all": "degraded beyond margin",
    }
    assert verdicts["null"].tolist() == ["", "", ""]
    assert verdicts["f16"].tolist() == ["reference"] * 3
