from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import harness
from harness.analysis import analyse
from harness.degradation.columns import DEGRADATION
from harness.errors import UserError
from harness.execution.records import COLUMNS
from harness.run_spec import SCHEMA_VERSION


def test_a_run_comes_back_as_it_was(real_run: Path) -> None:
    run = harness.load_run(real_run)
    assert run.reference == "f16"
    assert [model["label"] for model in run.models] == ["f16", "q8_0", "q2_k"]
    assert list(run.measured.instances) == [column.name for column in COLUMNS]
    assert run.measured.instances["correct"].dtype == run.measured.scores["correct"].dtype == "boolean"
    assert list(run.findings.degradation) == [column.name for column in DEGRADATION]
    assert list(run.summary["model"]) == ["f16", "q8_0", "q2_k"]
    again = analyse(run.record, run.measured)
    pd.testing.assert_frame_equal(again.degradation, run.findings.degradation, check_exact=True)
    assert again.notes == run.findings.notes


def test_a_model_need_be_no_file(copied_run: Path) -> None:
    models = json.loads((copied_run / "run.json").read_text(encoding="utf-8"))["models"]
    nothing = dict.fromkeys(("file", "name", "sha256", "bytes", "bits_per_weight", "context_length"))
    change_record(copied_run, models=[models[0], *(model | nothing for model in models[1:])])
    run = harness.load_run(copied_run)
    assert run.summary["bytes"].isna().tolist() == [False, True, True]


def test_a_name_of_the_folder_will_do(real_run: Path) -> None:
    assert harness.load_run(str(real_run)).record == harness.load_run(real_run).record


def test_the_package_alone_imports_no_pandas() -> None:
    code = "import harness, sys; sys.exit('pandas' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0


def no_folder(run: Path) -> None:
    run.rename(run.with_name("elsewhere"))


def no_record(run: Path) -> None:
    (run / "run.json").unlink()


def no_json(run: Path) -> None:
    (run / "run.json").write_text("{", encoding="utf-8")


def list_record(run: Path) -> None:
    (run / "run.json").write_text("[]", encoding="utf-8")


def change_record(run: Path, **values: object) -> None:
    path = run / "run.json"
    record = json.loads(path.read_text(encoding="utf-8")) | values
    path.write_text(json.dumps({key: value for key, value in record.items() if value != "gone"}), encoding="utf-8")


def old_record(run: Path) -> None:
    change_record(run, schema_version=SCHEMA_VERSION - 1)


def no_margin(run: Path) -> None:
    change_record(run, margin="gone")


def without_key(*keys: str | int) -> Callable[[Path], None]:
    """Without what these keys lead to."""

    def change(run: Path) -> None:
        record = json.loads((run / "run.json").read_text(encoding="utf-8"))
        place = record
        for key in keys[:-1]:
            place = place[key]
        del place[keys[-1]]
        (run / "run.json").write_text(json.dumps(record), encoding="utf-8")

    return change


def holding(**values: object) -> Callable[[Path], None]:
    def change(run: Path) -> None:
        change_record(run, **values)

    return change


def no_scores(run: Path) -> None:
    (run / "scores.parquet").unlink()


def broken_tokens(run: Path) -> None:
    (run / "tokens.parquet").write_bytes(b"PAR1 and then nothing")


def without(name: str, column: str) -> Callable[[Path], None]:
    def change(run: Path) -> None:
        path = run / f"{name}.parquet"
        pq.write_table(pq.read_table(path).drop_columns(column), path)

    return change


def numbers_as_text(run: Path) -> None:
    path = run / "instances.parquet"
    table = pq.read_table(path)
    number = table.column_names.index("value")
    pq.write_table(table.set_column(number, "value", table["value"].cast(pa.string())), path)


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (no_folder, "there is no such folder"),
        (no_record, "is no run: it has no run.json"),
        (no_json, "cannot be read as JSON"),
        (list_record, "is no record of a run"),
        (old_record, f"has the schema_version {SCHEMA_VERSION - 1}, and this version of quant-harness reads"),
        (no_margin, "run.json lacks 'margin'"),
        (without_key("machine"), "run.json lacks 'machine'"),
        (without_key("versions"), "run.json lacks 'versions'"),
        (without_key("command"), "run.json lacks 'command'"),
        (without_key("started"), "run.json lacks 'started'"),
        (without_key("models", 1, "bytes"), "run.json lacks 'models.1.bytes'"),
        (without_key("tasks", 0, "metrics"), "run.json lacks 'tasks.0.metrics'"),
        (holding(margin="1pp"), "run.json: 'margin' is '1pp': input should be a valid number; run it again."),
        (holding(margin=1.5), "run.json: 'margin' is 1.5: input should be less than 1"),
        (holding(models=[]), "run.json: 'reference' is 'f16', which is no label of its models"),
        (holding(null="again"), "run.json: 'null' is 'again', which is no label of its models"),
        (no_scores, "lacks scores.parquet"),
        (broken_tokens, "tokens.parquet cannot be read as Parquet"),
        (without("instances", "chosen"), "instances.parquet lacks the column 'chosen'"),
        (without("tokens", "kld"), "tokens.parquet lacks the column 'kld'"),
        (without("degradation", "verdict"), "degradation.parquet lacks the column 'verdict'"),
        (numbers_as_text, "the column 'value' has the type"),
    ],
)
def test_faults_are_told_in_one_sentence(copied_run: Path, fault: Callable[[Path], None], said: str) -> None:
    fault(copied_run)
    with pytest.raises(UserError) as error:
        harness.load_run(copied_run)
    assert said in str(error.value)
    assert str(error.value).endswith(".")
