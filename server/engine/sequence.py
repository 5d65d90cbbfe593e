"""One sequence through the engine: what is asked of it, how far it has come, what came out."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from server.engine.draft import Audit, Trial
from server.engine.llama import Model
from server.engine.sampler import Sampler, make_sampler
from server.engine.sampling import NEUTRAL, Sampling
from server.engine.score_log import ScoreLog
from server.engine.text import StopWatch


class SinkFailed(Exception):
    """A sink cannot take rows; the sequence fails with this sentence, without its full stop, and the engine goes on."""


class RowSink(Protocol):
    """What the rows of one job are for, other than their scores alone."""

    def take(self, logits: NDArray[np.float32], rows: NDArray[np.intp], first: int) -> NDArray[np.float64]:
        """Use some ``rows`` of ``logits [any, n_vocab]``; they are overwritten after the call.

        A sequence that is begun again brings its rows a second time. Never called by two threads at once.

        Args:
            logits: the batch's.
            rows: one for each of the next scored tokens.
            first: position of the first of these tokens in the prompt.

        Returns:
            The log-probability of each of the tokens, ``[rows]``.

        Raises:
            SinkFailed: it cannot.
            NotNumbersError: a row cannot be made into probabilities.
        """


@dataclass(frozen=True, slots=True)
class Job:
    """What one sequence is to do."""

    prompt: tuple[int, ...]
    """Every token the model is to see, BOS included; at least one."""
    max_tokens: int
    """Tokens to generate; 0 scores the prompt only."""
    score_from: int | None
    """Position of the first token of the prompt whose score is wanted, at least 1; None: of none."""
    top_k: int | None
    """How many alternatives to report beside each scored token; None: report no log-probabilities at all."""
    sampling: Sampling = NEUTRAL
    stops: tuple[str, ...] = ()
    cache: str | None = ""
    """Prompts share what was computed with others of the same name here; None: with none."""
    sink: RowSink | None = None
    """Takes every scored row in the scorer's place; with ``cache`` None, lest rows be left out, and ``top_k`` 0."""
    draft: tuple[int, ...] = ()
    """What the completion probably is: it makes it no other, but sooner done where it holds."""

    @property
    def entries(self) -> int:
        """Most log-probabilities that there can be to report."""
        if self.top_k is None:
            return 0
        scored = 0 if self.score_from is None else max(len(self.prompt) - self.score_from, 0)
        return (scored + self.max_tokens) * (self.top_k + 1)


@dataclass(slots=True)
class Timings:
    """Monotonic seconds at which a sequence passed each station; 0: it did not."""

    submitted: float = 0.0
    admitted: float = 0.0
    prompt_done: float = 0.0
    finished: float = 0.0


@dataclass(frozen=True, slots=True)
class Result:
    """What came of a job."""

    job: Job
    completion: tuple[int, ...]
    """All generated tokens, an end-of-generation token and those of a stop string included."""
    finish_reason: Literal["stop", "length"]
    stop: str | None
    """The stop string that ended it."""
    cut: int | None
    """Characters of the completion's text before that stop string."""
    scores: ScoreLog | None
    slot: int
    """Where it lay in the KV cache; -1: nothing had to be computed."""
    reused: int
    """Prompt tokens that were not computed again."""
    timings: Timings

    @property
    def accepted(self) -> int:
        """How many tokens of the draft came true before the first that did not."""
        pairs = zip(self.completion, self.job.draft, strict=False)
        return next(
            (i for i, (said, predicted) in enumerate(pairs) if said != predicted),
            min(len(self.completion), len(self.job.draft)),
        )


@dataclass(eq=False, slots=True)
class Sequence:
    """A job under way. The engine's thread alone changes it; others may read the tokens before ``ready``."""

    job: Job
    model: Model
    timings: Timings = field(default_factory=Timings)
    slot: int = -1
    tokens: NDArray[np.int32] = field(init=False)
    """Prompt and completion so far; the first ``length`` entries count."""
    length: int = field(init=False)
    computed: int = 0
    """Leading tokens whose keys and values are in the cache."""
    reused: int = 0
    scores: ScoreLog | None = field(init=False)
    sampler: Sampler | None = None
    stop_watch: StopWatch = field(init=False)
    stop: str | None = None
    finish_reason: Literal["stop", "length"] | None = None
    failure: str | None = None
    """Why it cannot go on."""
    draft: tuple[int, ...] = field(init=False)
    """What the completion may be; empty as soon as it is known to be wrong, or of no use."""
    trial: Trial | None = None
    """Part of the draft that is being decoded; its tokens are behind the first ``length``."""
    opening: NDArray[np.float32] | None = None
    """The row that chose the first token, as long as the sequence may have to start over from there."""
    audit: Audit | None = None
    """Of a trial whose rows are compared with those of the same tokens decoded one by one."""
    doubt: float = 0.0
    """How far ahead the best token must be from here on, since a trial moved the rows; 0: they are exact."""

    def __post_init__(self) -> None:
        job, n = self.job, len(self.job.prompt)
        self.tokens = np.empty(n + job.max_tokens, np.int32)
        self.tokens[:n] = job.prompt
        self.length = n
        first = n if job.score_from is None else min(job.score_from, n)
        k = min(job.top_k or 0, self.model.n_vocab)
        self.scores = None if job.top_k is None else ScoreLog(first, n + job.max_tokens, k)
        self.stop_watch = StopWatch(job.stops)
        # What cannot be forgotten again cannot be tried.
        self.draft = job.draft[: job.max_tokens] if self.model.can_share_prefix else ()

    def begin(self, slot: int, computed: int) -> None:
        """Take a place in the KV cache whose first ``computed`` tokens are known."""
        self.slot = slot
        self.computed = self.reused = computed
        if self.job.max_tokens > 0:
            self.sampler = make_sampler(self.model, self.job.sampling, self.tokens[: self.length])

    @property
    def prompt(self) -> NDArray[np.int32]:
        """The prompt's tokens."""
        return self.tokens[: len(self.job.prompt)]

    @property
    def in_prompt(self) -> bool:
        """Whether part of the prompt is still to be computed."""
        return self.computed < len(self.job.prompt)

    @property
    def planned(self) -> int:
        """Tokens that can be decoded now: those there are, and those that are tried."""
        return self.length if self.trial is None else self.trial.end

    @property
    def first_row(self) -> int | None:
        """Position of the first row that is needed: row p scores token p + 1, or chooses it; None: no row is.

        The last token of a prompt that is only scored has no row, and is computed all the same: a batch of 511 tokens
        takes llama.cpp longer than one of 512, since what is beyond a multiple of its tiles goes one by one.
        """
        if self.scores is not None and self.scores.end < len(self.job.prompt):
            return self.scores.end - 1
        only_scored = self.job.max_tokens == 0 and self.job.score_from is not None
        return None if only_scored else len(self.job.prompt) - 1

    @property
    def ready(self) -> int:
        """Leading tokens that will not change and whose scores, if wanted, are known."""
        return self.length if self.scores is None else min(self.length, self.scores.end)

    @property
    def done(self) -> bool:
        """Whether nothing is missing from the result."""
        return self.finish_reason is not None and self.ready == self.length

    def wants(self, begin: int, end: int) -> NDArray[np.int8]:
        """Flags ``[end - begin]`` of tokens: a row is wanted where it scores the next token or generates one."""
        flags = np.zeros(end - begin, np.int8)
        n = len(self.job.prompt)
        if self.scores is not None:
            # What is known from before is not computed again; the last row of the prompt scores what is generated.
            flags[max(self.scores.end - 1 - begin, 0) : max(n - 1 - begin, 0)] = 1
        if self.trial is not None:
            flags[:] = 1
        elif end == self.length:
            flags[-1] = self.job.max_tokens > 0
        return flags

    def generate(self, token: int) -> None:
        """Append a generated token and decide whether it was the last."""
        self.tokens[self.length] = token
        generated = self.length + 1 - len(self.job.prompt)
        ended = self.model.ends_generation(token)
        if not ended:  # its name is no text, so no stop string can be in it
            self.stop = self.stop_watch.add(self.model.piece(token), ignore=generated < self.job.sampling.min_tokens)
        if ended or self.stop is not None:
            self.finish_reason = "stop"
        elif generated == self.job.max_tokens:
            self.finish_reason = "length"
        self.length += 1

    def start_over(self) -> None:
        """Forget the completion but for the score of its first token, which the same row will choose again."""
        self.release()
        self.sampler = make_sampler(self.model, self.job.sampling, self.prompt)
        self.stop_watch = StopWatch(self.job.stops)
        self.stop = self.finish_reason = self.failure = None
        self.draft, self.doubt = (), 0.0
        self.length = self.computed = len(self.job.prompt)
        if self.scores is not None:
            self.scores.end = min(self.scores.end, self.length + 1)

    def result(self) -> Result:
        """The finished job; frees the sampler."""
        assert self.finish_reason is not None
        self.release()
        self.timings.finished = time.monotonic()
        return Result(
            job=self.job,
            completion=tuple(self.tokens[len(self.job.prompt) : self.length].tolist()),
            finish_reason=self.finish_reason,
            stop=self.stop,
            cut=self.stop_watch.cut,
            scores=self.scores,
            slot=self.slot,
            reused=self.reused,
            timings=self.timings,
        )

    def release(self) -> None:
        """Free what llama.cpp holds for this sequence alone, and rows: whoever reads the tokens may take their time."""
        self.trial = self.audit = self.opening = None
        if self.sampler is not None:
            self.sampler.close()
            self.sampler = None
