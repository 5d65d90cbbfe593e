"""What HELM is told to ask is byte for byte what we ask, put together by HELM's rules."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.adaptation.window import ByteWindow
from harness.data.store import open_store
from harness.execution.tasks import Asking, Task, plan_tasks
from harness.interop.helm.questions import HelmTask, Json, LeftOut, helm_tasks
from harness.layout import Layout
from harness.perturbations.table import find_perturbations
from harness.scenarios.base import AdapterSpec, Data, Scenario
from harness.scenarios.table import SCENARIOS
from harness.types import Instance, Reference

WINDOW = ByteWindow()
SEPARATE = ("multiple_choice_separate_original", "multiple_choice_separate_calibrated")
METHODS = ("generation", "multiple_choice_joint", *SEPARATE)


def block(adapter: Json, one: Json, text: str, output: str | None) -> str:
    """One block of HELM's prompt: an input, its choices where they are listed, and an output or the place for it."""
    found = f"{adapter['input_prefix']}{text}{adapter['input_suffix']}"
    if adapter["method"] == "multiple_choice_joint":
        first = next(letter for letter in adapter["reference_prefix"] if letter.isalnum())
        for index, reference in enumerate(one["references"]):
            prefix = adapter["reference_prefix"].replace(first, chr(ord(first) + index))
            found += f"{prefix}{reference['output']['text']}{adapter['reference_suffix']}"
    if output is None:
        return f"{found}{adapter['output_prefix'].rstrip()}"
    return f"{found}{adapter['output_prefix']}{output}{adapter['output_suffix']}"


def shown(adapter: Json, example: Json) -> str:
    """What an example of HELM's shows as its output."""
    right = [index for index, reference in enumerate(example["references"]) if reference["tags"] == ["correct"]]
    if not right:
        return "n/a"
    if adapter["method"] == "multiple_choice_joint":
        first = next(letter for letter in adapter["reference_prefix"] if letter.isalnum())
        return chr(ord(first) + right[0])
    return str(example["references"][right[0]]["output"]["text"])


def prompts(task: HelmTask, one: Json) -> Iterator[str]:
    """The prompts that HELM's adapter makes of one instance."""
    adapter = task.adapter
    train = [example for example in task.instances if example["split"] == "train"]

    def prompt(examples: list[Json], asked: str) -> str:
        solved = [block(adapter, example, example["input"]["text"], shown(adapter, example)) for example in examples]
        blocks = [*([adapter["instructions"]] if adapter["instructions"] else []), *solved, asked]
        return f"{adapter['global_prefix']}{adapter['instance_prefix'].join(blocks)}{adapter['global_suffix']}"

    text = one["input"]["text"]
    if adapter["method"] not in SEPARATE:
        yield prompt(train[: adapter["max_train_instances"]], block(adapter, one, text, None))
        return
    outputs = [reference["output"]["text"] for reference in one["references"]]
    yield from (prompt(train, block(adapter, one, text, output)) for output in outputs)
    if adapter["method"] == SEPARATE[1]:
        yield from (prompt([], block(adapter, one, "Answer:", output)) for output in outputs)


def check(task: Task) -> None:
    """See that HELM asks all of the task, and with its prompts."""
    ours = {
        (one.id, one.perturbation): [
            prompt.whole if isinstance(prompt.whole, str) else WINDOW.detokenize(prompt.whole)
            for prompt in task.request(one, WINDOW).prompts
        ]
        for one in task.instances
    }
    helms: dict[tuple[str, str], list[str]] = {}
    for found in helm_tasks(task):
        assert isinstance(found, HelmTask)
        asked = [one for one in found.instances if one["split"] == "test"]
        assert len(asked) == found.adapter["max_eval_instances"] == len(found.task.instances)
        for one in asked:
            helms[one["id"], one["extra_data"].get("perturbation", "")] = list(prompts(found, one))
    assert helms == ours


@pytest.mark.parametrize("name", [name for name in SCENARIOS if not SCENARIOS[name].tables])
def test_every_scenario_that_needs_no_data(name: str) -> None:
    for task in plan_tasks(SCENARIOS[name], open_store(None), Asking(max_instances=4, seed=1)):
        if task.spec.method in METHODS:
            check(task)


TEXT = st.text("aB:\n ", max_size=4)
INSTANCES = [
    Instance(
        f"x-{i}",
        f"question {i}?",
        tuple(Reference(f"{i}{j}", j == i % 3, f"since {j}" * (i % 2)) for j in range(3)),
        kind="odd" if i % 2 else "even",
    )
    for i in range(8)
]


def made(spec: AdapterSpec) -> Scenario:
    data = Data(INSTANCES[:5], INSTANCES[5:])
    return Scenario(name="made", description="", adapters=(spec,), metrics=("exact_match",), load=lambda _store: data)


@given(
    method=st.sampled_from(METHODS),
    words=st.fixed_dictionaries(
        {
            name: TEXT
            for name in (
                *("instructions", "input_prefix", "input_suffix", "reference_suffix", "output_prefix"),
                *("output_suffix", "instance_prefix", "global_prefix", "global_suffix"),
            )
        }
    ),
    n_shots=st.integers(0, 3),
    by_kind=st.booleans(),
    several=st.booleans(),
)
def test_any_layout_and_any_examples(
    method: str, words: dict[str, str], n_shots: int, by_kind: bool, several: bool
) -> None:
    layout = Layout(**words)
    spec = AdapterSpec(
        method=method,
        layout=layout,
        layouts={"odd": replace(layout, instructions="Odd.\n")} if several else {},
        n_shots=n_shots,
        examples_by_kind=by_kind,
    )
    (task,) = plan_tasks(made(spec), open_store(None), Asking(max_instances=None, seed=0))
    check(task)


def test_changed_questions_and_trials_are_runs_of_their_own() -> None:
    asking = Asking(max_instances=3, seed=0, trials=2, perturbations=tuple(find_perturbations(["lowercase"])))
    tasks = plan_tasks(SCENARIOS["world_facts"], open_store(None), asking)
    for task in tasks:
        check(task)
    found = [one for task in tasks for one in helm_tasks(task) if isinstance(one, HelmTask)]
    assert [one.name for one in found] == [
        *("world_facts-generation", "world_facts-generation-lowercase"),
        *("world_facts-generation-trial2", "world_facts-generation-trial2-lowercase"),
    ]


@pytest.mark.parametrize(
    ("said", "read"),
    [("A", "A"), ("A\n\nQuestion", "A"), ("A word\nB", "A word"), ("A  ###", "A"), ("", ""), ("A###B\nC", "A")],
)
def test_a_letter_is_read_up_to_where_ours_would_stop(said: str, read: str) -> None:
    spec = AdapterSpec(method="multiple_choice_joint", stop=("\n", "###"))
    (task,) = plan_tasks(made(spec), open_store(None), Asking(max_instances=1, seed=0))
    (found,) = helm_tasks(task)
    assert isinstance(found, HelmTask)
    match = re.search(found.adapter["output_mapping_pattern"], said)
    assert match is not None
    assert match.group(1) == read


@pytest.mark.parametrize(
    ("method", "chat"),
    [
        *(("continuation", False), ("multiple_choice_separate_partial", False), ("ranking_binary", False)),
        ("generation", True),
    ],
)
def test_what_helm_cannot_ask_is_named(method: str, chat: bool) -> None:
    (task,) = plan_tasks(made(AdapterSpec(method=method)), open_store(None), Asking(max_instances=1, seed=0, chat=chat))
    (found,) = helm_tasks(task)
    assert isinstance(found, LeftOut)
    assert found.name.startswith("made-")
    assert found.why


def test_main_metrics_are_ours_where_helm_has_them() -> None:
    tasks = {
        name: plan_tasks(SCENARIOS[name], open_store(None), Asking(max_instances=1, seed=0))
        for name in SCENARIOS
        if not SCENARIOS[name].tables
    }
    mains = {
        one.name: one.main
        for found in tasks.values()
        for task in found
        for one in helm_tasks(task)
        if isinstance(one, HelmTask)
    }
    assert mains["world_text-windows"] == "bits_per_byte"
    assert mains["world_choice-separate"] == "exact_match"
    assert mains["synthetic_reasoning_natural-generation"] == "f1_set_match"
