from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import psutil
import pytest
import typer.main
from typer.testing import CliRunner, Result

from harness.analysis import analyse
from harness.cli import app
from harness.degradation.columns import DEGRADATION, TEXT
from harness.degradation.table import COLUMNS
from harness.models.bundled import BUNDLED_MODEL
from harness.models.config import config_names
from harness.models.gguf_facts import file_sha256
from harness.results import Measured
from harness.run_spec import PACKAGES
from harness.scenarios.table import SCENARIOS

NUMBERS = [column.name for column in DEGRADATION if column.type != TEXT]
MARK = "HARNESS_TEST_MARK"
"""Environment variable by which everything that a run started is found, however far down."""
INTERRUPTED = "interrupted; nothing is left half-written, and no server that was started is left running."
TEST_MODELS = os.environ.get("HARNESS_TEST_MODELS", "")
COMMANDS = typer.main.get_command(app).commands  # type: ignore[attr-defined]


class Shell:
    """``python -m harness`` in an empty folder, with none of the user's own settings."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.mark = uuid.uuid4().hex
        kept = {key: value for key, value in os.environ.items() if not key.startswith("HARNESS_")}
        # Unless a test is about it, no time is spent on a long text, and none on timing.
        self.environment = kept | {MARK: self.mark, "HARNESS_NO_DIVERGENCE": "1", "HARNESS_NO_EFFICIENCY": "1"}

    def start(self, *words: str | Path, **environment: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "harness", *map(str, words)],
            cwd=self.folder,
            env=self.environment | environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            start_new_session=True,
        )

    def run(self, *words: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
        with self.start(*words, **environment) as process:
            out, err = process.communicate(timeout=280)
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def left(self) -> list[str]:
        """Everything in the folder."""
        return sorted(str(path.relative_to(self.folder)) for path in self.folder.rglob("*"))

    def processes(self) -> list[list[str]]:
        """Command lines of what still runs."""
        found = []
        for process in psutil.process_iter():
            try:
                if process.environ().get(MARK) == self.mark and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process.cmdline())
            except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
                continue
        return found


@pytest.fixture
def shell(tmp_path: Path, wait_for: Callable[..., None]) -> Iterator[Shell]:
    folder = tmp_path / "here"
    folder.mkdir()
    found = Shell(folder)
    yield found
    # A signal that comes at the very moment a server is started leaves it to find out by itself, a second later.
    wait_for(lambda: found.processes() == [], 10)


class Run(NamedTuple):
    """A run that went well."""

    done: subprocess.CompletedProcess[str]
    out: Path
    cache: Path

    @property
    def instances(self) -> pd.DataFrame:
        return pd.read_parquet(self.out / "instances.parquet")

    @property
    def degradation(self) -> pd.DataFrame:
        return pd.read_parquet(self.out / "degradation.parquet")


@pytest.fixture(scope="module")
def small_run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Two quantizations of the bundled model, three tasks, six instances each; the table printed as JSON."""
    folder = tmp_path_factory.mktemp("small")
    shell = Shell(folder)
    words = ["--models", "q4_k_m,f16_kv_q8_0", "--scenarios", "world_choice,world_text", "--max-instances", "6"]
    done = shell.run("run", *words, "--seed", "3", "--out", "a/run", "--cache-dir", "cache", "--json")
    assert done.returncode == 0, done.stderr
    assert shell.processes() == []
    return Run(done, folder / "a" / "run", folder / "cache")


@pytest.fixture(scope="module")
def quantized(small_run: Run) -> Path:
    """The bundled model in four bits."""
    (found,) = small_run.cache.iterdir()
    return found


# A small run


def test_all_files_are_there_and_nothing_else(small_run: Run) -> None:
    assert {path.name for path in small_run.out.iterdir()} == {
        "degradation.csv",
        "degradation.parquet",
        "efficiency.csv",
        "efficiency.parquet",
        "instances.parquet",
        "report.html",
        "report.md",
        "run.json",
        "scores.parquet",
        "server-f16.log",
        "server-f16_kv_q8_0.log",
        "server-q4_k_m.log",
        "slices.csv",
        "slices.parquet",
        "tokens.parquet",
    }
    assert [path.name for path in small_run.out.parent.iterdir()] == ["run"]
    assert all(re.fullmatch(r"world-f16-q4_k_m-[0-9a-f]{12}\.gguf", path.name) for path in small_run.cache.iterdir())


def test_the_table_has_the_columns_asked_for(small_run: Run) -> None:
    table = pd.read_csv(small_run.out / "degradation.csv", keep_default_na=False, na_values=dict.fromkeys(NUMBERS, ""))
    assert list(table.columns) == COLUMNS
    assert table["model"].unique().tolist() == ["f16", "q4_k_m", "f16_kv_q8_0"]
    assert {"choice_brier", "choice_log_loss", "choice_ece"} < set(table["metric"])
    table = table.groupby(["model", "scenario", "adapter"]).head(1)
    tasks = ["multiple_choice_separate_original", "multiple_choice_joint", "language_modeling"]
    assert table["adapter"].tolist() == [*tasks, ""] * 3
    assert set(table["n"]) == {6}
    verdicts = table["verdict"].to_numpy().reshape(3, 4)
    # At one of them the reference only guesses.
    assert verdicts[0].tolist() == ["reference", "", "reference", "reference"]
    assert all(verdicts[1:, [0, 3]].ravel())
    assert not any(verdicts[1:, 1])
    reference, others = table[table["model"] == "f16"], table[table["model"] != "f16"]
    assert reference["delta"].isna().all()
    assert others[["value", "reference_value", "delta", "ci_low", "ci_high", "p_value"]].notna().all().all()
    assert (others["value"] - others["reference_value"] - others["delta"]).abs().max() < 1e-9
    assert others["flips_to_wrong"].notna().tolist() == [True, True, False, True] * 2


def test_there_is_a_row_for_each_model_and_instance(small_run: Run) -> None:
    instances = small_run.instances
    assert len(instances) == 3 * 3 * 6
    assert not instances.duplicated(["model", "scenario", "adapter", "instance_id"]).any()
    asked = instances.groupby(["scenario", "adapter", "model"])["instance_id"].agg(frozenset).groupby(level=[0, 1])
    assert (asked.nunique() == 1).all()
    assert instances["prompt"].str.len().min() > 50


def test_the_table_can_be_computed_again_from_the_scores(small_run: Run) -> None:
    record = json.loads((small_run.out / "run.json").read_text(encoding="utf-8"))
    frames = [pd.read_parquet(small_run.out / f"{name}.parquet") for name in ("instances", "scores")]
    nothing = pd.DataFrame()
    measured = Measured(*(frame.astype({"correct": "boolean"}) for frame in frames), nothing, nothing)
    again = analyse(record, measured).degradation
    again = again[again["scenario"] != "divergence"]
    found = small_run.degradation
    pd.testing.assert_frame_equal(again, found[found["scenario"] != "divergence"].reset_index(drop=True))


def test_json_is_the_table(small_run: Run) -> None:
    rows = json.loads(small_run.done.stdout)
    assert [list(row) for row in rows] == [COLUMNS] * len(small_run.degradation)
    assert rows[0]["delta"] is None
    expected = small_run.degradation
    assert [row["value"] for row in rows] == pytest.approx(expected["value"].tolist(), abs=1e-9)
    assert [row["model"] for row in rows] == expected["model"].tolist()


def test_the_record_says_what_was_run(small_run: Run) -> None:
    record = json.loads((small_run.out / "run.json").read_text(encoding="utf-8"))
    assert list(record) == [
        "schema_version",
        "command",
        "spec",
        "seed",
        "reference",
        "null",
        "margin",
        "started",
        "finished",
        "versions",
        "machine",
        "models",
        "tasks",
        "divergence",
        "left_out",
        "notes",
        "remarks",
        "files",
    ]
    assert record["seed"] == 3
    assert record["versions"].keys() == {"python", *PACKAGES}
    assert record["started"] <= record["finished"]
    (made,) = small_run.cache.iterdir()
    files = {"f16": BUNDLED_MODEL, "q4_k_m": made, "f16_kv_q8_0": BUNDLED_MODEL}
    assert [model["label"] for model in record["models"]] == list(files)
    for model in record["models"]:
        path = files[model["label"]]
        assert (model["file"], model["bytes"]) == (path.name, path.stat().st_size)
        assert model["sha256"] == file_sha256(path)
    assert [model["serve"]["cache_type_k"] for model in record["models"]] == ["f16", "f16", "q8_0"]
    assert [model["quantize"] and model["quantize"]["type"] for model in record["models"]] == [None, "Q4_K_M", None]
    asked = set(small_run.instances["instance_id"])
    for task in record["tasks"]:
        assert task["instances"] == 6
        assert not asked & set(task["examples"])


def test_the_record_s_command_asks_for_the_same_again(small_run: Run) -> None:
    command = json.loads((small_run.out / "run.json").read_text(encoding="utf-8"))["command"]
    assert command == (
        "harness run --models q4_k_m,f16_kv_q8_0 --scenarios world_choice,world_text "
        "--seed 3 --margin 1pp --no-divergence --no-efficiency --max-instances 6 --concurrency 16"
    )
    assert command in (small_run.out / "report.md").read_text(encoding="utf-8")


def test_the_report_speaks_of_every_model(small_run: Run) -> None:
    report = (small_run.out / "report.md").read_text(encoding="utf-8")
    for model in ("f16", "q4_k_m", "f16_kv_q8_0"):
        assert f"| {model} |" in report
    assert "## q4_k_m against f16" in report
    assert "## f16_kv_q8_0 against f16" in report
    assert file_sha256(BUNDLED_MODEL)[:12] in report


def test_progress_is_told_in_lines(small_run: Run) -> None:
    lines = small_run.done.stderr.splitlines()
    models = ("f16", "q4_k_m", "f16_kv_q8_0")
    checks = [f"{model}: checking that it can be served" for model in models]
    starts = [f"{model}: waiting for its server" for model in models]
    assert lines[:5] == ["quantizing to q4_k_m", *checks, "asking 54 instances and windows of text in all"]
    assert [line for line in lines[5:] if line in starts] == starts
    for model in models:
        assert (
            sum(
                line.startswith(f"{model}: ") and re.search(r" over 6, \d+\.\d a second$", line) is not None
                for line in lines
            )
            == 3
        )


def test_a_file_against_another_reference_in_a_plain_terminal(shell: Shell, quantized: Path, small_run: Run) -> None:
    friend = shell.folder / "friend[red].gguf"
    shutil.copy(quantized, friend)
    done = shell.run(
        *("run", "--models", friend.name, "--reference", "f16_kv_q8_0", "--cache-dir", small_run.cache),
        # A terminal that knows nothing but ASCII, and options from the environment.
        **{"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        **{"HARNESS_MAX_INSTANCES": "3", "HARNESS_SCENARIOS": "world_sums", "HARNESS_OUT": "[bold]/run"},
    )
    assert done.returncode == 0, done.stderr
    assert "friend[red]: waiting for its server" in done.stderr
    assert "friend[red]: " in done.stdout
    assert "against f16_kv_q8_0" in done.stdout
    assert done.stdout.endswith("Everything else is in [bold]/run\n")
    assert all(len(line) <= 80 for line in done.stdout.splitlines())
    table = pd.read_csv(shell.folder / "[bold]" / "run" / "degradation.csv")
    table = table[table["metric"] == "exact_match"]
    assert table["model"].tolist() == ["f16_kv_q8_0", "friend[red]"]
    assert table["n"].tolist() == [3, 3]
    assert "↓" in (shell.folder / "[bold]" / "run" / "report.md").read_text(encoding="utf-8")


# Lists and help


def invoke(*words: str, **environment: str) -> Result:
    """A command that needs no process of its own."""
    return CliRunner().invoke(app, words, env={"COLUMNS": "200", "TERMINAL_WIDTH": "200"} | environment)


def leaves() -> dict[str, Any]:
    """Commands that do something, by the words that name them: of a group that does nothing itself, what is in it."""
    groups = {name: one for name, one in COMMANDS.items() if not getattr(one, "invoke_without_command", True)}
    found = {name: command for name, command in COMMANDS.items() if name not in groups}
    return found | {f"{name} {sub}": one for name, group in groups.items() for sub, one in group.commands.items()}


@pytest.mark.parametrize("name", sorted(leaves().keys() - {"serve"}))  # whose options are the server's
def test_help_shows_every_option_with_its_environment_variable(name: str) -> None:
    done = invoke(*name.split(), "--help")
    assert done.exit_code == 0
    options = [option for option in leaves()[name].params if option.name != "help"]
    assert options
    for option in options:
        (flag,) = option.opts
        assert option.envvar == "HARNESS_" + flag.removeprefix("--").replace("-", "_").upper()
        assert option.help
        assert (option.metavar or flag) in done.stdout
        assert option.envvar in done.stdout


@pytest.mark.parametrize(("name", "expected"), [("scenarios", list(SCENARIOS)), ("models", config_names())])
def test_lists_name_all_there_is(name: str, expected: list[str]) -> None:
    assert [line.split(" ")[0] for line in invoke(name).stdout.splitlines()][1:] == expected
    rows = json.loads(invoke(name, HARNESS_JSON="1").stdout)
    assert [row["name" if name == "models" else "scenario"] for row in rows] == expected
    assert all(row["description"] for row in rows)


def test_it_runs_as_a_module(shell: Shell) -> None:
    done = shell.run("--help")
    assert done.returncode == 0
    assert all(f" {name} " in done.stdout for name in COMMANDS)
    assert shell.left() == []


# What cannot work


def missing(_folder: Path, _quantized: Path, _refused: Path) -> list[str]:
    return ["--model", "missing.gguf"]


def empty(folder: Path, _quantized: Path, _refused: Path) -> list[str]:
    (folder / "empty.gguf").touch()
    return ["--model", "empty.gguf"]


def text(folder: Path, _quantized: Path, _refused: Path) -> list[str]:
    (folder / "text.gguf").write_text("version https://git-lfs.github.com/spec/v1\n")
    return ["--model", "text.gguf"]


def truncated(folder: Path, _quantized: Path, _refused: Path) -> list[str]:
    (folder / "cut.gguf").write_bytes(BUNDLED_MODEL.read_bytes()[:1_000_000])
    return ["--model", "cut.gguf"]


def quantized_base(_folder: Path, quantized: Path, _refused: Path) -> list[str]:
    return ["--model", str(quantized), "--models", "q8_0"]


def refused_by_llama_cpp(_folder: Path, _quantized: Path, refused: Path) -> list[str]:
    return ["--model", str(refused), "--models", "f16_kv_q8_0"]


def out_in_use(folder: Path, _quantized: Path, _refused: Path) -> list[str]:
    (folder / "out").mkdir()
    (folder / "out" / "mine.txt").write_text("mine")
    return ["--out", "out"]


def fixed(*words: str) -> Callable[[Path, Path, Path], list[str]]:
    return lambda _folder, _quantized, _refused: list(words)


REFUSALS = {
    "missing": (missing, "missing.gguf does not exist; give the path of a GGUF file."),
    "empty": (empty, "empty.gguf is empty; "),
    "text": (text, "text.gguf is no GGUF file: "),
    "truncated": (truncated, "cut.gguf is cut short: "),
    "quantized base": (quantized_base, " is quantized already (Q4_K, "),
    "refused by llama.cpp": (refused_by_llama_cpp, "key not found in model"),
    "out in use": (out_in_use, "/out already holds something; name a new folder."),
    "unknown scenario": (fixed("--scenarios", "world_sum"), "did you mean 'world_sums'?"),
    "unknown quantization": (fixed("--models", "q4km"), "the closest is q4_k_m"),
    "only the reference": (fixed("--models", "f16"), "--models names nothing but the reference (f16) itself; "),
}


class Refused(NamedTuple):
    """What came of a run that cannot work."""

    done: subprocess.CompletedProcess[str]
    before: list[str]
    after: list[str]
    running: list[list[str]]


@pytest.fixture(scope="module")
def refused(
    tmp_path_factory: pytest.TempPathFactory, quantized: Path, refused_gguf: Path
) -> Iterator[dict[str, Future[Refused]]]:
    """All of them, two at a time: most of each is the start of Python."""

    def run(prepare: Callable[[Path, Path, Path], list[str]]) -> Refused:
        shell = Shell(tmp_path_factory.mktemp("refused"))
        words = prepare(shell.folder, quantized, refused_gguf)
        before = shell.left()
        done = shell.run("run", "--max-instances", "2", "--cache-dir", "cache", *words)
        return Refused(done, before, shell.left(), shell.processes())

    with ThreadPoolExecutor(2) as pool:
        yield {name: pool.submit(run, prepare) for name, (prepare, _) in REFUSALS.items()}


@pytest.mark.parametrize("name", REFUSALS)
def test_bad_input_is_one_sentence_and_leaves_nothing(name: str, refused: dict[str, Future[Refused]]) -> None:
    said = REFUSALS[name][1]
    done, before, after, running = refused[name].result()
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    *progress, error = done.stderr.splitlines()
    assert error.startswith("error: ")
    assert said in error
    assert not any(line.startswith("error: ") for line in progress)
    assert "Traceback" not in done.stderr
    assert after == before
    assert running == []


@pytest.mark.parametrize(
    "words", [("--max-instances", "-1"), ("--concurrency", "0"), ("--seed", "-1"), ("--seed", "x"), ("--modles",)]
)
def test_bad_options_are_refused_with_a_hint(words: tuple[str, ...]) -> None:
    done = invoke("run", *words)
    assert done.exit_code == 2
    assert words[0] in done.stderr
    assert "Traceback" not in done.stderr


# Being stopped


MOMENTS = {
    "quantizing": ("q3_k_m", "quantizing to q3_k_m"),
    "starting": ("f16_kv_q8_0", "f16: checking that it can be served"),
    "asking": ("f16_kv_q8_0", "f16: world_sums"),
}


def until(process: subprocess.Popen[str], line: str) -> None:
    """Read what the run says until it says this."""
    assert process.stderr is not None
    said = []
    for found in process.stderr:
        said.append(found)
        if found.rstrip("\n") == line:
            return
    raise AssertionError(f"it ended without saying {line!r}: {said}")


def start_and_wait(shell: Shell, moment: str) -> subprocess.Popen[str]:
    models, line = MOMENTS[moment]
    words = ["--models", models, "--scenarios", "world_sums", "--concurrency", "2", "--out", "a/run"]
    process = shell.start("run", *words, "--cache-dir", "cache")
    until(process, line)
    return process


@pytest.mark.parametrize(
    ("kind", "moment"),
    [
        (signal.SIGINT, "quantizing"),
        (signal.SIGINT, "starting"),
        (signal.SIGINT, "asking"),
        (signal.SIGTERM, "asking"),
        (signal.SIGHUP, "quantizing"),
    ],
)
def test_a_run_that_is_stopped_leaves_nothing(kind: signal.Signals, moment: str, shell: Shell) -> None:
    with start_and_wait(shell, moment) as process:
        # Ctrl-C in a terminal reaches the children as well, kill does not.
        (os.killpg if kind == signal.SIGINT else os.kill)(process.pid, kind)
        out, err = process.communicate(timeout=120)
    assert process.returncode == 130, err
    assert err.splitlines()[-1] == INTERRUPTED
    assert "Traceback" not in err
    assert out == ""
    assert [path for path in shell.left() if not re.fullmatch(r"cache(/world-f16-q3_k_m-\w+\.gguf)?", path)] == []


def test_a_run_under_nohup_goes_on_when_the_terminal_closes(shell: Shell) -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # inherited, as from nohup
    try:
        process = start_and_wait(shell, "quantizing")
    finally:
        signal.signal(signal.SIGHUP, before)
    with process:
        process.send_signal(signal.SIGHUP)
        until(process, "f16: checking that it can be served")
        process.terminate()
        process.communicate(timeout=120)
    assert process.returncode == 130


def test_a_model_without_a_chat_template_is_told_before_anything_is_asked(shell: Shell) -> None:
    done = shell.run("run", "--models", "q8_0", "--scenarios", "world_sums", "--chat", "--max-instances", "2")
    assert done.returncode == 2
    assert "asking" not in done.stderr
    assert done.stderr.splitlines()[-1] == (
        "error: f16 cannot be asked with --chat, so leave that out: this model has no chat template."
    )


def test_a_server_that_dies_is_told_in_one_sentence(shell: Shell) -> None:
    with start_and_wait(shell, "asking") as process:
        (server,) = (child for child in psutil.Process(process.pid).children() if "server" in child.cmdline())
        server.kill()
        out, err = process.communicate(timeout=120)
    assert process.returncode == 1
    assert out == ""
    assert re.fullmatch(
        r"error: world_sums, instance world_sums-\d+: The server for f16 was killed by signal 9\. Its log ends .*",
        err.splitlines()[-1],
    )
    assert "Traceback" not in err
    assert shell.left() == []


# Other models


@pytest.mark.skipif(not TEST_MODELS, reason="HARNESS_TEST_MODELS names no folder of GGUF files")
@pytest.mark.parametrize(
    ("name", "scenarios"),
    # The passages are longer than the 256 tokens that the second one was trained for.
    [("stories260K-F16.gguf", "world_text,world_sums"), ("babyllama-tok105-F16.gguf", "world_sums,world_larger")],
)
def test_a_small_foreign_model(name: str, scenarios: str, shell: Shell) -> None:
    done = shell.run(
        *("run", "--model", Path(TEST_MODELS, name), "--models", "q4_0,q8_0", "--max-instances", "4"),
        *("--scenarios", scenarios, "--cache-dir", "cache", "--out", "run"),
    )
    assert done.returncode == 0, done.stderr
    table = pd.read_csv(shell.folder / "run" / "degradation.csv")
    assert table["model"].unique().tolist() == ["f16", "q4_0", "q8_0"]
    assert table["scenario"].unique().tolist() == scenarios.split(",")  # it only guesses, so there is no "all"
    assert table[table["metric"] == "bits_per_byte"]["value"].between(0.5, 20).all()
    record = json.loads((shell.folder / "run" / "run.json").read_text(encoding="utf-8"))
    assert record["models"][0]["sha256"] == file_sha256(Path(TEST_MODELS, name))


@pytest.mark.parametrize(("concurrency", "predicted"), [("1", True), ("4", False)])
def test_answers_are_predicted_only_where_one_is_asked_at_a_time(
    concurrency: str, predicted: bool, shell: Shell, small_run: Run
) -> None:
    words = ["--models", "q4_k_m", "--cache-dir", small_run.cache, "--scenarios", "world_sums", "--max-instances", "3"]
    done = shell.run("run", *words, "--concurrency", concurrency, "--out", "run")
    assert done.returncode == 0, done.stderr
    instances = pd.read_parquet(shell.folder / "run" / "instances.parquet").set_index("model")
    assert instances.loc["f16", "n_predicted"].isna().all()
    assert instances.loc["q4_k_m", "n_predicted"].notna().all() == predicted
