"""Tasks for Inspect: every prompt is ours, every method is asked or said to be left out, and the folder is Python."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.adaptation.window import ByteWindow
from harness.data.store import open_store
from harness.errors import UserError
from harness.execution.tasks import Asking, Task, plan_tasks
from harness.interop.inspect.folder import write_inspect
from harness.interop.inspect.tasks import KINDS, InspectTask, LeftOut, inspect_tasks
from harness.interop.models import ExportedModel
from harness.interop.source import Source
from harness.layout import Layout
from harness.methods import METHODS
from harness.models.bundled import BUNDLED_MODEL
from harness.models.gguf_tokens import SpecialTokens
from harness.perturbations.table import find_perturbations
from harness.scenarios.base import AdapterSpec, Data, Scenario
from harness.types import Instance, Reference

GRASS = Instance("q-1", "What colour is grass?", (Reference("green", True), Reference("red", False)))
SHOWN = Instance("t-1", "Two and two?", (Reference("four", True), Reference("five", False)))
BARE = Layout(input_prefix="", input_suffix="", output_prefix="", output_suffix="", instance_prefix="")


def task_of(method: str, instance: Instance = GRASS, *, name: str = "quiz", asking: Any = (), **spec: Any) -> Task:
    scenario = Scenario(
        name=name,
        description="for a test",
        adapters=(AdapterSpec(**{"method": method, "n_shots": 1} | spec),),
        metrics=("exact_match",),
        load=lambda _store: Data([SHOWN], [instance]),
        made_from="1",
    )
    (task,) = plan_tasks(scenario, open_store(None), Asking(**{"max_instances": None, "seed": 0} | dict(asking)))
    return task


def exported(*args: Any, **spec: Any) -> InspectTask:
    (made,) = inspect_tasks(task_of(*args, **spec))
    assert isinstance(made, InspectTask)
    return made


def source(*tasks: Task, bos: str = "[BOS]", context: int = 2048) -> Source:
    model = ExportedModel("m", "m-1", context, SpecialTokens(bos, ""), file=Path("a b.gguf"))
    return Source(models=(model,), tasks=tasks, notes=("A note.",), store=open_store(None))


@pytest.mark.parametrize("method", METHODS)
def test_every_method_is_asked_or_left_out_by_name(method: str) -> None:
    blank = Instance("q-3", "The colour of _ is a good one.", GRASS.references)
    (made,) = inspect_tasks(task_of(method, blank, n_shots=0))
    assert isinstance(made, InspectTask) == (method in KINDS)
    assert made.name == "quiz"
    if isinstance(made, LeftOut):
        assert METHODS[method].short in made.why


def test_an_answer_is_asked_for_as_we_ask() -> None:
    task = task_of("generation", max_tokens=7, stop=("\n", "."))
    made = exported("generation", max_tokens=7, stop=("\n", "."))
    assert made.spec == {"kind": "written", "max_tokens": 7, "stop": ["\n", "."]}
    (row,) = made.rows
    assert row["input"] == task.request(GRASS, ByteWindow()).text
    assert (row["id"], row["target"]) == ("q-1", ["green"])
    assert made.longest == 7 + len(row["input"])


def test_a_letter_is_wanted_where_we_want_one() -> None:
    (row,) = exported("multiple_choice_joint").rows
    assert row["target"] == ["A"]
    assert "A. green\nB. red\n" in row["input"]


@pytest.mark.parametrize("method", ["multiple_choice_separate_original", "multiple_choice_separate_calibrated"])
def test_choices_are_scored_as_we_score_them(method: str) -> None:
    made = exported(method, normalization="character")
    (row,) = made.rows
    found = [context + answer for context, answer in row["metadata"]["prompts"]]
    assert found == [prompt.whole for prompt in task_of(method).request(GRASS, ByteWindow()).prompts]
    assert (row["metadata"]["choices"], row["metadata"]["right"]) == (["green", "red"], [0])
    assert made.spec["normalization"] == ("character" if method.endswith("original") else "none")


def test_choices_in_a_blank_are_divided_by_nothing() -> None:
    blank = Instance("q-3", "The colour of _ is a good one.", GRASS.references)
    made = exported("multiple_choice_separate_partial", blank, n_shots=0, layout=BARE)
    assert made.spec["normalization"] == "none"
    prompts = made.rows[0]["metadata"]["prompts"]
    assert prompts == [[f"The colour of {choice}", " is a good one."] for choice in ("green", "red")]


def test_choices_after_nothing_are_left_out() -> None:
    bare = Instance("q-2", "", GRASS.references)
    (made,) = inspect_tasks(task_of("multiple_choice_separate_original", bare, n_shots=0, layout=BARE))
    assert isinstance(made, LeftOut)
    assert "after nothing" in made.why


def test_chats_are_left_out() -> None:
    (made,) = inspect_tasks(task_of("generation", asking={"chat": True}))
    assert isinstance(made, LeftOut)
    assert "chat template" in made.why


def test_a_perturbation_is_a_task_of_its_own() -> None:
    perturbations = tuple(find_perturbations(["lowercase"]))
    found = list(inspect_tasks(task_of("generation", asking={"perturbations": perturbations})))
    assert [task.name for task in found] == ["quiz", "quiz_lowercase"]
    assert [len(task.rows) for task in found if isinstance(task, InspectTask)] == [1, 1]


@pytest.mark.parametrize(("name", "function"), [("my quiz/1", "my_quiz_1"), ("3-quiz", "task_3_quiz"), ("é", "task__")])
def test_names_are_those_of_functions(name: str, function: str) -> None:
    assert exported("generation", name=name).name == function


def test_a_folder(tmp_path: Path) -> None:
    told = write_inspect(tmp_path, source(task_of("generation"), task_of("continuation", name="next")), 8001)
    assert told == ["Left out: next: Inspect has no continuation."]
    defined = [
        node for node in ast.parse((tmp_path / "tasks.py").read_text()).body if isinstance(node, ast.FunctionDef)
    ]
    assert [function.name for function in defined] == ["quiz"]
    assert json.loads((tmp_path / "tasks.json").read_text()).keys() == {"quiz"}
    assert len((tmp_path / "data" / "quiz.jsonl").read_text().splitlines()) == 1
    readme = (tmp_path / "README.md").read_text(encoding="utf-8")
    assert "harness serve 'a b.gguf' --alias m-1 --port 8001" in readme
    # As YAML, which Inspect reads there, [BOS] alone would be a list.
    assert "-T 'bos=\"[BOS]\"'" in readme
    assert "| `quiz` | 1 | exact_match | accuracy |" in readme
    assert all(f"- {note}" in readme for note in ("A note.", *told))


def test_prompts_that_may_not_fit_are_told(tmp_path: Path) -> None:
    write_inspect(tmp_path, source(task_of("generation"), bos="", context=20), 8001)
    readme = (tmp_path / "README.md").read_text(encoding="utf-8")
    assert "Some prompts of quiz may not fit the context of 20 tokens: the server refuses those" in readme
    assert "-T" not in readme.split("## What is asked")[0]


def test_a_name_that_inspect_would_take_for_several_is_refused(tmp_path: Path) -> None:
    asked = source(task_of("generation"))
    (model,) = asked.models
    with pytest.raises(UserError, match=r"'a,b'.*serve it under another name"):
        write_inspect(tmp_path, replace(asked, models=(replace(model, id="a,b"),)), 8001)


def test_nothing_to_ask_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"Inspect can ask none of these tasks.*Left out: next"):
        write_inspect(tmp_path, source(task_of("continuation", name="next")), 8001)
    assert not list(tmp_path.iterdir())


def test_the_command(tmp_path: Path) -> None:
    words = ["export", "inspect", str(BUNDLED_MODEL), "--scenarios", "world_facts", "--max-instances", "3"]
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HARNESS_")}
    command = [sys.executable, "-m", "harness", *words, "--out", "out"]
    done = subprocess.run(command, cwd=tmp_path, env=kept, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert "out/README.md" in done.stdout
    assert len((tmp_path / "out" / "data" / "world_facts.jsonl").read_text().splitlines()) == 3
