"""The columns of ``instances.parquet``: declared once, written by the runner, read by statistics and reports."""

from __future__ import annotations

from typing import Any, NamedTuple

import pyarrow as pa

from harness.execution.tasks import Task
from harness.types import Answer, Completion, Instance


class Column(NamedTuple):
    """One column."""

    name: str
    type: pa.DataType
    meaning: str


COLUMNS = (
    Column("model", pa.string(), "label of the model"),
    Column("scenario", pa.string(), "what was asked"),
    Column("adapter", pa.string(), "how it was asked"),
    Column("instance_id", pa.string(), "the same instance has the same id for every model"),
    Column("kind", pa.string(), "slice of the scenario"),
    Column("metric", pa.string(), "how the answer was judged"),
    Column("value", pa.float64(), "the judgement"),
    Column("correct", pa.bool_(), "whether it was right; null where the metric knows no right and wrong"),
    Column("valid", pa.bool_(), "false for a completion that was no answer at all; it counts as wrong"),
    Column("answer", pa.string(), "what the model answered"),
    Column("gold", pa.string(), "what would have been right"),
    Column("prompt", pa.string(), "the prompt; of choices that are scored apart, the first one's"),
    Column("logprob", pa.float64(), "natural log-probability of the answer"),
    Column("n_bytes", pa.int64(), "UTF-8 bytes that were scored"),
    Column("token_logprobs", pa.list_(pa.float64()), "the same token by token"),
    Column("choices", pa.list_(pa.string()), "the choices of a multiple-choice question"),
    Column("choice_logprobs", pa.list_(pa.float64()), "their log-probabilities, where they are scored apart"),
    Column("finish_reason", pa.string(), "why the (first) completion ended"),
)
SCHEMA = pa.schema([pa.field(c.name, c.type, metadata={"meaning": c.meaning}) for c in COLUMNS])


def record(model: str, task: Task, instance: Instance, answer: Answer, completions: list[Completion]) -> dict[str, Any]:
    """One row, judged by the task's metric."""
    value = task.metric.judge(instance, answer)
    row = (
        *(model, task.scenario.name, task.adapter_name, instance.id, instance.kind, task.metric.name),
        *(value, bool(value) if task.metric.is_binary else None, answer.valid, answer.text, instance.gold),
        *(answer.prompt, answer.logprob, answer.n_bytes, list(answer.token_logprobs)),
        [reference.text for reference in instance.references] if len(instance.references) > 1 else [],
        *(list(answer.choice_logprobs), completions[0].finish_reason),
    )
    return dict(zip((column.name for column in COLUMNS), row, strict=True))
