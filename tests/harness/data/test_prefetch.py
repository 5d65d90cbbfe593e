from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
from dataset_hub import COMMIT, DatasetHub

YAML = """data: {{hub: someone/quiz, config: easy, revision: {commit}}}
examples: {{split: {split}}}
shots: 1
input: question
answer: answer
adapter: generation
metrics: exact_match
"""
CARD = """---
configs:
- config_name: easy
  data_files:
  - split: test
    path: easy/test-*
  - split: train
    path: easy/train-*
---
"""


def prefetch(hub: DatasetHub, folder: Path, *names: str, **environment: str) -> tuple[int, list[str], list[str]]:
    """Exit code and what was said, of a process with a cache of its own."""
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("HF_", "HUGGINGFACE_", "HARNESS_"))
    }
    files = [word for path in sorted(folder.glob("*.yaml")) for word in ("--scenario-file", str(path))]
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "harness", "scenarios", "prefetch", *files, *names],
        env=kept | {"HF_ENDPOINT": hub.url, "HF_HOME": str(folder / "hf")} | environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return done.returncode, done.stdout.splitlines(), done.stderr.splitlines()


def test_tables_are_downloaded_ahead_and_what_is_missing_is_told(tmp_path: Path) -> None:
    file = io.BytesIO()
    pd.DataFrame([{"question": "2 + 2?", "answer": "4"}] * 1200).to_parquet(file)
    for name, split in (("quiz", "train"), ("other", "dev")):
        (tmp_path / f"{name}.yaml").write_text(YAML.format(commit=COMMIT, split=split))
    files = {"README.md": CARD.encode()} | {f"easy/{one}-0.parquet": file.getvalue() for one in ("test", "train")}
    test, train = "someone/quiz (easy, test)", "someone/quiz (easy, train)"
    with DatasetHub("someone/quiz", files) as hub:
        assert prefetch(hub, tmp_path, "quiz") == (
            0,
            [f"{test}: 1,200 rows, downloaded", f"{train}: 1,200 rows, downloaded"],
            [f"downloading {test}", f"downloading {train}"],
        )
        code, said, told = prefetch(hub, tmp_path, "quiz", "other", HARNESS_DATASET_DIR=str(tmp_path))
        assert code == 3
        assert said == [f"{test}: 1,200 rows, here already", f"{train}: 1,200 rows, here already"]
        assert told[1].startswith("error: other: someone/quiz (easy, dev) cannot be downloaded (it has no split 'dev'")
        assert told[2].startswith("HARNESS_DATASET_DIR is set, so a run reads that folder instead")
        hub.gated = True
        code, said, told = prefetch(hub, tmp_path, "quiz", HF_HOME=str(tmp_path / "elsewhere"))
        assert (code, said, len(told)) == (2, [], 4)


def test_what_is_made_here_needs_no_download(tmp_path: Path) -> None:
    with DatasetHub("someone/quiz", {}) as hub:
        assert prefetch(hub, tmp_path, "world", "dyck_language") == (0, ["These scenarios need no data."], [])
        assert hub.seen == []
