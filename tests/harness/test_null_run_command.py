"""The whole command with speeds and a null run: what the reference's second run says of the noise."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import pytest

from harness import load_run
from harness.analysis import analyse
from harness.efficiency.samples import efficiency_table
from harness.models.null_run import NULL
from harness.reports.markdown import markdown_report
from harness.results import Measured, Run


class Found(NamedTuple):
    """A run on disk."""

    folder: Path
    record: dict[str, Any]
    lines: list[str]
    """What was said on the way."""

    def frame(self, name: str) -> pd.DataFrame:
        return pd.read_parquet(self.folder / f"{name}.parquet")

    @property
    def speeds(self) -> pd.DataFrame:
        return pd.read_csv(self.folder / "efficiency.csv")


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Found:
    """A quantization and the null run; 24 instances of three tasks, two windows of text."""
    folder = tmp_path_factory.mktemp("null")
    words = ["--models", "q4_k_m", "--scenarios", "world_choice,world_text", "--max-instances", "24", "--null"]
    words += ["--divergence-windows", "2", "--cache-dir", "cache", "--out", "run"]
    done = subprocess.run(
        [sys.executable, "-m", "harness", "run", *words],
        cwd=folder,
        env={key: value for key, value in os.environ.items() if not key.startswith("HARNESS_")},
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    record = json.loads((folder / "run" / "run.json").read_text(encoding="utf-8"))
    return Found(folder / "run", record, done.stderr.splitlines())


def test_the_record_tells_the_null_run(found: Found) -> None:
    assert found.record["null"] == NULL
    assert "--null" in found.record["command"].split()
    models = {model["label"]: model for model in found.record["models"]}
    assert list(models) == ["f16", "q4_k_m", NULL]
    assert models[NULL]["sha256"] == models["f16"]["sha256"]
    assert (models["f16"]["serve"]["batch_size"], models[NULL]["serve"]["batch_size"]) == (512, 64)
    assert "null_run: f16 once more, in batches of 64 tokens, to show the noise floor." in found.record["notes"]


def test_the_null_run_loses_next_to_nothing(found: Found) -> None:
    rows = found.frame("degradation").query("model == @NULL")
    asked = rows[rows["scenario"] != "divergence"]
    assert set(asked["scenario"]) == {"world_choice", "world_text", "all"}
    assert (asked["delta"].abs() <= 0.05).all()
    binary = asked[asked["metric"].isin(["exact_match", "accuracy"])]
    assert (binary["flip_rate"] <= 0.05).all()
    assert (binary["ci_low"] <= 0).all()
    assert (binary["ci_high"] >= 0).all()
    assert not asked["verdict"].str.startswith("degraded").any()


def test_the_null_run_s_divergence_is_the_noise_floor(found: Found) -> None:
    rows = found.frame("degradation").query("scenario == 'divergence'").set_index(["metric", "model"])["value"]
    assert 0 <= rows["kld_mean", NULL] < 1e-4
    assert rows["kld_mean", NULL] < rows["kld_mean", "q4_k_m"] / 10
    assert rows["same_top", NULL] > 0.99


def test_answers_come_of_other_batches(found: Found) -> None:
    instances = found.frame("instances").set_index(["scenario", "adapter", "instance_id"])
    own, null = (instances[instances["model"] == label]["logprob"] for label in ("f16", NULL))
    assert len(own) == len(null) > 60
    moved = (own - null).abs()
    assert 0 < moved.max() < 0.5  # other batches, and the same model


def test_a_null_run_without_any_noise_leaves_the_tables_whole(found: Found) -> None:
    run = load_run(found.folder)

    def silent(frame: pd.DataFrame) -> pd.DataFrame:
        own = frame[frame["model"] == "f16"].assign(model=NULL)
        return pd.concat([frame[frame["model"] != NULL], own], ignore_index=True)

    tokens = run.measured.tokens.copy()
    null = tokens["model"] == NULL
    tokens.loc[null, ["kld", "kld_bound", "kld_reverse"]] = 0.0
    tokens.loc[null, "logprob"] = tokens.loc[null, "reference_logprob"]
    tokens.loc[null, "same_top"] = True
    instances, scores = silent(run.measured.instances), silent(run.measured.scores)
    measured = Measured(instances, scores, tokens, run.measured.efficiency)
    again = Run(run.record, measured, analyse(run.record, measured))
    rows = again.findings.degradation.query("model == @NULL").set_index("metric")
    assert (rows.loc[["exact_match", "accuracy", "bits_per_byte"], "delta"] == 0).all()
    assert rows.loc["kld_mean", "value"] == 0
    assert again.summary["model"].tolist() == ["f16", "q4_k_m", NULL]
    assert f"| {NULL} |" in markdown_report(again)


def test_speeds_of_all_but_the_null_run_are_measured(found: Found) -> None:
    table = found.speeds.set_index("model")
    assert table.index.tolist() == ["f16", "q4_k_m", NULL]
    assert table["rounds"].tolist() == [5, 5, 0]
    measured = table.drop(index=NULL)
    assert measured.notna().all(axis=None)
    speeds = ["prefill_tokens_per_second", "decode_tokens_per_second", "first_token_p50", "first_token_p95"]
    assert (measured[speeds] > 0).all(axis=None)
    assert (measured["peak_rss_bytes"] > measured["bytes"]).all()
    assert table.loc["q4_k_m", "bytes"] < table.loc["f16", "bytes"] == table.loc[NULL, "bytes"]
    assert "timing f16, q4_k_m" in found.lines


def test_the_table_of_speeds_follows_from_the_samples(found: Found) -> None:
    again = efficiency_table(found.frame("efficiency"), found.record["models"])
    pd.testing.assert_frame_equal(found.speeds, again, check_dtype=False)
