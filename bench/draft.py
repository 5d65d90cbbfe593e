"""Generation with the F16 model's answers as predictions: what decoding takes with and without, and the same text."""

from __future__ import annotations

import contextlib
import random
import statistics
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from bench.client import exchange
from bench.measure import Comparison, alternate
from bench.processes import Serving, our_server
from bench.setup import BenchError, Inputs
from harness.adaptation.window import ByteWindow
from harness.data.store import open_store
from harness.execution.tasks import Asking, plan_tasks
from harness.models.config import load_config
from harness.models.gguf_facts import read_facts
from harness.models.quantize import quantize
from harness.scenarios.table import SCENARIOS
from harness.scenarios.world.corpus import passages
from harness.scenarios.world.facts import build_world

ANSWERS = 200
LENGTH = 64
PROMPT_CHARACTERS = 300
SAVES_HALF = 2.0
COSTS_LITTLE = 0.8
CELLS = 1024
"""From 512 cells in use on, llama.cpp on several threads adds in another way for single tokens: nothing is saved."""
BOUNDS = {"q8_0": SAVES_HALF, "q4_k_m": COSTS_LITTLE, "q2_k": COSTS_LITTLE}
"""By quantization: how many times as many tokens a second there are to be."""
SHORT = ("world_facts", "world_two_step", "world_sums", "world_larger")
Body = dict[str, Any]


class Decoded(NamedTuple):
    """What one pass over all prompts gave."""

    rate: float
    """Tokens a second, from the first token of an answer to its last."""
    choices: list[Any]
    accepted: int
    """Tokens of predictions that were right."""


def measure(inputs: Inputs) -> list[Comparison]:
    """Two kinds of answers, each by three quantizations: long ones that go on a text, and those of the scenarios.

    Both sides are servers of their own that get the same requests in the same order, one at a time, so that what is in
    their caches is the same.

    Raises:
        BenchError: an answer with a prediction is another one than without.
    """
    source = inputs.draft_model
    assert source is not None
    inputs = replace(inputs, setup=replace(inputs.setup, cells=CELLS, context=CELLS // 2))
    sets = {"long answers": long_prompts(inputs)}
    if inputs.draft_text is None:
        sets["scenario answers"] = scenario_prompts(inputs.seed)
    with our_server(inputs, source) as server:
        said = {name: _ids(_decode(server, bodies).choices) for name, bodies in sets.items()}
    facts = read_facts(source)
    found = []
    for quantization, bound in BOUNDS.items():
        model = quantize(facts, load_config(quantization), inputs.scratch, inputs.setup.threads)
        for name, bodies in sets.items():
            inputs.say(f"draft: {quantization}, {name}")
            found.append(_compare(inputs, model, f"{quantization}, {name}", bodies, said[name], bound))
    return found


def _compare(
    inputs: Inputs, model: Path, work: str, bodies: list[Body], said: list[list[int]], bound: float
) -> Comparison:
    predicted = [
        body | {"prediction": {"type": "content", "content": ids}} for body, ids in zip(bodies, said, strict=True)
    ]
    with contextlib.ExitStack() as stack:
        with_draft, plain = (stack.enter_context(our_server(inputs, model)) for _ in range(2))
        ours, theirs = alternate(
            inputs.rounds, [lambda _: _decode(with_draft, predicted), lambda _: _decode(plain, bodies)]
        )
    different = sum(
        one != other for a, b in zip(ours, theirs, strict=True) for one, other in zip(a.choices, b.choices, strict=True)
    )
    if different:
        raise BenchError(f"{work}: {different} answers with a prediction are not those without.")
    share = statistics.mean(one.accepted for one in ours) / sum(map(len, _ids(ours[0].choices)))
    return Comparison(
        row="draft",
        work=work,
        against="no prediction",
        unit="tokens/s",
        ours=tuple(one.rate for one in ours),
        theirs=tuple(one.rate for one in theirs),
        bound=bound,
        notes=(
            f"{len(bodies)} answers, none of them another one; {share:.0%} of their tokens came before a difference",
        ),
    )


def _decode(server: Serving, bodies: list[Body]) -> Decoded:
    answers = exchange(server.url, bodies, clients=1).answers
    seconds = sum(answer["timings"]["predicted_ms"] for answer in answers) / 1000
    choices = [answer["choices"] for answer in answers]
    details = [answer["usage"].get("completion_tokens_details", {}) for answer in answers]
    return Decoded(
        rate=sum(map(len, _ids(choices))) / seconds,
        choices=choices,
        accepted=sum(one.get("accepted_prediction_tokens", 0) for one in details),
    )


def _ids(choices: list[Any]) -> list[list[int]]:
    return [choice["generated_token_ids"] for (choice,) in choices]


def long_prompts(inputs: Inputs) -> list[Body]:
    """Requests to go on a text for 64 tokens: the given one, or paragraphs about the bundled model's world.

    Raises:
        BenchError: the text is too short.
    """
    rng = random.Random(inputs.seed)
    if inputs.draft_text is None:
        begun = [text[: rng.randint(100, PROMPT_CHARACTERS)] for text in passages(build_world(), rng, ANSWERS)]
    else:
        text = inputs.draft_text.read_text(encoding="utf-8")
        if len(text) < ANSWERS + PROMPT_CHARACTERS:
            raise BenchError(f"{inputs.draft_text.name}: it is too short for {ANSWERS} prompts.")
        begins = rng.sample(range(len(text) - PROMPT_CHARACTERS), ANSWERS)
        begun = [text[begin : begin + rng.randint(40, 100)] for begin in begins]
    return [_body(prompt, LENGTH, []) for prompt in begun]


def scenario_prompts(seed: int) -> list[Body]:
    """Questions of the bundled model's world as a run asks them."""
    found = []
    for name in SHORT:
        (task,) = plan_tasks(SCENARIOS[name], open_store(None), Asking(max_instances=ANSWERS // len(SHORT), seed=seed))
        requests = [task.request(instance, ByteWindow()) for instance in task.instances]
        found += [_body(request.text, request.max_tokens, list(request.stop)) for request in requests]
    return found


def _body(prompt: str, max_tokens: int, stop: list[str]) -> Body:
    fields = {"max_tokens": max_tokens, "temperature": 0, "logprobs": 0, "return_token_ids": True}
    return {"prompt": prompt, **fields, **({"stop": stop} if stop else {})}
