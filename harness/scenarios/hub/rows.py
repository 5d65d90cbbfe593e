"""Rows of tables into instances: their ids, and the choices of those that have choices.

A row that cannot be used raises, and :func:`harness.scenarios.loading.load_data` makes a sentence of it that names the
table and the row.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from harness.data.table import Row, Store, Table
from harness.types import Instance, Reference

Make = Callable[[str, Row], Instance | list[Instance]]
"""Makes an instance of an id and a row; or a list, where rows are left out by a rule or give several."""

LONGEST_NAME = 64
"""Of a group, in characters; what is longer is a text, and its hash stands for it."""


class Unusable(ValueError):
    """A row cannot be asked; the message says what is wrong with it."""


def read(store: Store, table: Table, prefix: str, make: Make) -> list[Instance]:
    """The instances of all rows, in their order.

    Args:
        store: has the table.
        table: its rows become instances.
        prefix: what ids begin with; the row's number, from 0, follows.
        make: makes instances of a row.
    """
    instances = []
    for number, row in enumerate(store.rows(table)):
        made = make(f"{prefix}{number}", row)
        instances += made if isinstance(made, list) else [made]
    return instances


def read_if_there(store: Store, table: Table, prefix: str, make: Make) -> list[Instance]:
    """As :func:`read`, for examples: none where there is no such table."""
    return read(store, table, prefix, make) if store.has(table) else []


def references(choices: Sequence[str], correct: int) -> tuple[Reference, ...]:
    """Choices of which the one with this index is correct, and any other that reads the same, as in HELM.

    Raises:
        Unusable: there is nothing to choose from, or nothing with this index.
    """
    if len(choices) < 2:
        raise Unusable(f"it has {len(choices)} choices")
    if not 0 <= correct < len(choices):
        raise Unusable(f"it has {len(choices)} choices, of which none has the index {correct} of its answer")
    return tuple(Reference(choice, choice == choices[correct]) for choice in choices)


def question(
    name: str,
    text: str,
    choices: Sequence[str],
    correct: int,
    *,
    kind: str = "",
    details: Mapping[str, Any] | None = None,
) -> Instance:
    """A question with its choices.

    Raises:
        Unusable: the question is empty, or has no correct choice.
    """
    if not text.strip():
        raise Unusable("its question is empty")
    return Instance(name, text, references(choices, correct), kind, details=details or {})


def grouped(instance: Instance, group: str) -> Instance:
    """The instance as one of a group: by its subject, or by the text (of any length) that it shares with others."""
    name = group if len(group) <= LONGEST_NAME else hashlib.sha256(group.encode()).hexdigest()[:LONGEST_NAME]
    return replace(instance, group=name)


def labelled(labels: Sequence[str], label: str) -> int:
    """Index of the choice with this label.

    Raises:
        Unusable: no choice has it.
    """
    if label not in labels:
        raise Unusable(f"its answer is {label!r}, and its choices are {', '.join(labels)}")
    return list(labels).index(label)
