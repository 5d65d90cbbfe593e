"""What is done with the models of a run while their servers are up: tried, asked, compared, timed."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import NamedTuple

from harness.display import Display
from harness.divergence.comparison import Comparison
from harness.divergence.plan import Reading, make_plan
from harness.divergence.text import Text
from harness.efficiency.rounds import Subject, Timings, measure
from harness.efficiency.samples import samples_frame
from harness.execution.concurrency import Concurrency
from harness.execution.predictions import Predictions
from harness.execution.runner import Asked, run_task
from harness.execution.tasks import Task
from harness.models.null_run import NULL, null_concurrency
from harness.run_spec import RunSpec
from harness.served.base import Served
from harness.serving.endpoint import Endpoint
from harness.serving.timing import Memory


class Tried(NamedTuple):
    """What is known once every model has been served."""

    room: int
    """Tokens that the smallest context holds. All models' prompts keep to it, so that all are asked alike."""
    comparison: Comparison | None
    """Of next-token distributions; None where that is not wanted, or cannot be."""
    notes: list[str]
    """What a reader must know of it."""


class Answers(NamedTuple):
    """What one model answered, and what its server took of memory for that."""

    asked: list[Asked]
    """In the order of the tasks."""
    memory: Memory


class Models:
    """The models of a run, the reference first, each asked alone."""

    def __init__(self, models: Sequence[Served], spec: RunSpec, folder: Path, display: Display) -> None:
        """Measure ``models``, the null run's last if there is one; results are put into ``folder``."""
        self._models = models
        self._spec = spec
        self._folder = folder
        self._display = display
        self._predictions = Predictions(models[0].label)
        self._silent = next((model.label for model in models if model.ability.no_tokenizer), None)
        """A model whose tokens nobody can count: then prompts of all are fitted by their bytes, to be the same."""

    def try_all(self, text: Text | None) -> Tried:
        """Serve every model once before the first question: hours of answers are not lost to the last one's bad file.

        Args:
            text: over which next-token distributions are to be compared, if that is wanted.

        Raises:
            UserError: a model cannot be served, or the text is too short.
            RunError: a server failed.
        """
        contexts: list[int] = []
        readings: dict[str, Reading] = {}
        unread: list[str] = []
        for model in self._models:
            self._display.say(f"{model.label}: checking that it can be served")
            with self._serving(model) as endpoint:
                contexts.append(endpoint.context)
                if self._spec.asking.chat:
                    endpoint.tokenize_chat("")
                if text and not model.ability.no_tokenizer and model.vocabulary_size:
                    readings[model.label] = Reading(endpoint.tokenize(text.text), endpoint.bos, model.vocabulary_size)
                elif text:
                    unread.append(model.label)
        room = min(contexts)
        notes = [_FITTED.format(label=self._silent)] if self._silent else []
        if unread:
            notes.append(_UNREAD.format(labels=", ".join(unread)))
        if text is None or self._models[0].label not in readings:
            return Tried(room, None, notes)
        plan = make_plan(text, readings, context=room, most=self._spec.divergence_windows)
        return Tried(room, Comparison(plan), notes)

    def ask_all(self, tasks: list[Task], tried: Tried) -> list[Answers]:
        """All tasks, and after them the windows of text, put to one model after the other.

        Raises:
            RunError: a server or an answer failed.
        """
        n_instances = len(self._models) * sum(len(task.instances) for task in tasks)
        n_windows = tried.comparison.n_asked if tried.comparison else 0
        with (
            tempfile.TemporaryDirectory(prefix=".divergence-", dir=self._folder) as store,
            self._display.running(n_instances + n_windows),
        ):
            return [self._ask(model, tasks, tried, Path(store)) for model in self._models]

    def time_all(self, tried: Tried, answers: list[Answers]) -> Timings:
        """Speeds and memory of all models but the null run, which is the reference served as nobody would."""
        if self._silent:
            return Timings(samples_frame([]), [_UNTIMED.format(label=self._silent)])
        if wordy := next((model.label for model in self._models if model.ability.no_token_ids), None):
            return Timings(samples_frame([]), [_WORDY.format(label=wordy)])
        subjects = [
            Subject(
                model.label,
                model.bytes_to_load,
                partial(self._serving, model, room=tried.room),
                answer.memory,
            )
            for model, answer in zip(self._models, answers, strict=True)
            if not self._is_null(model)
        ]
        return measure(subjects, seed=self._spec.asking.seed, say=self._display.say)

    def _ask(self, model: Served, tasks: list[Task], tried: Tried, store: Path) -> Answers:
        label, display = model.label, self._display
        found: list[Asked] = []
        display.say(f"{label}: waiting for its server")
        with self._serving(model, room=tried.room, store=store) as endpoint:
            limit = Concurrency(self._concurrency(model))
            endpoint.on_overload(limit.overloaded)
            endpoint.forget()  # as if nobody had asked it before: neither its self-test nor, of one that runs, others
            # Beside other requests a prediction moves what else is in the cache, and so the last bits of logits: of 8
            # answers of 100 tokens that Q8_0 wrote at once, 5 to 7 came out otherwise in some passes. The reference's
            # have none, so that would be taken for a loss.
            predictions = self._predictions if self._concurrency(model) == 1 else None
            for task in tasks:
                display.say(f"{label}: {task.label}")
                asked = run_task(endpoint, label, task, concurrency=limit, tick=display.tick, predictions=predictions)
                display.finished(f"{label}: {task.label}, {asked.summary(task)}")
                found.append(asked)
            memory = endpoint.memory()  # before distributions are kept in it, which nobody who serves the model needs
            if tried.comparison:
                display.say(f"{label}: divergence")
                display.finished(f"{label}: {tried.comparison.ask(endpoint, label, display.tick)}")
            return Answers(found, memory)

    @contextmanager
    def _serving(self, model: Served, *, room: int | None = None, store: Path | None = None) -> Iterator[Endpoint]:
        """One model's endpoint, fit for what is asked of it.

        Args:
            model: the model.
            room: tokens that the endpoint keeps to.
            store: folder in which distributions are recorded, where they are to be compared.
        """
        with model.open(slots=self._concurrency(model), store=store) as endpoint:
            endpoint.room = room
            if self._silent:
                endpoint.count_bytes()
            yield endpoint

    def _is_null(self, model: Served) -> bool:
        return self._spec.null and model.label == NULL

    def _concurrency(self, model: Served) -> int:
        """Requests under way at once."""
        return null_concurrency(self._spec.concurrency) if self._is_null(model) else self._spec.concurrency


_FITTED = "{label} has no tokenizer that can be asked, so prompts are fitted to the context by their bytes."
_UNTIMED = "speeds: not measured, since {label} has no tokenizer, by which prompts of a known length are made."
_WORDY = "speeds: not measured, since {label} cannot be asked in token ids, as prompts of a known length are."
_UNREAD = "Divergence: {labels} left out, since its endpoint does not tell its tokens or the size of its vocabulary."
