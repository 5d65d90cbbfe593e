"""``harness export helm``: the folder that HELM is started in, and the commands of its README."""

from __future__ import annotations

import json
import re
import shlex
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from harness.__main__ import main
from harness.data.store import open_store
from harness.errors import RunError, UserError
from harness.execution.tasks import Asking, Task, plan_tasks
from harness.interop.helm.folder import write_helm
from harness.interop.models import ExportedModel
from harness.interop.source import Source
from harness.models.bundled import BUNDLED_MODEL
from harness.models.gguf_tokens import SpecialTokens
from harness.scenarios.table import SCENARIOS
from harness.serving.process import ServerProcess

WITH_BOS, WITHOUT = SpecialTokens("<s>", "</s>", 0), SpecialTokens("", "</s>")


def tasks(*names: str, chat: bool = False) -> tuple[Task, ...]:
    asking = Asking(max_instances=3, seed=0, chat=chat)
    return tuple(task for name in names for task in plan_tasks(SCENARIOS[name], open_store(None), asking))


def model(label: str, tokens: SpecialTokens = WITH_BOS, **fields: Any) -> ExportedModel:
    file = Path("/models") / f"{label}.gguf"
    return ExportedModel(
        **{"label": label, "id": f"{label}-01234567", "context": 2048, "tokens": tokens, "file": file} | fields
    )


def written(folder: Path, *models: ExportedModel, port: int = 8001) -> list[str]:
    chosen = tasks("world_choice", "world_facts", "world_text")
    return write_helm(folder, Source(models, chosen, (), open_store(None)), port)


def read(folder: Path, name: str) -> list[dict[str, Any]]:
    (found,) = yaml.safe_load((folder / "prod_env" / f"{name}.yaml").read_text(encoding="utf-8")).values()
    return list(found)


def test_each_model_has_a_name_and_a_server_of_its_own(tmp_path: Path) -> None:
    assert written(tmp_path, model("f16"), model("q4", WITHOUT), port=9000) == []
    deployments = read(tmp_path, "model_deployments")
    names = ["quant-harness/f16-01234567", "quant-harness/q4-01234567"]
    for found in (deployments, read(tmp_path, "tokenizer_configs"), read(tmp_path, "model_metadata")):
        assert [one["name"] for one in found] == names
    clients = [one["client_spec"]["args"] for one in deployments]
    assert [one["base_url"] for one in clients] == ["http://127.0.0.1:9000/v1", "http://127.0.0.1:9001/v1"]
    assert [one["openai_model_name"] for one in clients] == ["f16-01234567", "q4-01234567"]
    readme = (tmp_path / "README.md").read_text(encoding="utf-8")
    for label, port in (("f16", 9000), ("q4", 9001)):
        assert f"    harness serve /models/{label}.gguf --alias {label}-01234567 --port {port}\n" in readme
    assert (tmp_path / "prod_env" / "credentials.conf").read_text() == ""


def test_ids_that_helm_would_take_apart_become_names_of_their_own(tmp_path: Path) -> None:
    ids = ["a/b", "a_b", "a,b=c", "a b"]
    written(tmp_path, *(model(str(n), id=id_) for n, id_ in enumerate(ids)))
    deployments = read(tmp_path, "model_deployments")
    assert [one["client_spec"]["args"]["openai_model_name"] for one in deployments] == ids
    names = [one["name"] for one in deployments]
    assert len(set(names)) == len(ids)
    assert all(re.fullmatch(r"quant-harness/[A-Za-z0-9._-]+", name) for name in names)
    assert names[1] == "quant-harness/a_b"
    entries = (tmp_path / "run_entries.conf").read_text(encoding="utf-8")
    assert all(f',model={name}"' in entries for name in names)


def test_bos_has_its_place_in_the_context(tmp_path: Path) -> None:
    written(tmp_path, model("with"), model("without", WITHOUT))
    rooms = [(one["max_sequence_length"], one["max_request_length"]) for one in read(tmp_path, "model_deployments")]
    assert rooms == [(2046, 2047), (2048, 2048)]
    assert [one["prefix_token"] for one in read(tmp_path, "tokenizer_configs")] == ["<s>", ""]


def test_all_models_keep_to_the_smallest_context(tmp_path: Path) -> None:
    written(tmp_path, model("long", WITHOUT), model("short", WITHOUT, context=512))
    assert [one["max_request_length"] for one in read(tmp_path, "model_deployments")] == [512, 512]


def test_every_task_is_asked_of_every_model(tmp_path: Path) -> None:
    written(tmp_path, model("f16"), model("q4"))
    described = json.loads((tmp_path / "tasks.json").read_text(encoding="utf-8"))
    entries = (tmp_path / "run_entries.conf").read_text(encoding="utf-8")
    for name in described:
        lines = (tmp_path / "data" / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
        assert len(lines) == 3 + described[name]["adapter"]["max_train_instances"]
        for label in ("f16", "q4"):
            assert f'"quant_harness:task={name},model=quant-harness/{label}-01234567"' in entries
    assert entries.count("description") == 2 * len(described) == 8
    groups = [one["name"] for one in yaml.safe_load((tmp_path / "schema.yaml").read_text())["run_groups"]]
    assert groups == ["quant_harness", *described]
    assert (tmp_path / "quant_harness.py").read_text(encoding="utf-8").startswith("# mypy")


def test_custom_mcqa_has_all_examples_that_ours_were_drawn_from(tmp_path: Path) -> None:
    written(tmp_path, model("f16"))
    entries = (tmp_path / "custom_mcqa.conf").read_text(encoding="utf-8")
    for file, shots, method in (
        ("world_choice", 0, "multiple_choice_separate_original"),
        ("world_choice-examples", 3, "multiple_choice_joint"),
    ):
        assert f"custom_mcqa:path=../../../custom/{file}.jsonl,num_train_instances={shots},method={method}," in entries
        rows = [json.loads(line) for line in (tmp_path / "custom" / f"{file}.jsonl").read_text().splitlines()]
        train = SCENARIOS["world_choice"].load(open_store(None)).train
        expected = [one.id for one in train] if shots else []
        assert [row["id"] for row in rows if row["split"] == "train"] == expected
        assert all(sum(ref["tags"] == ["correct"] for ref in row["references"]) == 1 for row in rows)


def test_what_is_left_out_is_in_the_readme(tmp_path: Path) -> None:
    (choice, *_), (facts, *_) = tasks("world_choice"), tasks("world_facts")
    odd = replace(choice, spec=replace(choice.spec, method="ranking_binary"))
    source = Source((model("f16"),), (odd, facts), ("something else",), open_store(None))
    (said,) = write_helm(tmp_path, source, 8001)
    assert said.startswith("Left out: world_choice-ranking_binary: ")
    readme = (tmp_path / "README.md").read_text(encoding="utf-8")
    assert f"- {said}\n" in readme
    assert "- something else\n" in readme
    assert "custom_mcqa" not in readme


def test_where_nothing_can_be_asked_nothing_is_written(tmp_path: Path) -> None:
    source = Source((model("f16"),), tasks("world_facts", chat=True), (), open_store(None))
    with pytest.raises(UserError, match="HELM can ask none of these tasks"):
        write_helm(tmp_path, source, 8001)
    assert list(tmp_path.iterdir()) == []


def test_an_endpoint_is_taken_where_it_counts_tokens_for_helm(tmp_path: Path, served: ServerProcess) -> None:
    written(tmp_path, model("mine", file=None, url=served.base_url, id="world"), model("q4"), port=9000)
    urls = [one["client_spec"]["args"]["base_url"] for one in read(tmp_path, "model_deployments")]
    assert urls == [served.base_url, "http://127.0.0.1:9000/v1"]


def test_an_endpoint_that_cannot_is_refused(tmp_path: Path, breaking: Any) -> None:
    with pytest.raises(UserError, match="no tokenizer that HELM can ask"):
        written(tmp_path, model("other", file=None, url=breaking(1)))
    with pytest.raises(RunError, match="cannot be reached"):
        written(tmp_path, model("gone", file=None, url="http://127.0.0.1:9/v1"))


def test_the_command_line_writes_a_folder_or_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    words = ["harness", "export", "helm", "--out", str(out), "--scenarios", "world_sums", "--max-instances", "2"]
    monkeypatch.setattr(sys, "argv", [*words, str(BUNDLED_MODEL)])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 0
    assert "README.md" in capsys.readouterr().out
    lines = (out / "README.md").read_text(encoding="utf-8").splitlines()
    (serve,) = [shlex.split(line) for line in lines if line.startswith("    harness serve")]
    assert serve[2] == str(BUNDLED_MODEL.resolve())
    # Once more into the same place: what is there stays.
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert "already holds something" in capsys.readouterr().err
    assert len(list(tmp_path.iterdir())) == 1
