"""What is done with the models of a run while their servers are up: tried, asked, compared, timed."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import NamedTuple

from harness.display import Display
from harness.divergence.comparison import Comparison
from harness.divergence.plan import Reading, make_plan
from harness.divergence.text import Text
from harness.efficiency.rounds import Subject, Timings, measure
from harness.execution.concurrency import Concurrency
from harness.execution.predictions import Predictions
from harness.execution.runner import Asked, run_task
from harness.execution.tasks import Task
from harness.models.candidates import Candidate
from harness.models.null_run import NULL, null_concurrency
from harness.run_spec import RunSpec
from harness.serving.endpoint import Endpoint
from harness.serving.process import ServerProcess
from harness.serving.timing import Memory


class Tried(NamedTuple):
    """What is known once every model has been served."""

    room: int
    """Tokens that the smallest context holds. All models' prompts keep to it, so that all are asked alike."""
    comparison: Comparison | None
    """Of next-token distributions; None where that is not wanted."""


class Answers(NamedTuple):
    """What one model answered, and what its server took of memory for that."""

    asked: list[Asked]
    """In the order of the tasks."""
    memory: Memory


class Models:
    """The models of a run, the reference first, each served alone and from one folder."""

    def __init__(self, candidates: list[Candidate], spec: RunSpec, folder: Path, display: Display) -> None:
        """Measure ``candidates``, the null run's last if there is one; what servers print goes to ``folder``."""
        self._candidates = candidates
        self._spec = spec
        self._folder = folder
        self._display = display
        self._predictions = Predictions(candidates[0].label)

    def try_all(self, text: Text | None) -> Tried:
        """Start every model once before the first question: hours of answers are not lost to the last one's bad file.

        Args:
            text: over which next-token distributions are to be compared, if that is wanted.

        Raises:
            UserError: a model cannot be served, or the text is too short.
            RunError: a server failed.
        """
        contexts: list[int] = []
        readings: dict[str, Reading] = {}
        for candidate in self._candidates:
            self._display.say(f"{candidate.label}: checking that it can be served")
            with self._serving(candidate) as endpoint:
                contexts.append(endpoint.context)
                if self._spec.asking.chat:
                    endpoint.tokenize_chat("")
                if text:
                    n_vocabulary = candidate.facts.vocabulary_size
                    readings[candidate.label] = Reading(endpoint.tokenize(text.text), endpoint.bos, n_vocabulary)
        room = min(contexts)
        if text is None:
            return Tried(room, None)
        return Tried(room, Comparison(make_plan(text, readings, context=room, most=self._spec.divergence_windows)))

    def ask_all(self, tasks: list[Task], tried: Tried) -> list[Answers]:
        """All tasks, and after them the windows of text, put to one model after the other.

        Raises:
            RunError: a server or an answer failed.
        """
        n_instances = len(self._candidates) * sum(len(task.instances) for task in tasks)
        n_windows = tried.comparison.n_asked if tried.comparison else 0
        with (
            tempfile.TemporaryDirectory(prefix=".divergence-", dir=self._folder) as store,
            self._display.running(n_instances + n_windows),
        ):
            return [self._ask(candidate, tasks, tried, Path(store)) for candidate in self._candidates]

    def time_all(self, tried: Tried, answers: list[Answers]) -> Timings:
        """Speeds and memory of all models but the null run, which is the reference served as nobody would."""
        subjects = [
            Subject(
                candidate.label,
                candidate.facts.bytes,
                partial(self._serving, candidate, room=tried.room),
                answer.memory,
            )
            for candidate, answer in zip(self._candidates, answers, strict=True)
            if not self._is_null(candidate)
        ]
        return measure(subjects, seed=self._spec.asking.seed, say=self._display.say)

    def _ask(self, candidate: Candidate, tasks: list[Task], tried: Tried, store: Path) -> Answers:
        label, display = candidate.label, self._display
        found: list[Asked] = []
        display.say(f"{label}: starting its server")
        with self._serving(candidate, room=tried.room, store=store) as endpoint:
            limit = Concurrency(self._concurrency(candidate))
            endpoint.on_overload = limit.overloaded
            # Beside other requests a prediction moves what else is in the cache, and so the last bits of logits: of 8
            # answers of 100 tokens that Q8_0 wrote at once, 5 to 7 came out otherwise in some passes. The reference's
            # have none, so that would be taken for a loss.
            predictions = self._predictions if self._concurrency(candidate) == 1 else None
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
    def _serving(
        self, candidate: Candidate, *, room: int | None = None, store: Path | None = None
    ) -> Iterator[Endpoint]:
        """A server of its own for one model, and its endpoint, found fit for scoring.

        Args:
            candidate: the model.
            room: tokens that the endpoint keeps to.
            store: folder in which distributions are recorded, where they are to be compared.
        """
        label, slots = candidate.label, self._concurrency(candidate)
        log = self._folder / f"server-{label}.log"
        with (
            ServerProcess(candidate.facts.path, label, candidate.serve, log, slots=slots, store=store) as server,
            Endpoint(server.base_url, label, alive=server.check_alive) as endpoint,
        ):
            endpoint.self_test()
            endpoint.room = room
            yield endpoint

    def _is_null(self, candidate: Candidate) -> bool:
        return self._spec.null and candidate.label == NULL

    def _concurrency(self, candidate: Candidate) -> int:
        """Requests under way at once."""
        return null_concurrency(self._spec.concurrency) if self._is_null(candidate) else self._spec.concurrency
