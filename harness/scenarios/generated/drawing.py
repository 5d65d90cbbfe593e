"""Instances from draws of questions, no question twice."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from harness.scenarios.base import Data
from harness.types import Instance, Reference

GENERATED_SEED = "generated/1"
"""Seeds every draw. A change of any rule or word list is another seed: what was measured before is not comparable."""


class Drawn(NamedTuple):
    """One question with its answer."""

    question: str
    answer: str


def distinct(
    name: str, kind: str, train: tuple[int, Callable[[], Drawn]], test: tuple[int, Callable[[], Drawn]]
) -> Data:
    """Instances of one slice; ids begin with ``name``, and those of the training side have a ``t`` in them.

    Args:
        name: of the scenario and, where it has several slices, of the slice.
        kind: for :attr:`Instance.kind`.
        train: how many, and how one is drawn. A question that came up before is drawn again (HELM does so for Dyck
            words only, but also counts on it: elsewhere the same question in both halves is just unlikely).
        test: the same for the other half.
    """
    seen: set[str] = set()
    sides: list[list[Instance]] = []
    for side, (count, draw) in (("t", train), ("", test)):
        found: list[Instance] = []
        while len(found) < count:
            question, answer = draw()
            if question not in seen:
                seen.add(question)
                found.append(Instance(f"{name}-{side}{len(found):04}", question, (Reference(answer, True),), kind))
        sides.append(found)
    return Data(*sides)


def joined(parts: list[Data]) -> Data:
    """Several slices as one scenario's data."""
    return Data([i for part in parts for i in part.train], [i for part in parts for i in part.test])
