"""A task: one scenario asked in one way, with its instances and examples chosen. The same for every model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from harness.adaptation.base import Adapter
from harness.adaptation.examples import choose_examples, choose_instances
from harness.adaptation.table import ADAPTERS, CHAT_ADAPTERS
from harness.adaptation.window import Window
from harness.data.table import Store
from harness.metrics.base import Metric, SetMetric
from harness.metrics.table import METRICS, SET_METRICS
from harness.perturbations.base import Perturbation, perturbed
from harness.scenarios.base import AdapterSpec, Scenario
from harness.scenarios.loading import load_data
from harness.types import Instance, Request


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """What the user decides about the tasks of a run, all scenarios alike."""

    max_instances: int | None
    """Of each scenario, at most; None for all."""
    seed: int
    trials: int = 1
    """How often everything is asked, each time after other examples."""
    chat: bool = False
    """Whether prompts are put into the model's chat template, as a user's message."""
    perturbations: tuple[Perturbation, ...] = ()


@dataclass(frozen=True, slots=True)
class Task:
    """What is asked of every model in one scenario and one way."""

    scenario: Scenario
    spec: AdapterSpec
    instances: tuple[Instance, ...]
    """Originals, and after them what perturbations made of them."""
    examples: Mapping[str, list[Instance]] = field(hash=False)
    """By kind where each slice has its own, else under the empty string."""
    trial: int = 0
    chat: bool = False
    n_indistinct: int = 0
    """Perturbed instances that are not asked, because the perturbation made two of their choices the same."""

    @property
    def adapter(self) -> Adapter:
        """How it is asked."""
        return CHAT_ADAPTERS[self.spec.method] if self.is_chat else ADAPTERS[self.spec.method]

    @property
    def is_chat(self) -> bool:
        """Whether it goes through the chat template: if that is wanted, and unless it is running text."""
        return self.chat and self.spec.method in CHAT_ADAPTERS

    @property
    def adapter_name(self) -> str:
        """For tables: the adapter, and whether it goes through the chat template."""
        return f"{self.spec.method}_chat" if self.is_chat else self.spec.method

    @property
    def metrics(self) -> list[Metric]:
        """What judges single answers; the first is the main one."""
        return [METRICS[name] for name in self.scenario.metrics if name in METRICS]

    @property
    def set_metrics(self) -> list[SetMetric]:
        """What judges all answers together."""
        return [SET_METRICS[name] for name in self.scenario.metrics if name in SET_METRICS]

    @property
    def label(self) -> str:
        """For people: the scenario, and what else tells the task from others of the same scenario."""
        several = [self.adapter_name] if len(self.scenario.adapters) > 1 else []
        more = [*several, *([f"trial {self.trial + 1}"] if self.trial else [])]
        return f"{self.scenario.name} ({', '.join(more)})" if more else self.scenario.name

    def request(self, instance: Instance, window: Window) -> Request:
        """The request that asks one instance of the model behind the window."""
        return self.adapter.adapt(instance, self.examples_for(instance), self.spec, window)

    def examples_for(self, instance: Instance) -> list[Instance]:
        """The examples that stand before this instance, if all of them fit."""
        return self.examples.get(instance.kind if self.spec.examples_by_kind else "", [])


def plan_tasks(scenario: Scenario, store: Store, asking: Asking) -> list[Task]:
    """The tasks of a scenario, from one seed: one for each way of asking and trial.

    Raises:
        MissingTable: the scenario's data cannot be had or read.
    """
    tasks: list[Task] = []
    data = load_data(scenario, store)
    originals = choose_instances(data.test, asking.max_instances, asking.seed)
    changed, n_indistinct = _changed(originals, asking)
    for spec in scenario.adapters:
        trials = asking.trials if spec.n_shots and data.train else 1
        tasks += [
            Task(
                scenario,
                spec,
                (*originals, *changed),
                _examples(data.train, spec, asking.seed, trial),
                trial,
                asking.chat,
                n_indistinct,
            )
            for trial in range(trials)
        ]
    return tasks


def _changed(originals: list[Instance], asking: Asking) -> tuple[list[Instance], int]:
    """The perturbed instances to be asked, and how many others became such that no answer to them can be judged.

    Where nothing was changed there is nothing new to ask (so in HELM too). Where two choices became the same,
    HELM asks nevertheless.
    """
    found: list[Instance] = []
    n_indistinct = 0
    for perturbation in asking.perturbations:
        for original in originals:
            instance = perturbed(original, perturbation, asking.seed)
            if instance.input == original.input:
                continue
            if _n_choices(instance) < _n_choices(original):
                n_indistinct += 1
            else:
                found.append(instance)
    return found, n_indistinct


def _n_choices(instance: Instance) -> int:
    """Different choices; 0 where all references are right, and which of them an answer equals does not matter."""
    is_choice = len(instance.golds) < len(instance.references)
    return len({reference.text for reference in instance.references}) if is_choice else 0


def _examples(train: list[Instance], spec: AdapterSpec, seed: int, trial: int) -> dict[str, list[Instance]]:
    if not spec.examples_by_kind:
        return {"": choose_examples(train, spec, seed, trial)}
    kinds = dict.fromkeys(instance.kind for instance in train)
    return {kind: choose_examples([i for i in train if i.kind == kind], spec, seed, trial) for kind in kinds}
