from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from bench.hellaswag import as_lines
from bench.setup import BenchError
from bench.whole_harness import _item, _part, _task
from harness.types import Instance, Reference


def table(folder: Path, rows: int) -> Path:
    """HellaSwag's table, as the Hub has it, with invented rows."""
    path = folder / "Rowan" / "hellaswag" / "default" / "validation.parquet"
    path.parent.mkdir(parents=True)
    row = {"activity_label": "Baking bread", "ctx_a": "A man kneads.", "ctx_b": "he", "label": "2"}
    endings = [f"eats  it\n{i}." for i in range(4)]
    pd.DataFrame([row | {"ind": i, "endings": endings} for i in range(rows)]).to_parquet(path)
    return path


def test_the_peer_reads_what_the_scenario_asks(tmp_path: Path) -> None:
    task = _task(table(tmp_path, 5), 3, seed=0)
    assert len(task.instances) == 3
    lines = as_lines([_item(instance) for instance in task.instances]).splitlines()
    assert len(lines) == 3 * 6
    assert lines[:6] == [task.instances[0].input, "2", "eats it 0.", "eats it 1.", "eats it 2.", "eats it 3."]


def test_rounds_are_parts_of_one_task(tmp_path: Path) -> None:
    task = _task(table(tmp_path, 8), 8, seed=0)
    parts = [_part(task, task.instances[number::2]) for number in range(2)]
    assert {i.id for part in parts for i in part.instances} == {i.id for i in task.instances}
    assert [part.spec for part in parts] == [task.spec] * 2


def test_a_table_in_another_place_is_told(tmp_path: Path) -> None:
    path = tmp_path / "validation.parquet"
    pd.DataFrame({"ctx": ["a"]}).to_parquet(path)
    with pytest.raises(BenchError, match=r"validation\.parquet: .*Rowan/hellaswag"):
        _task(path, 1, seed=0)


def test_an_item_knows_its_right_ending() -> None:
    instance = Instance("x-0", "a  b\nc", (Reference("no", False), Reference("yes", True)))
    assert _item(instance) == ("a b c", ("no", "yes"), 1)
