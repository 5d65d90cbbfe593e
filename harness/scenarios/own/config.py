"""What a scenario's YAML file says, typed."""

from __future__ import annotations

import dataclasses
import re
import reprlib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from harness.errors import UserError
from harness.layout import Layout
from harness.methods import METHODS
from harness.names import is_plain_name, unknown
from harness.yaml_file import Section, first_fault, read_yaml

_LAYOUT_KEYS = [field.name for field in dataclasses.fields(Layout)]


def _as_source(value: object) -> object:
    if value is None:
        raise ValueError("it is empty; write a file, or {hub: OWNER/NAME}")
    if isinstance(value, dict):
        return value
    if not isinstance(value, str):
        raise ValueError(f"{reprlib.repr(value)} is no name of a file; write one file, or {{hub: OWNER/NAME}}")
    return {"path": value}


def _as_tuple(value: object) -> object:
    texts = value if isinstance(value, (list, tuple)) else [value]
    for text in texts:
        if isinstance(text, bool):
            raise ValueError("YAML reads yes, no, on and off as true and false; put such a name between quotes")
        if text is None:
            raise ValueError("it is empty; write one text or a list of them")
        if not isinstance(text, str):
            raise ValueError(f"{reprlib.repr(text)} is no text; write one text or a list of them, numbers in quotes")
    return tuple(texts)


def _plain(name: str) -> str:
    if not is_plain_name(name):
        raise ValueError(f"{name!r} is no plain name; write it as the Hub shows it, without slashes")
    return name


def _hub_id(name: str) -> str:
    parts = name.split("/")
    if len(parts) > 2 or not all(map(is_plain_name, parts)):
        raise ValueError(f"{name!r} is no id of a data set; write OWNER/NAME, as the Hub shows it")
    return name


def _scenario_name(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][\w.-]*", name):
        raise ValueError(f"{name!r} is no name for a scenario; write letters and digits, with . - or _ between them")
    return name


Texts = Annotated[tuple[str, ...], BeforeValidator(_as_tuple)]
"""One text, or a list of them."""
PlainName = Annotated[str, AfterValidator(_plain)]
"""A name that becomes part of a path."""


class Source(Section):
    """Where rows come from: a file (``path``), or a table of the Hub (``hub``, ``config``, ``split``, ``revision``)."""

    path: str | None = None
    """JSONL, CSV, TSV or Parquet; relative to the YAML file."""
    hub: Annotated[str, AfterValidator(_hub_id)] | None = None
    """Id of a data set."""
    config: PlainName = "default"
    split: PlainName = "test"
    revision: str = "main"
    """A commit, if the same name is to mean the same rows next year."""


class OwnConfig(Section):
    """A whole file. Where a key takes a field, that is the name of a column, or a Jinja template over the row."""

    name: Annotated[str, AfterValidator(_scenario_name)]
    """What tables call the scenario; the file's name without ``.yaml``, if it is not given."""
    description: str = ""
    data: Annotated[Source, BeforeValidator(_as_source)]
    examples: Annotated[Source, BeforeValidator(_as_source)] | None = None
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
    adapter: Texts
    metrics: Texts
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

    @field_validator("adapter", "metrics")
    @classmethod
    def _names_something(cls, names: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        if not names:
            raise ValueError(f"the list is empty; {_MISSING[info.field_name or '']}")
        return names

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
    known = METHODS.get(method)
    needs = known.needs if known else None  # that there is no such adapter is told later, with the closest name
    if needs in ("choices", "passages") and not (config.choices and config.answer):
        raise ValueError(f"the adapter {method} needs choices and an answer; add the keys choices and answer")
    if needs == "answer" and not config.answer:
        raise ValueError(f"the adapter {method} needs something to compare with; add the key answer")
    if needs == "text" and config.shots:
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
