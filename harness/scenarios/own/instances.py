"""From rows to instances, by what a YAML file says; any fault names the files, the row and the field."""

from __future__ import annotations

import string
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

from harness.errors import UserError
from harness.scenarios.own.config import OwnConfig, listed
from harness.scenarios.own.fields import Field, FieldFault, as_text
from harness.scenarios.own.rows import PlacedRow
from harness.types import Instance, Reference

T = TypeVar("T")


class Recipe:
    """How a row becomes an instance."""

    def __init__(self, yaml: Path, config: OwnConfig) -> None:
        """Take the YAML file and what it says.

        Raises:
            UserError: a template's syntax is wrong.
        """
        self._yaml, self._config = yaml, config
        self._input = self._field("input", config.input)
        self._choices = [self._field("choices", text) for text in config.choices]
        self._answers = [self._field("answer", text) for text in config.answer]
        self._optional = {
            key: self._field(key, text)
            for key, text in (("id", config.id), ("kind", config.kind), ("explanation", config.explanation))
            if text is not None
        }

    def instances(self, rows: Iterable[PlacedRow], side: str = "") -> list[Instance]:
        """All instances; ``side`` tells examples from what is asked by their ids.

        Raises:
            UserError: a row cannot be read, or two have the same id.
        """
        found: dict[str, Instance] = {}
        places: dict[str, str] = {}
        for row in rows:
            instance = self._instance(row, side)
            if instance.id in found:
                raise self._fault(
                    "id", row, f"{instance.id!r} is the id of {places[instance.id]} too; give each row its own"
                )
            found[instance.id], places[instance.id] = instance, row.place
        return list(found.values())

    def _instance(self, row: PlacedRow, side: str) -> Instance:
        asked = self._at("input", row, lambda: self._input.text(row.values))
        if not asked.strip():
            raise self._fault("input", row, "it is empty")
        choices = self._at("choices", row, lambda: self._choice_texts(row))
        answers = self._at("answer", row, lambda: self._answer_values(row))
        explanation = self._text("explanation", row) or ""
        if choices:
            right = self._at("answer", row, lambda: {self._which(answer, choices) for answer in answers})
            references = [Reference(text, i in right, explanation) for i, text in enumerate(choices)]
        else:
            texts = self._at("answer", row, lambda: [as_text(answer) for answer in answers])
            references = [Reference(text, True, explanation) for text in texts]
        name = self._text("id", row)
        if name is not None and not name.strip():
            raise self._fault("id", row, "it is empty")
        return Instance(
            f"{self._config.name}-{side}{row.number if name is None else name}",
            asked,
            tuple(references),
            self._text("kind", row) or "",
        )

    def _choice_texts(self, row: PlacedRow) -> list[str]:
        if not self._choices:
            return []
        if len(self._choices) > 1:
            texts = [field.text(row.values) for field in self._choices]
        else:
            value = self._choices[0].value(row.values)
            if not isinstance(value, list):
                raise FieldFault(
                    f"it holds one {type(value).__name__} where a list is needed; name a column with a list, or list "
                    "several columns or templates"
                )
            texts = [as_text(item) for item in value]
        if len(texts) < 2:
            raise FieldFault(f"a question needs at least two choices, and it has {len(texts) or 'none'}")
        if not all(text.strip() for text in texts):
            raise FieldFault(f"one of the choices {listed(texts)} is empty")
        if len({text.strip() for text in texts}) < len(texts):
            raise FieldFault(f"two of the choices {listed(texts)} are the same, so no answer would tell them apart")
        return texts

    def _answer_values(self, row: PlacedRow) -> list[Any]:
        values: list[Any] = []
        for field in self._answers:
            value = field.value(row.values)
            values += value if isinstance(value, list) else [value]
        if self._answers and not values:
            raise FieldFault("it names no answer")
        if any(value == "" for value in values):
            raise FieldFault("it is empty")
        return values

    def _which(self, answer: Any, choices: list[str]) -> int:
        """Index of the choice that an answer names: by its text, its letter, or its index, which counts from 0."""
        found = {way: index for way, index in _readings(answer, choices).items() if index is not None}
        wanted = self._config.answer_as
        if wanted:
            found = {way: index for way, index in found.items() if way == wanted}
        if not found:
            how = f" by its {wanted}" if wanted else ""
            raise FieldFault(f"{answer!r} names none of the choices {listed(choices)}{how}")
        if len(set(found.values())) > 1:
            raise FieldFault(
                f"{answer!r} is the {' of one choice and the '.join(found)} of another; "
                f"say which is meant with the key answer_as"
            )
        return next(iter(found.values()))

    def _text(self, key: str, row: PlacedRow) -> str | None:
        field = self._optional.get(key)
        return None if field is None else self._at(key, row, lambda: field.text(row.values))

    def _field(self, key: str, text: str) -> Field:
        try:
            return Field(text)
        except FieldFault as fault:
            raise UserError(f"{self._yaml}, key '{key}': {fault}.") from fault

    def _at(self, key: str, row: PlacedRow, read: Callable[[], T]) -> T:
        try:
            return read()
        except FieldFault as fault:
            raise self._fault(key, row, str(fault)) from fault

    def _fault(self, key: str, row: PlacedRow, what: str) -> UserError:
        return UserError(f"{self._yaml}, key '{key}', {row.place}: {what}.")


def _readings(answer: Any, choices: list[str]) -> dict[str, int | None]:
    """What an answer may mean; None for what it cannot be."""
    text = str(answer)
    letters = string.ascii_uppercase[: len(choices)]
    is_index = not isinstance(answer, bool) and isinstance(answer, (int, str)) and text.isascii() and text.isdigit()
    return {
        "text": choices.index(text) if text in choices else None,
        "letter": letters.find(text.upper()) if len(text) == 1 and text.upper() in letters else None,
        "index": int(text) if is_index and int(text) < len(choices) else None,
    }
