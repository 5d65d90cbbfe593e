"""Runs of HELM: the judgements that it made of every instance, and what the model said.

What HELM counts about the asking (references, prompts' tokens, why a completion ended ...) says nothing about answers;
it goes into columns of ``instances`` or is left out. Sums over a text (``logprob``, ``num_bytes``,
``num_perplexity_tokens``) become bits per byte and the logarithm of the perplexity, weighted so that the means over
instances are the figures that HELM derives from the sums.
"""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from harness.errors import UserError
from harness.interop.exported import TASK_KEY, ExportedTask, exported_instance, exported_task
from harness.interop.imports.answered import Answered, ModelTask, Score, fingerprint
from harness.interop.imports.foreign import reading
from harness.interop.imports.helm_answers import LIKELIHOOD, columns_of
from harness.interop.imports.helm_files import (
    AGAIN,
    ALL_STATS,
    PROGRAM,
    SPEC,
    STATE,
    STATS,
    InstanceStats,
    RequestState,
    RunSpec,
    ScenarioState,
    read,
    run_folders,
)
from harness.interop.imports.ours import by_our_names, groups_of

ABOUT_ASKING = re.compile(
    r"num_(references|train_trials|train_instances|prompt_tokens|completion_tokens|perplexity_tokens|bytes|instances)"
    r"|training_.*|batch_size|finish_reason_.*|prompt_truncated|predicted_index|inference_.*_runtime|ref\d+_rank"
)
"""Statistics that judge no answer."""
NOT_MAIN = ("logprob", "max_prob", "num_output_tokens", "inference_runtime")
MODEL_KEYS = ("model", "model_deployment")
MAY_DIFFER = (*MODEL_KEYS, "max_eval_instances")
"""Of an adapter's specification."""

Key = tuple[str, str, int]


def read_helm(folder: Path, label: str | None = None) -> list[ModelTask]:
    """All runs at or below a folder.

    Args:
        folder: of a suite or of one run.
        label: what their model is called, instead of what HELM calls it.

    Raises:
        UserError: there are none, or one is not whole.
    """
    return [_task(run, label) for run in run_folders(folder)]


def _task(folder: Path, label: str | None) -> ModelTask:
    spec = read(folder / SPEC, TypeAdapter(RunSpec))
    stats = read(folder / STATS, ALL_STATS)
    states = read(folder / STATE, TypeAdapter(ScenarioState)).request_states
    adapter = spec.adapter_spec
    for key in ("method", "model"):
        if not isinstance(adapter.get(key), str):
            raise UserError(f"{folder / SPEC}: adapter_spec has no {key}; {AGAIN}.")
    requests: dict[Key, list[RequestState]] = {}
    for state in states:
        if not state.result.success:
            raise UserError(
                f"{folder / STATE}: the request of {state.instance.id!r} failed ({state.result.error or 'no reason'}); "
                f"{AGAIN}."
            )
        if not state.result.completions:
            raise UserError(f"{folder / STATE}: {state.instance.id!r} got no completion; {AGAIN}.")
        place = state.instance.id, perturbation_name(state.instance.perturbation), state.train_trial_index
        requests.setdefault(place, []).append(state)
    ours = _exported(states)
    answers = tuple(_answers(stats, requests, adapter, folder, ours))
    with reading(folder / SPEC, PROGRAM, AGAIN):
        metrics = _in_order(spec, answers)
    return ModelTask(
        model=label or adapter["model"],
        scenario=ours.scenario if ours else scenario_name(spec),
        adapter=ours.adapter if ours else adapter["method"],
        source=folder,
        metrics=metrics,
        answers=lambda _: answers,
        conditions={scenario_name(spec): {f"adapter_spec.{k}": v for k, v in adapter.items() if k not in MAY_DIFFER}},
        groups=groups_of(ours)
        if ours
        else _groups(one.instance.perturbation for of_one in requests.values() for one in of_one[:1]),
        has_hash=ours is not None and label is None,
        guess_rate=ours.guess_rate if ours else None,
    )


def _exported(states: Sequence[RequestState]) -> ExportedTask | None:
    """The task of ours that HELM was given to ask; None where it is one of HELM's, in the words of HELM."""
    return exported_task((states[0].instance.extra_data or {}).get(TASK_KEY)) if states else None


def scenario_name(spec: RunSpec) -> str:
    """A run's name without the model and the method, and of a path in it the file's name.

    ``custom_mcqa,path=_data_quiz.jsonl,method=multiple_choice_joint:model=local_q4`` is ``custom_mcqa:path=quiz``.
    """
    name, *arguments = re.split(r"[:,]", spec.name)
    paths = {
        value.replace("/", "_"): Path(value).stem
        for value in spec.scenario_spec.args.values()
        if isinstance(value, str) and "/" in value
    }
    told: list[str] = []
    for argument in arguments:
        key, _, value = argument.partition("=")
        if key not in (*MODEL_KEYS, "method"):
            told.append(f"{key}={paths.get(value, value)}" if value else argument)
    return f"{name}:{','.join(told)}" if told else name


def perturbation_name(perturbation: Mapping[str, Any] | None) -> str:
    """``misspellings0.05``: by our names, where we have the same; empty for the original."""
    if not perturbation:
        return ""
    about = ("name", "robustness", "fairness", "computed_on")
    values = [value for key, value in perturbation.items() if key not in about]
    name = str(perturbation.get("name"))
    if len(values) == 1 and isinstance(values[0], (int, float)) and not isinstance(values[0], bool):
        return name if values[0] == 1 else f"{name}{values[0]:g}"
    return f"{name}({', '.join(map(str, values))})" if values else name


def _groups(perturbations: Any) -> dict[str, str]:
    """Whose worst case counts in which group."""
    found: dict[str, str] = {}
    for one in perturbations:
        if one:
            group = next((name for name in ("robustness", "fairness") if one.get(name)), "")
            found[perturbation_name(one)] = group
    return found


def _answers(
    stats: Sequence[InstanceStats],
    requests: Mapping[Key, list[RequestState]],
    adapter: Mapping[str, Any],
    folder: Path,
    ours: ExportedTask | None,
) -> list[Answered]:
    method, pattern = adapter["method"], adapter.get("output_mapping_pattern")
    # Of running text there is an entry for every window.
    known: dict[Key, dict[str, tuple[float, int]]] = {}
    n_entries: Counter[Key] = Counter()
    for entry in stats:
        place = entry.instance_id, perturbation_name(entry.perturbation), entry.train_trial_index
        n_entries[place] += 1
        sums = known.setdefault(place, defaultdict(lambda: (0.0, 0)))
        for stat in entry.stats:
            total, count = sums[stat.name.name]
            sums[stat.name.name] = total + stat.sum, count + stat.count
    judged = {
        place: _scores({name: one for name, one in sums.items() if one[1]}, method) for place, sums in known.items()
    }
    alone = next(iter(judged.keys() ^ requests.keys()), None)
    if alone is not None:
        raise UserError(f"{folder}: {alone[0]!r} is in one of {STATS} and {STATE} only; {AGAIN}.")
    found: list[Answered] = []
    for place, states in requests.items():
        if method == LIKELIHOOD and n_entries[place] != len(states):
            raise UserError(
                f"{folder}: {place[0]!r} has {len(states)} windows in {STATE} and {n_entries[place]} in {STATS}; "
                f"{AGAIN}."
            )
        instance = states[0].instance
        references = [[one.output.text, "correct" in one.tags] for one in instance.references]
        asked = fingerprint(instance.input.text, references)
        name, perturbation, trial = place
        with reading(folder / STATE, PROGRAM, AGAIN, f"instance {name!r}"):
            columns = columns_of(states, method, pattern)
        answer = Answered(name, asked, judged[place], columns, perturbation, trial)
        found.append(by_our_names(answer, ours, exported_instance(instance.extra_data or {})) if ours else answer)
    return found


def _scores(stats: Mapping[str, tuple[float, int]], method: str) -> dict[str, Score]:
    """Means of sums and counts; of running text what follows from the sums."""
    found: dict[str, Score] = {}
    if method == LIKELIHOOD and {"logprob", "num_bytes", "num_perplexity_tokens"} <= stats.keys():
        nats, n_bytes, n_tokens = (stats[name][0] for name in ("logprob", "num_bytes", "num_perplexity_tokens"))
        if n_bytes and n_tokens:
            found["bits_per_byte"] = Score(-nats / math.log(2) / n_bytes, n_bytes)
            found["ln_perplexity"] = Score(-nats / n_tokens, n_tokens)
    means = {name: Score(total / count) for name, (total, count) in stats.items() if not ABOUT_ASKING.fullmatch(name)}
    return found | means


def _in_order(spec: RunSpec, answers: Sequence[Answered]) -> tuple[str, ...]:
    """What every answer was judged by: first what HELM was asked to judge by, in its order."""
    names = [str(name) for one in spec.metric_specs for name in one.args.get("names", ())]
    everywhere = [name for name in (answers[0].scores if answers else ()) if all(name in a.scores for a in answers)]
    order = list(dict.fromkeys([*names, *(n for n in everywhere if n not in NOT_MAIN), *NOT_MAIN]))
    return tuple(sorted(everywhere, key=order.index))
