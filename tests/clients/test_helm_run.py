"""crfm-helm, started by the commands of an exported folder's README, agrees with our own run to the last instance."""

from __future__ import annotations

import json
import math
import os
import re
import shlex
import shutil
import subprocess
import sys
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import gguf
import pandas as pd
import pytest

from harness.data.store import open_store
from harness.scenarios.table import SCENARIOS as WORLD

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Client

    from harness.types import Instance
    from tests.conftest import ServerUnderTest

JOINT = "multiple_choice_joint"
SEPARATE = "multiple_choice_separate_original"
CALIBRATED = "multiple_choice_separate_calibrated"
MODELS = ("world", "rounded")
"""As the run, the servers and HELM call them. What is decoded together hardly moves their results."""
CHOICES = """\
description: what the bundled model knows
data: {name}.jsonl
choices: choices
answer: answer
metrics: exact_match
"""
ASKED = 'input: "Question: {{ question }}\\nAnswer:"\n'
TWO_SHOTS = "examples: examples.jsonl\nshots: 2\n"
HELMS = "layout: {instructions: 'The following are multiple choice questions (with answers).'}\n"
BARE = "layout: {input_prefix: '', input_suffix: '', output_prefix: ' ', output_suffix: ''}\n"
SCENARIOS = {
    # The first two are in the very words of HELM's own custom_mcqa.
    "lettered": f"input: question\nadapter: {JOINT}\nmax_tokens: 1\n{TWO_SHOTS}{HELMS}",
    "bare": f"{ASKED}adapter: [{SEPARATE}, {CALIBRATED}]\n{BARE}",
    "around": f"input: question\nadapter: [{SEPARATE}, {CALIBRATED}]\n{TWO_SHOTS}{HELMS}",
}
LONG = (
    "description: several windows\ndata: long.jsonl\ninput: text\nadapter: language_modeling\nmetrics: bits_per_byte\n"
)
TASKS = {
    "world_facts-generation": "generation",
    "world_choice-joint": JOINT,
    "lettered-joint": JOINT,
    **{f"{name}-separate": SEPARATE for name in ("world_choice", "bare", "around")},
    **{f"{name}-calibrated": CALIBRATED for name in ("bare", "around")},
    **{f"{name}-windows": "language_modeling" for name in ("world_text", "long")},
}
N = 8
pytestmark = pytest.mark.timeout(900)  # a run of ours, one of HELM and its tables come before the first test


class Exported(NamedTuple):
    """A run of ours, and the folder in which HELM asked the same."""

    ours: pd.DataFrame
    """The run's instances."""
    folder: Path

    def rows(self, task: str, model: str) -> pd.DataFrame:
        """What a model answered us, by instance."""
        asked = self.ours[self.ours["scenario"].eq(task.rsplit("-", 1)[0]) & self.ours["adapter"].eq(TASKS[task])]
        return asked[asked["model"] == model].set_index("instance_id")

    def helms(self, task: str, model: str, file: str) -> Any:
        """One of HELM's files about it."""
        return self.read(f"quant_harness:task={task},model=quant-harness_{model}", file)

    def read(self, name: str, file: str) -> Any:
        """A file of one of HELM's runs."""
        return json.loads((self.folder / "benchmark_output" / "runs" / "quant" / name / file).read_text())


def write_questions(folder: Path) -> list[str]:
    """Scenarios of a user's own; returns the options that name them."""
    store = open_store(None)
    data = WORLD["world_choice"].load(store)

    def rows(instances: list[Instance]) -> str:
        return "".join(
            json.dumps({"question": one.input, "choices": [r.text for r in one.references], "answer": one.gold}) + "\n"
            for one in instances
        )

    (folder / "examples.jsonl").write_text(rows(data.train[:3]))
    for name, source in SCENARIOS.items():
        (folder / f"{name}.jsonl").write_text(rows(data.test[:N]))
        (folder / f"{name}.yaml").write_text(CHOICES.format(name=name) + source)
    texts = [one.input for one in WORLD["world_text"].load(store).test]
    (folder / "long.jsonl").write_text(json.dumps({"text": "\n\n".join(texts[:24])}) + "\n")
    (folder / "long.yaml").write_text(LONG)
    return [word for name in (*SCENARIOS, "long") for word in ("--scenario-file", f"{name}.yaml")]


def write_rounded(source: Path, path: Path) -> Path:
    """Write a model of F32 weights with every matrix rounded to four bits: a quantization that computes as steadily."""
    shutil.copy(source, path)
    for tensor in gguf.GGUFReader(path, "r+").tensors:
        if len(tensor.shape) > 1:
            four = gguf.GGMLQuantizationType.Q4_0
            tensor.data[:] = gguf.quants.dequantize(gguf.quants.quantize(tensor.data, four), four)
    return path


def harness(*words: str, cwd: Path) -> None:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HARNESS_")}
    command = [sys.executable, "-m", "harness", *words]
    done = subprocess.run(command, cwd=cwd, env=kept, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr


def commands(readme: Path) -> list[list[str]]:
    """What there is to paste, line by line, without the settings of the environment."""
    lines = re.sub(r"\\\n\s*", "", readme.read_text()).splitlines()
    return [shlex.split(re.sub(r"^ +([A-Z_]+=\S+ )*", "", line)) for line in lines if line.startswith("    ")]


@pytest.fixture(scope="module")
def exported(
    world: ServerUnderTest,
    world_model: Path,
    serve: Callable[..., ServerUnderTest],
    server_type: type[ServerUnderTest],
    evals_python: Client,
    tmp_path_factory: pytest.TempPathFactory,
) -> Exported:
    place = tmp_path_factory.mktemp("helm")
    rounded = serve(write_rounded(world_model, place / "rounded.gguf"), *server_type.STEADY)
    own = write_questions(place)
    harness(
        *("run", "--endpoint", f"world={world.url}", "--endpoint", f"rounded={rounded.url}", *own),
        *("--scenarios", "world_facts,world_choice,world_text", "--max-instances", str(N), "--no-divergence"),
        *("--no-efficiency", "--out", "run"),
        cwd=place,
    )
    harness("export", "helm", "run", "--out", "out", cwd=place)
    folder = place / "out"
    ask, tables, compare, custom = commands(folder / "README.md")
    # Of the questions in HELM's words, those that we ask in the same.
    entries = (folder / "custom_mcqa.conf").read_text().splitlines()
    kept = [line for line in entries if "/lettered" in line or "/bare" in line or "description" not in line]
    (folder / "custom_mcqa.conf").write_text("\n".join(kept))
    assert {*custom} - {*ask} == {"custom_mcqa.conf", "custom"}
    ask.insert(ask.index("run_entries.conf"), "custom_mcqa.conf")  # HELM takes ten seconds to begin
    evals_python.program(*ask, cwd=folder)
    evals_python.program(*tables, cwd=folder)
    harness(*compare[1:], cwd=folder)
    return Exported(pd.read_parquet(place / "run" / "instances.parquet"), folder)


BOTH = pytest.mark.parametrize("model", MODELS)


@BOTH
@pytest.mark.parametrize("task", TASKS)
def test_helm_asks_byte_for_byte_the_same(exported: Exported, task: str, model: str) -> None:
    ours, states = exported.rows(task, model), exported.helms(task, model, "scenario_state.json")["request_states"]
    assert {state["instance"]["id"] for state in states} == set(ours.index)
    for state in states:
        prompt, row = state["request"]["prompt"], ours.loc[state["instance"]["id"]]
        if TASKS[task] == "language_modeling":
            assert task == "long-windows" or prompt == f"<s>{row['prompt']}"
            continue
        before = "Answer:" if state.get("request_mode") == "calibration" else row["prompt"]
        index = state.get("reference_index")
        assert prompt == before if index is None else f"{before} {row['choices'][index]}"
        assert state["request"]["max_tokens"] == {"generation": 20, JOINT: 1 if "lettered" in task else 5}.get(
            TASKS[task], 0
        )


@BOTH
@pytest.mark.parametrize("task", [task for task, method in TASKS.items() if method != "language_modeling"])
def test_helm_judges_every_instance_the_same(exported: Exported, task: str, model: str) -> None:
    stats = exported.helms(task, model, "per_instance_stats.json")
    assert matches(stats) == exported.rows(task, model)["value"].to_dict()


@BOTH
@pytest.mark.parametrize("task", [task for task, method in TASKS.items() if method != "language_modeling"])
def test_log_probabilities_are_the_same(exported: Exported, task: str, model: str) -> None:
    ours, states = exported.rows(task, model), exported.helms(task, model, "scenario_state.json")["request_states"]
    for name, row in ours.iterrows():
        mine = [state for state in states if state["instance"]["id"] == name]
        if TASKS[task] in (SEPARATE, CALIBRATED):
            n = len(row["choices"])
            lengths = [len(state["result"]["completions"][0]["tokens"]) for state in mine]
            assert len(lengths) == (2 * n if TASKS[task] == CALIBRATED else n)
            scores = {"original": [0.0] * n, "calibration": [0.0] * n}
            for state in mine:
                scores[state["request_mode"]][state["reference_index"]] = scored(state)
            expected = [a - b for a, b in zip(scores["original"], scores["calibration"], strict=True)]
            assert row["choice_logprobs"] == pytest.approx(expected, abs=1e-3)
        else:
            # We stop at the end of a line, and HELM goes on after a letter.
            tokens = takewhile(lambda token: "\n" not in token["text"], mine[0]["result"]["completions"][0]["tokens"])
            expected = [token["logprob"] for token in tokens]
            assert expected
            assert row["token_logprobs"] == pytest.approx(expected, abs=1e-3)


@BOTH
def test_bits_per_byte_are_the_same(exported: Exported, model: str) -> None:
    for task, tolerance in (("world_text-windows", 1e-5), ("long-windows", 2e-3)):
        (helms,) = [
            stat["mean"]
            for stat in exported.helms(task, model, "stats.json")
            if stat["name"]["name"] == "bits_per_byte"
        ]
        ours = exported.rows(task, model)
        assert helms == pytest.approx(-ours["logprob"].sum() / math.log(2) / ours["n_bytes"].sum(), rel=tolerance)


def test_the_cache_mixes_no_models_up(exported: Exported) -> None:
    first, second = (
        [scored(state) for state in exported.helms("around-separate", model, "scenario_state.json")["request_states"]]
        for model in MODELS
    )
    assert len(first) == len(second)
    assert all(a != b for a, b in zip(first, second, strict=True))


@BOTH
@pytest.mark.parametrize("task", ["lettered-joint", "bare-separate", "bare-calibrated"])
def test_helms_own_custom_mcqa_agrees_where_we_ask_in_its_words(exported: Exported, task: str, model: str) -> None:
    name, method = task.rsplit("-", 1)[0], TASKS[task]
    file = f"{name}{'-examples' if method == JOINT else ''}.jsonl"
    run = f"custom_mcqa,path=.._.._.._custom_{file},method={method}:model=quant-harness_{model}"
    states = exported.read(run, "scenario_state.json")["request_states"]
    mine = exported.helms(task, model, "scenario_state.json")["request_states"]
    assert [state["request"]["prompt"] for state in states] == [state["request"]["prompt"] for state in mine]
    stats = exported.read(run, "per_instance_stats.json")
    assert matches(stats) == exported.rows(task, model)["value"].to_dict()


def test_helms_tables_have_all_tasks_and_both_models(exported: Exported) -> None:
    groups = exported.folder / "benchmark_output" / "runs" / "quant" / "groups" / "json"
    for name, column in (("accuracy", "exact_match"), ("likelihood", "bits_per_byte")):
        table = json.loads((groups / f"quant_harness_{name}.json").read_text())
        header = [cell["value"] for cell in table["header"]]
        tasks = [task for task, method in TASKS.items() if (method == "language_modeling") == (name == "likelihood")]
        assert set(header) == {"Model", "Mean score", *(f"{task} - {column}" for task in tasks)}
        assert {row[0]["value"] for row in table["rows"]} == set(MODELS)
        for model, *values in ([cell["value"] for cell in row] for row in table["rows"]):
            found = dict(zip(header[1:], values, strict=True))
            for task in tasks if name == "accuracy" else ():
                assert found[f"{task} - {column}"] == pytest.approx(exported.rows(task, model)["value"].mean())


def matches(stats: list[dict[str, Any]]) -> dict[str, float]:
    """HELM's exact match, by instance."""
    return {
        one["instance_id"]: stat["mean"]
        for one in stats
        for stat in one["stats"]
        if stat["name"]["name"] == "exact_match"
    }


def scored(state: dict[str, Any]) -> float:
    """What HELM adds up: the log-probabilities of the tokens of the choice, which all stand at the end."""
    text = f" {state['instance']['references'][state['reference_index']]['output']['text']}"
    tokens = state["result"]["completions"][0]["tokens"]
    n = next(n for n in range(1, len(tokens) + 1) if "".join(token["text"] for token in tokens[-n:]) == text)
    return math.fsum(token["logprob"] for token in tokens[-n:])
