"""The columns of ``instances`` and ``scores``: declared once, written by the runner, read by statistics and reports."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import pyarrow as pa

from harness.columns import Column, schema
from harness.execution.tasks import Task
from harness.metrics.base import Metric
from harness.types import Answer, Completion, Instance, Request

WHAT = (
    Column("model", pa.string(), "label of the model"),
    Column("scenario", pa.string(), "what was asked"),
    Column("adapter", pa.string(), "how it was asked"),
    Column("trial", pa.int64(), "with which choice of examples"),
    Column("instance_id", pa.string(), "the same instance has the same id for every model"),
    Column("perturbation", pa.string(), "what was done to the instance; empty for the original"),
    Column("group", pa.string(), "the subject or document that it shares with others; empty where it stands alone"),
)
COLUMNS = (
    *WHAT,
    Column("kind", pa.string(), "slice of the scenario"),
    Column("metric", pa.string(), "the scenario's main metric"),
    Column("value", pa.float64(), "its judgement; null where this answer has none"),
    Column("correct", pa.bool_(), "whether it was right; null where the metric knows no right and wrong"),
    Column("valid", pa.bool_(), "false for a completion that was no answer at all; it counts as wrong"),
    Column("answer", pa.string(), "what the model answered; of choices that tie, the first"),
    Column("gold", pa.string(), "what would have been right"),
    Column("golds", pa.list_(pa.string()), "everything that would have been right"),
    Column("prompt", pa.string(), "the prompt; of choices that are scored apart, the context that they share"),
    Column("n_examples", pa.int64(), "solved examples in the prompt"),
    Column("n_dropped", pa.int64(), "examples that were left out to fit the context"),
    Column("n_cut", pa.int64(), "tokens of the input that were cut off to fit the context"),
    Column("logprob", pa.float64(), "natural log-probability of the answer; null where it is not known"),
    Column("n_bytes", pa.int64(), "UTF-8 bytes that were scored"),
    Column("token_logprobs", pa.list_(pa.float64()), "the log-probability token by token"),
    Column("tokens", pa.list_(pa.string()), "the names of these tokens"),
    Column("choices", pa.list_(pa.string()), "the choices of a multiple-choice question"),
    Column("gold_choices", pa.list_(pa.int64()), "which of them are right, counted from 0"),
    Column("choice_logprobs", pa.list_(pa.float64()), "their log-probabilities, where they are scored apart"),
    Column("choice_lengths", pa.list_(pa.int64()), "what these are divided by before they are compared"),
    Column("chosen", pa.list_(pa.int64()), "the choices that were taken: one, or all that tie for the best"),
    Column("n_tied", pa.int64(), "choices that tied for the best: 1 for a clear choice, 0 where none was made"),
    Column("is_greedy", pa.bool_(), "whether greedy decoding would have said just this; null where that is not known"),
    Column("finish_reason", pa.string(), "why the (first) completion ended"),
    Column(
        "n_predicted",
        pa.int64(),
        "tokens of the reference's answer, a stop string's too, that were given as a prediction; null: none",
    ),
    Column("n_accepted", pa.int64(), "how many of them the model wrote before the first other one; null likewise"),
    Column("seconds", pa.float64(), "from sending the request to having its answer, others being under way"),
    Column("details", pa.string(), "what else the scenario's metrics know of the instance, as JSON"),
)
SCHEMA = schema(COLUMNS)
SCORE_COLUMNS = (
    *WHAT,
    Column("metric", pa.string(), "how the answer was judged"),
    Column("value", pa.float64(), "the judgement; null where this answer has none"),
    Column("weight", pa.float64(), "what it counts for in the mean"),
    Column("correct", pa.bool_(), "whether it was right; null where the metric knows no right and wrong"),
)
SCORE_SCHEMA = schema(SCORE_COLUMNS)


class Judgement(NamedTuple):
    """What one metric makes of one answer: the columns that ``scores`` has beside :data:`WHAT`."""

    metric: str
    value: float | None
    weight: float
    correct: bool | None


class Record(NamedTuple):
    """One answered instance."""

    answer: dict[str, Any]
    """A row of ``instances``."""
    scores: list[dict[str, Any]]
    """Rows of ``scores``, one a metric."""


def record(
    model: str,
    task: Task,
    instance: Instance,
    request: Request,
    answer: Answer,
    completions: list[Completion],
    seconds: float,
) -> Record:
    """The rows of one instance, judged by the task's metrics; its request took ``seconds``."""
    what = (
        *(model, task.scenario.name, task.adapter_name, task.trial),
        *(instance.id, instance.perturbation, instance.group),
    )
    scores = judgements(task.metrics, instance, answer)
    main = scores[0]
    context = request.prompts[0].context
    row = (
        *(*what, instance.kind, main.metric, main.value, main.correct, answer.valid, answer.text, instance.gold),
        list(instance.golds),
        context if isinstance(context, str) and context else request.text,
        *(request.n_examples, request.n_dropped, request.n_cut),
        *(_known(answer.logprob), answer.n_bytes, list(answer.token_logprobs), list(answer.tokens)),
        *choices_of(instance),
        *(list(answer.choice_logprobs), list(answer.choice_lengths), list(answer.chosen), len(answer.chosen)),
        *(answer.is_greedy, completions[0].finish_reason),
        *_predicted(request, completions[0]),
        seconds,
        json.dumps(dict(instance.details), ensure_ascii=False, default=str) if instance.details else "",
    )
    return Record(
        dict(zip((column.name for column in COLUMNS), row, strict=True)),
        [dict(zip((column.name for column in SCORE_COLUMNS), (*what, *score), strict=True)) for score in scores],
    )


def judgements(metrics: Sequence[Metric], instance: Instance, answer: Answer) -> list[Judgement]:
    """What the metrics make of one answer, in their order."""
    values = [(metric, _known(metric.judge(instance, answer))) for metric in metrics]
    return [Judgement(metric.name, value, metric.weight(answer), _correct(metric, value)) for metric, value in values]


def _predicted(request: Request, completion: Completion) -> tuple[int | None, int | None]:
    """How much was predicted, and how much of that came true; the next token is the first that differs."""
    predicted, generated = request.prediction, completion.generated
    if not predicted:
        return None, None
    same = itertools.takewhile(lambda pair: pair[0] == pair[1], zip(predicted, generated, strict=False))
    return len(predicted), sum(1 for _ in same)


def choices_of(instance: Instance) -> tuple[list[str], list[int]]:
    """All references where there are several, and which of them are right."""
    several = instance.references if len(instance.references) > 1 else ()
    return [reference.text for reference in several], [i for i, one in enumerate(several) if one.is_correct]


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value


def _correct(metric: Metric, value: float | None) -> bool | None:
    """A tie earns a share of the credit and is not right."""
    return value == 1 if metric.is_binary and value is not None else None
