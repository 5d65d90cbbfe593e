"""What ``run.json`` must hold for anything to be said of a run: declared once, and checked when it is read."""

from __future__ import annotations

import reprlib
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from harness.errors import UserError

AGAIN = "run it again"


class _Section(BaseModel):
    """Keys that are read, with their types as JSON has them; others are nobody's business here."""

    model_config = ConfigDict(strict=True)


class _Model(_Section):
    """A file, a model behind an endpoint or one of another harness: of the latter two less is known."""

    label: str
    file: str | None
    name: str | None
    sha256: str | None
    bytes: int | None
    bits_per_weight: float | None
    serve: dict[str, Any]


class _Task(_Section):
    scenario: str
    adapter: str
    data: dict[str, Any]
    metrics: list[str] = Field(min_length=1)
    guess_rate: float


class _Machine(_Section):
    system: str
    machine: str
    cores: int


class _Record(_Section):
    command: str
    seed: int
    reference: str
    null: str | None
    margin: float = Field(gt=0, lt=1)
    started: str
    versions: dict[str, str]
    machine: _Machine
    models: list[_Model]
    tasks: list[_Task]
    divergence: dict[str, Any] | None
    left_out: list[str]
    notes: list[str]
    remarks: list[str]
    files: dict[str, str]


def check_record(record: dict[str, Any], path: Path) -> None:
    """Refuse what is no record of a run.

    Args:
        record: what was read.
        path: from where.

    Raises:
        UserError: a key is missing or holds something else; it is named.
    """
    try:
        found = _Record.model_validate(record)
    except ValidationError as error:
        fault = error.errors()[0]
        key = ".".join(map(str, fault["loc"]))
        if fault["type"] == "missing":
            raise UserError(f"{path} lacks '{key}'; {AGAIN}.") from None
        said = f"{fault['msg'][0].lower()}{fault['msg'][1:]}"
        raise UserError(f"{path}: '{key}' is {reprlib.repr(fault['input'])}: {said}; {AGAIN}.") from None
    labels = [model.label for model in found.models]
    for key, label in (("reference", found.reference), ("null", found.null)):
        if label is not None and label not in labels:
            raise UserError(f"{path}: '{key}' is {label!r}, which is no label of its models; {AGAIN}.")
