"""Scoring of 512-token prompts, every row of them, against a bare loop of ``llama_decode``."""

from __future__ import annotations

import statistics
from pathlib import Path
from typing import Any

from bench.bare_loop import run_bare_loop
from bench.client import Exchange, exchange
from bench.measure import Comparison, alternate
from bench.processes import our_server
from bench.setup import BenchError, Inputs
from bench.vocabulary import Vocabulary

LENGTH = 512
CLIENTS = 4


def measure(inputs: Inputs) -> list[Comparison]:
    """An ordinary vocabulary, one alternative a token."""
    assert inputs.model is not None
    return [_measure(inputs, inputs.model, row="scoring", logprobs=1, bound=0.90)]


def measure_wide(inputs: Inputs) -> list[Comparison]:
    """A large vocabulary, five alternatives a token."""
    assert inputs.wide_model is not None
    return [_measure(inputs, inputs.wide_model, row="wide", logprobs=5, bound=0.75)]


def _measure(inputs: Inputs, model: Path, *, row: str, logprobs: int, bound: float) -> Comparison:
    vocabulary = Vocabulary(model, seed=inputs.seed)
    prompts = [vocabulary.random_prompts(inputs.prompts, LENGTH) for _ in range(inputs.rounds)]
    shares: list[float] = []
    with our_server(inputs, model) as server:

        def score(prompts: list[list[int]]) -> Exchange:
            done = exchange(server.url, [scoring_body(prompt, logprobs) for prompt in prompts], clients=CLIENTS)
            require_scores(done, LENGTH)
            return done

        def ours(number: int) -> float:
            inputs.say(f"{row}, round {number + 1} of {inputs.rounds}: our server")
            done = score(prompts[number])
            shares.append(done.cpu_seconds / done.seconds)
            return inputs.prompts * LENGTH / done.seconds

        def theirs(number: int) -> float:
            inputs.say(f"{row}, round {number + 1} of {inputs.rounds}: bare loop")
            return run_bare_loop(model, inputs.setup, prompts[number], rows=inputs.bare_rows)

        score(vocabulary.random_prompts(2, LENGTH))
        our_rates, their_rates = alternate(inputs.rounds, [ours, theirs])
    return Comparison(
        row=row,
        work=f"scoring, vocab {vocabulary.size / 1000:.0f}k",
        against="bare loop",
        unit="tokens/s",
        ours=tuple(our_rates),
        theirs=tuple(their_rates),
        bound=bound,
        notes=(f"the client took {statistics.median(shares):.0%} of a core",),
    )


def scoring_body(prompt: list[int] | list[list[int]], logprobs: int) -> dict[str, Any]:
    """A request that scores a prompt, or several, and generates nothing."""
    return {"prompt": prompt, "max_tokens": 0, "echo": True, "logprobs": logprobs, "temperature": 0}


def require_scores(done: Exchange, length: int) -> None:
    """Raise :class:`BenchError` unless every prompt was scored but for its first token."""
    for answer in done.answers:
        for choice in answer["choices"]:
            scores = choice["logprobs"]["token_logprobs"]
            if len(scores) != length or scores[0] is not None or None in scores[1:]:
                raise BenchError(f"a prompt of {length} tokens did not come back with {length - 1} scores.")
