"""Four-way multiple choice on HellaSwag against ``llama-perplexity --hellaswag``, and the same asked again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from bench import peers
from bench.client import exchange
from bench.hellaswag import Item, Question, as_lines, is_correct, load_items, tokenized
from bench.measure import Comparison, alternate
from bench.processes import Serving, our_server
from bench.scoring import scoring_body
from bench.setup import BenchError, Inputs
from bench.vocabulary import Vocabulary

CLIENTS = 8
SAME = 1.00
AGAIN = 5.0


def measure(inputs: Inputs) -> list[Comparison]:
    """Every prompt token scored; only what the endings add scored; the first of these a second time.

    A round takes items of its own, since an item that a server has seen need not be computed again.
    """
    assert inputs.model is not None
    assert inputs.hellaswag is not None
    if inputs.items < inputs.rounds:
        raise BenchError(f"{inputs.items} items do not make {inputs.rounds} rounds; choose more by --items.")
    model = inputs.model
    vocabulary = Vocabulary(model, seed=inputs.seed)
    items = load_items(inputs.hellaswag, inputs.items)
    rounds = [items[number :: inputs.rounds] for number in range(inputs.rounds)]
    questions = [[tokenized(item, vocabulary.tokenize) for item in part] for part in rounds]
    with our_server(inputs, model) as every_row, our_server(inputs, model) as last_rows:
        _warm_up(every_row, vocabulary)
        short = scores_from_a_position(last_rows, vocabulary)

        def ours(number: int, server: Serving, what: str, *, from_shared: bool = False) -> tuple[float, int]:
            inputs.say(f"choice, round {number + 1} of {inputs.rounds}: {what}")
            return ask(server, questions[number], from_shared=from_shared)

        def theirs(number: int) -> tuple[float, int]:
            inputs.say(f"choice, round {number + 1} of {inputs.rounds}: llama-perplexity")
            return _peer(inputs, rounds[number], number)

        sides: list[Callable[[int], tuple[float, int]]] = [partial(ours, server=every_row, what="our server"), theirs]
        if short:
            sides.append(partial(ours, server=last_rows, what="our server, rows of endings", from_shared=True))
        first, peer, *shorter = alternate(inputs.rounds, sides)
        again = [ours(number, every_row, "our server again") for number in range(inputs.rounds)]

    def accuracy(side: Sequence[tuple[float, int]]) -> str:
        return f"{sum(correct for _, correct in side) / len(items):.1%}"

    def rates(side: Sequence[tuple[float, int]]) -> tuple[float, ...]:
        return tuple(rate for rate, _ in side)

    common: dict[str, Any] = {"row": "choice", "unit": "items/s"}
    against_peer: dict[str, Any] = {"against": "perplexity", "theirs": rates(peer), "bound": SAME, **common}
    return [
        Comparison(
            work="choice, all rows",
            ours=rates(first),
            notes=(f"acc_norm on {len(items)} items: ours {accuracy(first)}, theirs {accuracy(peer)}",),
            **against_peer,
        ),
        *(
            Comparison(
                work="choice, rows needed",
                ours=rates(side),
                notes=(f"acc_norm: ours {accuracy(side)}",),
                **against_peer,
            )
            for side in shorter
        ),
        Comparison(
            work="choice, asked again",
            against="first pass",
            ours=rates(again),
            theirs=rates(first),
            bound=AGAIN,
            **common,
        ),
    ]


def ask(server: Serving, questions: Sequence[Question], *, from_shared: bool) -> tuple[float, int]:
    """Items per second, and how many were answered correctly; an item is one request of four prompts."""
    bodies = [
        scoring_body(question.prompts, 1) | ({"logprob_start_len": question.shared} if from_shared else {})
        for question in questions
    ]
    done = exchange(server.url, bodies, clients=CLIENTS)
    correct = sum(is_correct(answer, question) for answer, question in zip(done.answers, questions, strict=True))
    return len(questions) / done.seconds, correct


def _peer(inputs: Inputs, items: Sequence[Item], number: int) -> tuple[float, int]:
    assert inputs.model is not None
    file = inputs.scratch / f"hellaswag-{number}.txt"
    file.write_text(as_lines(items), encoding="utf-8")
    log = inputs.scratch / f"llama-perplexity-{number}.log"
    run = peers.hellaswag(inputs, inputs.model, file, len(items), log)
    return run.items_per_second, run.correct


def _warm_up(server: Serving, vocabulary: Vocabulary) -> None:
    prompts = vocabulary.random_prompts(4, 64)
    exchange(server.url, [scoring_body(prompt, 1) for prompt in prompts], clients=len(prompts))


def scores_from_a_position(server: Serving, vocabulary: Vocabulary) -> bool:
    """Whether the server knows ``logprob_start_len``; one that does not scores every token."""
    [prompt] = vocabulary.random_prompts(1, 16)
    try:
        done = exchange(server.url, [scoring_body(prompt, 1) | {"logprob_start_len": 8}], clients=1)
    except BenchError:
        return False
    scores = done.answers[0]["choices"][0]["logprobs"]["token_logprobs"]
    return scores[:8] == [None] * 8 and None not in scores[8:]
