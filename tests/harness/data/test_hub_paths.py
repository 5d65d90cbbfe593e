from __future__ import annotations

import os
from pathlib import Path

import pytest

from harness.data.hub import Hub
from harness.data.table import Table
from harness.errors import MissingTable

SHA = "0" * 40


@pytest.mark.parametrize(
    ("dataset", "config", "split", "named"),
    [
        ("../quiz", "easy", "test", "'..'"),
        ("someone/..", "easy", "test", "'..'"),
        ("/someone/quiz", "easy", "test", "''"),
        ("someone/quiz", "../../easy", "test", "'../../easy'"),
        ("someone/quiz", "easy", "../test", "'../test'"),
        ("someone/quiz", "", "test", "''"),
    ],
)
def test_names_that_would_leave_the_cache_are_refused(
    dataset: str, config: str, split: str, named: str, tmp_path: Path
) -> None:
    said: list[str] = []
    cache = tmp_path / "a" / "b"
    table, hub = Table(dataset, config, split, SHA), Hub(said.append, cache=cache)
    # There is a file where the path would lead, unless that is outside of everything.
    there = cache / dataset / SHA / config / f"{split}.parquet"
    if tmp_path in there.parents:
        os.makedirs(there.parent, exist_ok=True)
        there.write_bytes(b"")
    assert not hub.has(table)
    assert hub.count(table) is None
    with pytest.raises(MissingTable) as caught:
        hub.rows(table)
    expected = f"{table} cannot be kept, {named} is no plain name; write it as the Hub does."
    assert (str(caught.value), said) == (expected, [])
