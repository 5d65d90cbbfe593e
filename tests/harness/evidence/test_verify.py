from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner, Result

from harness.cli import app
from harness.evidence.verify import verify
from harness.execution.gather import frame
from harness.execution.records import SCHEMA, SCORE_SCHEMA
from harness.models.gguf_facts import file_sha256

SCHEMAS = {"instances": SCHEMA, "scores": SCORE_SCHEMA}
Change = Callable[[pd.DataFrame], pd.DataFrame | None]


def change(run: Path, name: str, edit: Change, *, hashed: bool = True) -> None:
    """Edit a frame on disk, as somebody would who knows of the hashes too."""
    path = run / f"{name}.parquet"
    rows = frame(pq.read_table(path)) if name in SCHEMAS else pd.read_parquet(path)
    edited = edit(rows)
    rows = rows if edited is None else edited
    rows.to_parquet(path, index=False, schema=SCHEMAS.get(name))
    if hashed:
        record = json.loads((run / "run.json").read_text(encoding="utf-8"))
        record["files"][path.name] = file_sha256(path)
        (run / "run.json").write_text(json.dumps(record), encoding="utf-8")


def row_of(rows: pd.DataFrame, **what: str) -> int:
    """The first such row."""
    mask = pd.Series(True, rows.index)
    for name, value in what.items():
        mask &= rows[name] == value
    return int(rows.index[mask][0])


def setting(column: str, value: object, **what: str) -> Change:
    def edit(rows: pd.DataFrame) -> None:
        rows.at[row_of(rows, **what), column] = value

    return edit


def told(run: Path) -> list[str]:
    return [str(difference) for difference in verify(run).differences]


def command(*words: str | Path) -> Result:
    return CliRunner().invoke(app, ["verify", *map(str, words)])


def test_a_run_as_it_was_written_is_verified(real_run: Path) -> None:
    done = command(real_run)
    assert done.exit_code == 0, done.output
    figures, rest = done.output.split(" ", 1)
    assert rest == "figures and lines were recomputed, and all are as written.\n"
    # Every score has at least three columns that were made again.
    assert int(figures.replace(",", "")) > 3 * len(pd.read_parquet(real_run / "scores.parquet"))


FACTS = {"model": "q2_k", "scenario": "world_facts"}
CHOICE = {"model": "q2_k", "scenario": "world_choice", "adapter": "multiple_choice_separate_original"}


@pytest.mark.parametrize(
    ("name", "edit", "file", "column"),
    [
        ("instances", setting("answer", "something else", model="f16", scenario="world_facts"), "scores", "value"),
        ("instances", setting("gold", "something else", **FACTS), "instances", "gold"),
        ("instances", setting("logprob", -0.125, **FACTS), "instances", "logprob"),
        ("instances", setting("value", 0.5, **FACTS), "instances", "value"),
        ("instances", setting("n_tied", 2, **CHOICE), "instances", "n_tied"),
        ("instances", setting("answer", "something else", **CHOICE), "instances", "answer"),
        ("instances", setting("logprob", -900.0, model="q2_k", scenario="world_text"), "scores", "value"),
        ("scores", setting("value", 0.25, **FACTS), "scores", "value"),
        ("scores", setting("weight", 2.0, **FACTS), "scores", "weight"),
        ("degradation", setting("delta", 0.125, **FACTS), "degradation", "delta"),
        ("degradation", setting("ci_low", -0.9, **FACTS), "degradation", "ci_low"),
        ("degradation", setting("verdict", "equivalent", **FACTS), "degradation", "verdict"),
        ("degradation", setting("n", 61, **FACTS), "degradation", "n"),
        ("tokens", setting("kld", 9.0, model="q2_k"), "degradation", "value"),
    ],
)
def test_a_changed_figure_is_found_and_named(copied_run: Path, name: str, edit: Change, file: str, column: str) -> None:
    change(copied_run, name, edit)
    found = [one for one in verify(copied_run).differences if (one.file, one.column) == (f"{file}.parquet", column)]
    assert found
    assert found[0].row.startswith("q2_k / " if "f16" not in str(found[0]) else "f16 / ")
    assert found[0].written != found[0].again


def test_scores_of_choices_decide_which_was_taken(copied_run: Path) -> None:
    def swap(rows: pd.DataFrame) -> None:
        number = row_of(rows, **CHOICE)
        rows.at[number, "choice_logprobs"] = list(rows.at[number, "choice_logprobs"])[::-1]

    change(copied_run, "instances", swap)
    columns = {one.column for one in verify(copied_run).differences if one.file == "instances.parquet"}
    assert {"chosen", "answer"} <= columns


def test_a_log_probability_of_a_token_is_found(copied_run: Path) -> None:
    def edit(rows: pd.DataFrame) -> None:
        number = row_of(rows, **FACTS)
        rows.at[number, "token_logprobs"] = [value - 1 for value in rows.at[number, "token_logprobs"]]

    change(copied_run, "instances", edit)
    assert any("logprob" in line for line in told(copied_run))


def test_rows_that_are_gone_or_there_twice_are_found(copied_run: Path) -> None:
    change(copied_run, "scores", lambda rows: rows.drop(index=row_of(rows, **FACTS)))
    assert any("none is written, and a row follows" in line for line in told(copied_run))
    change(copied_run, "degradation", lambda rows: rows.__setitem__("scenario", rows["scenario"].iloc[0]))
    assert any("a row is written, and none follows" in line for line in told(copied_run))


def test_an_answer_that_is_there_twice_is_a_difference_and_no_crash(copied_run: Path) -> None:
    change(copied_run, "instances", lambda rows: pd.concat([rows, rows.iloc[:1]], ignore_index=True), hashed=False)
    done = command(copied_run, "--json")
    assert done.exit_code == 1
    found = json.loads(done.output)
    first, second, third = found["differences"]
    assert (first["file"], first["row"]) == ("run.json", "instances.parquet")
    assert (second["file"], second["written"], second["again"]) == ("instances.parquet", "more than one row", "one")
    assert second["row"].startswith("f16 / world_facts / generation / ")
    assert (third["file"], "is there twice" in third["again"]) == ("degradation.parquet", True)
    assert found["notes"] == ["The tables and reports were not recomputed, because some answers cannot be compared."]


def test_an_instance_that_one_model_lacks_is_a_difference(copied_run: Path) -> None:
    def drop(rows: pd.DataFrame) -> pd.DataFrame:
        lost = rows["instance_id"].iloc[row_of(rows, **FACTS)]
        return rows[(rows["model"] != "q2_k") | (rows["instance_id"] != lost)]

    for name in SCHEMAS:
        change(copied_run, name, drop)
    (line,) = told(copied_run)
    assert line.startswith("degradation.parquet: a table is written, and none, for it fails (")
    assert "was not asked of both q2_k and the reference" in line


def test_an_answer_that_cannot_be_judged_is_a_difference_and_no_crash(copied_run: Path) -> None:
    change(copied_run, "instances", setting("chosen", [99], **CHOICE))
    change(copied_run, "instances", setting("details", "{", **FACTS))
    found = verify(copied_run)
    assert ["cannot be judged" in str(one) for one in found.differences] == [True, True]
    assert found.notes == ["The tables and reports were not recomputed, because some answers cannot be judged."]


def test_a_hash_tells_any_other_change(copied_run: Path) -> None:
    change(copied_run, "instances", setting("seconds", 99.0, **FACTS), hashed=False)
    (line,) = told(copied_run)
    assert line.startswith("run.json, instances.parquet, files: ")


def test_a_broken_file_is_a_difference(copied_run: Path) -> None:
    (copied_run / "scores.parquet").write_bytes(b"no")
    done = command(copied_run)
    assert done.exit_code == 1
    assert "run.json, scores.parquet, files" in done.output
    assert "cannot be read as Parquet" in done.output


@pytest.mark.parametrize("name", ["report.md", "report.html", "degradation.csv"])
def test_a_line_of_a_report_is_found(copied_run: Path, name: str) -> None:
    path = copied_run / name
    path.write_bytes(path.read_bytes().replace(b"q8_0", b"q9_0", 1))
    (difference,) = verify(copied_run).differences
    assert (difference.file, difference.row[:5]) == (name, "line ")
    assert difference.column == ("model" if name.endswith("csv") else "")
    assert "q9_0" in str(difference).split(" is written")[0]


def test_line_ends_and_missing_reports_are_found(copied_run: Path) -> None:
    path = copied_run / "report.md"
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    (copied_run / "degradation.csv").unlink()
    assert told(copied_run) == [
        "degradation.csv: nothing is written, and a file follows.",
        "report.md, its line ends: something else is written, and the same lines follows.",
    ]


def test_a_remark_is_found(copied_run: Path) -> None:
    record = json.loads((copied_run / "run.json").read_text(encoding="utf-8"))
    record["remarks"] = ["All is well."]
    (copied_run / "run.json").write_text(json.dumps(record), encoding="utf-8")
    assert any(line.startswith("run.json, remarks") for line in told(copied_run))


def test_metrics_that_are_not_known_are_counted(copied_run: Path) -> None:
    record = json.loads((copied_run / "run.json").read_text(encoding="utf-8"))
    record["tasks"][0]["metrics"].append("taste")
    (copied_run / "run.json").write_text(json.dumps(record), encoding="utf-8")
    (sentence,) = verify(copied_run).notes
    assert sentence.startswith("This version does not know the metrics taste: 0 scores, and all tables and reports")


def test_other_versions_are_named_where_figures_differ(copied_run: Path) -> None:
    record = json.loads((copied_run / "run.json").read_text(encoding="utf-8"))
    record["versions"]["scipy"] = "0.1"
    (copied_run / "run.json").write_text(json.dumps(record), encoding="utf-8")
    assert all("report" in difference.file for difference in verify(copied_run).differences)  # they show the version
    change(copied_run, "degradation", setting("delta", 0.125, **FACTS))
    (note,) = verify(copied_run).notes
    assert note.startswith("The run was made with other versions: scipy 0.1 instead of ")
    assert "`harness report` rewrites report.md and report.html" in note


def test_a_run_of_another_version_of_the_project_is_no_mystery(copied_run: Path) -> None:
    record = json.loads((copied_run / "run.json").read_text(encoding="utf-8"))
    record["versions"] |= {"quant-harness": "0.0.1", "python": "3.0.0"}
    (copied_run / "run.json").write_text(json.dumps(record), encoding="utf-8")
    done = command(copied_run)
    assert done.exit_code == 1
    said = "The run was made with other versions: python 3.0.0 instead of "
    assert said in done.output
    assert ", quant-harness 0.0.1 instead of " in done.output.split(said)[1]
    assert command("--json", copied_run).output.count(said) == 1
    assert CliRunner().invoke(app, ["report", str(copied_run)]).exit_code == 0
    assert verify(copied_run) == ([], verify(copied_run).n_figures, [])


def test_differences_are_an_exit_code_and_as_json(copied_run: Path) -> None:
    change(copied_run, "degradation", setting("delta", 0.125, **FACTS))
    done = command(copied_run, "--json")
    assert done.exit_code == 1
    (first, *_) = json.loads(done.output)["differences"]
    assert (first["file"], first["column"], first["written"]) == ("degradation.parquet", "delta", "0.125")


def test_many_differences_are_not_all_printed(copied_run: Path) -> None:
    change(copied_run, "scores", lambda rows: rows.__setitem__("weight", 3.0))
    done = command(copied_run)
    assert done.exit_code == 1
    assert len(done.output.splitlines()) == 22
    assert "more; --json has all." in done.output
