"""Several models' results of one other harness, paired question by question, as ``instances`` and ``scores``."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, NamedTuple

import pandas as pd
import pyarrow as pa

from harness.errors import UserError
from harness.execution.gather import frame
from harness.execution.records import SCHEMA, SCORE_SCHEMA
from harness.interop.imports.answered import Answered, ModelTask, Score, fingerprint
from harness.interop.imports.kinds import kind_of, says_better
from harness.metrics.kinds import ForeignMetric

NOTHING: dict[str, Any] = {
    **{"group": "", "kind": "", "valid": True, "answer": "", "gold": "", "golds": [], "prompt": "", "details": ""},
    **{"token_logprobs": [], "tokens": [], "choices": [], "gold_choices": [], "choice_logprobs": []},
    **{"choice_lengths": [], "chosen": [], "n_tied": 0, "n_bytes": 0},
}
"""Columns of ``instances`` that are never null, where nothing is known of them."""

Question = tuple[str, int, str]


class Combined(NamedTuple):
    """What all models did."""

    instances: pd.DataFrame
    scores: pd.DataFrame
    tasks: list[dict[str, Any]]
    """``tasks`` of ``run.json``."""
    kinds: dict[str, dict[str, bool]]
    """``metrics`` of ``run.json``."""
    groups: dict[str, str]
    """``perturbations`` of ``run.json``: their groups by name."""
    left_out: list[str]
    notes: list[str]


class _Common(NamedTuple):
    """One task as far as all models have it."""

    of_models: list[ModelTask]
    metrics: list[str]
    questions: list[Question]
    answers: list[dict[Question, Answered]]
    """By model."""


def combine(tasks: Sequence[ModelTask], labels: Mapping[str, str], metrics: Sequence[str]) -> Combined:
    """Pair the answers of all models.

    Args:
        tasks: everything that was read.
        labels: by the models' names: what they are called in the run; the reference first.
        metrics: what is to be the main metric, where a task has it; else it is the other harness' first.

    Raises:
        UserError: a model has a task twice, or was asked it under other conditions; or nothing is left to compare.
    """
    left_out: list[str] = []
    notes: list[str] = []
    common: list[_Common] = []
    for of_task in _by_task(tasks):
        lacking = [label for name, label in labels.items() if name not in of_task]
        if lacking:
            left_out.append(f"{_named(next(iter(of_task.values())))} is left out, for {_and(lacking)} did not do it.")
            continue
        found, told = _shared([of_task[name] for name in labels], list(labels.values()), metrics)
        notes += told
        if found.metrics:
            common.append(found)
        else:
            left_out.append(
                f"{_named(found.of_models[0])} is left out, for of its metrics it is not known whether more is better; "
                f"name one with --metric: {_and(found.of_models[0].metrics)}."
            )
    common = [one for one in common if one.questions]
    if not common:
        said = ["The models have no question in common; import results of the same tasks.", *left_out]
        raise UserError(" ".join(said))
    rows = [_rows(one, list(labels.values())) for one in common]
    values: dict[str, list[float]] = {}
    better: dict[str, bool] = {}
    for one in common:
        better |= one.of_models[0].higher_is_better
        for answers in one.answers:
            for question in one.questions:
                for name in one.metrics:
                    values.setdefault(name, []).append(_finite(answers[question].scores[name].value))
    kinds = {name: kind_of(name, seen, better.get(name.partition(",")[0])) for name, seen in values.items()}
    return Combined(
        frame(pa.Table.from_pylist([_judged(row, kinds) for instances, _ in rows for row in instances], SCHEMA)),
        frame(pa.Table.from_pylist([_judged(row, kinds) for _, scores in rows for row in scores], SCORE_SCHEMA)),
        [_record_of(one) for one in common],
        {name: asdict(kind) for name, kind in kinds.items()},
        {name: group for one in common for task in one.of_models for name, group in task.groups.items()},
        left_out,
        notes,
    )


def _by_task(tasks: Sequence[ModelTask]) -> list[dict[str, ModelTask]]:
    """Of each task what every model did, by their names."""
    by_task: dict[tuple[str, str], dict[str, ModelTask]] = {}
    for read in tasks:
        known = by_task.setdefault(read.task, {})
        before = known.get(read.model)
        if before and before.conditions.keys() & read.conditions.keys():
            raise UserError(
                f"{_named(read)} of {read.model} is there twice ({before.source} and {read.source}); name "
                "one of the two only, or both as LABEL=FOLDER if they are two models."
            )
        known[read.model] = before.with_part(read) if before else read
    return list(by_task.values())


def _shared(of_models: list[ModelTask], labels: list[str], wanted: Sequence[str]) -> tuple[_Common, list[str]]:
    """What all models have of a task, and a sentence on what only some have."""
    first = of_models[0]
    for other, label in zip(of_models[1:], labels[1:], strict=True):
        _check_conditions(first, other, labels[0], label)
    names = [name for name in first.metrics if all(name in task.metrics for task in of_models)]
    if not names:
        raise UserError(f"{_named(first)}: no metric judged the answers of all models; import results of one version.")
    unclear = [name for name in names if not says_better(name, _told(first, name))]
    metrics = sorted((n for n in names if n not in unclear or n in wanted), key=lambda name: name not in wanted)
    answers = [_by_question(task, metrics[0] if metrics else "") for task in of_models]
    everything = list(dict.fromkeys(question for one in answers for question in one))
    shared = [question for question in everything if all(question in one for one in answers)]
    same = [question for question in shared if len({one[question].asked for one in answers}) == 1]
    originals = set(same)
    # The worst case of an instance needs the instance as it was.
    kept = [question for question in same if not question[0] or ("", *question[1:]) in originals]
    prompts = [question for question in kept if len({str(one[question].columns.get("prompt")) for one in answers}) > 1]
    others = sorted({name for task in of_models for name in task.metrics} - set(names))
    infinite = sum(
        math.isinf(one[question].scores[name].value) for one in answers for question in kept for name in metrics
    )
    told = [*dict.fromkeys(note for task in of_models for note in task.notes)]
    for found, words in (
        (len(everything) - len(shared), "were not asked of every model, and are left out"),
        (len(shared) - len(same), "are other data under the same id, and are left out"),
        (len(same) - len(kept), "are changed forms of questions that are left out, and so are these"),
        (len(prompts), "were put to the models in other words or after other examples"),
    ):
        if found:
            told.append(f"{found:,} of {len(everything):,} questions {words}")
    if others:
        told.append(f"only some models were judged by {_and(others)}, which is left out")
    for name in unclear:
        told.append(
            f"more of {name} is taken to be better, which nobody says"
            if name in metrics
            else f"of {name} it is not known whether more is better, and it is left out (--metric {name} takes it in)"
        )
    if infinite:
        told.append(f"{infinite:,} values are infinite, which no mean can hold, and count as missing")
    notes = [f"{_named(first)}: {'; '.join(told)}."] if told else []
    return _Common(of_models, metrics, kept, _with_choices_of_all(answers, kept)), notes


def _check_conditions(first: ModelTask, other: ModelTask, label: str, other_label: str) -> None:
    for part in first.conditions.keys() & other.conditions.keys():
        told = first.conditions[part], other.conditions[part]
        for name in dict.fromkeys([*told[0], *told[1]]):
            values = [one.get(name) for one in told]
            if values[0] != values[1]:
                raise UserError(
                    f"{_named(first)}: {name} was {values[0]!r} for {label} and {values[1]!r} for {other_label}, so "
                    "their answers cannot be compared; ask both in the same way."
                )


def _told(task: ModelTask, metric: str) -> bool | None:
    """Whether more of it is better, as the other harness says; None where it does not."""
    return task.higher_is_better.get(metric.partition(",")[0])


def _by_question(task: ModelTask, main: str) -> dict[Question, Answered]:
    found: dict[Question, Answered] = {}
    for answer in task.answers(main):
        if answer.question in found:
            raise UserError(f"{task.source}: the answer to {answer.instance_id!r} is there twice; make the file anew.")
        found[answer.question] = answer
    return found


def _with_choices_of_all(
    answers: list[dict[Question, Answered]], kept: Sequence[Question]
) -> list[dict[Question, Answered]]:
    """Scores of choices only where every model has them, so that the same questions say how sure each may be."""
    lacking = {q for q in kept if not all(len(one[q].columns.get("choice_logprobs", ())) for one in answers)}
    nothing: dict[str, Any] = {"choice_logprobs": [], "choice_lengths": []}
    return [
        {
            q: Answered(a.instance_id, a.asked, a.scores, {**a.columns, **nothing}, a.perturbation, a.trial)
            if q in lacking
            else a
            for q, a in one.items()
        }
        for one in answers
    ]


def _rows(one: _Common, labels: Sequence[str]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Rows of ``instances`` and of ``scores``, but for what follows from the metrics' kinds."""
    instances: list[dict[str, Any]] = []
    scores: list[dict[str, Any]] = []
    for label, answers in zip(labels, one.answers, strict=True):
        for question in one.questions:
            answer = answers[question]
            what = {
                **{"model": label, "scenario": one.of_models[0].scenario, "adapter": one.of_models[0].adapter},
                **{"trial": answer.trial, "instance_id": answer.instance_id, "perturbation": answer.perturbation},
                "group": answer.columns.get("group", ""),
            }
            judged = [{"metric": name, **_score(answer.scores[name])} for name in one.metrics]
            main = {"metric": judged[0]["metric"], "value": judged[0]["value"]}
            instances.append(NOTHING | dict(answer.columns) | what | main)
            scores += [what | score for score in judged]
    return instances, scores


def _score(score: Score) -> dict[str, float | None]:
    value = _finite(score.value)
    return {"value": None if math.isnan(value) else value, "weight": score.weight}


def _finite(value: float) -> float:
    return value if math.isfinite(value) else math.nan


def _judged(row: dict[str, Any], kinds: Mapping[str, ForeignMetric]) -> dict[str, Any]:
    knows = kinds[row["metric"]].is_binary and row["value"] is not None
    return row | {"correct": row["value"] == 1 if knows else None}


def _record_of(one: _Common) -> dict[str, Any]:
    first = one.of_models[0]
    asked = [one.answers[0][question].asked for question in one.questions]
    return {
        "scenario": first.scenario,
        "data": {"asked": fingerprint(sorted(asked))},
        "slices": [],
        "adapter": first.adapter,
        "trial": 0,
        "metrics": one.metrics,
        "guess_rate": first.guess_rate
        if first.guess_rate is not None
        else _guess_rate([one.answers[0][question] for question in one.questions]),
        "instances": len({question[2] for question in one.questions}),
        "examples": {},
    }


def _guess_rate(answers: Sequence[Answered]) -> float:
    """Share of right answers among the choices; 0 where nothing is chosen."""
    sizes = [
        (len(answer.columns.get("choices", ())), len(answer.columns.get("gold_choices", ()))) for answer in answers
    ]
    rates = [max(1, right) / n if n else 0.0 for n, right in sizes]
    return math.fsum(rates) / len(rates)


def _named(task: ModelTask) -> str:
    return f"{task.scenario} ({task.adapter})"


def _and(names: Sequence[str]) -> str:
    return " and ".join(names)
