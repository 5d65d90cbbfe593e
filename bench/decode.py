"""Generation: 128-token prompts, 64 tokens each, by 1 to 16 parallel clients."""

from __future__ import annotations

import contextlib
import statistics
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from bench import peers
from bench.client import Exchange, arrivals, exchange
from bench.measure import Comparison, alternate
from bench.processes import Serving, our_server
from bench.setup import BenchError, Inputs
from bench.vocabulary import Vocabulary

PROMPT = 128
GENERATE = 64
SEQUENCES_A_ROUND = 16
"""Few clients ask several times in a round, since a single request of theirs is over in a third of a second."""
GENERATION = 0.90
WHOLE = 1.00


class Rates(NamedTuple):
    """Tokens per second in one round, and the client's share of one core."""

    generation: float
    """Generated tokens: the time of the requests less the time of such requests for one token."""
    streamed: float
    """Generated tokens, from the last client's first token to the last client's end."""
    whole: float
    """Prompt and generated tokens over the time of the requests."""
    client: float


def measure(inputs: Inputs) -> list[Comparison]:
    """Three comparisons for each number of clients: generation, the same streamed, and whole requests."""
    assert inputs.model is not None
    model = inputs.model
    vocabulary = Vocabulary(model, seed=inputs.seed)
    with contextlib.ExitStack() as stack:
        ours = stack.enter_context(our_server(inputs, model))
        theirs = {
            clients: stack.enter_context(peers.llama_server(inputs, model, slots=clients)) for clients in inputs.clients
        }
        _warm_up(ours, [_ours(prompt, GENERATE) for prompt in vocabulary.random_prompts(2, PROMPT)])
        for server in theirs.values():
            _warm_up(server, [_theirs(prompt) for prompt in vocabulary.random_prompts(2, PROMPT)])

        def our_rates(number: int) -> dict[int, Rates]:
            inputs.say(f"decode, round {number + 1} of {inputs.rounds}: our server")
            return {clients: rates_of_ours(ours, vocabulary, clients) for clients in inputs.clients}

        def bench_rates(number: int) -> dict[int, float]:
            inputs.say(f"decode, round {number + 1} of {inputs.rounds}: llama-batched-bench")
            return peers.batched_bench(inputs, model, prompt=PROMPT, generate=GENERATE)

        def server_rates(number: int) -> dict[int, float]:
            inputs.say(f"decode, round {number + 1} of {inputs.rounds}: llama-server")
            return {clients: rate_of_llama_server(server, vocabulary, clients) for clients, server in theirs.items()}

        sides: list[Callable[[int], dict[int, Any]]] = [our_rates, bench_rates, server_rates]
        by_ours, by_bench, by_server = alternate(inputs.rounds, sides)
    return [
        comparison
        for clients in inputs.clients
        for comparison in _compare(
            clients,
            [rates[clients] for rates in by_ours],
            tuple(rates[clients] for rates in by_bench),
            tuple(rates[clients] for rates in by_server),
        )
    ]


def _compare(
    clients: int, ours: Sequence[Rates], bench: tuple[float, ...], server: tuple[float, ...]
) -> list[Comparison]:
    share = statistics.median(rates.client for rates in ours)
    common: dict[str, Any] = {"row": "decode", "unit": "tokens/s"}
    return [
        Comparison(
            work=f"decode ×{clients}",
            against="batched-bench",
            ours=tuple(rates.generation for rates in ours),
            theirs=bench,
            bound=GENERATION,
            notes=(f"the client took {share:.0%} of a core",),
            **common,
        ),
        Comparison(
            work=f"decode ×{clients}, streamed",
            against="batched-bench",
            ours=tuple(rates.streamed for rates in ours),
            theirs=bench,
            bound=GENERATION,
            **common,
        ),
        Comparison(
            work=f"prompt+decode ×{clients}",
            against="llama-server",
            ours=tuple(rates.whole for rates in ours),
            theirs=server,
            bound=WHOLE,
            **common,
        ),
    ]


def _ours(prompt: list[int], max_tokens: int, *, stream: bool = False) -> dict[str, Any]:
    return {"prompt": prompt, "max_tokens": max_tokens, "temperature": 0, "ignore_eos": True, "stream": stream}


def _theirs(prompt: list[int]) -> dict[str, Any]:
    fields = {"n_predict": GENERATE, "temperature": 0, "cache_prompt": False, "ignore_eos": True}
    return {"prompt": prompt, **fields}


def _warm_up(server: Serving, bodies: list[dict[str, Any]]) -> None:
    exchange(server.url, bodies, clients=len(bodies))


def rates_of_ours(server: Serving, vocabulary: Vocabulary, clients: int) -> Rates:
    """One round of our server with so many clients, each time with prompts that it has not seen."""
    first, whole, streamed, cpu = 0.0, 0.0, [], 0.0
    waves = max(1, SEQUENCES_A_ROUND // clients)
    for _ in range(waves):
        prompts = vocabulary.random_prompts(clients, PROMPT)
        first += exchange(server.url, [_ours(prompt, 1) for prompt in prompts], clients=clients).seconds
        prompts = vocabulary.random_prompts(clients, PROMPT)
        done = exchange(server.url, [_ours(prompt, GENERATE) for prompt in prompts], clients=clients)
        _require_length(done, lambda answer: answer["usage"]["completion_tokens"])
        whole += done.seconds
        cpu += done.cpu_seconds
        prompts = vocabulary.random_prompts(clients, PROMPT)
        streamed.append(
            streamed_rate(arrivals(server.url, [_ours(prompt, GENERATE, stream=True) for prompt in prompts]), GENERATE)
        )
    sequences = clients * waves
    return Rates(
        generation=sequences * (GENERATE - 1) / (whole - first),
        streamed=statistics.median(streamed),
        whole=sequences * (PROMPT + GENERATE) / whole,
        client=cpu / whole,
    )


def rate_of_llama_server(server: Serving, vocabulary: Vocabulary, clients: int) -> float:
    """One round of ``llama-server``: prompt and generated tokens a second of whole requests."""
    seconds = 0.0
    waves = max(1, SEQUENCES_A_ROUND // clients)
    for _ in range(waves):
        bodies = [_theirs(prompt) for prompt in vocabulary.random_prompts(clients, PROMPT)]
        done = exchange(server.url, bodies, clients=clients)
        _require_length(done, lambda answer: answer["tokens_predicted"])
        seconds += done.seconds
    return clients * waves * (PROMPT + GENERATE) / seconds


def _require_length(done: Exchange, generated: Callable[[dict[str, Any]], int]) -> None:
    lengths = {generated(answer) for answer in done.answers}
    if lengths != {GENERATE}:
        raise BenchError(f"completions of {GENERATE} tokens were asked for, and some had {min(lengths)}.")


def streamed_rate(times: Sequence[Sequence[float]], tokens: int) -> float:
    """Tokens per second of streams, from the last one's first event to the last event of all.

    A server may send several tokens in an event; they are taken as spread evenly over the events of their stream.

    Args:
        times: of the events of each stream, in seconds.
        tokens: generated in each stream.
    """
    begin = max(events[0] for events in times)
    end = max(events[-1] for events in times)
    after = sum(tokens * sum(at > begin for at in events) / len(events) for events in times)
    return after / (end - begin)
