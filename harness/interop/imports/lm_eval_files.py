"""The files of an lm-eval run with ``--log_samples``, as far as they are read here."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from harness.errors import UserError
from harness.interop.imports.foreign import reading

_SAMPLES = re.compile(r"samples_(?P<task>.+)_(?P<date>\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d(\.\d+)?)\.jsonl")
PROGRAM, AGAIN = "lm-eval 0.4.13", "run lm-eval again"


class Sample(BaseModel):
    """A line of ``samples_TASK_DATE.jsonl``: one question after one filter. Metrics are keys of their own."""

    model_config = ConfigDict(extra="allow")

    doc_id: int
    doc: Any = None
    target: Any = None
    arguments: dict[str, dict[str, Any]] = Field(min_length=1)
    """By request: ``arg_0``, the context, and ``arg_1``, what was scored after it or how to generate."""
    resps: list[Any]
    """By request, and in it by repetition: a text, a log-probability or a pair of that and whether it is greedy."""
    filtered_resps: list[Any]
    filter: str
    metrics: list[str]
    doc_hash: str
    prompt_hash: str
    target_hash: str


class Results(BaseModel):
    """``results_DATE.json``."""

    model_config = ConfigDict(extra="ignore")

    results: dict[str, dict[str, Any]]
    configs: dict[str, dict[str, Any]]
    versions: dict[str, Any] = {}
    n_shot: dict[str, Any] = Field(alias="n-shot", default={})
    higher_is_better: dict[str, dict[str, bool | None]] = {}
    n_samples: dict[str, dict[str, int]] = Field(alias="n-samples", default={})
    config: dict[str, Any] = {}
    model_name: str | None = None
    lm_eval_version: str = "unknown"


class SampleFile(NamedTuple):
    """Where the samples of one task are, and the results of that run."""

    path: Path
    task: str
    results: Path


def sample_files(folder: Path) -> Iterator[SampleFile]:
    """All files of samples at or below a folder, in the order of their names.

    Raises:
        UserError: there is none, or one without its results.
    """
    paths = sorted(folder.rglob("samples_*.jsonl"))
    if not paths:
        hint = "run lm-eval with --log_samples" if any(folder.rglob("results_*.json")) else "name its --output_path"
        raise UserError(f"{folder} has no samples_TASK_DATE.jsonl, so it holds no answers of lm-eval; {hint}.")
    for path in paths:
        named = _SAMPLES.fullmatch(path.name)
        results = sorted(path.parent.glob(f"*_{named['date']}.json")) if named else []
        if not named or not results:
            raise UserError(f"{path} has no results_DATE.json of the same date beside it; copy both.")
        yield SampleFile(path, named["task"], results[0])


def read_results(path: Path) -> Results:
    """The results of one run.

    Raises:
        UserError: it cannot be read, is no JSON, or has another form.
    """
    with reading(path, PROGRAM, AGAIN):
        return Results.model_validate_json(path.read_bytes())


def read_samples(path: Path) -> list[Sample]:
    """All lines of a file of samples.

    Raises:
        UserError: it cannot be read, or a line is no JSON, or has another form; its number is told.
    """
    with reading(path, PROGRAM, AGAIN):
        # Not splitlines(): what lm-eval writes may hold other ends of lines, such as U+2028, inside of a text.
        lines = path.read_bytes().removesuffix(b"\n").split(b"\n")
    found: list[Sample] = []
    for number, line in enumerate(lines if any(lines) else [], 1):
        with reading(path, PROGRAM, AGAIN, f"line {number}"):
            found.append(Sample.model_validate_json(line))
    return found
