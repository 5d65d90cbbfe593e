"""What endpoints can do, and which tasks have to be left out because one of them cannot: for all, by name."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

from harness.adaptation.window import ByteWindow
from harness.errors import UserError
from harness.execution.plan import Plan
from harness.execution.tasks import Task
from harness.methods import METHODS
from harness.metrics.table import METRICS, SET_METRICS


@dataclass(frozen=True, slots=True)
class Ability:
    """What the endpoint of one model can do; each reason is a sentence, and None where it can."""

    label: str
    """Of the model."""
    cannot_score: str | None = None
    """Why prompts cannot be scored."""
    cannot_generate: str | None = None
    """Why greedy answers cannot be had."""
    no_logprobs: str | None = None
    """Why there are no log-probabilities of answers."""
    no_tokenizer: str | None = None
    """Why it cannot be asked for tokens."""
    no_token_ids: str | None = None
    """Why prompts cannot be token ids, although it can be asked for tokens."""

    def refuses(self, task: Task) -> str | None:
        """Why the task cannot be asked there; None where it can."""
        if _is_scored(task) and self.cannot_score:
            return f"{self.label} cannot score prompts. {self.cannot_score}"
        if not _is_scored(task) and self.cannot_generate:
            return f"{self.label} cannot give greedy answers. {self.cannot_generate}"
        if self.no_logprobs and _is_read_by_logprobs(task):
            return self._without_logprobs
        without_ids = self.no_tokenizer or self.no_token_ids
        if without_ids and _is_asked_in_ids(task):
            return f"{self.label} cannot be asked in token ids. {without_ids}"
        return None

    def silences(self, task: Task) -> tuple[list[str], str]:
        """Which metrics cannot judge the task's answers there, and why."""
        if self.no_logprobs is None or _is_scored(task):
            return [], ""
        return [name for name in task.scenario.metrics if _reads_logprobs(name)], self._without_logprobs

    @property
    def _without_logprobs(self) -> str:
        return f"{self.label} gives no log-probabilities of answers. {self.no_logprobs}"


def leave_out(plan: Plan, abilities: Sequence[Ability]) -> Plan:
    """The plan without the tasks, and without the metrics, that any of the endpoints cannot do.

    Raises:
        UserError: nothing would be left of it.
    """
    kept: list[Task] = []
    out: dict[str, list[str]] = defaultdict(list)
    """What is left out, by why."""
    for task in plan.tasks:
        refusal = next((why for one in abilities if (why := one.refuses(task))), None)
        if refusal:
            out[refusal].append(task.label)
            continue
        for one in abilities:
            silent, why = one.silences(task)
            if silent:
                out[why].append(f"{', '.join(silent)} of {task.label}")
                metrics = tuple(name for name in task.scenario.metrics if name not in silent)
                task = replace(task, scenario=replace(task.scenario, metrics=metrics))
        kept.append(task)
    sentences = [f"Left out: {'; '.join(whats)}: {why}" for why, whats in out.items()]
    if plan.tasks and not kept:
        raise UserError(f"Nothing of that can be asked. {' '.join(sentences)}")
    names = {task.scenario.name for task in kept}
    data = {name: data for name, data in plan.data.items() if name in names}
    return Plan(kept, [*plan.left_out, *sentences], data)


def _is_scored(task: Task) -> bool:
    return METHODS[task.spec.method].writes == "nothing"


def _is_read_by_logprobs(task: Task) -> bool:
    """Whether its answers, or its main metric, are made of log-probabilities of what is generated."""
    is_ranked = "passage scores" in METHODS[task.spec.method].gives
    return not _is_scored(task) and (is_ranked or _reads_logprobs(task.scenario.metrics[0]))


def _reads_logprobs(metric: str) -> bool:
    return (METRICS.get(metric) or SET_METRICS[metric]).reads_logprobs


def _is_asked_in_ids(task: Task) -> bool:
    """Whether any of its prompts would be token ids: running text, chats, and answers that stand after nothing."""
    window = ByteWindow()
    return any(
        not isinstance(prompt.context, str)
        for instance in task.instances
        for prompt in task.request(instance, window).prompts
    )
