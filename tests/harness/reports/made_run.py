"""Runs as they come to be, but for the models: answers, tokens and speeds are made up, and what follows is real."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from harness.analysis import analyse
from harness.divergence.records import SCHEMA as TOKEN_SCHEMA
from harness.efficiency.samples import samples_frame
from harness.execution.records import SCHEMA, SCORE_SCHEMA
from harness.results import Measured, Run

REFERENCE, NULL = "f16", "null"
SIZES = {"f16": 11_305_984, "q8_0": 6_032_768, "q4_k_m": 3_402_113, "q2_k": 2_345_678, "null": 11_305_984}
LOSSES = {"f16": 0.0, "q8_0": 0.002, "q4_k_m": 0.03, "q2_k": 0.5, "null": 0.0}
"""Share of right answers that turn wrong."""
TASKS = (
    ("facts", "generation", "exact_match"),
    ("quiz", "multiple_choice_separate_original", "exact_match"),
    ("quiz", "multiple_choice_joint", "exact_match"),
    ("text", "language_modeling", "bits_per_byte"),
)


def make_run(
    models: Sequence[str] = ("f16", "q8_0", "q4_k_m", "q2_k"),
    tasks: Sequence[tuple[str, str, str]] = TASKS,
    *,
    n: int = 80,
    tokens: bool = True,
    efficiency: bool = True,
    texts: dict[str, str] | None = None,
    **record: Any,
) -> Run:
    """A run of so many questions a task.

    Args:
        models: labels, the reference first; one called ``null`` is the reference's second run.
        tasks: scenario, adapter and main metric.
        n: questions a task.
        tokens: whether distributions were compared.
        efficiency: whether anything was timed.
        texts: what prompt, gold, reference's answer and quantization's answer are, if not the made-up ones.
        record: what ``run.json`` says otherwise.
    """
    known = _record(models, tasks) | record
    asked = [(model, task, number) for model in models for task in tasks for number in range(n)]
    answers = [_answer(*one, n, texts or {}) for one in asked]
    scores = [{**answer, "weight": 1.0} for answer in answers]
    instances, judged = _frame(answers, SCHEMA), _frame(scores, SCORE_SCHEMA)
    compared = _tokens(models) if tokens else TOKEN_SCHEMA.empty_table().to_pandas()
    measured = Measured(instances, judged, compared, _samples(models) if efficiency else samples_frame([]))
    return Run(known, measured, analyse(known, measured))


def _record(models: Sequence[str], tasks: Sequence[tuple[str, str, str]]) -> dict[str, Any]:
    return {
        "schema_version": 2,
        "command": "harness run --models q8_0,q4_k_m,q2_k --seed 0",
        "seed": 0,
        "reference": models[0],
        "null": NULL if NULL in models else None,
        "margin": 0.01,
        "started": "2026-11-23T01:02:03+00:00",
        "versions": {"python": "3.11.7", "quant-harness": "0.1.0"},
        "machine": {"system": "Linux", "machine": "x86_64", "cores": 2},
        "models": [_model(label, number) for number, label in enumerate(models)],
        "tasks": [
            {"scenario": scenario, "adapter": adapter, "metrics": [metric], "guess_rate": 0.0}
            for scenario, adapter, metric in tasks
        ],
        "left_out": [],
        "notes": ["A note of the run."],
    }


def _model(label: str, number: int) -> dict[str, Any]:
    size = SIZES.get(label, 9_000_000 - 100_000 * number)
    return {
        "label": label,
        "file": f"world-{label}.gguf",
        "name": "world",
        "sha256": label.encode().hex().ljust(64, "0")[:64],
        "bytes": size,
        "bits_per_weight": 16 * size / SIZES["f16"],
        "note": None,
    }


def _loss(model: str) -> float:
    return LOSSES.get(model, 0.05)


def _answer(model: str, task: tuple[str, str, str], number: int, n: int, texts: dict[str, str]) -> dict[str, Any]:
    scenario, adapter, metric = task
    is_text, is_choice = metric == "bits_per_byte", adapter.startswith("multiple_choice_separate")
    rng = np.random.default_rng([number, len(adapter)])
    was_right = rng.random() < 0.9
    turned = rng.random() < _loss(model)
    right = was_right and not turned
    said = texts.get("reference" if model == REFERENCE else "candidate", "oil" if right else f"tea{turned:d}")
    value = 0.8 + number / n + 0.3 * _loss(model) * (1 + number % 3) if is_text else float(right)
    gold = texts.get("gold", "oil")
    return {
        "model": model,
        "scenario": scenario,
        "adapter": adapter,
        "trial": 0,
        "instance_id": f"{scenario}-{number:04}",
        "perturbation": "",
        "group": "",
        "kind": f"kind {number % 3}",
        "metric": metric,
        "value": value,
        "correct": None if is_text else right,
        "valid": True,
        "answer": "" if is_text else said,
        "gold": "" if is_text else gold,
        "golds": [] if is_text else [gold],
        "prompt": texts.get("prompt", f"Question {number} of {scenario}?\nAnswer:"),
        "logprob": -1.5,
        "n_bytes": 4,
        "token_logprobs": [-0.1, -1.4],
        "tokens": [" ", said[:40]],
        "choices": ["oil", "tea1"] if is_choice else [],
        "choice_logprobs": [-1.0 - 2 * (not right), -2.0] if is_choice else [],
        "choice_lengths": [1, 2] if is_choice else [],
        "chosen": [0 if right else 1] if is_choice else [],
        "finish_reason": "stop",
        "details": "",
    }


def _tokens(models: Sequence[str]) -> pd.DataFrame:
    found = []
    for model in models[1:]:
        rng = np.random.default_rng(len(model))
        n = 12 * 32
        kld = rng.lognormal(np.log(1e-6 + _loss(model)), 1.5, n)
        frame = pd.DataFrame({name: np.zeros(n) for name in TOKEN_SCHEMA.names}).assign(
            model=model,
            window=np.repeat(np.arange(12), 32),
            position=np.tile(np.arange(32), 12),
            token=1,
            logprob=-2.0 - kld * rng.random(n),
            reference_logprob=-2.0,
            kld=kld,
            kld_reverse=kld,
            same_top=rng.random(n) > _loss(model),
            reference_top=rng.random(n),
            near_tie=False,
        )
        found.append(frame)
    return pd.concat(found, ignore_index=True) if found else TOKEN_SCHEMA.empty_table().to_pandas()


def _samples(models: Sequence[str]) -> pd.DataFrame:
    rows = [
        (model, number, quantity, value * (1 + _loss(model)) * (1 + 0.02 * number))
        for model in models
        if model != NULL
        for number in range(1, 6)
        for quantity, value in (
            ("prefill_tokens_per_second", 9000.0),
            ("decode_tokens_per_second", 400.0),
            ("seconds_to_first_token", 0.02),
            ("peak_rss_bytes", 1e8),
            ("gpu_bytes", 0.0),
        )
    ]
    return samples_frame([tuple(row) for row in rows])  # type: ignore[misc]


def _frame(rows: list[dict[str, Any]], schema: pa.Schema) -> pd.DataFrame:
    names = schema.names
    table = pa.Table.from_pylist([{name: row.get(name) for name in names} for row in rows], schema)
    found: pd.DataFrame = table.to_pandas()
    return found.astype({"correct": "boolean"})
