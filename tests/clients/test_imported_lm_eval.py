"""What lm-eval writes of two models comes home: its own figures, paired."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from test_helm_run import commands, harness, write_rounded

from harness import load_run
from harness.results import Run

if TYPE_CHECKING:
    from conftest import Client

    from tests.conftest import ServerUnderTest

OUR_NAMES = {"exact_match,strip": "exact_match"}
"""Of figures that are just ours, in tasks that we exported."""
Told = dict[str, dict[str, dict[str, Any]]]


@pytest.fixture(scope="module")
def place(
    world: ServerUnderTest,
    world_model: Path,
    serve: Callable[..., ServerUnderTest],
    server_type: type[ServerUnderTest],
    evals_python: Client,
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """lm-eval's results of the bundled model and of its weights in four bits, and the run that they become."""
    folder = tmp_path_factory.mktemp("imported_lm_eval")
    rounded = serve(write_rounded(world_model, folder / "rounded.gguf"), *server_type.STEADY)
    models = (f"world={world.url}", f"rounded={rounded.url}")
    harness(
        *("export", "lm-eval", *models, "--scenarios", "world_facts,world_choice,world_text"),
        *("--max-instances", "8", "--out", "out"),
        cwd=folder,
    )
    ask = [line for line in commands(folder / "out" / "README.md") if line[0] == "lm_eval"]
    written = []
    for line in ask:
        evals_python.program(*line, cwd=folder / "out")
        written.append(f"out/{line[line.index('--output_path') + 1]}")
    assert len(set(written)) == 2
    harness("import", "lm-eval", *written, "--out", "run", cwd=folder)
    return folder


@pytest.fixture(scope="module")
def run(place: Path) -> Run:
    return load_run(place / "run")


@pytest.fixture(scope="module")
def told(place: Path) -> Told:
    """What lm-eval reports, by model and task."""
    read = [json.loads(path.read_text()) for path in (place / "out").rglob("results_*.json")]
    return {str(one["model_name"]): one["results"] for one in read}


def test_every_task_of_both_models_is_there(run: Run, told: Told) -> None:
    assert {model["name"] for model in run.models} == set(told)
    assert {task["scenario"] for task in run.record["tasks"]} == {"world_facts", "world_choice", "world_text"}
    assert not run.record["left_out"]
    assert {task["adapter"] for task in run.record["tasks"]} == {
        *("generation", "multiple_choice_joint", "multiple_choice_separate_original", "language_modeling")
    }


def test_differences_are_those_of_lm_evals_own_figures(run: Run, told: Told) -> None:
    reference, candidate = (model["label"] for model in run.models)
    names = {model["label"]: model["name"] for model in run.models}
    compared = 0
    adapters = {"world_choice_joint": "multiple_choice_joint", "world_facts": "generation"}
    rows = run.findings.degradation.set_index(["model", "scenario", "adapter", "metric"])
    for task, figures in told[names[reference]].items():
        scenario = task.removesuffix("_joint").removesuffix("_separate")
        apart = "language_modeling" if task == "world_text" else "multiple_choice_separate_original"
        asked = scenario, adapters.get(task, apart)
        for key, before in figures.items():
            metric, _, after_filter = key.partition(",")
            ours = metric if after_filter == "none" else key
            logarithm = (candidate, *asked, f"ln_{ours}") in rows.index
            name = (candidate, *asked, f"ln_{ours}" if logarithm else OUR_NAMES.get(ours, ours))
            if not after_filter or "stderr" in metric or name not in rows.index:
                continue
            after = told[names[candidate]][task][key]
            figure = math.exp if logarithm else float
            values = figure(rows.loc[name, "reference_value"]), figure(rows.loc[name, "value"])
            assert values == pytest.approx((before, after), rel=1e-6)
            if not logarithm:
                assert rows.loc[name, "delta"] == pytest.approx(after - before, abs=1e-6)
            compared += 1
    assert compared >= len(run.record["tasks"])


def test_choices_have_log_probabilities(run: Run) -> None:
    rows = run.measured.instances
    apart = rows[rows["adapter"] == "multiple_choice_separate_original"]
    assert (apart["choice_logprobs"].map(len) == 4).all()
    for row in apart.to_dict("records"):
        assert float(row["gold_choices"][0] == row["chosen"][0]) == row["value"]


def test_a_run_that_came_home_is_like_any_other(place: Path) -> None:
    for words in (("report", "run"), ("compare", "run", "run"), ("verify", "run")):
        harness(*words, cwd=place)
