"""docs/own-scenarios.md, taken at its word."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import textwrap
import tomllib
from pathlib import Path

import pandas as pd
import pytest

from harness.execution.known import known_scenarios
from harness.layout import Layout
from harness.models.bundled import BUNDLED_MODEL
from harness.scenarios.own.config import OwnConfig

DOCS = Path(__file__).parents[4] / "docs"
TEXT = (DOCS / "own-scenarios.md").read_text(encoding="utf-8")
FILES = ("capitals.jsonl", "capitals-examples.jsonl", "capitals.yaml")


def block(beginning: str) -> str:
    """The indented block after the line with these words."""
    found = re.search(rf"^.*{re.escape(beginning)}.*\n\n((?:    .*\n|\n)+)", TEXT, re.MULTILINE)
    assert found, beginning
    return textwrap.dedent(found[1]).strip() + "\n"


@pytest.mark.parametrize("name", FILES)
def test_the_examples_are_what_the_text_shows(name: str) -> None:
    assert (DOCS / "examples" / name).read_text(encoding="utf-8") == block(f"`{name}`")


def test_the_example_runs_as_it_is_written(tmp_path: Path) -> None:
    for name in FILES:
        (tmp_path / name).write_text(block(f"`{name}`"), encoding="utf-8")
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HARNESS_")}
    said = []
    for line in block("See what a model will be asked").splitlines():
        command, *words = shlex.split(line)
        assert command == "harness"
        more = ["--out", "results", "--reference", str(BUNDLED_MODEL)] if words[0] == "run" else []
        done = subprocess.run(
            [sys.executable, "-m", "harness", *words, *more],
            cwd=tmp_path,
            env=kept,
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=240,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        said.append(done.stdout)
    assert "What is the capital of" in said[0]
    assert "after 2 examples" in said[0]
    instances = pd.read_parquet(tmp_path / "results" / "instances.parquet")
    assert set(instances["scenario"]) == {"capitals"}
    assert set(instances["gold"]) == {"Ondal", "Sarn", "Moss End", "Veska", "Aldun", "Brisk"}
    assert len(instances) == 2 * 2 * 6


def test_the_error_is_the_one_that_is_shown(tmp_path: Path) -> None:
    for name in FILES:
        (tmp_path / name).write_text(block(f"`{name}`").replace('"capital": "Moss End"', '"capital": "Mos End"'))
    done = subprocess.run(
        [sys.executable, "-m", "harness", "scenarios", "show", "capitals", "--scenario-file", "capitals.yaml"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert (done.returncode, done.stderr) == (2, block("the field, before anything is asked"))


def test_every_key_is_in_the_text_and_no_other() -> None:
    rows = re.findall(r"^\| (`.*?) \|", TEXT, re.MULTILINE)
    keys = [key for row in rows for key in re.findall(r"`(\w+)`", row)]
    assert sorted(keys) == sorted(OwnConfig.model_fields)
    (layout,) = (line for line in TEXT.splitlines() if line.startswith("| `layout`"))
    assert {*re.findall(r"`(\w+)`", layout)} - {"layout"} <= set(Layout.__dataclass_fields__)


def test_the_package_works_as_it_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = tomllib.loads(block("Its `pyproject.toml`"))["project"]
    (tmp_path / "riddle_book.py").write_text(block("`riddle_book.py`"), encoding="utf-8")
    info = tmp_path / "riddle_book-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n")
    lines = [f"{name} = {target}" for name, target in project["entry-points"]["harness.scenarios"].items()]
    (info / "entry_points.txt").write_text("\n".join(["[harness.scenarios]", *lines]))
    monkeypatch.syspath_prepend(tmp_path)
    try:
        riddles = known_scenarios()["riddles"]
    finally:
        sys.modules.pop("riddle_book", None)
    assert [instance.gold for instance in riddles.load(None).test] == ["a piano", "a towel"]  # type: ignore[arg-type]
