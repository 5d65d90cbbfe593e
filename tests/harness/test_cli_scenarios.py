# ruff: noqa: E501 - sentences stand here as they are told, in one line

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from typer.testing import CliRunner, Result

from harness.cli import app, main
from harness.data.table import Table
from harness.errors import UserError
from harness.models.bundled import BUNDLED_MODEL
from harness.scenarios.suites import SUITES
from harness.scenarios.table import SCENARIOS

(PIQA,) = SCENARIOS["piqa"].tables


@pytest.fixture
def mirror(tmp_path: Path) -> Path:
    """A mirror with three rows for PIQA, of our own invention, and nothing else."""
    rows = [{"goal": f"open jar {i}", "sol1": "turn the lid", "sol2": "turn the sea", "label": 0} for i in range(3)]
    return put(tmp_path / "mirror", PIQA, rows)


def put(folder: Path, table: Table, rows: list[dict[str, Any]]) -> Path:
    path = folder / table.dataset / table.config / f"{table.split}.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    pd.DataFrame(rows).to_parquet(path)
    return folder


def invoke(*words: str | Path, **environment: str) -> Result:
    return CliRunner().invoke(app, ["scenarios", *map(str, words)], env={"COLUMNS": "80"} | environment)


def harness(*words: str | Path, folder: Path) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HARNESS_")}
    return subprocess.run(
        [sys.executable, "-m", "harness", *map(str, words)],
        cwd=folder,
        env=kept | {"HARNESS_NO_DIVERGENCE": "1", "HARNESS_NO_EFFICIENCY": "1"},
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=240,
        check=False,
    )


def test_a_narrow_terminal_gets_two_lines_a_scenario(mirror: Path) -> None:
    done = invoke("--dataset-dir", mirror)
    assert done.exit_code == 0
    lines = done.stdout.splitlines()
    assert max(map(len, lines)) <= 80
    assert [line.split()[0] for line in lines if not line.startswith(" ")][1:] == list(SCENARIOS)
    found = next(i for i, line in enumerate(lines) if line.startswith("piqa "))
    assert lines[found].split() == ["piqa", "3", "yes"]
    assert lines[found + 1] == "    separate; acc; ybisk/piqa"
    assert next(line for line in lines if line.startswith("hellaswag ")).split() == ["hellaswag", "?", "no"]
    assert next(line for line in lines if line.startswith("world_text ")).split() == ["world_text", "200", "yes"]


def test_a_wide_one_gets_a_table(mirror: Path) -> None:
    lines = invoke(HARNESS_DATASET_DIR=str(mirror), COLUMNS="200").stdout.splitlines()
    assert len(lines) == len(SCENARIOS) + 1
    assert lines[0].split() == ["scenario", "instances", "here", "adapters", "metric", "data"]
    assert next(line for line in lines if line.startswith("piqa ")).split() == [
        "piqa",
        "3",
        "yes",
        "separate",
        "acc",
        "ybisk/piqa",
    ]


def test_json_says_everything(mirror: Path) -> None:
    put(mirror, SCENARIOS["gsm"].tables[0], [{"question": "1 + 1?", "answer": "#### 2"}])
    records = {one["scenario"]: one for one in json.loads(invoke("--json", "--dataset-dir", mirror).stdout)}
    assert list(records) == list(SCENARIOS)
    gsm = records["gsm"]
    (table,), (shown,) = SCENARIOS["gsm"].tables, SCENARIOS["gsm"].example_tables
    assert gsm["data"] == [{"dataset": "openai/gsm8k", "config": "main", "split": "test", "revision": table.revision}]
    assert gsm["examples"][0]["split"] == shown.split
    assert (gsm["instances"], gsm["rows"], gsm["here"], gsm["examples_here"]) == (1, 1, True, False)
    assert (records["world_text"]["instances"], records["world_text"]["rows"]) == (200, None)
    assert gsm["suites"] == ["lite", "gguf"]
    assert (gsm["adapters"], gsm["metric"]) == (["generation"], "final_number_exact_match")
    assert (records["piqa"]["here"], records["imdb"]["here"], records["imdb"]["rows"]) == (True, False, None)


def test_a_damaged_table_is_listed_with_an_unknown_size(mirror: Path) -> None:
    (mirror / "ybisk" / "piqa" / PIQA.config / f"{PIQA.split}.parquet").write_bytes(b"PAR1")
    (piqa,) = (one for one in json.loads(invoke("--json", "--dataset-dir", mirror).stdout) if one["scenario"] == "piqa")
    assert (piqa["instances"], piqa["rows"], piqa["here"]) == (None, None, True)


def test_instances_are_listed_where_a_rule_tells_and_else_rows(mirror: Path) -> None:
    for name in ("bbq", "natural_qa_closedbook"):
        for table in SCENARIOS[name].tables:
            put(mirror, table, [{"n": i} for i in range(400)])
    lines = invoke("--dataset-dir", mirror, COLUMNS="200").stdout.splitlines()
    assert next(line for line in lines if line.startswith("bbq ")).split()[1:3] == ["1,000", "yes"]
    assert next(line for line in lines if line.startswith("natural_qa_closedbook ")).split()[1:3] == ["400", "rows"]
    records = {one["scenario"]: one for one in json.loads(invoke("--json", "--dataset-dir", mirror).stdout)}
    assert [records["bbq"][key] for key in ("instances", "rows")] == [1000, 4400]
    assert [records["natural_qa_closedbook"][key] for key in ("instances", "rows")] == [None, 400]
    assert "the number of rows is shown" in " ".join(invoke("--help").stdout.split())


def test_one_s_own_are_listed_too(tmp_path: Path) -> None:
    (tmp_path / "quiz.jsonl").write_text('{"q": "2 + 2?", "a": "4"}\n')
    path = tmp_path / "quiz.yaml"
    path.write_text("data: quiz.jsonl\ninput: q\nanswer: a\nadapter: generation\nmetrics: exact_match\n")
    lines = invoke("--dataset-dir", tmp_path, "--scenario-file", path).stdout.splitlines()
    assert lines[-2].split() == ["quiz", "1", "yes"]
    assert lines[-1] == "    generation; exact_match; quiz.yaml"


def test_show_prints_what_is_asked(mirror: Path) -> None:
    done = invoke("show", "piqa", "--dataset-dir", mirror)
    assert done.exit_code == 0
    heading, asked, first, asked_again, second = done.stdout.splitlines()
    assert asked == asked_again
    assert heading.startswith("=== piqa, piqa-")
    assert heading.endswith("after 0 examples; 2 prompts, each scored for what stands between brackets at its end")
    assert asked.startswith("Question: open jar ")
    assert (first, second) == ("Answer:⟦ turn the lid⟧", "Answer:⟦ turn the sea⟧")


def test_show_prints_generation_and_running_text() -> None:
    shown = invoke("show", "world_sums").stdout
    assert "after 3 examples; the model goes on, up to 20 tokens\n" in shown
    assert shown.endswith("Answer:\n")
    text = invoke("show", "world_text").stdout
    assert "; its own text is scored\n" in text


def test_show_names_what_is_missing(mirror: Path) -> None:
    found = invoke("show", "hellaswag", "--dataset-dir", mirror).exception
    assert isinstance(found, UserError)
    assert str(found).startswith("hellaswag: ")
    assert "`harness scenarios prefetch hellaswag`" in str(found)


def test_a_run_goes_on_without_what_is_missing_and_its_exit_code_tells(mirror: Path, tmp_path: Path) -> None:
    done = harness(
        *("run", "--models", "f16_kv_q8_0", "--model", BUNDLED_MODEL, "--max-instances", "2", "--out", "out"),
        *("--scenarios", "piqa,imdb,world_sums", "--suite", "gguf", "--dataset-dir", mirror),
        folder=tmp_path,
    )
    assert done.returncode == 3, done.stderr
    left_out = [line for line in done.stderr.splitlines() if line.startswith("Left out: ")]
    assert {line.split(": ")[1] for line in left_out} == {*SUITES["gguf"], "imdb"} - {"piqa"}
    assert len(left_out) == len(SUITES["gguf"])
    assert any("`harness scenarios prefetch imdb`" in line for line in left_out)
    record = json.loads((tmp_path / "out" / "run.json").read_text(encoding="utf-8"))
    data = {task["scenario"]: task["data"] for task in record["tasks"]}
    assert data.keys() == {"piqa", "world_sums"}
    (table,) = data["piqa"]["tables"]
    (file,) = mirror.rglob("*.parquet")
    assert (table["dataset"], table["rows"], table["source"]) == ("ybisk/piqa", 3, "mirror")
    assert table["files"] == [{"name": file.name, "sha256": hashlib.sha256(file.read_bytes()).hexdigest()}]
    assert data["world_sums"]["made_from"].startswith("world ")
    assert left_out == record["left_out"]
    assert " --suite gguf --scenarios piqa,imdb,world_sums --seed 0 " in record["command"]


def test_a_run_without_any_data_writes_nothing(mirror: Path, tmp_path: Path) -> None:
    done = harness("run", "--scenarios", "imdb,raft", "--dataset-dir", mirror, "--out", "out", folder=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("error: The data of none of the 2 scenarios can be had: imdb: ")
    assert len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["run", "--suite", "lihgt"], "error: --suite: there is no suite 'lihgt'; did you mean 'lite'?"),
        (["run", "--scenarios", "piqua"], "error: --scenarios: there is no scenario 'piqua'; did you mean 'piqa'?"),
        (["run", "--scenarios", "world_facts:capitol"], "error: --scenarios: world_facts has no slice 'capitol'; did you mean 'capital'?"),
        (["run", "--scenarios", ","], "error: --scenarios names nothing; `harness scenarios` lists what there is."),
        (["run", "--dataset-dir", "nowhere"], "error: --dataset-dir: there is no folder nowhere; name one, or leave it out to use the Hub."),
        (["run", "--scenario-file", "nowhere.yaml"], "error: nowhere.yaml cannot be read: No such file or directory; give the YAML file of a scenario."),
        (["scenarios", "show", "piqua"], "error: --scenarios: there is no scenario 'piqua'; did you mean 'piqa'?"),
        (["scenarios", "prefetch", "piqua"], "error: --scenarios: there is no scenario 'piqua'; did you mean 'piqa'?"),
    ],
)  # fmt: skip
def test_names_that_are_wrong_end_in_one_sentence(
    words: list[str], sentence: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HARNESS_DATASET_DIR", raising=False)
    monkeypatch.setattr(sys, "argv", ["harness", *words])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 2
    assert capsys.readouterr().err.strip() == sentence
    assert list(tmp_path.iterdir()) == []


def test_the_exit_codes_are_in_the_help() -> None:
    said = " ".join(CliRunner().invoke(app, ["run", "--help"], env={"COLUMNS": "200"}).stdout.split())
    assert "3 some scenarios could not be asked, for want of their data or because an endpoint cannot do it" in said
