from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from dataset_hub import COMMIT, DatasetHub

from harness.data.hub import Hub, default_cache
from harness.data.table import CONVERTED, MIRROR_ONLY, Table
from harness.errors import MissingTable

QUIZ = Table("someone/quiz", "easy", "test", COMMIT)
ROWS = [
    {"question": "2 + 2?", "choices": ["3", "4"], "answer": 1},
    {"question": "¿1 + 1?", "choices": ["2"], "answer": 0},
]
CARD = """---
configs:
- config_name: easy
  data_files:
  - split: test
    path: easy/test-*
  - split: train
    path: easy/train-*
dataset_info:
- config_name: easy
  splits:
  - name: test
    num_examples: 2
    num_bytes: 1
---
"""
SCRIPT = """
import json, pathlib, sys
from harness.data.hub import Hub
from harness.data.table import CONVERTED, MIRROR_ONLY, Table
from harness.errors import MissingTable
said = []
hub, table = Hub(said.append), Table(*sys.argv[1:5])
found = {"before": hub.has(table)}
for _ in range(int(sys.argv[5])):
    try:
        found["rows"] = list(hub.rows(table))
    except MissingTable as error:
        found["error"] = str(error.of("quiz"))
if "rows" in found:
    found["commit"] = hub.provenance(table)["commit"]
print(json.dumps(found | {"has": hub.has(table), "count": hub.count(table), "said": said}))
"""


def parquet(rows: list[dict[str, Any]]) -> bytes:
    file = io.BytesIO()
    pd.DataFrame(rows).to_parquet(file)
    return file.getvalue()


@pytest.fixture
def hub() -> Iterator[DatasetHub]:
    files = {
        "README.md": CARD.encode(),
        "easy/test-00000-of-00002.parquet": parquet(ROWS[:1]),
        "easy/test-00001-of-00002.parquet": parquet(ROWS[1:]),
        "easy/train-00000-of-00001.parquet": b"a million rows",
    }
    with DatasetHub("someone/quiz", files) as found:
        yield found


@pytest.fixture
def ask(hub: DatasetHub, tmp_path: Path) -> Any:
    """What a process finds that has its cache in ``tmp_path``: the library reads its settings when it is imported."""

    def run(table: Table = QUIZ, *, twice: bool = False, **environment: str) -> dict[str, Any]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "HUGGINGFACE_"))}
        words = [table.dataset, table.config, table.split, table.revision, "2" if twice else "1"]
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", SCRIPT, *words],
            env=kept | {"HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path / "hf")} | environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.stderr == ""
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    return run


def test_a_table_is_downloaded_once_and_then_read_without_the_network(hub: DatasetHub, ask: Any) -> None:
    assert ask() == {
        "before": False,
        "rows": ROWS,
        "commit": COMMIT,
        "has": True,
        "count": 2,
        "said": ["downloading someone/quiz (easy, test)"],
    }
    # The split that was asked for, and no other.
    assert sorted(hub.downloads()) == [f"{COMMIT}/easy/test-0000{i}-of-00002.parquet" for i in range(2)]
    hub.seen.clear()
    here = {"before": True, "rows": ROWS, "commit": COMMIT, "has": True, "count": 2, "said": []}
    assert ask(HF_HUB_OFFLINE="1") == here
    assert ask() == here
    assert hub.seen == []


def test_what_the_hub_has_converted_lies_in_folders(tmp_path: Path, ask: Any, hub: DatasetHub) -> None:
    hub.files = {"easy/test/0000.parquet": parquet(ROWS), "hard/test/0000.parquet": parquet(ROWS[:1])}
    found = ask(Table("someone/quiz", "easy", "test", CONVERTED))
    assert (found.get("error"), found.get("rows")) == (None, ROWS)
    assert hub.downloads() == [f"{COMMIT}/easy/test/0000.parquet"]


@pytest.mark.parametrize("branch", [CONVERTED, "main"])
def test_a_branch_stays_at_the_commit_of_its_first_download(branch: str, hub: DatasetHub, ask: Any) -> None:
    test, train = (Table("someone/quiz", "easy", split, branch) for split in ("test", "train"))
    name = "easy/{}/0000.parquet" if branch == CONVERTED else "easy/{}-0000.parquet"
    card = {} if branch == CONVERTED else {"README.md": CARD.encode()}
    hub.files = card | {name.format(split): parquet(ROWS) for split in ("test", "train")}
    assert ask(test)["commit"] == COMMIT
    hub.commit, hub.files[name.format("test")] = "beef" + "1" * 36, parquet(ROWS[::-1])
    hub.seen.clear()
    found = ask(test)
    assert (found["before"], found["rows"], found["commit"]) == (True, ROWS, COMMIT)
    assert hub.seen == []
    # The other tables are of that commit too, or not to be had.
    error = ask(train)["error"]
    assert f"Revision '{COMMIT}' doesn't exist" in error
    note, _, rest = error.partition("if that commit is gone, remove ")[2].partition(" to ")
    assert rest == f"take {branch} as it is now."
    Path(note).unlink()
    assert ask(train)["commit"] == hub.commit
    assert ask(test, HF_HUB_OFFLINE="1")["before"] is False
    assert ask(test)["rows"] == ROWS[::-1]


def test_what_only_mirrors_have_is_not_looked_for(ask: Any, hub: DatasetHub) -> None:
    found = ask(Table("someone/quiz", "easy", "test", MIRROR_ONLY))
    assert found["error"] == (
        "quiz: someone/quiz (easy, test) is not on the Hub; --dataset-dir names a folder that has it."
    )
    assert hub.seen == []


def test_nothing_is_left_beside_the_table(ask: Any, tmp_path: Path) -> None:
    ask()
    cache = tmp_path / "hf" / "datasets" / "quant-harness"
    files = [path for path in cache.rglob("*") if path.is_file()]
    assert files == [cache / "someone" / "quiz" / COMMIT / "easy" / "test.parquet"]


@pytest.mark.parametrize(
    ("table", "environment", "reason"),
    [
        (Table("someone/quiz", "easy", "dev", COMMIT), {}, "no split 'dev', but 'test', 'train'"),
        (Table("someone/quiz", "hard", "test", COMMIT), {}, "'hard' not found"),
        (Table("someone/else", "easy", "test", COMMIT), {}, "doesn't exist"),
        (Table("someone/else", "easy", "test", "main"), {}, "doesn't exist"),
        (Table("someone/quiz", "easy", "test", "dev"), {}, "no revision 'dev'"),
    ],
    ids=["no split", "no config", "no dataset", "no dataset by branch", "no branch"],
)
def test_what_cannot_be_had_names_the_command_that_would_get_it(
    table: Table, environment: dict[str, str], reason: str, ask: Any
) -> None:
    found = ask(table, **environment)
    assert found["has"] is False
    assert found["count"] is None
    assert found["error"].startswith(f"quiz: {table} cannot be downloaded (")
    assert reason in found["error"]
    assert found["error"].endswith("once that is mended, `harness scenarios prefetch quiz` gets it.")


@pytest.mark.parametrize("environment", [{"HF_HUB_OFFLINE": "1"}, {"HF_ENDPOINT": "http://127.0.0.1:9"}])
def test_a_hub_out_of_reach_is_tried_once(environment: dict[str, str], ask: Any) -> None:
    found = ask(twice=True, **environment)
    assert found["said"] == ["downloading someone/quiz (easy, test)"]
    assert found["error"].startswith(
        "quiz: someone/quiz (easy, test) cannot be downloaded, because the Hub is out of reach; "
    )
    assert found["error"].endswith("once that is mended, `harness scenarios prefetch quiz` gets it.")


def test_a_gated_data_set_says_so(hub: DatasetHub, ask: Any) -> None:
    hub.gated = True
    assert "gated" in ask()["error"]


def test_fewer_rows_than_the_card_states_are_refused(hub: DatasetHub, ask: Any) -> None:
    del hub.files["easy/test-00001-of-00002.parquet"]
    assert "its card states 2 rows and there are 1" in ask()["error"]


def test_a_damaged_file_is_refused_and_not_kept(hub: DatasetHub, ask: Any) -> None:
    good = hub.files["easy/test-00001-of-00002.parquet"]
    hub.files["easy/test-00001-of-00002.parquet"] = good[:100]
    found = ask()
    assert found["has"] is False
    assert "someone/quiz (easy, test) cannot be downloaded (" in found["error"]


@pytest.mark.parametrize(
    ("environment", "folder"),
    [
        ({"HF_DATASETS_CACHE": "a", "HF_HOME": "b"}, "a"),
        ({"HF_HOME": "b", "XDG_CACHE_HOME": "c"}, "b/datasets"),
        ({"XDG_CACHE_HOME": "c"}, "c/huggingface/datasets"),
        ({"HOME": "d"}, "d/.cache/huggingface/datasets"),
    ],
)
def test_the_cache_is_where_the_library_has_its_own(
    environment: dict[str, str], folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HF_DATASETS_CACHE", "HF_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert default_cache() == Path(folder, "quant-harness")


def test_a_table_that_was_damaged_here_says_which_file(tmp_path: Path) -> None:
    path = tmp_path / "someone" / "quiz" / COMMIT / "easy" / "test.parquet"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"PAR1 and nothing else")
    hub = Hub(cache=tmp_path)
    assert hub.has(QUIZ)
    with pytest.raises(MissingTable) as caught:
        hub.rows(QUIZ)
    assert str(caught.value).startswith(f"{path} cannot be read as Parquet (")
    assert str(caught.value).endswith("); remove it and get it again.")


@pytest.mark.parametrize("text", ["{", "[]", '{"main": "../.."}'])
def test_a_damaged_note_of_branches_says_which_file(text: str, tmp_path: Path) -> None:
    path = tmp_path / "someone" / "quiz" / "branches.json"
    path.parent.mkdir(parents=True)
    path.write_text(text)
    hub, table = Hub(cache=tmp_path), Table("someone/quiz", "easy", "test", "main")
    assert not hub.has(table)
    assert hub.count(table) is None
    with pytest.raises(MissingTable, match=r"branches\.json does not name the commits of branches; remove it and"):
        hub.rows(table)
