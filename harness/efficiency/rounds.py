"""Timing models against each other: round by round, each model once a round, so that a slow minute hits all alike."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack
from statistics import median
from typing import NamedTuple

import pandas as pd
import psutil

from harness.efficiency.amounts import Amounts, amounts, warm_up
from harness.efficiency.prompts import Prompts
from harness.efficiency.samples import Quantity, Sample, samples_frame
from harness.errors import HarnessError
from harness.serving.endpoint import Endpoint
from harness.serving.timing import Memory

ROUNDS = 5
BUDGET_SECONDS = 600.0
"""After which no further round is begun."""
USABLE = 0.9
"""Of the memory that is available."""


class Subject(NamedTuple):
    """A model that is to be timed."""

    label: str
    bytes: int | None
    """Of the file that its server will load; None where that runs already."""
    serve: Callable[[], AbstractContextManager[Endpoint]]
    """Starts a server of its own, or finds the one that runs."""
    memory: Memory | None
    """What its server had taken when its questions had been asked; None where none were."""


class Timings(NamedTuple):
    """What was measured."""

    samples: pd.DataFrame
    notes: list[str]


class _Runner:
    """A model whose server is up."""

    def __init__(self, label: str, endpoint: Endpoint, seed: int) -> None:
        self.label = label
        self.endpoint = endpoint
        self._prompts = Prompts(endpoint, seed)

    def once(self, what: Amounts, number: int) -> Iterator[Sample]:
        """One round."""
        for _ in range(what.prefills):
            prompt = self._prompts.next(what.prefill)
            yield Sample(self.label, number, Quantity.PREFILL, len(prompt) / self.endpoint.time(prompt, 1).first)
        for _ in range(what.questions):
            timed = self.endpoint.time(self._prompts.next(what.question), 1)
            yield Sample(self.label, number, Quantity.FIRST_TOKEN, timed.first)
        for _ in range(what.decodes):
            timed = self.endpoint.time(self._prompts.next(what.question), what.decode)
            yield Sample(self.label, number, Quantity.FIRST_TOKEN, timed.first)
            if timed.rest > 0:
                yield Sample(self.label, number, Quantity.DECODE, timed.n_rest / timed.rest)


def measure(
    subjects: Sequence[Subject],
    *,
    seed: int,
    say: Callable[[str], None],
    rounds: int = ROUNDS,
    budget: float = BUDGET_SECONDS,
) -> Timings:
    """Time all models, the first of which is the reference.

    All servers are up together, and one is asked at a time; where they do not fit into memory together, one model is
    timed after the other. Whatever fails here is told in a note: answers are not thrown away for want of a speed.
    """
    samples = [sample for subject in subjects for sample in _memory(subject)]
    notes: list[str] = []
    if not (together := fit_together(subjects)):
        notes.append("speeds: the models do not fit into memory together, so they were timed one after the other.")
    deadline = time.monotonic() + budget
    what: Amounts | None = None
    try:
        for group in [list(subjects)] if together else [[subject] for subject in subjects]:
            with ExitStack() as stack:
                say(f"timing {', '.join(subject.label for subject in group)}")
                runners = [_Runner(s.label, stack.enter_context(s.serve()), seed) for s in group]
                seen = [_warmed_up(runner) for runner in runners]
                what = what or amounts(*seen[0], runners[0].endpoint.context)
                done = _rounds(runners, what, rounds, deadline, samples)
                if done < rounds:
                    who = "" if together else f" of {group[0].label}"
                    notes.append(f"speeds: {done} of {rounds} rounds{who} were timed in {budget / 60:g} minutes.")
                samples += [
                    Sample(runner.label, done, Quantity.PEAK_RSS, peak)
                    for runner in runners
                    if not math.isnan(peak := runner.endpoint.memory().resident)
                ]
    except HarnessError as error:
        notes.append(f"speeds: timing ended early. {error}")
    return Timings(samples_frame(samples), notes)


def fit_together(subjects: Sequence[Subject]) -> bool:
    """Whether servers of all models can be up at once, on the GPUs too."""
    loaded = [(s.memory, s.bytes) for s in subjects if s.bytes is not None]
    needed = [memory.resident if memory and memory.resident > 0 else 2 * size for memory, size in loaded]
    on_gpu = [memory for memory, _ in loaded if memory and memory.gpu > 0]
    return sum(needed) <= USABLE * psutil.virtual_memory().available and (
        not on_gpu or sum(m.gpu for m in on_gpu) <= USABLE * min(m.gpu + m.gpu_free for m in on_gpu)
    )


def _memory(subject: Subject) -> Iterator[Sample]:
    """What was read when the model's server was the only one."""
    if subject.memory is not None:
        for quantity, value in ((Quantity.PEAK_RSS, subject.memory.resident), (Quantity.GPU, subject.memory.gpu)):
            if not math.isnan(value):
                yield Sample(subject.label, 0, quantity, value)


def _warmed_up(runner: _Runner) -> tuple[float, float]:
    """Tokens per second of prompts and of generating, after the first prompts have brought everything into memory."""
    what = warm_up(runner.endpoint.context)
    list(runner.once(what, 0))
    found = list(runner.once(what, 0))
    prefill, decode = (
        [sample.value for sample in found if sample.quantity == quantity]
        for quantity in (Quantity.PREFILL, Quantity.DECODE)
    )
    return median(prefill), median(decode) if decode else 0.0


def _rounds(runners: Sequence[_Runner], what: Amounts, rounds: int, deadline: float, samples: list[Sample]) -> int:
    """Time rounds while there is time, each the other way round than the last; returns how many were done."""
    for number in range(1, rounds + 1):
        if number > 1 and time.monotonic() > deadline:
            return number - 1
        for runner in runners if number % 2 else reversed(runners):
            samples += runner.once(what, number)
    return rounds
