"""What is exported: the models and tasks of a run, of files and of endpoints."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from harness.commands.export import read_source
from harness.data.store import open_store
from harness.errors import RunError, UserError
from harness.execution.chosen import chosen_scenarios
from harness.execution.tasks import Asking
from harness.interop.models import model_at, model_in
from harness.interop.source import Wanted, source_of_models, source_of_run
from harness.models.bundled import BUNDLED_MODEL
from harness.models.gguf_facts import read_facts
from harness.models.gguf_tokens import SpecialTokens
from harness.serving.process import ServerProcess


def record_of(run: Path) -> dict[str, Any]:
    """``run.json``, with paths that hold wherever a test runs."""
    record: dict[str, Any] = json.loads((run / "run.json").read_text(encoding="utf-8"))
    record["spec"]["cache_dir"] = str(run.parent / record["spec"]["cache_dir"])
    return record


def wanted(*names: str, most: int | None = 3) -> Wanted:
    return Wanted((), names, (), None, Asking(max_instances=most, seed=0))


def exported(*words: str | Path, **options: Any) -> Any:
    """What the command line makes of words, where no option is given but ``options``."""
    usual: dict[str, Any] = {"suite": "", "scenarios": "", "scenario_file": None, "max_instances": None, "seed": None}
    return read_source(list(map(str, words)), **(usual | {"dataset_dir": None} | options))


def test_a_run_gives_its_models_and_all_that_it_asked(real_run: Path) -> None:
    record = record_of(real_run)
    source = source_of_run(record)
    assert source.notes == ()
    assert [model.label for model in source.models] == [model["label"] for model in record["models"]]
    for model, known in zip(source.models, record["models"], strict=True):
        assert model.id == f"{model.label}-{known['sha256'][:8]}"
        assert model.file is not None
        assert read_facts(model.file).sha256 == known["sha256"]
        assert (model.context, model.tokens) == (2048, SpecialTokens("<s>", "</s>", 0))
        assert model.serve.model_dump() == known["serve"]
    assert [(task.scenario.name, task.adapter_name, len(task.instances)) for task in source.tasks] == [
        (task["scenario"], task["adapter"], task["instances"]) for task in record["tasks"]
    ]
    for task, known in zip(source.tasks, record["tasks"], strict=True):
        assert {kind: [one.id for one in chosen] for kind, chosen in task.examples.items()} == known["examples"]


def test_a_run_whose_file_is_not_found_is_refused(real_run: Path, tmp_path: Path) -> None:
    record = record_of(real_run)
    record["spec"]["cache_dir"] = str(tmp_path)
    with pytest.raises(UserError, match=rf"q8_0: .*\.gguf is not found.*{tmp_path}.*put it back, or name the GGUF"):
        source_of_run(record)


def test_another_file_of_the_same_name_is_not_taken(real_run: Path, tmp_path: Path) -> None:
    record = record_of(real_run)
    right = Path(source_of_run(record).models[1].file or "")
    changed = bytearray(right.read_bytes())
    changed[-1] ^= 1
    (tmp_path / right.name).write_bytes(changed)
    record["spec"]["cache_dir"] = str(tmp_path)
    with pytest.raises(UserError, match=r"q8_0: .* is not found"):
        source_of_run(record)


def test_other_data_than_the_run_had_is_told(real_run: Path) -> None:
    record = record_of(real_run)
    for task in record["tasks"]:
        if task["scenario"] == "world_facts":
            task["data"]["made_from"] = "another world"
    (note,) = source_of_run(record).notes
    assert note.startswith("world_facts: its data are not those")


def test_the_null_run_is_no_model_of_its_own(real_run: Path) -> None:
    record = record_of(real_run)
    record["models"].append(record["models"][0] | {"label": "null_run"})
    record["null"] = "null_run"
    assert [model.label for model in source_of_run(record).models] == ["f16", "q8_0", "q2_k"]


def test_a_run_that_asked_nothing_is_refused(real_run: Path) -> None:
    with pytest.raises(UserError, match="asked no questions"):
        source_of_run(record_of(real_run) | {"tasks": []})


def test_what_a_run_left_out_is_not_asked(real_run: Path) -> None:
    record = record_of(real_run)
    facts, joint = "world_facts", "multiple_choice_joint"
    kept = [task for task in record["tasks"] if task["scenario"] == facts or task["adapter"] == joint]
    assert 2 == len(kept) < len(record["tasks"])
    source = source_of_run(record | {"tasks": kept})
    assert [(task.scenario.name, task.adapter_name) for task in source.tasks] == [
        (task["scenario"], task["adapter"]) for task in kept
    ]
    assert source.notes == ()  # nor are the data said to be others of world_text, which was not asked
    with pytest.raises(UserError, match="Nothing that the run asked can be asked any more"):
        source_of_run(record | {"tasks": [kept[0] | {"trial": 7}]})


def test_an_imported_run_is_refused(real_run: Path) -> None:
    with pytest.raises(UserError, match=r"results of lm-eval, and neither its models nor its prompts; name a run"):
        source_of_run(record_of(real_run) | {"imported": {"from": "lm-eval"}, "spec": {"metrics": []}})


def test_a_file_has_an_id_by_its_hash_that_any_shell_takes(tmp_path: Path) -> None:
    path = tmp_path / "my model (1).gguf"
    path.symlink_to(BUNDLED_MODEL)
    model = model_in(path)
    assert model.id == f"my_model_1_-{read_facts(BUNDLED_MODEL).sha256[:8]}"
    assert model.label == "my model (1)"


def test_one_name_for_two_models_is_refused(tmp_path: Path) -> None:
    (tmp_path / "world-f16.gguf").symlink_to(BUNDLED_MODEL)
    with pytest.raises(UserError, match="label 'world-f16'"):
        source_of_models([str(BUNDLED_MODEL), str(tmp_path / "world-f16.gguf")], wanted("world_sums"))


def test_an_endpoint_says_what_it_is(served: ServerProcess) -> None:
    source = source_of_models([f"mine={served.base_url}"], wanted("world_sums"))
    (model,) = source.models
    assert (model.label, model.id, model.url) == ("mine", "world", served.base_url)
    assert (model.context, source.context) == (2048, 2048)
    assert model.tokens.bos == "<s>"
    assert model_at("mine", f"{served.base_url}#world") == model
    with pytest.raises(UserError, match="no model 'other'"):
        model_at("mine", f"{served.base_url}#other")


def test_an_endpoint_that_is_not_there_is_told() -> None:
    with pytest.raises(RunError, match="cannot be reached"):
        model_at("mine", "http://127.0.0.1:9/v1")


def test_the_command_line_takes_a_run_alone_and_without_options_that_it_answers(real_run: Path) -> None:
    with inside(real_run.parent):
        assert [model.label for model in exported(real_run).models] == ["f16", "q8_0", "q2_k"]
    for words, options, said in (
        ((real_run, BUNDLED_MODEL), {}, "name one run alone"),
        ((real_run,), {"seed": 0}, "says itself what was asked"),
        ((real_run,), {"scenarios": "world_sums"}, "says itself what was asked"),
        ((real_run.parent,), {}, "is no run"),
        (("nothing.gguf",), {}, "does not exist"),
    ):
        with pytest.raises(UserError, match=said):
            exported(*words, **options)


def test_the_command_line_asks_what_a_run_would() -> None:
    source = exported(BUNDLED_MODEL, scenarios="world_sums,world_facts", max_instances=2, seed=3)
    assert [(task.scenario.name, len(task.instances)) for task in source.tasks] == [
        ("world_sums", 2),
        ("world_facts", 2),
    ]
    assert {task.scenario.name for task in exported(BUNDLED_MODEL, max_instances=1).tasks} >= {"world_text"}


def test_scenarios_of_suites_of_names_and_of_files_add_up() -> None:
    capitals = Path(__file__).parents[3] / "docs" / "examples" / "capitals.yaml"

    def chosen(*selectors: str) -> list[tuple[str, tuple[str, ...]]]:
        found = chosen_scenarios(["generated"], selectors, [capitals], open_store(None))
        return [(one.name, one.slices) for one in found if not one.name.startswith(("dyck", "synthetic"))]

    assert chosen("world_sums") == [("world_sums", ()), ("capitals", ())]
    assert chosen("capitals:North") == [("capitals", ("North",))]


@contextmanager
def inside(folder: Path) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        yield


def test_a_label_tells_files_of_one_name_apart() -> None:
    source = source_of_models([f"f16={BUNDLED_MODEL}", f"again={BUNDLED_MODEL}"], wanted("world_facts"))
    assert [model.label for model in source.models] == ["f16", "again"]
    assert [model.id.rpartition("-")[0] for model in source.models] == ["f16", "again"]
    with pytest.raises(UserError, match=r"give one another name, as LABEL=FILE.gguf or LABEL=URL\."):
        source_of_models([str(BUNDLED_MODEL)] * 2, wanted("world_facts"))


def test_where_nothing_is_asked_there_is_nothing_to_export() -> None:
    with pytest.raises(UserError, match="--scenarios none leaves nothing to export"):
        exported(BUNDLED_MODEL, scenarios="none")
