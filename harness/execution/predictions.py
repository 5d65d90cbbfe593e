"""What the reference wrote, given to other models as a prediction of what they will write.

An endpoint that understands it need not decode what they agree on token by token, and the answers are the same as
without. It also shows at which token a model first departs from the reference.
"""

from __future__ import annotations

from dataclasses import replace

from harness.adaptation.window import Window
from harness.execution.tasks import Task
from harness.serving.endpoint import Endpoint
from harness.types import Completion, Instance, Request

SAMPLE = "The 3 quick foxes (1,024 in all) jumped; naïve Ωmega 漢字 🙂\n\t\"Why?\" 'Yes.' <x> {y: 2.5e-3}"
"""Models that have the same tokens for this are taken to have one vocabulary; were it not so, their predictions would
be wrong and of no use, and do no harm."""

_Key = tuple[str, str, int, str, str]


class Predictions:
    """The reference's answers in token ids, which nobody else adds to; safe to use from many threads."""

    def __init__(self, reference: str) -> None:
        """Keep what the model with this label writes; it is asked before the others."""
        self._reference = reference
        self._vocabulary: tuple[int, ...] | None = None
        self._said: dict[_Key, tuple[int, ...]] = {}

    def fit(self, endpoint: Endpoint, model: str) -> bool:
        """Whether the answers of a model can be kept, if it is the reference, or else be predicted by those that are.

        Args:
            endpoint: where the model is asked.
            model: its label.
        """
        if not endpoint.predicts:
            return False
        vocabulary = _tokens(endpoint)
        if model == self._reference:
            self._vocabulary = vocabulary
        return vocabulary == self._vocabulary

    def added(self, request: Request, task: Task, instance: Instance) -> Request:
        """The request with what is known of its answer."""
        return replace(request, prediction=self._said.get(_key(task, instance), ()))

    def learn(self, model: str, task: Task, instance: Instance, completions: list[Completion]) -> None:
        """Keep what was generated, be it nothing, if it is the reference's."""
        if model == self._reference and len(completions) == 1:
            self._said[_key(task, instance)] = completions[0].generated


def _tokens(window: Window) -> tuple[int, ...]:
    return (*window.bos, *window.tokenize(SAMPLE))


def _key(task: Task, instance: Instance) -> _Key:
    return (task.scenario.name, task.adapter_name, task.trial, instance.id, instance.perturbation)
