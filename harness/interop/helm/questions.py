"""One of our tasks as HELM's: an ``AdapterSpec`` that asks byte for byte the same, and JSON lines of HELM's instances.

HELM's adapters differ from ours in three places, and an ``AdapterSpec`` can make up for each:

- ``multiple_choice_joint`` sends no stop sequence. The answer is cut there by ``output_mapping_pattern`` instead.
- ``multiple_choice_separate_*`` puts the output's suffix after the choice that is scored, and scores that too. The
  suffix goes before the next block instead.
- ``multiple_choice_separate_calibrated`` puts "Answer:" between the layout's prefixes. Where the layout has any, each
  input is the whole prompt, examples and all, and the layout is empty.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from harness.adaptation.generation import output, shown_answer
from harness.adaptation.in_context import answer_space
from harness.adaptation.window import ByteWindow
from harness.execution.tasks import Task
from harness.interop.asked import LeftOut
from harness.interop.exported import KEY, TASK_KEY, about_instance, about_task
from harness.layout import Layout
from harness.methods import short_name
from harness.types import Instance, Reference

Json = dict[str, Any]
JOINT, CALIBRATED = "multiple_choice_joint", "multiple_choice_separate_calibrated"
METHODS = ("generation", JOINT, "multiple_choice_separate_original", CALIBRATED, "language_modeling")
"""Those that HELM has as well, by its names."""
BITS_PER_BYTE = "bits_per_byte"
ALWAYS = ("exact_match", "quasi_exact_match", "prefix_exact_match", "quasi_prefix_exact_match")
"""What HELM judges words by nearly everywhere."""
OFFLINE = frozenset(
    (
        *(*ALWAYS, "exact_match_indicator", "exact_set_match", "f1_score", "f1_set_match", "final_number_exact_match"),
        *("iou_set_match", "math_equiv", "math_equiv_chain_of_thought", "rouge_1", "rouge_2", "rouge_l"),
    )
)
"""Those of our metrics that HELM has by the same names, and that download nothing."""
_METRICS = "helm.benchmark.metrics"
_BARE = Layout(input_prefix="", input_suffix="", output_prefix="", output_suffix="", instance_prefix="")


@dataclass(frozen=True, slots=True)
class HelmTask:
    """What HELM needs to ask one task."""

    name: str
    """Also a file's, and part of a run entry."""
    task: Task
    """With the instances that HELM is to ask, all in one layout and after the same examples."""
    adapter: Json
    """Arguments of HELM's ``AdapterSpec``."""
    metrics: list[Json]
    """HELM's ``MetricSpec``, one after the other."""
    main: str
    """The metric that HELM's tables show: our main one where HELM has it."""
    instances: list[Json]
    """HELM's instances, the solved examples first."""


def helm_tasks(task: Task) -> Iterator[HelmTask | LeftOut]:
    """What HELM is to ask in place of one of our tasks: several, where HELM needs a run for each layout or change."""
    name = "-".join(
        [task.scenario.name, short_name(task.spec.method), *([f"trial{task.trial + 1}"] if task.trial else [])]
    )
    if task.is_chat:
        yield LeftOut(name, "HELM has no chat form of it that sends the same")
    elif task.spec.method not in METHODS:
        yield LeftOut(name, "HELM has no such way of asking, or one that asks otherwise")
    else:
        parts = _alike(task)
        kinds = {part.instances[0].perturbation: 0 for part in parts}
        for part in parts:
            first = part.instances[0]
            several = sum(1 for one in parts if one.instances[0].perturbation == first.perturbation) > 1
            kinds[first.perturbation] += 1
            which = [first.kind or str(kinds[first.perturbation])] if several else []
            words = [name, *which, *([first.perturbation] if first.perturbation else [])]
            yield _helm_task(part, re.sub(r"[^A-Za-z0-9._-]+", "_", "-".join(words)))


def _alike(task: Task) -> list[Task]:
    """The task in parts, of which each has one layout, one choice of examples and one perturbation or none."""
    parts: dict[tuple[object, ...], list[Instance]] = {}
    for instance in task.instances:
        examples = tuple(example.id for example in task.examples_for(instance))
        parts.setdefault((instance.perturbation, task.spec.layout_of(instance), examples), []).append(instance)
    return [replace(task, instances=tuple(instances)) for instances in parts.values()]


def _helm_task(task: Task, name: str) -> HelmTask:
    first, window = task.instances[0], ByteWindow()
    layout, examples = task.spec.layout_of(first), list(task.examples_for(first))
    if task.spec.method == "language_modeling":
        layout, examples, inputs = _BARE, [], [instance.input for instance in task.instances]
    elif _is_baked(task, layout):
        inputs = [task.request(instance, window).text for instance in task.instances]
        layout, examples = replace(_BARE, output_prefix=answer_space(layout)), []
    else:
        inputs = [instance.input for instance in task.instances]
    about = about_task(task, first.perturbation).model_dump_json()
    asked = [
        _known_again(
            helm_instance(_judged(task, replace(instance, input=text)), "test"),
            {KEY: about_instance(instance, task.request(instance, window)), TASK_KEY: about},
        )
        for instance, text in zip(task.instances, inputs, strict=True)
    ]
    ours = task.metrics[0].name
    return HelmTask(
        name=name,
        task=task,
        adapter=_adapter(task, layout, len(examples)),
        metrics=_metrics(task),
        main=_main(task.spec.method, ours),
        instances=[*(_example(task, layout, example) for example in examples), *asked],
    )


def _is_baked(task: Task, layout: Layout) -> bool:
    """Whether HELM's own adapter cannot put the prompt together as ours does."""
    method = task.spec.method
    if not method.startswith("multiple_choice_separate"):
        return False
    around = (layout.input_prefix, layout.input_suffix, layout.output_prefix.strip(), layout.instructions)
    return bool(layout.global_suffix) or (
        method == CALIBRATED and any((*around, layout.global_prefix, task.spec.n_shots))
    )


def _adapter(task: Task, layout: Layout, n_examples: int) -> Json:
    spec = task.spec
    words = dataclasses.asdict(layout)
    if spec.method.startswith("multiple_choice_separate"):
        # What stands between the instructions and the first block is no longer what stands between two blocks.
        before = f"{layout.instructions}{layout.instance_prefix}" if layout.instructions else ""
        words |= {
            "instructions": "",
            "global_prefix": f"{layout.global_prefix}{before}",
            "instance_prefix": f"{layout.output_suffix}{layout.instance_prefix}",
            "output_suffix": "",
        }
    joint = {"output_mapping_pattern": _up_to(spec.stop)} if spec.method == JOINT else {}
    return {
        "method": spec.method,
        **words,
        **joint,
        "max_train_instances": n_examples,
        "sample_train": False,
        "max_eval_instances": len(task.instances),
        "num_outputs": 5 if spec.method == JOINT else 1,
        "temperature": 0.0,
        "max_tokens": spec.max_tokens if spec.method in ("generation", JOINT) else 0,
        "stop_sequences": list(spec.stop) if spec.method == "generation" else [],
        "multi_label": False,
    }


def _up_to(stop: tuple[str, ...]) -> str:
    """A regular expression whose group is a text up to the first stop sequence, without the spaces before that."""
    ends = "|".join([*map(re.escape, stop), r"\Z"])
    return rf"(?s)\A(.*?)\s*(?:{ends})"


def _main(method: str, ours: str) -> str:
    if method == "language_modeling":
        return BITS_PER_BYTE
    return ours if ours in OFFLINE and method in ("generation", JOINT) else "exact_match"


def _metrics(task: Task) -> list[Json]:
    if task.spec.method == "language_modeling":
        return [
            {"class_name": f"{_METRICS}.language_modeling_metrics.LanguageModelingMetric", "args": {"names": []}},
        ]
    names = [*dict.fromkeys((*ALWAYS, *(name for name in task.scenario.metrics if name in OFFLINE)))]
    return [
        {"class_name": f"{_METRICS}.basic_metrics.BasicGenerationMetric", "args": {"names": names}},
        {"class_name": f"{_METRICS}.basic_metrics.BasicReferenceMetric", "args": {}},
        {"class_name": f"{_METRICS}.basic_metrics.InstancesPerSplitMetric", "args": {}},
    ]


def _example(task: Task, layout: Layout, example: Instance) -> Json:
    """An example; where it shows no letter, what it shows as its answer is its one reference."""
    if task.spec.method != JOINT:
        steps = task.spec.method == "generation"
        shown = shown_answer(layout, example, task.spec) if steps else output(example, task.spec)
        example = replace(example, references=(Reference(shown, is_correct=True),))
    return helm_instance(example, "train")


def helm_instance(instance: Instance, split: str) -> Json:
    """HELM's ``Instance``, as its JSON has it.

    Args:
        instance: ours.
        split: ``train`` for a solved example, ``test`` for what is asked.
    """
    return {
        "input": {"text": instance.input},
        "references": [
            {"output": {"text": reference.text}, "tags": ["correct"] if reference.is_correct else []}
            for reference in instance.references
        ],
        "split": split,
        "id": instance.id,
        "extra_data": _extra(instance),
    }


def _known_again(instance: Json, told: Mapping[str, str]) -> Json:
    """The instance with what lets its results come home by our names."""
    return instance | {"extra_data": {**instance["extra_data"], **told}}


def _judged(task: Task, instance: Instance) -> Instance:
    """The instance without references where none is right: HELM judges no text by such."""
    is_text = task.spec.method == "generation"
    return replace(instance, references=()) if is_text and not instance.golds else instance


def _extra(instance: Instance) -> Mapping[str, str]:
    named = {"kind": instance.kind, "group": instance.group, "perturbation": instance.perturbation}
    return {name: value for name, value in named.items() if value}
