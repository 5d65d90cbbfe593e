"""What a scenario's YAML file says, typed."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, Field, ValidationError, field_validator, model_validator

from harness.errors import UserError
from harness.layout import Layout
from harness.names import unknown
from harness.yaml_file import Section, first_fault, read_yaml

_LAYOUT_KEYS = [field.name for field in dataclasses.fields(Layout)]


def _as_source(value: object) -> object:
    return {"path": value} if isinstance(value, str) else value


def _as_tuple(value: object) -> object:
    if isinstance(value, bool) or (isinstance(value, list) and any(isinstance(one, bool) for one in value)):
        raise ValueError("YAML reads yes, no, on and off as true and false; put such a name between quotes")
    return (value,) if isinstance(value, str) else tuple(value) if isinstance(value, list) else value


Texts = Annotated[tuple[str, ...], BeforeValidator(_as_tuple)]
"""One text, or a list of them."""


class Source(Section):
    """Where rows come from: a file (``path``), or a table of the Hub (``hub``, ``config``, ``split``, ``revision``)."""

    path: str | None = None
    """JSONL, CSV, TSV or Parquet; relative to the YAML file."""
    hub: str | None = Field(default=None, pattern=r"^[\w.-]+(/[\w.-]+)?$")
    """Id of a data set."""
    config: str = "default"
    split: str = "test"
    revision: str = "main"
    """A commit, if the same name is to mean the same rows next year."""


class OwnConfig(Section):
    """A whole file. Where a key takes a field, that is the name of a column, or a Jinja template over the row."""

    name: str = Field(pattern=r"^[A-Za-z0-9][\w.-]*$")
    """What tables call the scenario; the file's name without ``.yaml``, if it is not given."""
    description: str = ""
    data: Annotated[Source, BeforeValidator(_as_source)]
    examples: Annotated[Source | None, BeforeValidator(_as_source)] = None
    """Solved examples, with the same columns; of a table of the Hub the ``split`` is enough."""
    input: str = Field(min_length=1)
    """Field: what is asked."""
    choices: Texts = ()
    """Field of a column that holds a list, or a list of fields."""
    answer: Texts = ()
    """Field, or a list of them: the right answer or answers."""
    answer_as: Literal["text", "letter", "index"] | None = None
    """How ``answer`` names a choice, if it could be read in several ways."""
    explanation: str | None = None
    """Field: how one gets to the answer, for examples in a chain of thought."""
    id: str | None = None
    """Field; the number of the row, if it is not given."""
    kind: str | None = None
    """Field: the slice that a row belongs to."""
    adapter: Annotated[Texts, Field(min_length=1)]
    metrics: Annotated[Texts, Field(min_length=1)]
    """The first is the main one."""
    shots: int = Field(default=0, ge=0, strict=True)
    """Solved examples before each question."""
    examples_by_kind: bool = False
    sample_train: bool = True
    """Whether examples are drawn, balanced by their answers; else the first ones are taken."""
    max_tokens: int | None = Field(default=None, ge=1, strict=True)
    stop: Texts | None = None
    layout: dict[str, str] = Field(default_factory=dict)
    """Fields of :class:`~harness.layout.Layout`: instructions, prefixes and suffixes."""
    guess_rate: float | None = Field(default=None, ge=0, le=1)

    @field_validator("data", "examples")
    @classmethod
    def _has_one_origin(cls, source: Source | None) -> Source | None:
        if source and source.path and source.hub:
            raise ValueError("it names both a path and a hub; leave out one")
        return source

    @field_validator("layout")
    @classmethod
    def _layout_is_known(cls, layout: dict[str, str]) -> dict[str, str]:
        for key in layout:
            if key not in _LAYOUT_KEYS:
                raise ValueError(unknown("part of the layout", key, _LAYOUT_KEYS))
        prefix = layout.get("reference_prefix", "A")
        if not any(letter.isalnum() for letter in prefix):
            raise ValueError(f"reference_prefix {prefix!r} has no letter or digit that could count the choices")
        return layout

    @model_validator(mode="after")
    def _holds_together(self) -> Self:
        if not self.data.path and not self.data.hub:
            raise ValueError("key 'data' names no path and no hub; give a file, or hub: with the id of a data set")
        if self.shots and not self.examples:
            raise ValueError("shots need solved examples; add the key examples, naming a file or a split of them")
        if self.examples and not self.shots:
            raise ValueError("there are examples and no shots; add shots: with how many to show, or drop examples")
        if self.examples and not self.examples.path and not self.examples.hub and not self.data.hub:
            raise ValueError("key 'examples' names no path and no hub; give a file of solved examples")
        for method in self.adapter:
            _check_method(method, self)
        if self.answer_as and not self.choices:
            raise ValueError("answer_as says how the answer names a choice, and there are no choices; drop it")
        return self

    @property
    def examples_source(self) -> Source | None:
        """Where examples come from: what they leave open is as for the data."""
        if self.examples and not self.examples.path and not self.examples.hub:
            return self.data.model_copy(update=self.examples.model_dump(exclude_unset=True))
        return self.examples


def _check_method(method: str, config: OwnConfig) -> None:
    """See that there is what an adapter asks about."""
    if method.startswith(("multiple_choice", "ranking")) and not (config.choices and config.answer):
        raise ValueError(f"the adapter {method} needs choices and an answer; add the keys choices and answer")
    if method in ("generation", "continuation") and not config.answer:
        raise ValueError(f"the adapter {method} needs something to compare with; add the key answer")
    if method.startswith("language_modeling") and config.shots:
        raise ValueError(f"the adapter {method} reads running text, which has no examples; drop shots and examples")


_SECTIONS: dict[str, type[BaseModel]] = {"data": Source, "examples": Source}
_MISSING = {
    "data": "name a JSONL, CSV or Parquet file",
    "input": "name the column that holds the question, or write a template",
    "adapter": "say how to ask, such as generation or multiple_choice_joint",
    "metrics": "say how to judge, such as exact_match",
}


def read_config(path: Path) -> OwnConfig:
    """What the file says.

    Raises:
        UserError: one sentence on the first thing that is wrong, with the file and the key.
    """
    data: dict[str, Any] = {"name": path.stem} | read_yaml(
        path, "scenario", "data, input, adapter, metrics", "give the YAML file of a scenario"
    )
    try:
        return OwnConfig.model_validate(data)
    except ValidationError as error:
        raise UserError(f"{path}: {_fault(error)}.") from error


def _fault(error: ValidationError) -> str:
    fault = error.errors()[0]
    if not fault["loc"]:
        return str(fault["msg"]).removeprefix("Value error, ")
    return first_fault(error, OwnConfig, _SECTIONS, _MISSING)


def listed(names: Sequence[str]) -> str:
    """Names for people."""
    return ", ".join(map(repr, names))
