"""An imported run on disk is a run: it is read, reported, compared, gated, planned from and verified."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rich.console import Console

from harness import load_run
from harness.analysis import analyse
from harness.evidence.compare import compare_runs
from harness.evidence.gate import Outcome, gate
from harness.evidence.plan import needed_of
from harness.evidence.verify import verify
from harness.execution.records import SCORE_SCHEMA
from harness.reports.files import write_run
from harness.reports.terminal import print_table
from harness.results import Run

Import = Callable[..., Run]


@pytest.fixture
def imported(imported: Import) -> Import:
    """A folder of several models needs a reference."""
    return partial(imported, reference="f16")


@pytest.fixture(params=["helm", "lm-eval"])
def folder(
    request: pytest.FixtureRequest, helm_suite: Path, lm_eval_folders: Path, tmp_path: Path, imported: Import
) -> Path:
    made = tmp_path / "run"
    made.mkdir()
    write_run(made, imported(request.param, helm_suite if request.param == "helm" else lm_eval_folders))
    return made


def test_it_comes_back_as_it_was(folder: Path) -> None:
    run = load_run(folder)
    again = analyse(run.record, run.measured)
    pd.testing.assert_frame_equal(again.degradation, run.findings.degradation, check_exact=True)
    assert again.notes == run.findings.notes
    assert run.summary["bytes"].isna().all()


def test_it_is_verified_but_for_the_judgements(folder: Path) -> None:
    found = verify(folder)
    assert (found.differences, len(found.notes)) == ([], 1)
    assert found.n_figures > 500
    harness = load_run(folder).record["imported"]["from"]
    assert found.notes[0].startswith(f"The judgements of single answers are those of {harness}, and were not made")


def with_scores(folder: Path, change: Callable[[pd.DataFrame], pd.DataFrame]) -> Path:
    """The run with other scores, in a file of the same form."""
    path = folder / "scores.parquet"
    scores = change(pq.read_table(path).to_pandas())
    pq.write_table(pa.Table.from_pandas(scores, SCORE_SCHEMA, preserve_index=False), path)
    return folder


def test_a_changed_judgement_is_found(folder: Path) -> None:
    def turn(scores: pd.DataFrame) -> pd.DataFrame:
        scores.loc[0, "value"] = 1 - scores.loc[0, "value"]
        return scores

    found = verify(with_scores(folder, turn))
    assert {"run.json", "degradation.parquet"} <= {difference.file for difference in found.differences}


def test_an_answer_that_is_gone_is_told(folder: Path) -> None:
    found = verify(with_scores(folder, lambda scores: scores.iloc[1:]))
    assert any("none, for it fails (" in difference.again for difference in found.differences)
    assert "some answers cannot be compared" in " ".join(found.notes)


def test_it_is_compared_gated_and_planned_from(folder: Path) -> None:
    run = load_run(folder)
    compared = compare_runs(run, run, margin=0.01)
    assert set(compared.table["delta"].dropna()) == {0}
    assert sum("the same file in both runs is not known" in note for note in compared.notes) == 2
    gated = gate(run, margin=0.9)
    assert gated.outcome is Outcome.WITHIN
    assert any("not measured in points" in note for note in gated.notes)
    assert gate(run, margin=0.001).outcome is not Outcome.WITHIN
    assert {one.model for one in needed_of(run, 0.05)} == {"q4"}


def test_metrics_of_others_are_read_in_their_direction(lm_eval_folders: Path, imported: Import) -> None:
    run = imported("lm-eval", lm_eval_folders)
    worse = run.findings.degradation.set_index(["model", "metric"]).loc[("q4", "bits_per_byte")]
    assert (worse["delta"] > 0, worse["verdict"]) == (True, "degraded")
    kinds = run.record["metrics"] | {"bits_per_byte": run.record["metrics"]["acc"] | {"is_binary": False}}
    turned = replace(run, record=run.record | {"metrics": kinds})
    again = analyse(turned.record, turned.measured)
    better = again.degradation.set_index(["model", "metric"]).loc[("q4", "bits_per_byte")]
    assert not better["verdict"].startswith("degraded")


def test_the_table_names_what_was_compared(lm_eval_folders: Path, imported: Import) -> None:
    console = Console(file=io.StringIO(), width=80)
    print_table(console, imported("lm-eval", lm_eval_folders))
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    assert "bits_per_byte" in shown
    assert "are lm-eval's own" in " ".join(shown.split())
    assert "exact_match,strict" in shown
    assert "size" not in shown.splitlines()[1]


def harness(*words: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HARNESS_")}
    command = [sys.executable, "-m", "harness", *map(str, words)]
    return subprocess.run(command, cwd=cwd, env=kept, capture_output=True, text=True, timeout=120, check=False)


def test_the_command_writes_a_folder_or_nothing(lm_eval_folders: Path, tmp_path: Path) -> None:
    done = harness("import", "lm-eval", lm_eval_folders, "--reference", "q4", "--out", "run", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert {row["model"] for row in json.loads(done.stdout)} == {"f16", "q4"}
    assert "Everything else is in run" in done.stderr
    run = load_run(tmp_path / "run")
    assert (run.reference, run.margin) == ("q4", 0.01)
    assert run.record["command"] == (f"harness import lm-eval {lm_eval_folders} --reference q4 --margin 1pp --seed 0")
    for path in lm_eval_folders.rglob("samples_quiz*"):
        path.write_text("{", encoding="utf-8")
    failed = harness("import", "lm-eval", lm_eval_folders, "--out", "other", cwd=tmp_path)
    assert failed.returncode == 2
    assert failed.stderr.startswith("error: ")
    assert "line 1, is not as lm-eval 0.4.13 writes it" in failed.stderr
    assert not (tmp_path / "other").exists()
