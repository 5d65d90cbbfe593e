"""What crfm-helm writes of two models comes home: its own figures, paired."""

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

N = 6
METRICS = {
    "generation": "exact_match",
    "multiple_choice_joint": "exact_match",
    "multiple_choice_separate_original": "exact_match",
    "language_modeling": "bits_per_byte",
}


@pytest.fixture(scope="module")
def place(
    world: ServerUnderTest,
    world_model: Path,
    serve: Callable[..., ServerUnderTest],
    server_type: type[ServerUnderTest],
    evals_python: Client,
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """HELM's results of the bundled model and of its weights in four bits, and the run that they become."""
    folder = tmp_path_factory.mktemp("imported_helm")
    rounded = serve(write_rounded(world_model, folder / "rounded.gguf"), *server_type.STEADY)
    models = (f"world={world.url}", f"rounded={rounded.url}")
    harness(
        *("export", "helm", *models, "--scenarios", "world_facts,world_choice,world_text"),
        *("--max-instances", str(N), "--out", "out"),
        cwd=folder,
    )
    evals_python.program(*commands(folder / "out" / "README.md")[0], cwd=folder / "out")
    harness("import", "helm", "out/benchmark_output/runs/quant", "--reference", "world", "--out", "run", cwd=folder)
    return folder


@pytest.fixture(scope="module")
def run(place: Path) -> Run:
    return load_run(place / "run")


@pytest.fixture(scope="module")
def stats(place: Path) -> dict[tuple[str, str], dict[str, float]]:
    """HELM's own summaries of the originals, by method and model."""
    found: dict[tuple[str, str], dict[str, float]] = {}
    for path in (place / "out" / "benchmark_output" / "runs" / "quant").glob("*/stats.json"):
        adapter: dict[str, Any] = json.loads((path.parent / "run_spec.json").read_text())["adapter_spec"]
        told = json.loads(path.read_text())
        means = {one["name"]["name"]: one["mean"] for one in told if one["count"] and "perturbation" not in one["name"]}
        found[adapter["method"], adapter["model"].rpartition("/")[2]] = means
    return found


def test_every_task_of_both_models_is_there(run: Run) -> None:
    assert [model["label"] for model in run.models] == ["world", "rounded"]
    assert {adapter: metric for (_, adapter), metric in run.main_metrics.items()} == METRICS
    assert not run.record["left_out"]
    assert len(run.measured.instances) == 2 * sum(task["instances"] for task in run.record["tasks"])


@pytest.mark.parametrize("adapter", METRICS)
def test_differences_are_those_of_helms_own_figures(
    run: Run, stats: dict[tuple[str, str], dict[str, float]], adapter: str
) -> None:
    table = run.findings.degradation
    (row,) = table[
        (table["model"] == "rounded") & (table["adapter"] == adapter) & (table["metric"] == METRICS[adapter])
    ].to_dict("records")
    before, after = (stats[adapter, model][METRICS[adapter]] for model in ("world", "rounded"))
    assert (row["reference_value"], row["value"]) == pytest.approx((before, after), rel=1e-9)
    assert row["delta"] == pytest.approx(after - before, abs=1e-9)


def test_perplexity_is_helms(run: Run, stats: dict[tuple[str, str], dict[str, float]]) -> None:
    table = run.findings.degradation.set_index(["model", "metric"])
    for model in ("world", "rounded"):
        told = stats["language_modeling", model]["perplexity"]
        assert math.exp(table.loc[(model, "ln_perplexity"), "value"]) == pytest.approx(told, rel=1e-9)


def test_the_choice_by_log_probabilities_is_the_one_that_helm_judged(run: Run) -> None:
    rows = run.measured.instances
    apart = rows[rows["adapter"] == "multiple_choice_separate_original"]
    assert (apart["choice_logprobs"].map(len) == 4).all()
    for row in apart.to_dict("records"):
        right = len(set(row["chosen"]) & set(row["gold_choices"])) / len(row["chosen"])
        assert right == row["value"]


def test_a_run_that_came_home_is_like_any_other(place: Path) -> None:
    for words in (("report", "run"), ("compare", "run", "run"), ("verify", "run")):
        harness(*words, cwd=place)
