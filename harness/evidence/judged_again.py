"""From rows of ``instances`` back to questions and answers, and what the metrics make of them."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import pandas as pd
import pyarrow as pa

from harness.errors import HarnessError
from harness.execution.gather import frame
from harness.execution.records import SCORE_SCHEMA, WHAT, judgements
from harness.metrics.base import Metric
from harness.ties import highest
from harness.types import Answer, Instance, Reference

Row = Mapping[Any, Any]
FAULTS = (HarnessError, ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
"""What a row that was changed by hand may raise when it is read."""


class JudgedAgain(NamedTuple):
    """What follows from the answers."""

    instances: pd.DataFrame
    """Those columns that follow from others, and what tells the rows apart."""
    scores: pd.DataFrame
    faults: dict[str, str]
    """By row: why it cannot be judged. It is in neither frame."""


def judge_again(instances: pd.DataFrame, metrics_of: Callable[[str, str], Sequence[Metric]]) -> JudgedAgain:
    """Judge every answer.

    Args:
        instances: with the columns of :data:`harness.execution.records.COLUMNS`.
        metrics_of: the metrics of a scenario and adapter, its main metric first; none where that is not known.
    """
    rows: list[dict[str, Any]] = []
    scores: list[dict[str, Any]] = []
    faults: dict[str, str] = {}
    for row in instances.to_dict("records"):
        what = {column.name: row[column.name] for column in WHAT}
        metrics = metrics_of(row["scenario"], row["adapter"])
        try:
            found = judgements(metrics, instance_of(row), answer_of(row))
            implied = _implied(row)
        except FAULTS as error:
            faults[" / ".join(str(value) for value in what.values() if value != "")] = (
                f"{type(error).__name__}: {error}"
            )
            continue
        main = {"metric": found[0].metric, "value": found[0].value, "correct": found[0].correct} if found else {}
        rows.append(what | implied | main)
        scores += [what | judgement._asdict() for judgement in found]
    judged = pd.DataFrame(rows, columns=[*(c.name for c in WHAT), *IMPLIED, "metric", "value", "correct"])
    return JudgedAgain(
        judged.astype({"value": float, "logprob": float, "correct": "boolean"}),
        frame(pa.Table.from_pylist(scores, SCORE_SCHEMA)),
        faults,
    )


def instance_of(row: Row) -> Instance:
    """The question of a row of ``instances``, as far as metrics look at it: without its text."""
    golds, choices = set(_list(row["gold_choices"])), _list(row["choices"])
    references = tuple(Reference(text, index in golds) for index, text in enumerate(choices))
    if not references:
        references = tuple(Reference(text, True) for text in _list(row["golds"]))
    if not references and len(row["choice_logprobs"]) + len(row["chosen"]):
        references = (Reference(row["answer"], False),)  # the only choice there was, and it is wrong
    details = json.loads(row["details"]) if row["details"] else {}
    return Instance(
        row["instance_id"], "", references, row["kind"], row["perturbation"], group=row["group"], details=details
    )


def answer_of(row: Row) -> Answer:
    """The answer in a row of ``instances``."""
    return Answer(
        text=row["answer"],
        logprob=float(row["logprob"]),
        token_logprobs=tuple(_list(row["token_logprobs"])),
        n_bytes=int(row["n_bytes"]),
        choice_logprobs=tuple(_list(row["choice_logprobs"])),
        choice_lengths=tuple(_list(row["choice_lengths"])),
        chosen=tuple(_list(row["chosen"])),
        is_greedy=None if pd.isna(row["is_greedy"]) else bool(row["is_greedy"]),
        valid=bool(row["valid"]),
        tokens=tuple(_list(row["tokens"])),
    )


IMPLIED = ("logprob", "n_tied", "chosen", "answer", "golds", "gold")


def _implied(row: Row) -> dict[str, Any]:
    """Columns of a row that say again what others say: which choice is the best, what was taken, what is right."""
    choices, logprobs, chosen = (_list(row[name]) for name in ("choices", "choice_logprobs", "chosen"))
    if logprobs and row["valid"]:
        lengths = _list(row["choice_lengths"]) or [1] * len(logprobs)
        chosen = list(highest([value / length for value, length in zip(logprobs, lengths, strict=True)]))
    golds = [choices[index] for index in _list(row["gold_choices"])] if choices else _list(row["golds"])
    tokens = _list(row["token_logprobs"])
    is_unknown = not tokens and pd.isna(row["logprob"])  # of an endpoint that gives none for what it generates
    return {
        "logprob": math.nan if is_unknown else math.fsum(tokens),
        "n_tied": len(chosen),
        "chosen": chosen,
        "answer": choices[chosen[0]] if choices and chosen else row["answer"],
        "golds": golds,
        "gold": golds[0] if golds else "",
    }


def _list(cell: Any) -> list[Any]:
    """A list of a cell, which Parquet gives as an array."""
    return [] if cell is None else list(cell)
