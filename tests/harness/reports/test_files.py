from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest

from harness.degradation.columns import DEGRADATION, SLICES
from harness.errors import RunError, UserError
from harness.execution.records import COLUMNS, SCORE_COLUMNS
from harness.reports.files import run_folder, write_reports, write_run
from harness.results import Run


def fail(out: Path) -> None:
    with run_folder(out) as folder:
        (folder / "half.txt").write_text("half")
        (folder / "deeper").mkdir()
        raise KeyboardInterrupt


def fill(out: Path) -> None:
    with run_folder(out) as folder:
        (folder / "whole.txt").write_text("whole")


@pytest.mark.parametrize("name", ["run", "a/b/run", "with space/Ö"])
def test_the_folder_gets_its_name_when_all_is_there(name: str, tmp_path: Path) -> None:
    out = tmp_path / name
    with run_folder(out) as folder:
        (folder / "whole.txt").write_text("whole")
        assert not out.exists()
        assert folder.parent == out.resolve().parent  # on the same disk, or it could not take the name
    assert [path.name for path in out.iterdir()] == ["whole.txt"]
    assert list(out.resolve().parent.iterdir()) == [out.resolve()]
    assert stat.S_IMODE(out.stat().st_mode) == 0o755


@pytest.mark.parametrize("name", ["run", "a/b/run"])
def test_an_exception_leaves_nothing_behind(name: str, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        fail(tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_an_exception_takes_nothing_away_that_was_there(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    with pytest.raises(KeyboardInterrupt):
        fail(tmp_path / "a" / "b" / "run")
    assert list((tmp_path / "a").iterdir()) == []


def test_an_empty_folder_may_be_used(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    fill(tmp_path / "run")
    assert (tmp_path / "run" / "whole.txt").exists()


def test_the_current_folder_may_be_used_while_it_is_empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "run").mkdir()
    monkeypatch.chdir(tmp_path / "run")
    fill(Path("."))
    monkeypatch.undo()
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["whole.txt"]


@pytest.mark.parametrize("exists", [True, False])
def test_a_link_leads_to_its_folder(exists: bool, tmp_path: Path) -> None:
    if exists:
        (tmp_path / "target").mkdir()
    (tmp_path / "run").symlink_to(tmp_path / "target")
    fill(tmp_path / "run")
    assert (tmp_path / "run").is_symlink()
    assert (tmp_path / "target" / "whole.txt").exists()


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_what_is_there_is_not_touched(kind: str, tmp_path: Path) -> None:
    out = tmp_path / "run"
    if kind == "file":
        out.write_text("mine")
    else:
        out.mkdir()
        (out / "mine.txt").write_text("mine")
    with pytest.raises(UserError) as caught:
        fill(out)
    assert str(caught.value) == f"--out: {out} already holds something; name a new folder."
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_a_parent_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"^--out: .*/file/a/run cannot be written: (Not a directory|File exists);"):
        fill(tmp_path / "file" / "a" / "run")


def test_a_name_that_is_too_long_leaves_no_parents(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"^--out: .* cannot be written: File name too long; name another folder\.$"):
        fill(tmp_path / "a" / ("x" * 300))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not os.path.ismount("/dev/shm"), reason="needs a place where a disk is mounted")
def test_a_mount_point_cannot_be_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "iterdir", lambda _self: iter(()))  # as if nothing were there
    with pytest.raises(UserError, match=r"^--out: /dev/shm is where a disk is mounted; name a new folder in it\.$"):
        fill(Path("/dev/shm"))


def test_results_are_kept_when_somebody_else_took_the_name(tmp_path: Path) -> None:
    out = tmp_path / "run"

    def collide() -> None:
        with run_folder(out) as folder:
            (folder / "mine.txt").write_text("mine")
            fill(out)

    with pytest.raises(
        RunError, match=rf"^{out} was taken while this run was under way; its results are in "
    ) as caught:
        collide()
    assert (out / "whole.txt").exists()
    kept = Path(str(caught.value).rsplit(" ", 1)[1].rstrip("."))
    assert (kept / "mine.txt").read_text() == "mine"


def test_all_files_are_written_and_read_back(
    tmp_path: Path, degradation: pd.DataFrame, as_run: Callable[..., Run]
) -> None:
    run = as_run(degradation, ["A note."], command="Ö↓")
    write_run(tmp_path, run)
    assert {path.name for path in tmp_path.iterdir()} == {
        *(f"{name}.parquet" for name in ("instances", "scores", "tokens", "efficiency", "degradation", "slices")),
        *("degradation.csv", "efficiency.csv", "slices.csv", "run.json", "report.md", "report.html"),
    }
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "degradation.parquet"), degradation)
    read = pd.read_csv(tmp_path / "degradation.csv", keep_default_na=False)
    assert list(read["perturbation"].unique()) == [""]
    record = json.loads((tmp_path / "run.json").read_text(encoding="utf-8"))
    assert set(record.pop("files")) == {path.name for path in tmp_path.glob("*.parquet")}
    assert record == run.record | {"remarks": ["A note."]}
    for name in ("report.md", "report.html"):
        assert "Ö↓" in (tmp_path / name).read_text(encoding="utf-8")


def test_reports_are_written_anew(tmp_path: Path, made: Run) -> None:
    for name in ("report.md", "report.html"):
        (tmp_path / name).write_text("old")
    write_reports(tmp_path, made)
    assert {path.name for path in tmp_path.iterdir()} == {"report.md", "report.html"}
    assert all("What quant" in path.read_text(encoding="utf-8") for path in tmp_path.iterdir())


def test_half_a_character_is_written_as_its_number(
    tmp_path: Path, degradation: pd.DataFrame, as_run: Callable[..., Run]
) -> None:
    """As Python has it in a path that is not UTF-8."""
    write_run(tmp_path, as_run(degradation, command="harness run --model \udcff.gguf"))
    assert json.loads((tmp_path / "run.json").read_text(encoding="utf-8"))["command"].endswith("\udcff.gguf")
    for name in ("report.md", "report.html"):
        assert "\\udcff.gguf" in (tmp_path / name).read_text(encoding="utf-8")


def test_what_the_columns_mean_travels_with_the_files(
    tmp_path: Path, degradation: pd.DataFrame, as_run: Callable[..., Run]
) -> None:
    write_run(tmp_path, as_run(degradation))
    for name, columns in (("instances", COLUMNS), ("scores", SCORE_COLUMNS)):
        for column in columns:
            found = pq.read_schema(tmp_path / f"{name}.parquet").field(column.name)
            assert found.metadata[b"meaning"] == column.meaning.encode()


PAGE = Path(__file__).parents[3] / "docs" / "statistics.md"


@pytest.mark.parametrize(
    ("heading", "columns"),
    [
        ("## The columns of `instances`", {column.name: column.meaning for column in COLUMNS}),
        ("## The columns of `scores`", {column.name: column.meaning for column in SCORE_COLUMNS}),
        ("## The columns of `degradation`", {column.name: column.meaning for column in DEGRADATION}),
        ("## The columns of `slices`", {column.name: column.meaning for column in SLICES}),
    ],
)
def test_the_docs_list_every_column_with_its_meaning(heading: str, columns: dict[str, str]) -> None:
    section = PAGE.read_text(encoding="utf-8").split(heading)[1].split("\n## ")[0]
    assert dict(re.findall(r"^\| `(\w+)` \| (.+) \|$", section, re.MULTILINE)) == columns
