"""What other harnesses were given to ask comes home by our names: it pairs with a run of ours by question."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from test_helm_run import commands, harness, write_rounded

from harness import load_run
from harness.evidence.compare import compare_runs

if TYPE_CHECKING:
    from conftest import Client

    from tests.conftest import ServerUnderTest

MODELS = ("rounded", "world")


@pytest.fixture(scope="module")
def place(
    world: ServerUnderTest,
    world_model: Path,
    serve: Callable[..., ServerUnderTest],
    server_type: type[ServerUnderTest],
    evals_python: Client,
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """A run of ours, and what HELM and lm-eval make of its exports."""
    folder = tmp_path_factory.mktemp("own_names")
    rounded = serve(write_rounded(world_model, folder / "rounded.gguf"), *server_type.STEADY)
    harness(
        *("run", "--endpoint", f"world={world.url}", "--endpoint", f"rounded={rounded.url}", "--max-instances", "6"),
        *("--scenarios", "world_facts,world_choice", "--perturbations", "typos0.1", "--no-divergence"),
        *("--no-efficiency", "--out", "run"),
        cwd=folder,
    )
    for name in ("helm", "lm-eval"):
        harness("export", name, "run", "--out", name, cwd=folder)
        for line in commands(folder / name / "README.md"):
            if line[0] in ("helm-run", "lm_eval") and "custom_mcqa.conf" not in line:
                evals_python.program(*line, cwd=folder / name)
            elif line[:2] == ["harness", "import"]:
                harness(*line[1:], cwd=folder / name)
    return folder


@pytest.mark.parametrize("name", ["helm", "lm-eval"])
def test_it_pairs_with_our_run(place: Path, name: str) -> None:
    ours, theirs = load_run(place / "run"), load_run(place / name / "compared")
    assert theirs.reference == ours.reference == "world"
    asked = {(task["scenario"], task["adapter"]): task["guess_rate"] for task in theirs.record["tasks"]}
    assert asked == {(task["scenario"], task["adapter"]): task["guess_rate"] for task in ours.record["tasks"]}
    assert theirs.record["perturbations"] == {"typos0.1": "robustness"}
    compared = compare_runs(ours, theirs, margin=0.01)
    assert not [note for note in compared.notes if "questions" in note and "left out" in note]


def test_helms_answers_are_ours(place: Path) -> None:
    ours, theirs = load_run(place / "run"), load_run(place / "helm" / "compared")
    answers = [
        run.measured.instances.set_index(["model", "scenario", "adapter", "perturbation", "instance_id"])
        for run in (ours, theirs)
    ]
    both = answers[0].join(answers[1], suffixes=("", "_theirs"), how="outer")
    assert len(both) == len(answers[0]) == len(answers[1])
    assert (both["value"] == both["value_theirs"]).all()
    assert (both["kind"] == both["kind_theirs"]).all()
