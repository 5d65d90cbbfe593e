"""One sequence through the engine: what is asked of it, how far it has come, what came out."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from server.engine.llama import Model, Sampler
from server.engine.scoring import Scores
from server.engine.text import StopWatch


@dataclass(frozen=True, slots=True)
class Job:
    """What one sequence is to do."""

    prompt: tuple[int, ...]
    """Every token the model is to see, BOS included; at least one."""
    max_tokens: int
    """Tokens to generate; 0 scores the prompt only."""
    score_prompt: bool
    top_k: int | None
    """How many alternatives to report beside each scored token; None: report no log-probabilities at all."""
    temperature: float
    top_p: float
    seed: int
    stops: tuple[str, ...]


class ScoreLog:
    """Scores of the tokens of one sequence by position, filled from the front without gaps from ``first`` on."""

    def __init__(self, first: int, capacity: int, k: int) -> None:
        self.first = first
        """Position of the first token that is scored; position 0 never is."""
        self.end = first
        """Position after the last one."""
        self.k = k
        self.logprob: NDArray[np.float64] = np.empty(capacity, np.float64)
        self.rank: NDArray[np.int32] = np.empty(capacity, np.int32)
        self.top_ids: NDArray[np.int32] = np.empty((capacity, k), np.int32)
        self.top_logprobs: NDArray[np.float64] = np.empty((capacity, k), np.float64)

    def append(self, scores: Scores) -> None:
        """Take the scores of the next tokens."""
        new = slice(self.end, self.end + len(scores.logprob))
        self.logprob[new], self.rank[new] = scores.logprob, scores.rank
        self.top_ids[new], self.top_logprobs[new] = scores.top_ids, scores.top_logprobs
        self.end = new.stop

    def copy_from(self, other: ScoreLog, until: int) -> None:
        """Take what another sequence with the same first ``until`` tokens already knows of them."""
        known = slice(self.first, until)
        self.logprob[known] = other.logprob[known]
        self.rank[known] = other.rank[known]
        self.top_ids[known] = other.top_ids[known, : self.k]
        self.top_logprobs[known] = other.top_logprobs[known, : self.k]
        self.end = until


@dataclass(slots=True)
class Timings:
    """Monotonic seconds at which a sequence passed each station."""

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
    reused: int
    """Prompt tokens that were not computed again."""
    timings: Timings


@dataclass(eq=False, slots=True)
class Sequence:
    """A job under way, in one slot of the KV cache."""

    job: Job
    model: Model
    slot: int
    tokens: NDArray[np.int32] = field(init=False)
    """Prompt and completion so far; the first ``length`` entries count."""
    length: int = field(init=False)
    computed: int = 0
    """Leading tokens whose keys and values are in the cache."""
    reused: int = 0
    scores: ScoreLog | None = field(init=False)
    sampler: Sampler | None = field(init=False)
    stop_watch: StopWatch = field(init=False)
    stop: str | None = None
    finish_reason: Literal["stop", "length"] | None = None
    timings: Timings = field(default_factory=Timings)

    def __post_init__(self) -> None:
        job, n = self.job, len(self.job.prompt)
        self.tokens = np.empty(n + job.max_tokens, np.int32)
        self.tokens[:n] = job.prompt
        self.length = n
        first = 1 if job.score_prompt else n
        self.scores = None if job.top_k is None else ScoreLog(first, n + job.max_tokens, job.top_k)
        self.sampler = (
            Sampler(temperature=job.temperature, top_p=job.top_p, seed=job.seed)
            if job.temperature > 0 and job.max_tokens > 0
            else None
        )
        self.stop_watch = StopWatch(job.stops)
        self.timings.admitted = time.monotonic()

    @property
    def in_prompt(self) -> bool:
        """Whether part of the prompt is still to be computed."""
        return self.computed < len(self.job.prompt)

    def wants(self, begin: int, end: int) -> NDArray[np.int8]:
        """Flags ``[end - begin]`` of tokens: a row is wanted where it scores the next token or generates one."""
        flags = np.zeros(end - begin, np.int8)
        if self.job.score_prompt and self.scores is not None:
            # Row p scores token p + 1; what was copied from another sequence is not computed again.
            flags[max(self.scores.end - 1 - begin, 0) :] = 1
        if end == self.length:
            flags[-1] = self.job.max_tokens > 0
        return flags

    def generate(self, token: int) -> None:
        """Append a generated token and decide whether it was the last."""
        self.tokens[self.length] = token
        self.length += 1
        ended = self.model.ends_generation(token)
        if not ended:  # its name is no text, so no stop string can be in it
            self.stop = self.stop_watch.add(self.model.piece(token))
        if ended or self.stop is not None:
            self.finish_reason = "stop"
        elif self.length == len(self.tokens):
            self.finish_reason = "length"

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
        """Free what llama.cpp holds for this sequence alone."""
        if self.sampler is not None:
            self.sampler.close()
            self.sampler = None
