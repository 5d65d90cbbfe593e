from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from harness.data.hub import Hub
from harness.data.mirror import Mirror
from harness.data.parquet import BATCH
from harness.data.store import open_store
from harness.data.table import Table
from harness.errors import MissingTable, UserError

QUIZ = Table("someone/quiz", "easy", "test", "any")


def write(folder: Path, rows: list[dict[str, Any]], name: str = "test.parquet") -> Path:
    path = folder / "someone" / "quiz" / "easy" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    pd.DataFrame(rows).to_parquet(path)
    return path


def test_rows_come_with_their_types_in_their_order(tmp_path: Path) -> None:
    rows = [{"q": "¿1?", "choices": {"text": ["a", "b"], "label": ["A", "B"]}, "n": i, "none": None} for i in (3, 1, 2)]
    write(tmp_path, rows)
    mirror = Mirror(tmp_path)
    assert mirror.has(QUIZ)
    assert mirror.count(QUIZ) == 3
    found = mirror.rows(QUIZ)
    assert list(found) == rows
    assert list(found) == rows, "rows are to be had again"


def test_a_table_in_parts_is_one_table(tmp_path: Path) -> None:
    rows = [{"n": i} for i in range(2 * BATCH + 5)]
    for part, chosen in enumerate((rows[:7], rows[7 : BATCH + 8], rows[BATCH + 8 :])):
        write(tmp_path, chosen, f"test-{part:05}-of-00003.parquet")
    write(tmp_path, [{"n": -1}], "test-extra.parquet")
    mirror = Mirror(tmp_path)
    assert list(mirror.rows(QUIZ)) == rows
    assert mirror.count(QUIZ) == len(rows)


def test_where_rows_come_from_is_told_by_the_hashes_of_their_files(tmp_path: Path) -> None:
    paths = [write(tmp_path, [{"n": i}], f"test-{i:05}-of-00002.parquet") for i in range(2)]
    mirror = Mirror(tmp_path)
    found = mirror.provenance(QUIZ)
    assert found == {
        "dataset": "someone/quiz",
        "config": "easy",
        "split": "test",
        "rows": 2,
        "source": "mirror",
        "files": [{"name": path.name, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()} for path in paths],
    }
    write(tmp_path, [{"n": 7}], paths[0].name)
    assert mirror.provenance(QUIZ) == found, "a file is hashed once, or a run would wait for it in every task"


def test_a_part_that_is_missing_is_named(tmp_path: Path) -> None:
    write(tmp_path, [{"n": 1}], "test-00000-of-00002.parquet")
    mirror = Mirror(tmp_path)
    assert not mirror.has(QUIZ)
    with pytest.raises(MissingTable, match=r"easy/test-00001-of-00002.parquet is not there; add the file, or"):
        mirror.rows(QUIZ)


@pytest.mark.parametrize(
    "other", [("someone/else", "easy", "test"), ("someone/quiz", "hard", "test"), ("someone/quiz", "easy", "tes")]
)
def test_what_is_not_in_the_folder_is_nowhere(other: tuple[str, str, str], tmp_path: Path) -> None:
    write(tmp_path, [{"n": 1}])
    mirror = Mirror(tmp_path)
    table = Table(*other, "any")
    assert not mirror.has(table)
    assert mirror.count(table) is None
    with pytest.raises(MissingTable) as caught:
        mirror.rows(table)
    path = tmp_path / other[0] / other[1] / f"{other[2]}.parquet"
    assert str(caught.value.of("quiz")) == (
        f"quiz: {path} is not there; add the file, or leave out --dataset-dir and run "
        "`harness scenarios prefetch quiz`."
    )


@pytest.mark.parametrize("kept", [0, 100, -9])
def test_a_damaged_file_is_named_at_once(kept: int, tmp_path: Path) -> None:
    path = write(tmp_path, [{"n": i} for i in range(1000)])
    path.write_bytes(path.read_bytes()[:kept])
    mirror = Mirror(tmp_path)
    for look in (mirror.rows, mirror.count):
        with pytest.raises(MissingTable) as caught:
            look(QUIZ)
        assert str(caught.value).startswith(f"{path} cannot be read as Parquet (")


def test_damage_amid_the_rows_is_told_too(tmp_path: Path) -> None:
    path = write(tmp_path, [{"text": f"{i} apples"} for i in range(1000)])
    data = bytearray(path.read_bytes())
    data[4:200] = bytes(196)
    path.write_bytes(data)
    rows = Mirror(tmp_path).rows(QUIZ)
    with pytest.raises(MissingTable, match=r"test\.parquet cannot be read as Parquet \("):
        list(rows)


def test_the_store_is_the_mirror_where_one_is_named(tmp_path: Path) -> None:
    assert isinstance(open_store(tmp_path), Mirror)
    assert isinstance(open_store(None), Hub)
    with pytest.raises(UserError, match=r"--dataset-dir: there is no folder .*none; name one, or leave it out"):
        open_store(tmp_path / "none")
