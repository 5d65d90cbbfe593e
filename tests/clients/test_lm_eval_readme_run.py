"""The commands of ``harness export lm-eval RUN``, pasted: lm-eval finds what the run found."""

from __future__ import annotations

import json
import os
import shlex
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest

if TYPE_CHECKING:
    from conftest import Client

SCENARIOS = "world_choice,world_facts,world_text"
SERVE = "serve: {flash_attention: off, cache_type_k: f32, cache_type_v: f32}"
"""What is in the cache beside a prompt hardly moves its results then."""


def _harness(*words: str | Path, cwd: Path) -> None:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HARNESS_")}
    command = [sys.executable, "-m", "harness", *map(str, words)]
    done = subprocess.run(command, cwd=cwd, env=kept, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def home(evals_python: Client, world_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run of two models, and with what was exported of it."""
    folder = tmp_path_factory.mktemp("exported")
    (folder / "whole.yaml").write_text(f"description: as it is\n{SERVE}\n")
    (folder / "small.yaml").write_text(f"description: in few bits\nquantize: {{type: q3_k_m}}\n{SERVE}\n")
    run = ["run", "--model", world_model, "--reference", "whole.yaml", "--models", "small.yaml", "--no-efficiency"]
    run += [
        "--scenarios",
        SCENARIOS,
        "--max-instances",
        "10",
        "--no-divergence",
        "--out",
        "run",
        "--cache-dir",
        "cache",
    ]
    _harness(*run, cwd=folder)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    _harness("export", "lm-eval", "run", "--out", "asked", "--port", str(port), cwd=folder)
    return folder


@pytest.fixture(scope="module")
def commands(home: Path) -> list[str]:
    """The lines of the README that are to be pasted."""
    blocks = (home / "asked" / "README.md").read_text().replace("\\\n", " ").splitlines()
    found = [line.strip() for line in blocks if line.startswith("    ")]
    models = [["harness", "serve"], ["lm_eval", "run"]] * 2
    assert [line.split()[:2] for line in found] == [*models, ["harness", "import"]]
    return found


@pytest.fixture(scope="module")
def served(commands: list[str], home: Path) -> Iterator[None]:
    """The reference, as the README says; ``harness`` is that of this interpreter."""
    words = shlex.split(commands[0])
    process = subprocess.Popen(
        [sys.executable, "-m", *words], cwd=home, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert process.stdout is not None
    try:
        assert process.stdout.readline(), "the server did not start"
        yield
    finally:
        process.terminate()
        process.wait(30)
        process.stdout.close()


@pytest.fixture(scope="module")
def samples(served: None, commands: list[str], home: Path, evals_python: Client) -> dict[str, dict[str, Any]]:
    """What lm-eval wrote of each question, by task and instance."""
    name, *words = shlex.split(commands[1])
    evals_python.program(name, *words, cwd=home / "asked")
    model = words[words.index("--output_path") + 1]
    files = list((home / "asked" / model).rglob("samples_*.jsonl"))
    assert len(files) == 4
    return {
        file.name.removeprefix("samples_").rpartition("_")[0]: {
            row["doc"]["id"]: row for row in map(json.loads, file.read_text().splitlines())
        }
        for file in files
    }


@pytest.fixture(scope="module")
def rows(home: Path) -> Callable[[str, str], dict[str, Any]]:
    """The reference's rows of a task of the run, by instance."""
    frame = pd.read_parquet(home / "run" / "instances.parquet")
    whole = frame[frame["model"] == "whole"]

    def get(scenario: str, adapter: str) -> dict[str, Any]:
        found = whole[(whole["scenario"] == scenario) & (whole["adapter"] == adapter)]
        return {row["instance_id"]: row for row in found.to_dict("records")}

    return get


def test_the_servers_are_told_what_the_run_told_its_own(commands: list[str]) -> None:
    options = "--cache-type-k f32 --cache-type-v f32 --flash-attention off".split()
    serve = [shlex.split(line) for line in commands if line.startswith("harness serve")]
    assert [set(options) <= set(words) for words in serve] == [True, True]
    assert len({words[words.index("--alias") + 1] for words in serve}) == 2


def test_choices(samples: dict[str, dict[str, Any]], rows: Callable[[str, str], dict[str, Any]]) -> None:
    ours = rows("world_choice", "multiple_choice_separate_original")
    assert set(samples["world_choice_separate"]) == set(ours)
    for name, sample in samples["world_choice_separate"].items():
        found = [float(answer[0][0]) for answer in sample["resps"]]
        assert found == pytest.approx(list(ours[name]["choice_logprobs"]), abs=1e-3)
        assert sample["arguments"]["gen_args_0"]["arg_0"] == f"<s>{ours[name]['prompt']}"


@pytest.mark.parametrize(
    ("task", "scenario", "adapter"),
    [
        ("world_choice_joint", "world_choice", "multiple_choice_joint"),
        ("world_facts", "world_facts", "generation"),
    ],
)
def test_answers(
    samples: dict[str, dict[str, Any]],
    rows: Callable[[str, str], dict[str, Any]],
    task: str,
    scenario: str,
    adapter: str,
) -> None:
    ours = rows(scenario, adapter)
    assert set(samples[task]) == set(ours)
    for name, sample in samples[task].items():
        assert sample["arguments"]["gen_args_0"]["arg_0"] == f"<s>{ours[name]['prompt']}"
        assert sample["exact_match"] == ours[name]["value"]
    assert {sample["exact_match"] for sample in samples[task].values()} != {0.0}


def test_running_text(samples: dict[str, dict[str, Any]], rows: Callable[[str, str], dict[str, Any]]) -> None:
    ours = rows("world_text", "language_modeling")
    found = {name: float(sample["resps"][0][0]) for name, sample in samples["world_text"].items()}
    assert found == pytest.approx({name: row["logprob"] for name, row in ours.items()}, rel=1e-4)
