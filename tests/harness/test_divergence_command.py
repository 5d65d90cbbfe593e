"""The whole command with nothing but divergence."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from harness.cli import app
from harness.degradation.divergence import divergence_rows
from harness.divergence.records import COLUMNS

N_WINDOWS = 10

pytestmark = pytest.mark.timeout(600)  # five models are served twice


class Found(NamedTuple):
    """A run on disk."""

    folder: Path
    record: dict[str, Any]
    lines: list[str]
    """What was said on the way."""

    @property
    def rows(self) -> pd.DataFrame:
        return pd.read_parquet(self.folder / "degradation.parquet")


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory, no_bos: Path) -> Found:
    """The bundled model in 2, 4 and 8 bits, and one that begins its prompts otherwise."""
    folder = tmp_path_factory.mktemp("divergence")
    words = ["--models", f"q2_k,q4_0,q8_0,{no_bos}", "--scenarios", "none", "--no-efficiency"]
    words += ["--divergence-windows", str(N_WINDOWS), "--cache-dir", "cache", "--out", "run"]
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


def test_fewer_bits_diverge_more(found: Found) -> None:
    rows = found.rows.pivot_table(index="metric", columns="model", values="value", sort=False)
    for metric in ("kld_mean", "kld_median", "kld_p99", "kld_reverse_mean", "delta_p_rms"):
        assert 0 < rows.loc[metric, "q8_0"] < rows.loc[metric, "q4_0"] < rows.loc[metric, "q2_k"], metric
    assert 1 > rows.loc["same_top", "q8_0"] > rows.loc["same_top", "q4_0"] > rows.loc["same_top", "q2_k"]
    assert rows.loc["kld_mean", "q8_0"] < 0.01
    assert rows.loc["kld_not_finite"].eq(0).all()
    assert rows.loc["ppl_ratio"].between(0.9, 2).all()


def test_only_divergence_is_in_the_table(found: Found) -> None:
    assert set(found.rows["scenario"]) == {"divergence"}
    assert set(found.rows["model"]) == {"q2_k", "q4_0", "q8_0"}
    assert set(found.rows["verdict"]) == {""}
    assert pd.read_parquet(found.folder / "instances.parquet").empty


def test_the_table_follows_from_the_tokens(found: Found) -> None:
    tokens = pd.read_parquet(found.folder / "tokens.parquet")
    again = pd.DataFrame(divergence_rows(tokens, seed=found.record["seed"]))
    shared = [column for column in found.rows.columns if column in again.columns]
    pd.testing.assert_frame_equal(found.rows[shared], again[shared], check_dtype=False, rtol=1e-12)
    assert len(tokens) == 3 * N_WINDOWS * 255


def test_columns_of_the_tokens_say_what_they_mean(found: Found) -> None:
    schema = pq.read_schema(found.folder / "tokens.parquet")
    assert {field.name: field.metadata[b"meaning"].decode() for field in schema} == {
        column.name: column.meaning for column in COLUMNS
    }


def test_the_record_says_over_what(found: Found) -> None:
    divergence = dict(found.record["divergence"])
    assert re.fullmatch("[0-9a-f]{64}", divergence.pop("sha256"))
    assert divergence == {
        "text": "the bundled corpus' held-out text",
        "n_ctx": 512,
        "score_from": 257,
        "windows": N_WINDOWS,
        "tokens": N_WINDOWS * 255,
        "store": "exact",
    }
    assert f"--scenarios none --seed 0 --margin 1pp --divergence-windows {N_WINDOWS} " in found.record["command"]


def test_what_was_left_out_is_told(found: Found, no_bos: Path) -> None:
    (note,) = [note for note in found.record["notes"] if note.startswith("Divergence: ")]
    assert re.search(rf"measured over the first {N_WINDOWS} windows of 512 tokens, \d+% of the bundled corpus'", note)
    assert f"{no_bos.stem} reads the text as other tokens than the reference and is left out" in note


def test_nothing_recorded_is_left(found: Found) -> None:
    assert [path.name for path in found.folder.parent.iterdir() if path.name != "cache"] == ["run"]
    assert not [path for path in found.folder.iterdir() if path.is_dir()]


def test_progress_is_told(found: Found) -> None:
    assert f"asking {4 * N_WINDOWS} instances and windows of text in all" in found.lines
    assert f"f16: divergence, {N_WINDOWS} windows recorded" in found.lines
    assert any(re.match(r"q4_0: divergence, mean KLD 0\.0\d+ over 2,550 tokens$", line) for line in found.lines)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--divergence-text", "none.txt"], "--divergence-text: none.txt cannot be read: No such file or directory;"),
        (["--divergence-text", "bad.txt"], "--divergence-text: bad.txt is no UTF-8 text: byte 1 cannot be read;"),
        (["--divergence-text", "empty.txt"], "--divergence-text: empty.txt is empty; name a file with text."),
        (["--divergence-text", "short.txt"], "--divergence-text: the text has 1 of the 32 tokens that are needed"),
        (["--divergence-text", "short.txt", "--no-divergence"], "--divergence-text and --no-divergence contradict"),
        (["--no-divergence"], "--scenarios none and --no-divergence leave nothing to do; drop one of them."),
        (["--suite", "world"], "--scenarios none stands alone: leave out other scenarios, --suite and"),
        (["--scenarios", "none,world_text"], "--scenarios none stands alone: leave out other scenarios, --suite and"),
    ],
)
def test_what_cannot_be_done_is_refused_in_a_sentence(
    words: list[str], says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bad.txt").write_bytes(b"\xff\xfe")
    (tmp_path / "empty.txt").touch()
    (tmp_path / "short.txt").write_text("a", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    both = ["--scenarios", "none", *words] if "--scenarios" not in words else words
    result = CliRunner().invoke(app, ["run", "--models", "f16_kv_q8_0", "--cache-dir", "cache", *both])
    assert str(result.exception).startswith(says)
    assert getattr(result.exception, "exit_code", None) == 2
    assert not (tmp_path / "results").exists()
