"""What the bundled model has to be good for: it knows its world, and quantization makes it forget some of it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pandas as pd
import pytest

from harness.degradation.pooled import ALL
from harness.models.bundled import BUNDLED_MODEL
from harness.models.config import config_names, load_config
from harness.models.gguf_facts import GgufFacts, read_facts
from harness.models.quantize import fallbacks, quantize
from harness.scenarios.world.scenarios import WORLD_SCENARIOS

N_INSTANCES = 200
FACTS = ("world_facts", "generation")
SUMS = ("world_sums", "generation")
CHOICE = ("world_choice", "multiple_choice_separate_original")


class Measured(NamedTuple):
    """What one run over all scenarios found."""

    degradation: pd.DataFrame
    """The main metric of every task, indexed by model, scenario and adapter."""
    report: str

    def accuracy(self, model: str) -> pd.DataFrame:
        """The right-or-wrong tasks of one model."""
        table = self.degradation.loc[model]
        return table[table["metric"] == "exact_match"]


@pytest.fixture(scope="session")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Measured:
    """One real run over everything."""
    folder = tmp_path_factory.mktemp("bundled")
    options = ["--models", "q4_k_m,q8_0,q2_k", "--max-instances", str(N_INSTANCES), "--out", "run", "--seed", "0"]
    options += ["--no-divergence", "--no-efficiency"]
    command = [sys.executable, "-m", "harness", "run", *options, "--cache-dir", "cache"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    keys = ["model", "scenario", "adapter"]
    table = pd.read_parquet(folder / "run" / "degradation.parquet").groupby(keys, sort=False).head(1)
    return Measured(
        table[table["scenario"] != ALL].set_index(keys), (folder / "run" / "report.md").read_text(encoding="utf-8")
    )


@pytest.fixture(scope="session")
def facts() -> GgufFacts:
    return read_facts(BUNDLED_MODEL)


pytestmark = pytest.mark.timeout(1800)


@pytest.mark.parametrize("task", [FACTS, SUMS, CHOICE], ids=lambda task: task[0])
def test_the_reference_knows_its_world(task: tuple[str, str], measured: Measured) -> None:
    assert measured.degradation.loc[("f16", *task), "n"] == N_INSTANCES
    assert measured.degradation.loc[("f16", *task), "value"] >= 0.90


@pytest.mark.parametrize("task", [FACTS, SUMS, CHOICE], ids=lambda task: task[0])
def test_eight_bits_cost_next_to_nothing(task: tuple[str, str], measured: Measured) -> None:
    assert abs(measured.degradation.loc[("q8_0", *task), "delta"]) <= 0.01 + 1e-9


def test_two_bits_cost_much_somewhere(measured: Measured) -> None:
    assert measured.accuracy("q2_k")["delta"].min() <= -0.15


def test_four_bits_cost_something_somewhere(measured: Measured) -> None:
    assert measured.accuracy("q4_k_m")["delta"].min() < 0


def test_running_text_is_worse_with_fewer_bits(measured: Measured) -> None:
    bits = [measured.degradation.loc[(model, "world_text", "language_modeling"), "value"] for model in ("f16", "q2_k")]
    assert bits[0] < bits[1]


def test_every_scenario_was_asked(measured: Measured) -> None:
    assert measured.degradation.groupby("model").size().tolist() == [sum(len(s.adapters) for s in WORLD_SCENARIOS)] * 4
    assert "is not what" not in measured.report


def test_the_file_is_small_and_its_context_long_enough(facts: GgufFacts) -> None:
    assert facts.bytes <= 12_000_000
    assert facts.context_length >= 2048
    assert facts.file_type == "F16"
    assert not facts.is_quantized


@pytest.mark.parametrize("name", [name for name in config_names() if not name.startswith("f16")])
def test_every_quantization_of_it_is_what_its_name_says(name: str, facts: GgufFacts, tmp_path: Path) -> None:
    config = load_config(name)
    assert config.quantize is not None
    made = read_facts(quantize(facts, config, tmp_path, threads=2))
    assert made.file_type == config.quantize.type
    assert fallbacks(made, config) is None
    if "_k" in name:
        # llama.cpp falls back from a k-quant to these without saying so.
        assert not {tensor.type for tensor in made.matrices} & {"Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "IQ4_NL", "F16"}
