"""``harness export lm-eval``: a folder with tasks, data and the commands to paste."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
import yaml

from harness.__main__ import main
from harness.data.store import open_store
from harness.errors import RunError, UserError
from harness.execution.tasks import Asking, Task, plan_tasks
from harness.interop.lm_eval.folder import write_lm_eval
from harness.interop.models import ExportedModel
from harness.interop.source import Source
from harness.models.bundled import BUNDLED_MODEL
from harness.models.config import ServeConfig
from harness.models.gguf_tokens import SpecialTokens
from harness.scenarios.table import SCENARIOS
from harness.serving.process import ServerProcess


def tasks(*names: str, chat: bool = False) -> tuple[Task, ...]:
    asking = Asking(max_instances=3, seed=0, chat=chat)
    return tuple(task for name in names for task in plan_tasks(SCENARIOS[name], open_store(None), asking))


def model(label: str = "q4", **fields: object) -> ExportedModel:
    known = {
        "id": f"{label}-0123",
        "context": 2048,
        "tokens": SpecialTokens("<s>", "</s>", 0),
        "file": Path("/m/q4.gguf"),
    }
    return ExportedModel(label, **{**known, **fields})  # type: ignore[arg-type]


def commands(folder: Path) -> list[list[str]]:
    lines = (folder / "README.md").read_text(encoding="utf-8").replace("\\\n", " ").splitlines()
    return [shlex.split(line) for line in lines if line.startswith("    ")]


def written(folder: Path, *models: ExportedModel, port: int = 8001) -> list[list[str]]:
    """The commands of a folder for these models."""
    write_lm_eval(folder, Source(models, tasks("world_facts"), (), open_store(None)), port)
    return commands(folder)


def option(words: list[str], name: str) -> str:
    return words[words.index(name) + 1]


def arguments(words: list[str]) -> dict[str, str]:
    return dict(pair.split("=", 1) for pair in option(words, "--model_args").split(","))


def test_each_model_has_a_port_a_name_and_a_place_for_its_results(tmp_path: Path) -> None:
    steady = ServeConfig(flash_attention="off", cache_type_k="f32")
    found = written(tmp_path, model("a"), model("b", file=Path("/a folder/b.gguf"), serve=steady), port=9000)
    serve, ask, serve_b, ask_b, compare = found
    words = ["results/a-0123", "results/b-0123", "--reference", "a-0123", "--out", "compared"]
    assert compare == ["harness", "import", "lm-eval", *words]
    assert serve == ["harness", "serve", "/m/q4.gguf", "--alias", "a-0123", "--port", "9000"]
    assert serve_b[2:7] == ["/a folder/b.gguf", "--alias", "b-0123", "--port", "9001"]
    assert serve_b[7:] == ["--cache-type-k", "f32", "--flash-attention", "off"]
    assert [arguments(words)["base_url"] for words in (ask, ask_b)] == [
        f"http://127.0.0.1:{port}/v1/completions" for port in (9000, 9001)
    ]
    assert [option(words, "--output_path") for words in (ask, ask_b)] == ["results/a-0123", "results/b-0123"]


def test_bos_is_named_where_there_is_one(tmp_path: Path) -> None:
    llama = SpecialTokens("<|begin_of_text|>", "<|end_of_text|>", 128000)
    folders = [tmp_path / name for name in "ab"]
    for folder in folders:
        folder.mkdir()
    _, with_bos = written(folders[0], model(tokens=llama))
    _, without = written(folders[1], model(tokens=SpecialTokens("", "</s>")))
    assert option(with_bos, "--system_instruction") == "<|begin_of_text|>"
    assert arguments(with_bos)["custom_prefix_token_id"] == "128000"
    assert "--system_instruction" not in without
    assert "custom_prefix_token_id" not in arguments(without)


def test_the_smallest_context_is_everybodys(tmp_path: Path) -> None:
    found = written(tmp_path, model("a"), model("b", context=512))
    assert [arguments(words)["max_length"] for words in found[1::2]] == ["512", "512"]


def test_what_may_not_fit_and_what_is_left_out_is_told(tmp_path: Path) -> None:
    asked = (*tasks("world_facts", "world_text"), *tasks("world_sums", chat=True))
    source = Source((model(context=64),), asked, ("The data are others.",), open_store(None))
    notes = write_lm_eval(tmp_path, source, 8001)
    text = (tmp_path / "README.md").read_text(encoding="utf-8")
    assert len(notes) == 2
    assert notes[0].startswith("Left out: world_sums: ")
    # A text is asked in windows, so nothing is said of it.
    assert notes[1].startswith("Some prompts of world_facts may not fit the context of 64 tokens: ")
    assert all(f"- {note}" in text for note in (*notes, "The data are others."))


def test_nothing_that_can_be_asked_is_refused(tmp_path: Path) -> None:
    source = Source((model(),), tasks("world_sums", chat=True), (), open_store(None))
    with pytest.raises(UserError, match=r"lm-eval can ask none of these tasks.*Left out: world_sums"):
        write_lm_eval(tmp_path, source, 8001)


def test_more_models_than_ports_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="--port: 65535 leaves no port for b; give a lower one"):
        written(tmp_path, model("a"), model("b"), port=65535)


def test_a_name_that_lm_eval_would_take_apart_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"'a,b'.*serve it under another name"):
        written(tmp_path, model(id="a,b"))


def test_an_endpoint_is_asked_where_it_is(tmp_path: Path, served: ServerProcess) -> None:
    endpoint = model(id="world", url=served.base_url, file=None)
    (ask,) = written(tmp_path, endpoint)
    assert arguments(ask)["base_url"] == f"{served.base_url}/completions"


@pytest.fixture
def bare() -> Iterator[str]:
    """URL of a server that knows of no tokenizer, nor of anything else."""
    with ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as server:
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/v1"
        server.shutdown()


def test_an_endpoint_without_a_tokenizer_is_told(tmp_path: Path, bare: str) -> None:
    source = Source((model(url=bare, file=None),), tasks("world_facts"), (), open_store(None))
    (note,) = write_lm_eval(tmp_path, source, 8001)
    assert note.startswith(f"q4: {bare} has no tokenizer that lm-eval can ask")


def test_an_endpoint_that_is_gone_is_told(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"q4: http://127\.0\.0\.1:9/v1 cannot be reached: .*; start it first"):
        written(tmp_path, model(url="http://127.0.0.1:9/v1", file=None))


def test_the_command_writes_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    words = ["--scenarios", "world_choice,world_text", "--max-instances", "3", "--out", "asked", str(BUNDLED_MODEL)]
    monkeypatch.setattr(sys, "argv", ["harness", "export", "lm-eval", *words])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 0
    assert "asked/README.md" in capsys.readouterr().out
    names = ["world_choice_joint", "world_choice_separate", "world_text"]
    assert sorted(path.stem for path in (tmp_path / "asked" / "tasks").iterdir()) == names
    for name in names:
        config = yaml.safe_load((tmp_path / "asked" / "tasks" / f"{name}.yaml").read_text(encoding="utf-8"))
        data = tmp_path / "asked" / config["dataset_kwargs"]["data_files"]["test"]
        assert len(data.read_text(encoding="utf-8").splitlines()) == 3
    assert option(commands(tmp_path / "asked")[1], "--system_instruction") == "<s>"
