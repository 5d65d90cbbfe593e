"""One of our tasks as lm-eval's: a YAML file and rows of data, with every prompt written out."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from pyarrow.json import ReadOptions, read_json

from harness.adaptation.window import ByteWindow
from harness.execution.tasks import Task
from harness.interop.asked import LeftOut, by_perturbation, task_words
from harness.interop.exported import KEY, about_instance, about_task
from harness.interop.lm_eval.forms import FORMS, NOT_ASKED, Asked, Form, Row, choice_delimiter, whole_prompts


@dataclass(frozen=True, slots=True)
class LmEvalTask:
    """What lm-eval needs to ask one task."""

    name: str
    config: Mapping[str, Any]
    """Keys of its YAML file, but for where the data are."""
    rows: Sequence[Row]
    """One a question."""
    ours: str
    """Our main metric."""
    theirs: str
    """The metric of lm-eval that is the same; empty where it has none."""
    longest: int
    """UTF-8 bytes of the longest prompt with what comes after it, which has as many tokens at most."""


def lm_eval_tasks(task: Task) -> list[LmEvalTask | LeftOut]:
    """What lm-eval is to ask in place of a task of ours: the originals, and each perturbation as a task of its own."""
    return [_lm_eval_task(part, perturbation) for perturbation, part in by_perturbation(task)]


def _lm_eval_task(task: Task, perturbation: str) -> LmEvalTask | LeftOut:
    name, method = _name(task, perturbation), task.spec.method
    if task.is_chat:
        return LeftOut(name, "lm-eval puts prompts into a chat template by itself (--apply_chat_template)")
    if method in NOT_ASKED:
        return LeftOut(name, NOT_ASKED[method])
    form, window = FORMS[method], ByteWindow()
    asked = [Asked(instance, task.request(instance, window)) for instance in task.instances]
    rows = [_about(one) | form.row(task, one) for one in asked]
    golds = [row["gold"] for row in rows if "gold" in row]
    if all(len(gold) == 1 for gold in golds):
        rows = [row | ({"gold": row["gold"][0]} if golds else {}) for row in rows]
    elif method == "multiple_choice_separate_partial":
        return LeftOut(name, "lm-eval takes one right choice where each choice has a context of its own")
    if _become_times(rows):
        return LeftOut(name, "all its answers are dates, which lm-eval's reader of JSON turns into another text")
    metrics = form.metrics if any(golds) or not golds else ("bypass",)
    ours = task.metrics[0].name
    same = _same_metric(ours, task, metrics)
    metrics = tuple(sorted(metrics, key=lambda name: name != same))  # the first is what results are judged by
    return LmEvalTask(
        name=name,
        config={
            "task": name,
            "output_type": form.output_type,
            "num_fewshot": 0,
            **form.keys,
            **_more_keys(task, form),
            "metric_list": [{"metric": metric, **_AGGREGATION[metric]} for metric in metrics],
            "metadata": {"version": 1.0, **about_task(task, perturbation).model_dump(), "theirs": same},
        },
        rows=rows,
        ours=ours,
        theirs=same,
        longest=task.spec.max_tokens + max(len(text.encode()) for one in asked for text in whole_prompts(one.request)),
    )


def _name(task: Task, perturbation: str) -> str:
    """A name that is also a file's."""
    words = task_words(task, perturbation)
    return "".join(letter if letter.isalnum() or letter in "-._" else "_" for letter in words)


def _about(asked: Asked) -> Row:
    """What lm-eval's log of samples is to tell of the instance, so that results can be paired."""
    return {"id": asked.instance.id, KEY: about_instance(asked.instance, asked.request)}


def _become_times(rows: Sequence[Row]) -> bool:
    """Whether a column of answers would be read as points in time, as pyarrow reads one that has nothing else."""
    for name in ("gold", "choices"):
        values = [row[name] for row in rows if row.get(name)]
        lines = "".join(json.dumps({name: value}) + "\n" for value in values).encode()
        if not lines:
            continue
        found = read_json(io.BytesIO(lines), ReadOptions(block_size=len(lines) + 1)).schema.field(name).type
        if pa.types.is_timestamp(found.value_type if pa.types.is_list(found) else found):
            return True
    return False


def _more_keys(task: Task, form: Form) -> Row:
    """Keys of the YAML file that differ from scenario to scenario."""
    if form.output_type == "multiple_choice":
        return {"target_delimiter": choice_delimiter(task)}
    if form.output_type == "generate_until":
        how = {"until": list(task.spec.stop), "max_gen_toks": task.spec.max_tokens}
        return {"generation_kwargs": how | {"do_sample": False, "temperature": 0.0}}
    return {}


def _same_metric(ours: str, task: Task, metrics: Sequence[str]) -> str:
    """lm-eval's metric that judges as our main one does."""
    if ours == "exact_match" and task.spec.method == "multiple_choice_separate_original":
        same = {"none": "acc", "character": "acc_norm"}.get(task.spec.normalization, "")
    elif ours == "exact_match" and task.spec.method == "multiple_choice_separate_partial":
        same = "acc"
    else:
        same = "acc" if ours == "greedy_match" else ours
    return same if same in metrics else ""


_AGGREGATION: Mapping[str, Row] = {
    **{name: {"aggregation": "mean", "higher_is_better": True} for name in ("acc", "acc_norm", "acc_bytes")},
    "exact_match": {"aggregation": "mean", "higher_is_better": True},
    "bypass": {"aggregation": "bypass", "higher_is_better": True},
    "perplexity": {"aggregation": "perplexity", "higher_is_better": False},
    "word_perplexity": {"aggregation": "weighted_perplexity", "higher_is_better": False},
    "byte_perplexity": {"aggregation": "weighted_perplexity", "higher_is_better": False},
    "bits_per_byte": {"aggregation": "bits_per_byte", "higher_is_better": False},
}
"""What lm-eval asks to be told of its own metrics."""
