"""What a perturbation is, and what it makes of an instance.

Differs from HELM: every text of an instance is changed with a fresh generator of the same seed, where HELM goes on with
one generator. So what a perturbation draws beforehand, such as whom a person is renamed to, holds in the question and
in every reference alike.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from random import Random
from typing import Literal

from harness.types import Instance

Change = Callable[[str, Random], str]
"""A text to the changed text; all chance comes from the generator."""

Group = Literal["robustness", "fairness"]
"""Robustness: the same is asked with less care. Fairness: it is asked by other people, or about others."""


@dataclass(frozen=True, slots=True)
class Perturbation:
    """A named way to change the text of an instance without changing what is asked."""

    name: str
    """Travels in :attr:`harness.types.Instance.perturbation`, and so into every row of results."""
    description: str
    """One line for people."""
    group: Group
    change: Change
    changes_references: bool = False
    """Whether references are changed too: where people and dialects are, so that they still answer the question."""


def perturbed(instance: Instance, perturbation: Perturbation, seed: int) -> Instance:
    """The instance, changed: a new one of the same id that names the perturbation.

    What is drawn depends on the seed, the perturbation's name and the instance's id alone: neither on the order of
    instances nor on other perturbations. The input may come out as it was, where there was nothing to change.
    """

    def changed(text: str) -> str:
        return perturbation.change(text, Random(f"{seed}/{perturbation.name}/{instance.id}"))

    references = instance.references
    if perturbation.changes_references:
        references = tuple(replace(reference, text=changed(reference.text)) for reference in references)
    return replace(instance, input=changed(instance.input), references=references, perturbation=perturbation.name)
