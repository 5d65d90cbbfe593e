"""The files of a HELM run, as far as they are read here."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, Field, TypeAdapter

from harness.errors import UserError
from harness.interop.imports.foreign import reading

SPEC, STATS, STATE = "run_spec.json", "per_instance_stats.json", "scenario_state.json"
PROGRAM, AGAIN = "HELM 0.5.16", "run helm-run again"


class Text(BaseModel):
    """A piece of text."""

    text: str


class Reference(BaseModel):
    """A possible answer."""

    output: Text
    tags: list[str] = []


class Instance(BaseModel):
    """What is asked."""

    input: Text
    references: list[Reference] = []
    id: str
    perturbation: dict[str, Any] | None = None
    extra_data: dict[str, Any] | None = None
    """What a scenario kept beside; of our exports what lets the results come home by our names."""


class Token(BaseModel):
    """One token of a completion, nats."""

    text: str
    logprob: float


class Completion(BaseModel):
    """What a model said, or the prompt itself where that was scored."""

    text: str
    logprob: float
    tokens: list[Token] = []
    finish_reason: dict[str, Any] | None = None


class Result(BaseModel):
    """What became of a request."""

    success: bool
    completions: list[Completion] = []
    error: str | None = None
    request_time: float | None = None


class Request(BaseModel):
    """What was sent."""

    prompt: str


class RequestState(BaseModel):
    """One request of an instance, of which there are several where choices are scored apart."""

    instance: Instance
    train_trial_index: int = 0
    reference_index: int | None = Field(None, ge=0)
    request_mode: str | None = None
    output_mapping: dict[str, str] | None = None
    request: Request
    result: Result
    num_train_instances: int = 0
    num_conditioning_tokens: int = Field(0, ge=0)
    """Of running text: those at the beginning that are not scored, such as the BOS."""


class ScenarioState(BaseModel):
    """``scenario_state.json``."""

    request_states: list[RequestState]


class MetricName(BaseModel):
    """Of a statistic."""

    name: str


class Stat(BaseModel):
    """A statistic over the requests of one instance; one without a count was not computed."""

    name: MetricName
    count: int
    sum: float


class InstanceStats(BaseModel):
    """One entry of ``per_instance_stats.json``."""

    instance_id: str
    perturbation: dict[str, Any] | None = None
    train_trial_index: int = 0
    stats: list[Stat]


class MetricSpec(BaseModel):
    """How answers are judged."""

    args: dict[str, Any] = {}


class ScenarioSpec(BaseModel):
    """What is asked."""

    args: dict[str, Any] = {}


class RunSpec(BaseModel):
    """``run_spec.json``."""

    name: str
    scenario_spec: ScenarioSpec
    adapter_spec: dict[str, Any]
    metric_specs: list[MetricSpec] = []


ALL_STATS = TypeAdapter(list[InstanceStats])
Read = TypeVar("Read")


def run_folders(folder: Path) -> list[Path]:
    """The folders of runs at or below a folder, in the order of their names.

    Raises:
        UserError: there is none.
    """
    found = sorted(path.parent for path in folder.rglob(SPEC))
    if not found:
        raise UserError(
            f"{folder} has no {SPEC}, so it holds no run of HELM; name a folder such as benchmark_output/runs/SUITE."
        )
    return found


def read(path: Path, adapter: TypeAdapter[Read]) -> Read:
    """One file.

    Raises:
        UserError: it is not there, is no JSON or has another form.
    """
    if not path.exists():
        raise UserError(f"{path.parent} lacks {path.name}: the run did not end; {AGAIN}.")
    with reading(path, PROGRAM, AGAIN):
        return adapter.validate_json(path.read_bytes())
