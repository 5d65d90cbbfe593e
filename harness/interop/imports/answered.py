"""What one model did in one task of another harness: what every reader of such results gives."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple


class Score(NamedTuple):
    """What a metric of the other harness made of one answer."""

    value: float
    """May be infinite; NaN where it made nothing of it."""
    weight: float = 1.0
    """What it counts for in the mean, such as the bytes of a text."""


@dataclass(frozen=True, slots=True)
class Answered:
    """One model's answer to one question."""

    instance_id: str
    asked: str
    """Hash of what was asked and what would have been right: models are paired only where it is the same."""
    scores: Mapping[str, Score]
    columns: Mapping[str, Any]
    """Of a row of ``instances``, by name, as far as they are known."""
    perturbation: str = ""
    trial: int = 0

    @property
    def question(self) -> tuple[str, int, str]:
        """What tells it from others of its task."""
        return self.perturbation, self.trial, self.instance_id


@dataclass(frozen=True, slots=True)
class ModelTask:
    """All answers of one model to one task."""

    model: str
    """The name that the other harness knew it by, or a label that the user gave."""
    scenario: str
    adapter: str
    """By our names, where we have that way of asking."""
    source: Path
    """Where it was read."""
    metrics: tuple[str, ...]
    """In the other harness' order; the first is the main one."""
    answers: Callable[[str], Sequence[Answered]]
    """All of them, told as the metric that it is given looks at them: the main one of the run."""
    conditions: Mapping[str, Mapping[str, Any]]
    """What has to be the same for all models, by words that a sentence can name; for each part of the task that the
    other harness asked as a task of its own, by that one's name."""
    higher_is_better: Mapping[str, bool] = field(default_factory=dict)
    """Where the other harness says so."""
    groups: Mapping[str, str] = field(default_factory=dict)
    """By perturbation: ``robustness``, ``fairness`` or nothing."""
    versions: Mapping[str, str] = field(default_factory=dict)
    """Of the other harness, where it says."""
    notes: tuple[str, ...] = ()
    """Half sentences on what could not be taken over."""
    has_hash: bool = False
    """Whether the model's name ends with something of its file's hash, as exports of ours have it."""
    guess_rate: float | None = None
    """Share that guessing gets right, where it is known."""

    @property
    def task(self) -> tuple[str, str]:
        """Scenario and adapter."""
        return self.scenario, self.adapter

    def with_part(self, other: ModelTask) -> ModelTask:
        """This and another part of the same task."""
        return replace(
            self,
            metrics=tuple(name for name in self.metrics if name in other.metrics),
            answers=lambda main: [*self.answers(main), *other.answers(main)],
            conditions={**self.conditions, **other.conditions},
            groups={**self.groups, **other.groups},
            notes=tuple(dict.fromkeys((*self.notes, *other.notes))),
        )


def fingerprint(*parts: Any) -> str:
    """A hash of anything that JSON can say."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, ensure_ascii=True).encode()).hexdigest()
