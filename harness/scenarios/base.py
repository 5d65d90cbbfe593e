"""What a scenario is: what is asked, in which ways, and how the answers are judged."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from harness.data.table import Store, Table
from harness.layout import QUESTION, Layout
from harness.types import Instance, Normalization


class Data(NamedTuple):
    """The instances of a scenario."""

    train: list[Instance]
    """Drawn on for few-shot examples; never scored."""
    test: list[Instance]


@dataclass(frozen=True, slots=True, kw_only=True)
class AdapterSpec:
    """One way of asking, with what HELM's ``AdapterSpec`` says about it."""

    method: str
    """Name in :data:`harness.adaptation.table.ADAPTERS`."""
    layout: Layout = QUESTION
    layouts: Mapping[str, Layout] = field(default_factory=dict, hash=False)
    """By ``Instance.kind``, where slices differ (MMLU's instructions name the subject); ``layout`` for the others."""
    n_shots: int = 5
    """Solved examples before each question (HELM: ``max_train_instances``)."""
    examples_by_kind: bool = False
    """Whether examples come from the instance's own slice only."""
    sample_train: bool = True
    """Whether examples are drawn, balanced by class; else they come in their order, the next ones in each trial."""
    max_tokens: int = 5
    """Longest answer in tokens, where answers are generated."""
    stop: tuple[str, ...] = ("\n",)
    normalization: Normalization = "token"
    """What the log-probability of a choice that is scored apart is divided by: its tokens (HELM's choice), nothing
    (lm-eval's ``acc``) or its characters (lm-eval's ``acc_norm``). It decides which choice is the answer."""
    multi_label: bool = False
    """Whether an example shows all its correct references, separated by commas, and not just the first."""

    def layout_of(self, instance: Instance) -> Layout:
        """The layout of the instance's slice."""
        return self.layouts.get(instance.kind, self.layout)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """A named set of instances, and the ways of asking and judging that make it comparable."""

    name: str
    """HELM's, where HELM has it."""
    description: str
    """One line for people."""
    adapters: tuple[AdapterSpec, ...]
    """Each makes a task of its own."""
    metrics: tuple[str, ...]
    """Names in :data:`harness.metrics.table.METRICS` or ``SET_METRICS``; the first is the main one, of ``METRICS``."""
    load: Callable[[Store], Data]
    """Makes the instances. Examples that the store does not have are an empty list, where the tests are there."""
    tables: tuple[Table, ...] = ()
    """What has to be there before anything can be asked."""
    example_tables: tuple[Table, ...] = ()
    """Where examples come from; without them the scenario is asked without examples, and the report says so."""
    slices: tuple[str, ...] = ()
    """Kinds of its instances, where not all of them are asked."""
    made_from: str = ""
    """For scenarios without tables: what their instances are made from, such as a seed or a file's hash."""
    n_instances: Callable[[Sequence[int]], int] | None = sum
    """Instances to be asked, from the rows of each of ``tables``; None where only the rows themselves tell."""
    guess_rate: float = 0.0
    """Share of right answers that guessing gives."""
